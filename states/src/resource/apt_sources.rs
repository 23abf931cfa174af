//! `sources.list` of apt, in both of its forms: a line a source, and paragraphs (`deb822`).

use std::path::{Path, PathBuf};

use super::lines;
use crate::{Host, Look, plan::StateError};

const MAIN: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";
const TYPES: [&str; 4] = ["deb", "deb-src", "rpm", "rpm-src"];

/// How a source is written.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Line,
    /// The fields that are not read here, and the comments above.
    Paragraph {
        more: Vec<(String, String)>,
        header: Vec<String>,
    },
    /// Something else, kept as it is.
    Other(String),
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub file: PathBuf,
    form: Form,
    pub disabled: bool,
    pub types: Vec<String>,
    pub uris: Vec<String>,
    pub suites: Vec<String>,
    pub comps: Vec<String>,
    pub architectures: Vec<String>,
    pub signed_by: String,
    pub trusted: bool,
    /// Other options of a line.
    options: Vec<String>,
    pub comment: String,
    /// The line as it was read.
    pub raw: String,
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn yes(text: &str) -> bool {
    matches!(text.to_lowercase().as_str(), "yes" | "true" | "with" | "on" | "enable" | "1")
}

impl Source {
    fn empty(file: &Path, form: Form) -> Self {
        Self {
            file: file.to_owned(),
            form,
            disabled: false,
            types: Vec::new(),
            uris: Vec::new(),
            suites: Vec::new(),
            comps: Vec::new(),
            architectures: Vec::new(),
            signed_by: String::new(),
            trusted: false,
            options: Vec::new(),
            comment: String::new(),
            raw: String::new(),
        }
    }

    /// Reads `deb [options] URI DIST COMPONENTS # comment`; none if it is something else.
    pub fn parse(line: &str, file: &Path) -> Option<Self> {
        let mut source = Self { raw: line.trim().to_owned(), ..Self::empty(file, Form::Line) };
        let mut rest = line.trim();
        if let Some(off) = rest.strip_prefix('#') {
            source.disabled = true;
            rest = off.trim_start();
        }
        if let Some((before, comment)) = rest.split_once('#') {
            source.comment = comment.to_owned();
            rest = before;
        }
        let (kind, after) = rest.trim().split_once(char::is_whitespace)?;
        source.types = TYPES.contains(&kind).then(|| vec![kind.to_owned()])?;
        let mut after = after.trim_start();
        if let Some(options) = after.strip_prefix('[') {
            let (options, behind) = options.split_once(']')?;
            options.split_whitespace().for_each(|option| source.option(option));
            after = behind;
        }
        let mut parts = words(after).into_iter();
        source.uris = vec![parts.next()?];
        source.suites = vec![parts.next()?];
        source.comps = parts.collect();
        Some(source)
    }

    fn option(&mut self, option: &str) {
        match option.split_once('=') {
            Some(("arch", value)) => self.architectures = value.split(',').map(str::to_owned).collect(),
            Some(("signed-by", value)) => self.signed_by = value.to_owned(),
            Some(("trusted", value)) => self.trusted = yes(value),
            _ => self.options.push(option.to_owned()),
        }
    }

    fn paragraph(text: &str, file: &Path) -> Self {
        let mut source = Self::empty(file, Form::Line);
        let (mut fields, mut header): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
        for line in text.lines() {
            if line.starts_with('#') {
                header.push(line.to_owned());
            } else if line.starts_with([' ', '\t']) {
                if let Some((_, value)) = fields.last_mut() {
                    value.push('\n');
                    value.push_str(line);
                }
            } else if let Some((key, value)) = line.split_once(':') {
                fields.push((key.to_owned(), value.trim().to_owned()));
            }
        }
        let mut more = Vec::new();
        for (key, value) in fields {
            match key.to_lowercase().as_str() {
                "types" => source.types = words(&value),
                "uris" => source.uris = words(&value),
                "suites" => source.suites = words(&value),
                "components" => source.comps = words(&value),
                "architectures" => source.architectures = words(&value),
                "signed-by" => source.signed_by = value,
                "trusted" => source.trusted = yes(&value),
                "enabled" => source.disabled = !yes(&value),
                _ => more.push((key, value)),
            }
        }
        source.form = Form::Paragraph { more, header };
        source
    }

    /// The same source in the form that a file has.
    pub fn into_file(mut self, file: &Path) -> Self {
        self.file = file.to_owned();
        if file.extension().is_some_and(|end| end == "sources") {
            self.form = Form::Paragraph { more: Vec::new(), header: Vec::new() };
        }
        self
    }

    /// Puts a comment above a paragraph, or behind a line.
    pub fn set_comment(&mut self, comment: &str) {
        match &mut self.form {
            Form::Paragraph { header, .. } => *header = comment.lines().map(|line| format!("#{line}")).collect(),
            _ => self.comment = comment.to_owned(),
        }
    }

    /// The source as a line.
    pub fn line(&self) -> String {
        let mut options = Vec::new();
        if !self.architectures.is_empty() {
            options.push(format!("arch={}", self.architectures.join(",")));
        }
        if !self.signed_by.is_empty() {
            options.push(format!("signed-by={}", self.signed_by));
        }
        if self.trusted {
            options.push("trusted=yes".into());
        }
        options.extend(self.options.iter().cloned());
        let options = if options.is_empty() { String::new() } else { format!("[{}]", options.join(" ")) };
        let comment = if self.comment.is_empty() { String::new() } else { format!("#{}", self.comment) };
        let off = if self.disabled { "#" } else { "" };
        let parts = [off, &self.types.join(" "), &options, &self.uris.join(" "), &self.suites.join(" ")];
        let parts = parts.into_iter().chain(self.comps.iter().map(String::as_str)).chain([comment.as_str()]);
        parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }

    fn render(&self) -> String {
        let Form::Paragraph { more, header } = &self.form else {
            return match &self.form {
                Form::Other(text) => format!("{text}\n"),
                _ => format!("{}\n", self.line()),
            };
        };
        let field = |key: &str, value: String| match value.is_empty() {
            true => String::new(),
            false => format!("{key}: {value}\n"),
        };
        let mut out: String = header.iter().map(|line| format!("{line}\n")).collect();
        out.push_str(&field("Types", self.types.join(" ")));
        out.push_str(&field("URIs", self.uris.join(" ")));
        out.push_str(&field("Suites", self.suites.join(" ")));
        out.push_str(&field("Components", self.comps.join(" ")));
        out.push_str(&field("Architectures", self.architectures.join(" ")));
        out.push_str(&field("Signed-By", self.signed_by.clone()));
        out.push_str(&field("Trusted", if self.trusted { "yes".into() } else { String::new() }));
        out.push_str(&field("Enabled", if self.disabled { "no".into() } else { String::new() }));
        out.extend(more.iter().map(|(key, value)| field(key, value.clone())));
        out
    }

    fn has(&self, list: &[String], uri: &str) -> bool {
        list.iter().any(|known| known.trim_end_matches('/') == uri.trim_end_matches('/'))
    }

    /// Whether this is the source that another one describes: type, address, suite, and a component.
    pub fn is(&self, other: &Self) -> bool {
        let first = |list: &[String]| list.first().cloned().unwrap_or_default();
        self.types.contains(&first(&other.types))
            && self.has(&self.uris, &first(&other.uris))
            && self.suites.contains(&first(&other.suites))
    }

    pub fn shares_component(&self, other: &Self) -> bool {
        other.comps.is_empty() || self.comps.is_empty() || other.comps.iter().any(|comp| self.comps.contains(comp))
    }

    fn is_source(&self) -> bool {
        !matches!(self.form, Form::Other(_)) && !self.types.is_empty()
    }
}

/// All sources of a host, file by file.
#[derive(Debug, Clone, Default)]
pub struct Sources(pub Vec<Source>);

impl Sources {
    pub fn of(look: &dyn Look) -> Self {
        let mut files = vec![PathBuf::from(MAIN)];
        let parts = look.list(PARTS.as_ref()).unwrap_or_default();
        let is_list = |name: &String| name.ends_with(".list") || name.ends_with(".sources");
        files.extend(parts.into_iter().filter(is_list).map(|name| Path::new(PARTS).join(name)));
        let mut all = Self::default();
        for file in files {
            let Some(text) = lines::read(look, &file) else { continue };
            all.0.extend(parse_file(&text, &file));
        }
        all
    }

    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter(|source| source.is_source())
    }

    pub fn find(&self, wanted: &Source) -> Option<&Source> {
        self.iter().find(|source| source.is(wanted) && source.shares_component(wanted))
    }

    /// Writes one file anew; one of the parts that has no source left is removed.
    pub fn save(&self, host: &dyn Host, file: &Path) -> Result<(), StateError> {
        let own: Vec<&Source> = self.0.iter().filter(|source| source.file == file).collect();
        if !own.iter().any(|source| source.is_source()) && file.starts_with(PARTS) {
            return match host.stat(file) {
                Ok(_) => host.remove(file).map_err(|why| StateError::io("remove", file, &why)),
                Err(_) => Ok(()),
            };
        }
        let between = if file.extension().is_some_and(|end| end == "sources") { "\n" } else { "" };
        let text: Vec<String> = own.iter().map(|source| source.render()).collect();
        lines::write(host, file, &text.join(between), 0o644)
    }

    /// Takes a source away: of a paragraph with several suites or components, what it describes. Gives the files.
    pub fn remove(&mut self, wanted: &Source) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for source in &mut self.0 {
            if !source.is_source() || !source.is(wanted) || source.architectures != wanted.architectures {
                continue;
            }
            let same =
                source.comps.len() == wanted.comps.len() && source.comps.iter().all(|comp| wanted.comps.contains(comp));
            if same {
                source.suites.retain(|suite| !wanted.suites.contains(suite));
            } else {
                source.comps.retain(|comp| !wanted.comps.contains(comp));
                if source.comps.is_empty() {
                    source.suites.clear();
                }
            }
            files.push(source.file.clone());
        }
        self.0.retain(|source| !source.is_source() || !source.suites.is_empty());
        files.dedup();
        files
    }
}

fn parse_file(text: &str, file: &Path) -> Vec<Source> {
    let other = |text: &str| Source::empty(file, Form::Other(text.to_owned()));
    if file.extension().is_some_and(|end| end == "sources") {
        let paragraphs = text.split("\n\n").map(|part| part.trim_matches('\n')).filter(|part| !part.is_empty());
        return paragraphs.map(|part| Source::paragraph(part, file)).collect();
    }
    text.lines().map(|line| Source::parse(line, file).unwrap_or_else(|| other(line))).collect()
}

/// Where new sources go.
pub fn main_file() -> PathBuf {
    MAIN.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_written() {
        let line = "deb [arch=amd64 signed-by=/k.gpg] https://h/debian stable main contrib";
        let source = Source::parse(line, Path::new("/l.list")).unwrap();
        assert_eq!((source.line().as_str(), source.comps.len()), (line, 2));
        let off = Source::parse("# deb http://h x y # why", Path::new("/l.list")).unwrap();
        assert!(off.disabled && off.comment == " why");
        assert_eq!(off.line(), "# deb http://h x y # why");
        assert_eq!(Source::parse("# just a comment", Path::new("/l.list")), None);
        assert_eq!(Source::parse("deb http://h", Path::new("/l.list")), None);
    }

    #[test]
    fn paragraphs_keep_what_is_not_known() {
        let text = "# mine\nTypes: deb\nURIs: http://h\nSuites: a b\nComponents: main\nSigned-By:\n -----BEGIN\n .\nLanguages: en\n";
        let file = Path::new("/etc/apt/sources.list.d/x.sources");
        let mut all = Sources(parse_file(text, file));
        assert_eq!(all.0[0].suites, ["a", "b"]);
        let rendered = all.0[0].render();
        assert!(rendered.starts_with("# mine\nTypes: deb\n") && rendered.ends_with("Languages: en\n"), "{rendered}");
        let wanted = Source::parse("deb http://h/ a main", file).unwrap();
        assert!(all.find(&wanted).is_some());
        assert_eq!(all.remove(&wanted), [file]);
        assert_eq!(all.0[0].suites, ["b"]);
    }
}
