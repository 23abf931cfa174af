//! The renderer `yamlex`: keys may stand twice, `!aggregate` puts their values together, and
//! `!reset` forgets what stood before.
//!
//! Sources: `salt.serializers.yamlex`, `salt.utils.aggregation`. Where Salt loses the items of a
//! plain list that is written again, the later list counts here.

use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use saphyr_parser::{Event, ScalarStyle, Tag};

use super::{Data, Key, Node, node::to_value};

/// What a tag of `yamlex` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Directive {
    Aggregate,
    Reset,
}

/// Takes such a tag off an event. What it stood before is read as if it were plain.
pub fn take_directive(event: &mut Event<'_>) -> Option<Directive> {
    let (Event::Scalar(.., tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag)) = event else {
        return None;
    };
    let directive = named(tag.as_deref()?)?;
    *tag = None;
    if let Event::Scalar(_, style, ..) = event {
        *style = ScalarStyle::Plain;
    }
    Some(directive)
}

fn named(tag: &Tag) -> Option<Directive> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", "aggregate") => Some(Directive::Aggregate),
        ("!", "reset") => Some(Directive::Reset),
        _ => None,
    }
}

/// A pair of a mapping as it was written, and whether it forgets an earlier one.
pub type Written = (Node, Node, bool);

/// Lists and mappings that are put together with others of the same key, by where they lie.
#[derive(Default)]
pub struct Marks {
    at: HashSet<usize>,
    /// Marked nodes live as long as the marks, so that nothing else can lie where they do.
    kept: Vec<Node>,
    /// Values that were looked at to put others together.
    spent: usize,
}

/// More values than this are not put together.
const MOST: usize = 250_000;

impl Marks {
    /// A value behind `!aggregate`: a scalar becomes a list of one, nothing an empty list.
    pub fn aggregated(&mut self, node: Node) -> Node {
        let data = match &node.data {
            Data::Seq(items) => Data::Seq(Arc::new(items.to_vec())),
            Data::Map(pairs) => Data::Map(Arc::new(pairs.to_vec())),
            Data::Null => Data::Seq(Arc::default()),
            _ => Data::Seq(Arc::new(vec![node.clone()])),
        };
        self.marked(Node { data, ..node })
    }

    fn marked(&mut self, node: Node) -> Node {
        self.at.extend(address(&node));
        self.kept.push(node.clone());
        node
    }

    fn has(&self, node: &Node) -> bool {
        address(node).is_some_and(|address| self.at.contains(&address))
    }

    /// The pairs of a mapping, each key once; `None` if there are too many to put together.
    pub fn folded(&mut self, written: Vec<Written>) -> Option<Vec<(Node, Node)>> {
        let mut places: HashMap<Option<Key>, usize> = HashMap::new();
        let mut pairs: Vec<(Node, Node)> = Vec::with_capacity(written.len());
        for (key, value, reset) in written {
            match places.entry(key.key()) {
                Entry::Vacant(entry) => {
                    entry.insert(pairs.len());
                    pairs.push((key, value));
                }
                Entry::Occupied(entry) => {
                    let before = &mut pairs[*entry.get()].1;
                    *before = if reset { value } else { self.merged(before, &value) };
                }
            }
        }
        (self.spent <= MOST).then_some(pairs)
    }

    /// `later` on top of `earlier`.
    fn merged(&mut self, earlier: &Node, later: &Node) -> Node {
        let both = self.has(earlier) && self.has(later);
        self.spent += size(earlier) + size(later);
        if self.spent > MOST {
            return later.clone();
        }
        match (&earlier.data, &later.data) {
            (Data::Map(old), Data::Map(new)) => {
                let merged = self.merged_pairs(if both { old } else { &[] }, old, new);
                let node = Node { data: Data::Map(Arc::new(merged)), ..later.clone() };
                if self.has(later) { self.marked(node) } else { node }
            }
            (Data::Seq(old), Data::Seq(new)) if both => {
                let had: HashSet<String> = old.iter().map(|item| to_value(item).to_string()).collect();
                let added = new.iter().filter(|item| !had.contains(&to_value(item).to_string()));
                let items = old.iter().chain(added).cloned().collect();
                self.marked(Node { data: Data::Seq(Arc::new(items)), ..later.clone() })
            }
            _ => later.clone(),
        }
    }

    /// `base` with the pairs of `new`, each put together with the one that `old` has.
    fn merged_pairs(&mut self, base: &[(Node, Node)], old: &[(Node, Node)], new: &[(Node, Node)]) -> Vec<(Node, Node)> {
        let old: HashMap<Option<Key>, &Node> = old.iter().map(|(key, value)| (key.key(), value)).collect();
        let mut out: Vec<(Node, Node)> = base.to_vec();
        let mut places: HashMap<Option<Key>, usize> =
            base.iter().enumerate().map(|(place, (key, _))| (key.key(), place)).collect();
        for (key, value) in new {
            let value = old.get(&key.key()).map_or_else(|| value.clone(), |old| self.merged(old, value));
            match places.get(&key.key()) {
                Some(place) => out[*place].1 = value,
                None => {
                    places.insert(key.key(), out.len());
                    out.push((key.clone(), value));
                }
            }
        }
        out
    }
}

fn size(node: &Node) -> usize {
    node.as_seq().map_or(0, <[Node]>::len) + node.as_map().map_or(0, <[(Node, Node)]>::len)
}

fn address(node: &Node) -> Option<usize> {
    match &node.data {
        Data::Seq(items) => Some(Arc::as_ptr(items) as usize),
        Data::Map(pairs) => Some(Arc::as_ptr(pairs) as usize),
        _ => None,
    }
}

/// An integer as Python's `int()` reads it, without the zeros before it: no other base than ten.
pub fn int(text: &str) -> Option<Data> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let apart = digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    let digits = digits.replace('_', "");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let text = if negative && digits != "0" { format!("-{digits}") } else { digits.to_owned() };
    apart.then(|| text.parse().map_or_else(|_| Data::Big(text.into()), Data::Int))
}

#[cfg(test)]
mod tests {
    use crate::{
        diag::Source,
        yaml::{parse_extended, to_value},
    };

    fn read(text: &str) -> String {
        match parse_extended(&Source::new("x", text)) {
            Ok(node) => to_value(&node).to_string(),
            Err(why) => why.message,
        }
    }

    /// Each answer but the last was Salt's.
    #[test]
    fn keys_that_stand_twice() {
        let cases = [
            ("a: 1\na: 2", r#"{"a":2}"#),
            ("a: [1]\na: !aggregate [2]", r#"{"a":[2]}"#),
            ("a: !aggregate [1]\na: !aggregate [2, 1]", r#"{"a":[1,2]}"#),
            ("a: !aggregate first\na: !aggregate second", r#"{"a":["first","second"]}"#),
            ("a: !aggregate {x: 1, y: [1]}\na: !aggregate {x: 2, z: 3, y: [2]}", r#"{"a":{"x":2,"y":[2],"z":3}}"#),
            ("a: {x: 1}\na: !aggregate {y: 2}", r#"{"a":{"y":2}}"#),
            ("a: {x: !aggregate [1], q: 1}\na: {x: !aggregate [2]}", r#"{"a":{"x":[1,2]}}"#),
            ("a: !aggregate [1]\n!reset a: !aggregate [2]", r#"{"a":[2]}"#),
            ("a: !aggregate first\na: !reset second", r#"{"a":"second"}"#),
            ("!aggregate a: [1]\n!aggregate a: [2]", r#"{"a":[1,2]}"#),
            ("a: !aggregate\na: !aggregate [1]", r#"{"a":[1]}"#),
            ("a: !aggregate [1]\na: 5", r#"{"a":5}"#),
            ("base: &b {x: 1}\na:\n  <<: *b\n  x: 2", r#"{"base":{"x":1},"a":{"x":2}}"#),
            ("!aggregate [1, 2]", "[1,2]"),
            ("a: [{x: 1, x: 2}]", r#"{"a":[{"x":2}]}"#),
            ("a: &x !aggregate [1]\na: !aggregate [2]\nb: *x", r#"{"a":[1,2],"b":[1]}"#),
            ("a: !aggregate [[1], {x: 1}]\na: !aggregate [[1], {x: 1}, 3]", r#"{"a":[[1],{"x":1},3]}"#),
            ("a: 0644\nb: -010\nc: 1_000\nd: '5'\ne: !aggregate '5'", r#"{"a":644,"b":-10,"c":1000,"d":"5","e":[5]}"#),
            ("a: [1]\na: [2]", r#"{"a":[2]}"#),
        ];
        for (text, expected) in cases {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn putting_together_is_bounded() {
        let text = (0..5000).map(|i| format!("a: !aggregate {i}\n")).collect::<String>();
        assert!(read(&text).contains("too many"), "{}", read(&text).len());
        let text = (0..500).map(|i| format!("a: !aggregate {i}\n")).collect::<String>();
        assert!(read(&text).ends_with(",498,499]}"));
    }

    #[test]
    fn what_salt_refuses() {
        assert!(read("a: 22:22").contains("not an integer"), "{}", read("a: 22:22"));
        assert!(read("a: !unknown 1").contains("the tag !unknown cannot be used here"));
        assert!(crate::yaml::parse("x", "a: !aggregate [1]").is_err(), "only yamlex knows the tag");
    }
}
