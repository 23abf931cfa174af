//! Files of sections with options, as Salt's `ini` module reads and writes them.

/// One line, or several that belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Entry {
    Option {
        key: String,
        value: String,
    },
    Comment(String),
    /// What is neither.
    Other(String),
}

/// A section; the one without a name stands above all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    pub name: String,
    entries: Vec<Entry>,
    separator: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ini {
    sections: Vec<Section>,
    separator: String,
    no_spaces: bool,
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with(['#', ';'])
}

impl Section {
    fn parse(name: &str, text: &str, separator: &str) -> Self {
        let mut section = Self { name: name.to_owned(), ..Self::default() };
        let text = text.trim_matches('\n');
        if text.is_empty() {
            return section;
        }
        let mut indent = String::new();
        for line in text.split('\n') {
            section.line(line, separator, &mut indent);
        }
        section
    }

    fn line(&mut self, line: &str, separator: &str, indent: &mut String) {
        if is_comment(line) {
            return self.entries.push(Entry::Comment(line.to_owned()));
        }
        let blank: String = line.chars().take_while(|c| c.is_whitespace()).collect();
        let blank = blank.replace('\t', "    ");
        // What stands deeper belongs to the option above.
        if !blank.is_empty()
            && blank > *indent
            && let Some(Entry::Option { value, .. } | Entry::Other(value) | Entry::Comment(value)) =
                self.entries.last_mut()
        {
            value.push('\n');
            return value.push_str(line);
        }
        match line.trim_start().split_once(separator).filter(|(key, _)| !key.is_empty()) {
            Some((key, value)) => {
                self.separator = Some(separator.to_owned());
                *indent = blank;
                let (key, value) = (key.trim_end().to_owned(), value.trim_start().to_owned());
                match self.value_mut(&key) {
                    Some(old) => *old = value,
                    None => self.entries.push(Entry::Option { key, value }),
                }
            }
            None => self.entries.push(Entry::Other(line.to_owned())),
        }
    }

    fn value_mut(&mut self, wanted: &str) -> Option<&mut String> {
        self.entries.iter_mut().find_map(|entry| match entry {
            Entry::Option { key, value } if key == wanted => Some(value),
            _ => None,
        })
    }

    pub fn options(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Option { key, value } => Some((key.as_str(), value.as_str())),
            _ => None,
        })
    }

    pub fn get(&self, key: &str) -> Option<&str> {
        self.options().find(|(known, _)| *known == key).map(|(_, value)| value)
    }

    /// Sets an option: where it is, in place of a comment that has it, or at the end.
    pub fn set(&mut self, key: &str, value: &str, separator: &str) {
        if let Some(old) = self.value_mut(key) {
            value.clone_into(old);
            return;
        }
        let new = Entry::Option { key: key.to_owned(), value: value.to_owned() };
        let is_it = |entry: &Entry| match entry {
            Entry::Comment(line) => {
                let bare = line.trim_start_matches('#').trim_start();
                bare.split_once(separator).is_some_and(|(known, _)| known.trim_end() == key)
            }
            _ => false,
        };
        match self.entries.iter().position(is_it) {
            Some(at) => self.entries[at] = new,
            None => self.entries.push(new),
        }
    }

    pub fn remove(&mut self, key: &str) -> Option<String> {
        let is_it = |entry: &Entry| matches!(entry, Entry::Option { key: known, .. } if known == key);
        let at = self.entries.iter().position(is_it)?;
        match self.entries.remove(at) {
            Entry::Option { value, .. } => Some(value),
            _ => None,
        }
    }

    fn render(&self, separator: &str) -> String {
        let entry = |entry: &Entry| match entry {
            Entry::Option { key, value } => format!("{key}{separator}{value}\n"),
            Entry::Comment(line) => format!("{line}\n"),
            // Salt writes what it does not know as an option without a name of its own.
            Entry::Other(line) => format!("{line}\n"),
        };
        self.entries.iter().map(entry).collect()
    }
}

impl Ini {
    pub fn parse(text: &str, separator: &str, no_spaces: bool) -> Self {
        let separator = if separator.is_empty() { "=" } else { separator };
        let header = |line: &str| -> Option<String> {
            let inside = line.trim().strip_prefix('[')?.strip_suffix(']')?;
            (!inside.is_empty()).then(|| inside.to_owned())
        };
        let (mut sections, mut name, mut body) = (Vec::new(), String::new(), String::new());
        for line in text.lines() {
            match header(line) {
                Some(next) => {
                    sections.push(Section::parse(&name, &body, separator));
                    (name, body) = (next, String::new());
                }
                None => body.extend([line, "\n"]),
            }
        }
        sections.push(Section::parse(&name, &body, separator));
        Self { sections, separator: separator.to_owned(), no_spaces }
    }

    /// The section of a name; none stands for the options above all sections.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    pub fn section_mut(&mut self, name: &str) -> &mut Section {
        let at = self.sections.iter().position(|section| section.name == name).unwrap_or_else(|| {
            self.sections.push(Section { name: name.to_owned(), ..Section::default() });
            self.sections.len() - 1
        });
        &mut self.sections[at]
    }

    /// All sections that have a name.
    pub fn sections(&self) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(|section| !section.name.is_empty())
    }

    pub fn separator(&self) -> &str {
        &self.separator
    }

    pub fn remove_section(&mut self, name: &str) {
        self.sections.retain(|section| section.name != name);
    }

    pub fn render(&self) -> String {
        let bare = self.separator.trim();
        let separator = match (bare.is_empty(), self.no_spaces) {
            (true, _) => " ".to_owned(),
            (false, true) => bare.to_owned(),
            (false, false) => format!(" {bare} "),
        };
        let mut out = String::new();
        for section in &self.sections {
            if !section.name.is_empty() {
                out.push_str(&format!("\n[{}]\n", section.name));
            }
            out.push_str(&section.render(&separator));
        }
        out.trim_start_matches('\n').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "top = 1\n\n[a]\n# note\nx=1\n# y = 2\nlong = a\n  b\n\n[b]\nz : 3\n";

    #[test]
    fn files_are_read_changed_and_written_as_salt_does() {
        let mut ini = Ini::parse(TEXT, "=", false);
        assert_eq!(ini.section("a").unwrap().get("long"), Some("a\n  b"));
        assert_eq!(ini.section("").unwrap().get("top"), Some("1"));
        ini.section_mut("a").set("y", "3", "=");
        ini.section_mut("c").set("new", "v", "=");
        assert_eq!(ini.section_mut("a").remove("x").as_deref(), Some("1"));
        assert_eq!(ini.render(), "top = 1\n\n[a]\n# note\ny = 3\nlong = a\n  b\n\n[b]\nz : 3\n\n[c]\nnew = v\n");
        assert_eq!(Ini::parse("[b]\nz : 3\n", ":", true).section("b").unwrap().get("z"), Some("3"));
    }
}
