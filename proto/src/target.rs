//! Targets: which minions are meant.
//!
//! The language is Salt's compound one, and a plain glob is its simplest sentence. Words are
//! globs, lists (`web1,web2`) or `X@pattern` with `X` one of `G P I J E L S N`; they are joined
//! by `and`, `or`, `not` and parentheses, `not` before `and` before `or`; `a not b` is
//! `a and not b`. A pattern with blanks stands in quotes: `G@'osfullname:Red Hat'`.
//!
//! Where we differ from Salt (`salt/matchers/compound_match.py`): what Salt logs and takes for
//! "nobody" is an error here, a nodegroup counts as if it stood in parentheses, and `P@`/`J@`
//! ignore case without turning `\D` into `\d`.

mod data;
mod nearest;
mod parse;

use std::{collections::HashSet, fmt, net::IpAddr};

use fancy_regex::Regex;
use indexmap::IndexMap;
use ipnet::IpNet;

use crate::{Glob, Map, Value};
use data::DataMatch;
pub use nearest::Nearest;
pub use parse::{Problem, TargetError};

/// A parsed target, ready to match. Cheap to match, not to make: parse once.
#[derive(Debug, Clone)]
pub struct Target(Node);

#[derive(Debug, Clone)]
enum Node {
    Glob(Glob),
    List(List),
    Regex(Box<Regex>),
    Data(Box<DataMatch>),
    Net(IpNet),
    Address(IpAddr),
    Group(String),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

/// `L@a,b`: exact ids. `a,b*` without `L@` may hold globs too.
#[derive(Debug, Clone)]
struct List {
    text: Vec<String>,
    exact: HashSet<String>,
    globs: Vec<Glob>,
}

/// What is known of the minion that a target is held against.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub id: &'a str,
    pub grains: &'a Map,
    /// `None` where pillar is not known: then no pillar target is decided.
    pub pillar: Option<&'a Map>,
    /// `None` where the groups are not known, as on a minion.
    pub nodegroups: Option<&'a Nodegroups>,
}

impl<'a> Subject<'a> {
    /// A minion of which only id and grains are known.
    pub fn new(id: &'a str, grains: &'a Map) -> Self {
        Self { id, grains, pillar: None, nodegroups: None }
    }
}

impl Target {
    /// Whether the minion is meant. What cannot be decided is not.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        self.0.decide(subject) == Some(true)
    }

    /// Whether the minion can be meant, for one who does not know everything (a minion knows
    /// neither the master's nodegroups nor, at first, its pillar).
    pub fn may_match(&self, subject: &Subject<'_>) -> bool {
        self.0.decide(subject) != Some(false)
    }

    /// What of a minion's grains and pillar decides; groups that are not among `groups` ask for
    /// nothing.
    pub fn asks(&self, groups: Option<&Nodegroups>) -> Asks {
        let mut asks = Asks::default();
        self.0.each(&mut |node| match node {
            Node::Data(data) => data.asks(&mut asks),
            Node::Net(_) | Node::Address(_) => asks.grains.extend(ADDRESSES.map(String::from)),
            Node::Group(name) => {
                if let Some(target) = groups.and_then(|groups| groups.0.get(name)) {
                    asks.join(target.asks(groups));
                }
            }
            _ => {}
        });
        asks
    }

    /// Whether pillar is compared by patterns, with which one could feel one's way to what it says.
    pub fn gropes_pillar(&self, groups: Option<&Nodegroups>) -> bool {
        let mut gropes = false;
        self.0.each(&mut |node| match node {
            Node::Data(data) => gropes |= data.gropes_pillar(),
            Node::Group(name) => {
                gropes |= groups.and_then(|groups| groups.0.get(name)).is_some_and(|t| t.gropes_pillar(groups));
            }
            _ => {}
        });
        gropes
    }

    /// Refuses nodegroups that do not exist.
    pub fn check_groups(&self, groups: &Nodegroups) -> Result<(), TargetError> {
        let mut unknown = None;
        self.0.each(&mut |node| match node {
            Node::Group(name) if !groups.0.contains_key(name) => unknown = Some(name.clone()),
            _ => {}
        });
        match unknown {
            None => Ok(()),
            Some(name) => Err(TargetError::unknown_group(&self.to_string(), &name, groups.0.keys())),
        }
    }
}

/// The names of the grains and of the pillar's entries, at their highest level, that a target
/// looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asks {
    pub grains: HashSet<String>,
    /// It looks through all grains.
    pub all_grains: bool,
    /// It looks at pillar.
    pub pillar: bool,
}

impl Asks {
    /// Whether that grain matters.
    pub fn grain(&self, name: &str) -> bool {
        self.all_grains || self.grains.contains(name)
    }

    /// Whether any grain does.
    pub fn any_grain(&self) -> bool {
        self.all_grains || !self.grains.is_empty()
    }

    fn join(&mut self, other: Asks) {
        self.grains.extend(other.grains);
        self.all_grains |= other.all_grains;
        self.pillar |= other.pillar;
    }
}

impl Node {
    /// Three-valued: `None` is what the subject's known facts do not tell.
    fn decide(&self, subject: &Subject<'_>) -> Option<bool> {
        match self {
            Node::Glob(glob) => Some(glob.is_match(subject.id)),
            Node::List(list) => Some(list.is_match(subject.id)),
            Node::Regex(regex) => Some(at_start(regex, subject.id)),
            Node::Data(data) => data.decide(subject),
            Node::Net(net) => Some(addresses(subject.grains).any(|address| net.contains(&address))),
            Node::Address(own) => Some(addresses(subject.grains).any(|address| address == *own)),
            Node::Group(name) => subject.nodegroups.map(|groups| groups.decide(name, subject)).unwrap_or_default(),
            Node::Not(node) => node.decide(subject).map(|matched| !matched),
            Node::And(nodes) => until(nodes, subject, false),
            Node::Or(nodes) => until(nodes, subject, true),
        }
    }

    fn each(&self, see: &mut impl FnMut(&Node)) {
        see(self);
        match self {
            Node::Not(node) => node.each(see),
            Node::And(nodes) | Node::Or(nodes) => nodes.iter().for_each(|node| node.each(see)),
            _ => {}
        }
    }
}

/// `or` ends with the first `true`, `and` with the first `false`; otherwise one that is not known
/// leaves the whole unknown.
fn until(nodes: &[Node], subject: &Subject<'_>, decisive: bool) -> Option<bool> {
    let mut all_known = true;
    for node in nodes {
        match node.decide(subject) {
            Some(verdict) if verdict == decisive => return Some(decisive),
            Some(_) => {}
            None => all_known = false,
        }
    }
    all_known.then_some(!decisive)
}

/// Python's `re.match`: at the beginning, not necessarily to the end. A pattern that takes too
/// many steps matches nothing.
fn at_start(regex: &Regex, text: &str) -> bool {
    regex.find(text).ok().flatten().is_some_and(|found| found.start() == 0)
}

/// Grains with a minion's addresses.
const ADDRESSES: [&str; 2] = ["ipv4", "ipv6"];

fn addresses(grains: &Map) -> impl Iterator<Item = IpAddr> + '_ {
    ADDRESSES
        .into_iter()
        .filter_map(|name| grains.get(name)?.as_array())
        .flatten()
        .filter_map(|address| address.as_str()?.parse().ok())
}

impl List {
    fn new(items: Vec<String>, globs: bool) -> Self {
        let (exact, patterns): (Vec<_>, Vec<_>) =
            items.iter().map(|item| Glob::new(item)).partition(|glob| !globs || glob.is_exact());
        let exact = exact.iter().map(|glob| glob.as_str().to_owned()).collect();
        Self { exact, globs: patterns, text: items }
    }

    fn is_match(&self, id: &str) -> bool {
        self.exact.contains(id) || self.globs.iter().any(|glob| glob.is_match(id))
    }
}

/// Named targets of the master's configuration (`nodegroups:`).
#[derive(Debug, Clone, Default)]
pub struct Nodegroups(IndexMap<String, Target>);

impl Nodegroups {
    /// Reads the configuration's mapping: a target, or a list of its words (of ids, when there is
    /// no operator among them). Groups may name groups, but never themselves.
    pub fn parse(groups: &Map) -> Result<Self, TargetError> {
        let parsed = groups.iter().map(|(name, value)| Ok((name.clone(), parse_group(name, value)?)));
        let groups = Self(parsed.collect::<Result<_, TargetError>>()?);
        for (name, target) in &groups.0 {
            target.check_groups(&groups)?;
            groups.follow(name, &mut Vec::new())?;
        }
        Ok(groups)
    }

    /// The groups' names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn decide(&self, name: &str, subject: &Subject<'_>) -> Option<bool> {
        self.0.get(name).map_or(Some(false), |target| target.0.decide(subject))
    }

    fn follow(&self, name: &str, trail: &mut Vec<String>) -> Result<(), TargetError> {
        trail.push(name.to_owned());
        if trail[..trail.len() - 1].iter().any(|earlier| earlier == name) {
            return Err(TargetError::group_loop(trail));
        }
        let mut inner = Vec::new();
        let Some(target) = self.0.get(name) else { return Ok(()) };
        target.0.each(&mut |node| {
            if let Node::Group(name) = node {
                inner.push(name.clone());
            }
        });
        inner.iter().try_for_each(|name| self.follow(name, trail))?;
        trail.pop();
        Ok(())
    }
}

fn parse_group(name: &str, value: &Value) -> Result<Target, TargetError> {
    let words: Vec<&str> = match value {
        Value::String(text) => return Target::parse(text),
        Value::Array(words) => words.iter().filter_map(Value::as_str).collect(),
        _ => return Err(TargetError::group_form(name)),
    };
    let has_operators = words.iter().any(|word| parse::is_operator(word));
    Target::parse(&words.join(if has_operators { " " } else { " or " }))
}

/// The canonical text: parsed again it is the same target.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Glob(glob) => f.write_str(glob.as_str()),
            Node::List(list) if list.globs.is_empty() => write!(f, "L@{}", parse::quoted(&list.text.join(","))),
            Node::List(list) => f.write_str(&list.text.join(",")),
            Node::Regex(regex) => write!(f, "E@{}", parse::quoted(regex.as_str())),
            Node::Data(data) => data.fmt(f),
            Node::Net(net) => write!(f, "S@{net}"),
            Node::Address(address) => write!(f, "S@{address}"),
            Node::Group(name) => write!(f, "N@{}", parse::quoted(name)),
            Node::Not(node) => write!(f, "not {}", Inner(node, 3)),
            Node::And(nodes) => joined(f, nodes, " and ", 2),
            Node::Or(nodes) => joined(f, nodes, " or ", 1),
        }
    }
}

/// A node within another, in parentheses where its binding is weaker.
struct Inner<'a>(&'a Node, u8);

impl fmt::Display for Inner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = match self.0 {
            Node::Or(_) => 1,
            Node::And(_) => 2,
            _ => 3,
        };
        if own < self.1 { write!(f, "( {} )", self.0) } else { self.0.fmt(f) }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, nodes: &[Node], operator: &str, binding: u8) -> fmt::Result {
    for (n, node) in nodes.iter().enumerate() {
        let before = if n == 0 { "" } else { operator };
        write!(f, "{before}{}", Inner(node, binding))?;
    }
    Ok(())
}

impl PartialEq for Target {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl std::str::FromStr for Target {
    type Err = TargetError;
    fn from_str(text: &str) -> Result<Self, TargetError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests;
