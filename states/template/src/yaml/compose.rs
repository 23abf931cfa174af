//! Events of the parser to nodes: tags, anchors, merge keys, duplicate keys, limits.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput, Tag};

use super::{
    Data, Key, Node,
    aggregate::{self, Directive, Marks},
    flow, problem,
    resolve::{self, Kind},
};
use crate::diag::{Diagnostic, Place, Source};

/// Lists and mappings inside one another.
const DEPTH: usize = 200;
/// Values that aliases may stand for, all together.
const EXPANDED: usize = 1_000_000;

/// Reads one document. An empty text is nothing (`Data::Null`), as in PyYAML.
pub fn parse(name: &str, text: &str) -> Result<Node, Diagnostic> {
    parse_source(&Source::new(name, text))
}

/// As [`parse`], for a text that is shared already.
pub fn parse_source(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    read(source, false)
}

/// As [`parse_source`], for the renderer `yamlex`: with `!aggregate` and `!reset`.
pub fn parse_extended(source: &Arc<Source>) -> Result<Node, Diagnostic> {
    read(source, true)
}

fn read(source: &Arc<Source>, extended: bool) -> Result<Node, Diagnostic> {
    refuse_control_characters(source)?;
    let spaced = flow::spaced(&source.text);
    let text = spaced.as_deref().unwrap_or(&source.text);
    match compose(source, text, &[], extended) {
        // The parser wants what stands in brackets indented; PyYAML does not.
        Err(why) if why.message.contains("indentation") => match flow::indented(text) {
            Some((text, lines)) => {
                compose(source, &text, &lines, extended).map_err(|other| if lines.is_empty() { why } else { other })
            }
            None => Err(why),
        },
        result => result,
    }
}

/// As PyYAML's reader: what cannot be printed may only be written as an escape.
fn refuse_control_characters(source: &Arc<Source>) -> Result<(), Diagnostic> {
    let hidden =
        |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}') || matches!(c, '\u{fffe}' | '\u{ffff}');
    let found =
        source.text.lines().enumerate().find_map(|(line, text)| Some((line, text, text.chars().position(hidden)?)));
    let Some((line, text, at)) = found else { return Ok(()) };
    let code = text.chars().nth(at).map_or(0, u32::from);
    Err(Diagnostic::new(format!("the character U+{code:04X} cannot stand in YAML"))
        .at(&Place::new(source, narrow(line + 1), narrow(at + 1), 1))
        .hint("write it as an escape within double quotes, as in \"\\x01\""))
}

/// `shifted` are the lines that [`flow::SHIFT`] blanks were put before.
fn compose(source: &Arc<Source>, text: &str, shifted: &[usize], extended: bool) -> Result<Node, Diagnostic> {
    let mut composer = Composer {
        source,
        parser: Parser::new_from_str(text),
        shifted,
        marks: extended.then(Marks::default),
        anchors: HashMap::new(),
        expanded: 0,
        composed: 0,
        open: Vec::new(),
        flow: 0,
        tabbed: text.contains('\t').then(|| text.lines().collect()),
        open_end: (!text.is_empty() && !text.ends_with('\n')).then(|| text.chars().count()),
    };
    composer.document()
}

struct Composer<'a> {
    source: &'a Arc<Source>,
    shifted: &'a [usize],
    parser: Parser<'a, StrInput<'a>>,
    /// What is aggregated; none where the text is plain YAML.
    marks: Option<Marks>,
    /// Nodes behind anchors, each with the number of values it stands for.
    anchors: HashMap<usize, (Node, usize)>,
    expanded: usize,
    composed: usize,
    /// Anchors of the collections that we are in.
    open: Vec<usize>,
    /// Flow collections that we are in.
    flow: usize,
    /// The lines of a text that has tabs.
    tabbed: Option<Vec<&'a str>>,
    /// Where a text ends that has no line end there.
    open_end: Option<usize>,
}

type Step<'a> = (Event<'a>, Span);

impl<'a> Composer<'a> {
    fn document(&mut self) -> Result<Node, Diagnostic> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::Nothing, _) => {}
                (Event::DocumentStart(_), _) => break,
                (Event::StreamEnd, span) if self.source.text.lines().any(|line| line.trim_end() == "...") => {
                    return Err(self.error("a document ends here that never began", span));
                }
                (Event::StreamEnd, span) => return Ok(self.node(Data::Null, span)),
                (_, span) => return Err(self.error("this is not a YAML document", span)),
            }
        }
        let first = self.next()?;
        let node = self.value(first, 0)?;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(node),
                (Event::DocumentStart(_), span) => {
                    return Err(self
                        .error("a second document begins here, but only one is allowed", span)
                        .hint("`---` may stand only at the beginning"));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<Step<'a>, Diagnostic> {
        match self.parser.next_event() {
            Some(Ok(step)) => Ok(step),
            Some(Err(error)) => Err(problem::of(self.source, &error, self.shifted)),
            None => Err(Diagnostic::new("the document ends too early")),
        }
    }

    fn value(&mut self, (mut event, span): Step<'a>, depth: usize) -> Result<Node, Diagnostic> {
        if depth > DEPTH {
            return Err(self.error("lists and mappings are nested too deeply", span));
        }
        self.composed += 1;
        self.refuse_tab(&event, span)?;
        let before = self.composed + self.expanded;
        let directive = self.directive(&mut event);
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let text = self.without_missing_line_end(&text, style, span);
                (anchor, self.scalar(text, style, tag.as_deref(), span)?)
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), &["seq"], span)?;
                (anchor, self.within(anchor, self.is_flow(span), |this| this.sequence(span, depth))?)
            }
            Event::MappingStart(anchor, tag) => {
                self.collection_tag(tag.as_deref(), &["map", "omap", "set"], span)?;
                let map = self.within(anchor, self.is_flow(span), |this| this.mapping(span, depth))?;
                let set = tag.as_deref().and_then(core_name) == Some("set");
                (anchor, if set { self.keys_of(map, span) } else { map })
            }
            _ => return Err(self.error("a value is missing here", span)),
        };
        let node = self.aggregated(node, directive);
        if anchor > 0 {
            let size = self.composed + self.expanded - before + 1;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok(node)
    }

    /// A `!!set`: its members are written as keys.
    fn keys_of(&self, map: Node, span: Span) -> Node {
        let pairs = map.as_map().unwrap_or_default();
        self.node(Data::Seq(Arc::new(pairs.iter().map(|(key, _)| key.clone()).collect())), span)
    }

    /// The parser ends each block scalar with a line end, PyYAML only where the text has one.
    fn without_missing_line_end<'t>(&self, text: &'t str, style: ScalarStyle, span: Span) -> &'t str {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let last = self.open_end.is_some_and(|end| span.end.index() >= end);
        if block && last { text.strip_suffix('\n').unwrap_or(text) } else { text }
    }

    /// The parser lets a tab stand before a value that begins a line or follows `-`; PyYAML
    /// does not, since such a tab would be indentation.
    fn refuse_tab(&self, event: &Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let Some(lines) = &self.tabbed else { return Ok(()) };
        let block =
            self.flow == 0 && matches!(event, Event::Scalar(..) | Event::SequenceStart(..) | Event::MappingStart(..));
        let Some(line) = lines.get(span.start.line().saturating_sub(1)).filter(|_| block) else { return Ok(()) };
        let before: String = line.chars().take(span.start.col()).collect();
        let rest = before.trim_end_matches([' ', '\t']);
        let indents = rest.is_empty() || rest.ends_with(['-', '?']) && !rest.ends_with("--");
        match before[rest.len()..].find('\t') {
            Some(tab) if indents => {
                let column = before[..rest.len() + tab].chars().count() + 1;
                Err(problem::tabbed(&Place::new(self.source, narrow(span.start.line()), narrow(column), 1)))
            }
            _ => Ok(()),
        }
    }

    fn within(
        &mut self,
        anchor: usize,
        flow: bool,
        read: impl FnOnce(&mut Self) -> Result<Node, Diagnostic>,
    ) -> Result<Node, Diagnostic> {
        self.open.push(anchor);
        self.flow += usize::from(flow);
        let node = read(self);
        self.flow -= usize::from(flow);
        self.open.pop();
        node
    }

    /// Whether a collection is written in brackets: only those have a width at their start.
    fn is_flow(&self, span: Span) -> bool {
        self.flow > 0 || span.end.index() > span.start.index()
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Diagnostic> {
        if self.open.contains(&anchor) {
            return Err(self.error("this alias stands inside of what it names", span));
        }
        let Some((node, size)) = self.anchors.get(&anchor) else {
            return Err(self.error("no anchor has this name", span));
        };
        let node = node.clone();
        self.expanded += size;
        if self.expanded > EXPANDED {
            return Err(self.error(format!("aliases stand for more than {EXPANDED} values"), span));
        }
        Ok(node)
    }

    fn sequence(&mut self, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(self.node(Data::Seq(Arc::new(items)), span)),
                step => items.push(self.value(step, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut pairs = Vec::new();
        let mut merged = Vec::new();
        loop {
            let mut step = self.next()?;
            if matches!(step.0, Event::MappingEnd) {
                break;
            }
            let directive = self.directive(&mut step.0);
            let merge = is_merge(&step.0);
            let key = self.key(step, depth)?;
            let step = self.next()?;
            let value = self.value(step, depth + 1)?;
            if merge {
                self.merge(&value, &mut merged)?;
            } else {
                pairs.push((key, self.aggregated(value, directive), directive == Some(Directive::Reset)));
            }
        }
        let pairs = match &mut self.marks {
            Some(marks) => {
                let merged = merged.into_iter().map(|(key, value)| (key, value, false));
                let folded = marks.folded(merged.chain(pairs).collect());
                folded.ok_or_else(|| self.error("too many values are put together here", span))?
            }
            None => {
                let pairs = with_merged(pairs.into_iter().map(|(key, value, _)| (key, value)).collect(), merged);
                refuse_duplicates(&pairs)?;
                pairs
            }
        };
        Ok(self.node(Data::Map(Arc::new(pairs)), span))
    }

    fn directive(&self, event: &mut Event<'_>) -> Option<Directive> {
        self.marks.as_ref().and_then(|_| aggregate::take_directive(event))
    }

    fn aggregated(&mut self, node: Node, directive: Option<Directive>) -> Node {
        match &mut self.marks {
            Some(marks) if directive == Some(Directive::Aggregate) => marks.aggregated(node),
            _ => node,
        }
    }

    /// `<<` and `=` mean something else as a key than as a value.
    fn key(&mut self, (event, span): Step<'a>, depth: usize) -> Result<Node, Diagnostic> {
        if let Event::Scalar(text, ScalarStyle::Plain, 0, None) = &event
            && matches!(text.as_ref(), "<<" | "=")
        {
            self.composed += 1;
            return Ok(self.node(Data::Str(text.as_ref().into()), span));
        }
        self.refuse_no_key(&event, span)?;
        let key = self.value((event, span), depth + 1)?;
        if key.key().is_some() {
            return Ok(key);
        }
        Err(Diagnostic::new(format!("{} cannot be a mapping's key", key.kind()))
            .at(&key.place())
            .hint("quote it if it is meant as text, as in \"{{ name }}\": value"))
    }

    /// The parser takes `: x` for a pair without a key; PyYAML wants `? ` or `null` before it.
    fn refuse_no_key(&self, event: &Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let empty = matches!(event, Event::Scalar(text, ScalarStyle::Plain, 0, None) if text.is_empty());
        if !empty || self.flow > 0 {
            return Ok(());
        }
        let mut above = self.source.text.lines().take(span.start.line()).collect::<Vec<_>>().into_iter().rev();
        let colon = above.next().is_some_and(|line| line.chars().nth(span.start.col()) == Some(':'));
        let asked = above.find(|line| !line.trim().is_empty()).is_some_and(|line| line.trim_end().ends_with('?'));
        if colon && !asked { Err(self.error("a key is missing before this colon", span)) } else { Ok(()) }
    }

    fn merge(&self, value: &Node, merged: &mut Vec<(Node, Node)>) -> Result<(), Diagnostic> {
        let refuse = |node: &Node| {
            Diagnostic::new(format!("`<<` needs a mapping or a list of mappings, not {}", node.kind()))
                .at(&node.place())
        };
        match &value.data {
            Data::Map(pairs) => merged.extend(pairs.iter().cloned()),
            Data::Seq(items) => {
                for item in items.iter().rev() {
                    merged.extend(item.as_map().ok_or_else(|| refuse(item))?.iter().cloned());
                }
            }
            _ => return Err(refuse(value)),
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node, Diagnostic> {
        if style == ScalarStyle::Plain && self.flow > 0 && text.starts_with(':') {
            return Err(self.error("a text in brackets cannot begin with a colon", span).hint("quote it"));
        }
        // `!` alone has a text read as if it stood there plain, but not what is missing.
        let bare = tag.is_some_and(non_specific);
        let kind = match tag.filter(|tag| !non_specific(tag)) {
            None if bare && (text.is_empty() && style == ScalarStyle::Plain) => Kind::Str,
            None if bare || style == ScalarStyle::Plain => resolve::resolve(text),
            None => Kind::Str,
            Some(tag) => self.scalar_tag(tag, span)?,
        };
        let data = match kind {
            Kind::Null => Some(Data::Null),
            Kind::Bool => resolve::boolean(&capitalised(text)).map(Data::Bool),
            Kind::Int if self.marks.is_some() => aggregate::int(text),
            Kind::Int => resolve::int(text),
            Kind::Float => resolve::float(text).map(Data::Float),
            Kind::Str | Kind::Timestamp => Some(Data::Str(text.into())),
            Kind::Binary => crate::base64::decode(text).map(|bytes| Data::Str(String::from_utf8_lossy(&bytes).into())),
            Kind::Merge | Kind::Value => {
                return Err(self.error(format!("`{text}` can only be a mapping's key"), span).hint("quote it"));
            }
        };
        match data {
            Some(data) => Ok(self.node(data, span)),
            None => Err(self.error(format!("{text:?} is not {}", described(kind)), span)),
        }
    }

    fn scalar_tag(&self, tag: &Tag, span: Span) -> Result<Kind, Diagnostic> {
        match core_name(tag) {
            Some("str" | "python/unicode") => Ok(Kind::Str),
            Some("int") => Ok(Kind::Int),
            Some("float") => Ok(Kind::Float),
            Some("bool") => Ok(Kind::Bool),
            Some("null") => Ok(Kind::Null),
            Some("binary") => Ok(Kind::Binary),
            Some("timestamp") => Ok(Kind::Timestamp),
            _ => Err(self.unknown_tag(tag, span)),
        }
    }

    fn collection_tag(&self, tag: Option<&Tag>, allowed: &[&str], span: Span) -> Result<(), Diagnostic> {
        match tag {
            None => Ok(()),
            Some(tag) if non_specific(tag) => Ok(()),
            Some(tag) if core_name(tag).is_some_and(|name| allowed.contains(&name)) => Ok(()),
            Some(tag) => Err(self.unknown_tag(tag, span)),
        }
    }

    fn unknown_tag(&self, tag: &Tag, span: Span) -> Diagnostic {
        let shown = match core_name(tag) {
            Some(name) => format!("!!{name}"),
            None => format!("{}{}", tag.handle, tag.suffix),
        };
        self.error(format!("the tag {shown} cannot be used here"), span)
            .hint("a value that begins with `!` needs quotes; known tags are !!str !!int !!float !!bool !!null !!binary !!map !!seq !!omap !!set")
    }

    fn node(&self, data: Data, span: Span) -> Node {
        let same_line = span.start.line() == span.end.line();
        let length = if same_line { span.end.col().saturating_sub(span.start.col()) } else { 1 };
        Node {
            data,
            source: self.source.clone(),
            line: narrow(span.start.line()),
            column: narrow(self.column(span)),
            length: narrow(length.max(1)),
        }
    }

    fn column(&self, span: Span) -> usize {
        let shift = if self.shifted.binary_search(&span.start.line()).is_ok() { flow::SHIFT } else { 0 };
        span.start.col().saturating_sub(shift) + 1
    }

    fn error(&self, message: impl Into<String>, span: Span) -> Diagnostic {
        Diagnostic::new(message).at(&self.node(Data::Null, span).place())
    }
}

fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn is_merge(event: &Event<'_>) -> bool {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, _, None) => text == "<<",
        Event::Scalar(_, _, _, Some(tag)) => core_name(tag) == Some("merge"),
        _ => false,
    }
}

/// A lone `!`, which says nothing.
fn non_specific(tag: &Tag) -> bool {
    format!("{}{}", tag.handle, tag.suffix) == "!"
}

fn core_name(tag: &Tag) -> Option<&str> {
    if tag.is_yaml_core_schema() {
        return Some(&tag.suffix);
    }
    tag.suffix.strip_prefix("tag:yaml.org,2002:")
}

/// `!!bool YeS` is read whatever its case.
fn capitalised(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn described(kind: Kind) -> &'static str {
    match kind {
        Kind::Bool => "a boolean",
        Kind::Int => "an integer",
        Kind::Float => "a number",
        Kind::Binary => "base64",
        _ => "such a value",
    }
}

/// Merged pairs come first; those that the mapping itself has are left out.
fn with_merged(pairs: Vec<(Node, Node)>, merged: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    if merged.is_empty() {
        return pairs;
    }
    let own: std::collections::HashSet<Option<Key>> = pairs.iter().map(|(key, _)| key.key()).collect();
    merged.into_iter().filter(|(key, _)| !own.contains(&key.key())).chain(pairs).collect()
}

fn refuse_duplicates(pairs: &[(Node, Node)]) -> Result<(), Diagnostic> {
    if pairs.len() < 2 {
        return Ok(());
    }
    let mut seen: HashMap<Key, &Node> = HashMap::with_capacity(pairs.len());
    for (node, _) in pairs {
        let Some(key) = node.key() else { continue };
        match seen.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(node);
            }
            Entry::Occupied(entry) => {
                return Err(Diagnostic::new(format!(
                    "conflicting ID '{}': it stands twice in this mapping",
                    node.to_text()
                ))
                .at(&node.place())
                .note("it was given first here", &entry.get().place())
                .hint("a key may stand only once: give one of them another name, or put both beneath one key"));
            }
        }
    }
    Ok(())
}
