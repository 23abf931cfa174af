//! From text to target, with errors that name the column.

use std::net::IpAddr;

use fancy_regex::RegexBuilder;
use ipnet::IpNet;

use super::{List, Node, Target, data::DataMatch};
use crate::Glob;

/// Bounds of what may come from outside.
const LONGEST: usize = 512 * 1024;
const DEEPEST: usize = 64;
const MOST_WORDS: usize = 20_000;
const LONGEST_REGEX: usize = 4096;
const MOST_REGEXES: usize = 64;
/// Steps back that a pattern may take on one text.
const BACKTRACKS: usize = 20_000;
/// Bytes of a compiled pattern.
const REGEX_SIZE: usize = 256 * 1024;

/// What is wrong with a target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the target is empty")]
    Empty,
    #[error("the target is longer than {LONGEST} bytes")]
    TooLong,
    #[error("the target has too many parts or is nested too deeply")]
    TooMuch,
    #[error("`{0}` needs a target before it")]
    NothingBefore(String),
    #[error("`{0}` needs a target behind it")]
    NothingBehind(String),
    #[error("`and` or `or` is missing before `{0}`")]
    NoOperator(String),
    #[error("this parenthesis is never closed")]
    Open,
    #[error("this parenthesis closes nothing")]
    Close,
    #[error("this quotation never ends")]
    Quote,
    #[error("`{0}` cannot be part of a list of ids")]
    NotAnId(String),
    #[error("`{0}@` needs NAME{1}VALUE")]
    NoValue(char, char),
    #[error("`{0}@` needs something behind it")]
    NoPattern(char),
    #[error("the regular expression is wrong: {0}")]
    Regex(String),
    #[error("`{0}` is neither an address nor a network")]
    Net(String),
    #[error("`{0}@` targets are not supported")]
    Engine(char),
    #[error("there is no target flag -{0}")]
    Flag(char),
    #[error("there is no nodegroup `{0}`")]
    NoGroup(String),
    #[error("nodegroup `{0}` is neither a target nor a list of words")]
    GroupForm(String),
    #[error("nodegroups name each other in a circle: {0}")]
    GroupLoop(String),
}

/// A target that cannot be read: what is wrong, where, and what to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("target '{text}', column {column}: {problem}")]
pub struct TargetError {
    /// The target, shortened when it is long.
    pub text: String,
    /// Counted in characters from 1.
    pub column: usize,
    pub problem: Problem,
    hint: Option<String>,
}

impl TargetError {
    fn new(text: &str, at: usize, problem: Problem) -> Self {
        let column = text.get(..at).map_or(1, |before| before.chars().count() + 1);
        let hint = hint(&problem);
        Self { text: text.chars().take(200).collect(), column, problem, hint }
    }

    /// What to try instead.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    pub(super) fn unknown_group<'a>(text: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Self {
        let nearest = known
            .map(|known| (strsim::damerau_levenshtein(name, known), known))
            .min()
            .filter(|&(distance, _)| distance <= 3);
        let hint = match nearest {
            Some((_, known)) => format!("did you mean {known}?"),
            None => "the master's configuration lists them under `nodegroups`".into(),
        };
        let at = text.find(&format!("N@{name}")).unwrap_or(0);
        Self { hint: Some(hint), ..Self::new(text, at, Problem::NoGroup(name.into())) }
    }

    pub(super) fn group_loop(trail: &[String]) -> Self {
        Self::new(&format!("N@{}", trail[0]), 0, Problem::GroupLoop(trail.join(" → ")))
    }

    pub(super) fn group_form(name: &str) -> Self {
        Self::new(&format!("N@{name}"), 0, Problem::GroupForm(name.into()))
    }
}

fn hint(problem: &Problem) -> Option<String> {
    let text = match problem {
        Problem::Empty => "'*' is everybody",
        Problem::NotAnId(_) => "write `A or B`; commas are for ids and globs alone",
        Problem::NoOperator(_) => "write `A and B` for both, `A or B` or `A,B` for either",
        Problem::Open | Problem::Close => "count the parentheses; a regular expression's own need `E@` before it",
        Problem::NoValue('G' | 'P', _) => "for example G@os:Debian, or G@role:* for whoever has the grain",
        Problem::NoValue(..) => "for example I@role:db, or I@role:* for whoever has the key",
        Problem::Regex(_) => "it is read as Python reads it, and matches from the beginning of the id",
        Problem::Net(_) => "for example S@10.0.0.0/8 or S@192.0.2.17",
        Problem::Engine('R') => "range clusters are not supported; a nodegroup (N@) or a list (a,b) can replace them",
        Problem::Engine(_) => "G P I J E L S N are",
        Problem::Flag(_) => {
            "-G -P grains, -I -J pillar, -E regular expression, -L list, -S network, -N nodegroup, -C compound"
        }
        _ => return None,
    };
    Some(text.into())
}

pub(super) fn is_operator(word: &str) -> bool {
    matches!(word, "and" | "or" | "not" | "(" | ")")
}

impl Target {
    /// Reads a compound target. Plain globs and lists are compound targets of one word.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        if text.len() > LONGEST {
            return Err(TargetError::new("", 0, Problem::TooLong));
        }
        let words = words(text)?;
        let mut parser = Parser { text, words, at: 0, depth: 0, regexes: 0 };
        let node = parser.or()?;
        match parser.words.get(parser.at) {
            None => Ok(Self(node)),
            Some(word) => Err(parser.fail(word.at, Problem::Close)),
        }
    }

    /// Reads an expression as Salt's flag of that letter (`-G`, `-E`, …) means it; blanks are
    /// part of it, except with `-C`.
    pub fn from_flag(flag: char, expression: &str) -> Result<Self, TargetError> {
        match flag {
            'C' => Self::parse(expression),
            'G' | 'P' | 'I' | 'J' | 'E' | 'L' | 'S' | 'N' | 'R' => {
                engine(flag, ':', expression).map(Self).map_err(|problem| TargetError::new(expression, 0, problem))
            }
            _ => Err(TargetError::new(expression, 0, Problem::Flag(flag))),
        }
    }
}

/// A word and where it begins.
struct Word {
    text: String,
    at: usize,
}

/// Splits at blanks; parentheses at a word's ends are words of their own, unless a closing one
/// belongs to the word (`E@web(1|2)`).
fn words(text: &str) -> Result<Vec<Word>, TargetError> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(skip) = text[at..].find(|c: char| !c.is_whitespace()) {
        at += skip;
        if text[at..].starts_with('(') {
            words.push(Word { text: "(".into(), at });
            at += 1;
            continue;
        }
        let end = at + word_length(&text[at..]).ok_or_else(|| TargetError::new(text, at, Problem::Quote))?;
        let word = &text[at..end];
        let own = word.len() - surplus(word);
        if own > 0 {
            words.push(Word { text: word[..own].into(), at });
        }
        words.extend((own..word.len()).map(|offset| Word { text: ")".into(), at: at + offset }));
        at = end;
        if words.len() > MOST_WORDS {
            return Err(TargetError::new(text, at, Problem::TooMuch));
        }
    }
    Ok(words)
}

/// How far the word goes that the text begins with; `None` for a quotation without end.
fn word_length(text: &str) -> Option<usize> {
    let Some((opening, quote)) = quote_at(text) else {
        return Some(text.find(char::is_whitespace).unwrap_or(text.len()));
    };
    let mut at = opening + 1;
    loop {
        at += text[at..].find(quote)? + 1;
        // A doubled quote is one of the pattern's own.
        if !text[at..].starts_with(quote) {
            break;
        }
        at += 1;
    }
    let rest = &text[at..];
    Some(at + rest.find(|c: char| c.is_whitespace()).unwrap_or(rest.len()))
}

/// Where the quotation of `X@'…'` begins, and its mark.
fn quote_at(word: &str) -> Option<(usize, char)> {
    let (_, _, start) = prefix(word)?;
    word[start..].chars().next().filter(|c| matches!(c, '\'' | '"')).map(|quote| (start, quote))
}

/// How many parentheses at the word's end close what it has not opened.
fn surplus(word: &str) -> usize {
    let trailing = word.len() - word.trim_end_matches(')').len();
    let mut open = 0i64;
    let mut escaped = false;
    for c in word.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
    }
    trailing.min(usize::try_from(-open).unwrap_or(0))
}

/// `G@`, or `G|@` with another delimiter: the letter, the delimiter, and where the pattern begins.
fn prefix(word: &str) -> Option<(char, char, usize)> {
    let mut chars = word.chars();
    let letter = chars.next().filter(|c| "GPIJLNSERTM".contains(*c))?;
    match chars.next()? {
        '@' => Some((letter, ':', 2)),
        delimiter if "GPIJ".contains(letter) && chars.next() == Some('@') => {
            Some((letter, delimiter, 2 + delimiter.len_utf8()))
        }
        _ => None,
    }
}

/// A pattern as it stands behind `X@`: in quotes where it would be misread without.
pub(super) fn quoted(pattern: &str) -> String {
    let plain = !pattern.contains(char::is_whitespace) && !pattern.starts_with(['\'', '"']) && surplus(pattern) == 0;
    if plain { pattern.to_owned() } else { format!("'{}'", pattern.replace('\'', "''")) }
}

fn unquoted(pattern: &str) -> Option<String> {
    let quote = pattern.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    let inner = pattern[1..].strip_suffix(quote)?;
    Some(inner.replace(&format!("{quote}{quote}"), &quote.to_string()))
}

struct Parser<'a> {
    text: &'a str,
    words: Vec<Word>,
    at: usize,
    depth: usize,
    regexes: usize,
}

impl Parser<'_> {
    fn fail(&self, at: usize, problem: Problem) -> TargetError {
        TargetError::new(self.text, at, problem)
    }

    fn peek(&self) -> Option<&str> {
        self.words.get(self.at).map(|word| word.text.as_str())
    }

    fn or(&mut self) -> Result<Node, TargetError> {
        let mut nodes = vec![self.and()?];
        while self.peek() == Some("or") {
            self.at += 1;
            nodes.push(self.and()?);
        }
        Ok(one_or(nodes, Node::Or))
    }

    fn and(&mut self) -> Result<Node, TargetError> {
        let mut nodes = vec![self.not()?];
        loop {
            match self.peek() {
                Some("and") => self.at += 1,
                // Salt reads `a not b` as `a and not b`.
                Some("not") => {}
                None | Some("or" | ")") => return Ok(one_or(nodes, Node::And)),
                Some(word) => {
                    let (word, at) = (word.to_owned(), self.words[self.at].at);
                    return Err(self.fail(at, Problem::NoOperator(word)));
                }
            }
            nodes.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Node, TargetError> {
        if self.peek() != Some("not") {
            return self.one();
        }
        self.at += 1;
        // `not not` is nobody in Salt, most often by mistake.
        if self.peek() == Some("not") {
            return Err(self.ended());
        }
        self.nested(|parser| Ok(Node::Not(Box::new(parser.one()?))))
    }

    fn one(&mut self) -> Result<Node, TargetError> {
        let Some(word) = self.words.get(self.at) else { return Err(self.ended()) };
        let (text, at) = (word.text.clone(), word.at);
        match text.as_str() {
            "and" | "or" => Err(self.fail(at, Problem::NothingBefore(text))),
            ")" if self.at > 0 => Err(self.ended()),
            ")" => Err(self.fail(at, Problem::Close)),
            "(" => self.group(at),
            _ => {
                self.at += 1;
                self.leaf(&text, at)
            }
        }
    }

    fn group(&mut self, opened: usize) -> Result<Node, TargetError> {
        self.at += 1;
        let node = self.nested(Self::or)?;
        if self.peek() != Some(")") {
            return Err(self.fail(opened, Problem::Open));
        }
        self.at += 1;
        Ok(node)
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Result<Node, TargetError>) -> Result<Node, TargetError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fail(0, Problem::TooMuch));
        }
        let node = inner(self);
        self.depth -= 1;
        node
    }

    /// The error for a target that ends, or is closed, where a word should be.
    fn ended(&self) -> TargetError {
        match self.at.checked_sub(1).and_then(|before| self.words.get(before)) {
            None => self.fail(0, Problem::Empty),
            Some(word) if word.text == "(" => self.fail(word.at, Problem::Open),
            Some(word) => self.fail(word.at, Problem::NothingBehind(word.text.clone())),
        }
    }

    fn leaf(&mut self, word: &str, at: usize) -> Result<Node, TargetError> {
        let node = match prefix(word) {
            Some((letter, delimiter, start)) => {
                let pattern = unquoted(&word[start..]).unwrap_or_else(|| word[start..].to_owned());
                engine(letter, delimiter, &pattern).map_err(|problem| self.fail(at, problem))?
            }
            None => plain(word).map_err(|problem| self.fail(at, problem))?,
        };
        let is_regex = match &node {
            Node::Regex(_) => true,
            Node::Data(data) => data.is_regex(),
            _ => false,
        };
        self.regexes += usize::from(is_regex);
        if self.regexes > MOST_REGEXES { Err(self.fail(at, Problem::TooMuch)) } else { Ok(node) }
    }
}

fn one_or(mut nodes: Vec<Node>, many: impl FnOnce(Vec<Node>) -> Node) -> Node {
    if nodes.len() == 1 { nodes.remove(0) } else { many(nodes) }
}

/// A glob, or several with commas between them (outside of brackets).
fn plain(word: &str) -> Result<Node, Problem> {
    let mut items = vec![String::new()];
    let mut bracket = false;
    for c in word.chars() {
        bracket = c == '[' || (bracket && c != ']');
        match c {
            ',' if !bracket => items.push(String::new()),
            c => items.iter_mut().last().into_iter().for_each(|item| item.push(c)),
        }
    }
    items.retain(|item| !item.is_empty());
    let several = word.contains(',');
    if let Some(other) = items.iter().find(|item| several && !is_id(item)) {
        return Err(Problem::NotAnId(other.clone()));
    }
    match items.as_slice() {
        [] => Err(Problem::Empty),
        [glob] => Ok(Node::Glob(Glob::new(glob))),
        _ => Ok(Node::List(List::new(items, true))),
    }
}

/// Whether a word between commas would be an id or a glob if it stood alone.
fn is_id(item: &str) -> bool {
    prefix(item).is_none() && !is_operator(item) && !item.contains(['(', ')'])
}

fn engine(letter: char, delimiter: char, pattern: &str) -> Result<Node, Problem> {
    if pattern.is_empty() {
        return Err(Problem::NoPattern(letter));
    }
    match letter {
        'G' | 'P' | 'I' | 'J' => Ok(Node::Data(Box::new(DataMatch::new(letter, delimiter, pattern)?))),
        'E' => Ok(Node::Regex(Box::new(regex(pattern, false)?))),
        'L' => Ok(Node::List(List::new(ids(pattern)?, false))),
        'S' => net(pattern),
        'N' => Ok(Node::Group(pattern.to_owned())),
        _ => Err(Problem::Engine(letter)),
    }
}

fn ids(pattern: &str) -> Result<Vec<String>, Problem> {
    let ids: Vec<String> = pattern.split(',').map(str::trim).filter(|id| !id.is_empty()).map(String::from).collect();
    if ids.is_empty() { Err(Problem::NoPattern('L')) } else { Ok(ids) }
}

fn net(pattern: &str) -> Result<Node, Problem> {
    let wrong = || Problem::Net(pattern.to_owned());
    if let Ok(address) = pattern.parse::<IpAddr>() {
        return Ok(Node::Address(address));
    }
    let net: IpNet = pattern.parse().map_err(|_| wrong())?;
    // Python refuses host bits in a network, and they are most often a slip.
    if net.addr() == net.network() { Ok(Node::Net(net)) } else { Err(wrong()) }
}

pub(super) fn regex(pattern: &str, ignore_case: bool) -> Result<fancy_regex::Regex, Problem> {
    if pattern.len() > LONGEST_REGEX {
        return Err(Problem::TooMuch);
    }
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .backtrack_limit(BACKTRACKS)
        .delegate_size_limit(REGEX_SIZE)
        .delegate_dfa_size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| Problem::Regex(error.to_string()))
}
