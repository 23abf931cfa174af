//! One stage, key by key.

use proto::{Args, FunctionName, Map, Target, Value};
use states::{
    Diagnostic,
    compile::Problems,
    diag::did_you_mean,
    yaml::{Data, Node, to_value},
};

use super::{Reference, Stage, Work};
use crate::{
    module::check::HEALTH,
    wish::{Expect, Limit, duration},
};

const KEYS: &[&str] = &[
    "match",
    "sls",
    "function",
    "fun",
    "require",
    "batch",
    "expect",
    "max_fail",
    "timeout",
    "retry",
    "onfail",
    "pillar",
    "saltenv",
    "test",
    "check",
    "wait_for_event",
];
const EVENT: &[&str] = &["name", "tag", "id_list", "event_id", "timeout"];
const CHECK: &[&str] = &["check", "function", "fun", "args", "kwargs", "match", "within", "every"];
const RETRY: &[&str] = &["attempts", "interval"];

/// A stage; `None` if something is wrong with it, which is told.
pub fn stage(id: &Node, body: &Node, problems: &mut Problems) -> Option<Stage> {
    let before = problems.len();
    let name = id.to_text();
    let Some(pairs) = body.as_map() else {
        let message = format!("the stage {name} must be a mapping with the key match, not {}", body.kind());
        problems.push(Diagnostic::new(message).at(&id.place()));
        return None;
    };
    known_keys(pairs, KEYS, &format!("the stage {name}"), problems);
    let mut reading = Reading { stage: &name, id, body, problems };
    let work = reading.work();
    let target = reading.target(matches!(work, Some(Work::Event(_))));
    let stage = Stage {
        place: id.place(),
        target,
        require: reading.references("require"),
        onfail: reading.references("onfail"),
        rules: reading.rules(),
        pillar: reading.pillar(),
        saltenv: reading.text("saltenv"),
        test: reading.flag("test"),
        checks: reading.checks(),
        work: work.unwrap_or(Work::Highstate),
        id: name.clone(),
    };
    (problems.len() == before).then_some(stage)
}

fn known_keys(pairs: &[(Node, Node)], known: &[&str], of: &str, problems: &mut Problems) {
    for (key, _) in pairs {
        let name = key.to_text();
        if !known.contains(&name.as_str()) {
            let hint = did_you_mean(&name, known.iter().copied());
            let hint = hint.unwrap_or_else(|| format!("known are {}", known.join(", ")));
            problems.push(Diagnostic::new(format!("{of} has the unknown key {name}")).at(&key.place()).hint(hint));
        }
    }
}

/// Whether a value has the right shape; if not, what would be right.
type Shape = fn(&Value) -> Result<(), &'static str>;

struct Reading<'a> {
    stage: &'a str,
    id: &'a Node,
    body: &'a Node,
    problems: &'a mut Problems,
}

impl Reading<'_> {
    fn get(&self, key: &str) -> Option<&Node> {
        self.body.get(key).filter(|node| !node.is_null())
    }

    fn wrong(&mut self, node: &Node, message: impl Into<String>) {
        let message = format!("{} of the stage {}", message.into(), self.stage);
        self.problems.push(Diagnostic::new(message).at(&node.place()));
    }

    /// Texts of a list, or the only one.
    fn texts(&mut self, key: &str) -> Vec<Node> {
        let Some(node) = self.get(key).cloned() else { return Vec::new() };
        let items = match &node.data {
            Data::Seq(items) => items.to_vec(),
            _ => vec![node],
        };
        let (good, bad): (Vec<Node>, Vec<Node>) =
            items.into_iter().partition(|item| !matches!(item.data, Data::Seq(_) | Data::Map(_) | Data::Null));
        for node in bad {
            self.wrong(&node, format!("{} stands where a name is expected, in the {key}", node.kind()));
        }
        good
    }

    fn target(&mut self, may_lack: bool) -> Option<String> {
        let parts = self.texts("match");
        if parts.is_empty() {
            if !may_lack && !self.problems.iter().any(|why| why.place == Some(self.id.place())) {
                let why = Diagnostic::new(format!("the stage {} does not say which minions it is for", self.stage));
                self.problems.push(why.at(&self.id.place()).hint("give it a `match`, such as match: 'web*'"));
            }
            return None;
        }
        let text = match parts.as_slice() {
            [one] => one.to_text(),
            many => many.iter().map(|part| format!("( {} )", part.to_text())).collect::<Vec<_>>().join(" or "),
        };
        if let Err(why) = Target::parse(&text) {
            let hint = why.hint().map(str::to_owned);
            let place = parts[0].place();
            let message = format!("the match of the stage {}: {why}", self.stage);
            self.problems.push(Diagnostic::new(message).at(&place).hint_opt(hint));
        }
        Some(text)
    }

    /// As Salt had it, `sls` comes before `function`, which comes before a highstate.
    fn work(&mut self) -> Option<Work> {
        if let Some(event) = self.get("wait_for_event").cloned() {
            for key in ["sls", "function", "fun", "batch", "max_fail", "expect", "check"] {
                if let Some(node) = self.get(key).cloned() {
                    self.wrong(&node, format!("a stage that waits for an event does nothing else; {key}"));
                }
            }
            return self.event(&event).map(Work::Event);
        }
        let sls: Vec<String> = self.texts("sls").iter().map(Node::to_text).collect();
        if !sls.is_empty() {
            return Some(Work::Sls(sls));
        }
        match self.get("function").or_else(|| self.get("fun")).cloned() {
            Some(node) => self.function(&node).map(|(name, args)| Work::Function(name, args)),
            None => Some(Work::Highstate),
        }
    }

    /// A name, or a mapping of one to its arguments.
    fn function(&mut self, node: &Node) -> Option<(String, Args)> {
        let (name, args) = match node.single() {
            Some((name, args)) => (name.clone(), arguments(args)),
            None if node.as_str().is_some() => (node.clone(), Args::default()),
            None => {
                self.wrong(
                    node,
                    format!("{} is no function: write `pkg.install`, or `pkg.install: [http]`; function", node.kind()),
                );
                return None;
            }
        };
        let text = name.to_text();
        if let Err(why) = text.parse::<FunctionName>() {
            self.wrong(&name, format!("{why}; function"));
            return None;
        }
        Some((text, args))
    }

    fn event(&mut self, node: &Node) -> Option<Map> {
        let mut map = Map::new();
        match &node.data {
            Data::Str(tag) => {
                map.insert("name".into(), Value::String(tag.to_string()));
            }
            Data::Map(pairs) => {
                known_keys(pairs, EVENT, &format!("the wait_for_event of the stage {}", self.stage), self.problems);
                for (key, value) in pairs.iter() {
                    let key = if key.as_str() == Some("tag") { "name".to_owned() } else { key.to_text() };
                    map.insert(key, to_value(value));
                }
            }
            _ => {}
        }
        if !map.contains_key("name") {
            self.wrong(node, "the tag of an event is missing from the wait_for_event");
            return None;
        }
        Some(map)
    }

    fn references(&mut self, key: &str) -> Vec<Reference> {
        let nodes = self.texts(key);
        nodes.into_iter().map(|node| Reference { id: node.to_text(), place: node.place() }).collect()
    }

    fn rules(&mut self) -> Map {
        let mut rules = Map::new();
        let checked: [(&str, Shape); 4] = [
            ("batch", |value| Limit::parse(value).map(drop)),
            ("max_fail", |value| Limit::parse(value).map(drop)),
            ("expect", |value| Expect::parse(value).map(drop)),
            ("timeout", |value| duration(value).map(drop).ok_or("seconds, or such as 5m")),
        ];
        for (key, check) in checked {
            let Some(node) = self.get(key).cloned() else { continue };
            let value = to_value(&node);
            match check(&value) {
                Ok(()) => {
                    rules.insert(key.to_owned(), value);
                }
                Err(right) => self.wrong(&node, format!("{key} must be {right}; that")),
            }
        }
        rules.extend(self.retry().map(|retry| ("retry".to_owned(), retry)));
        rules
    }

    /// `retry: 3`, or a mapping as states have it.
    fn retry(&mut self) -> Option<Value> {
        let node = self.get("retry").cloned()?;
        let retry = match &node.data {
            Data::Int(attempts @ 1..) => serde_json::json!({ "attempts": attempts }),
            Data::Bool(true) => serde_json::json!({ "attempts": 2 }),
            Data::Bool(false) => return None,
            Data::Map(pairs) => {
                known_keys(pairs, RETRY, &format!("the retry of the stage {}", self.stage), self.problems);
                for (_, value) in pairs.iter().filter(|(_, value)| !matches!(value.data, Data::Int(0..))) {
                    self.wrong(value, "the retry needs whole numbers; that");
                }
                to_value(&node)
            }
            _ => {
                self.wrong(&node, "retry must be how often, or a mapping with attempts and interval; that");
                return None;
            }
        };
        Some(retry)
    }

    fn pillar(&mut self) -> Option<Map> {
        let node = self.get("pillar").cloned()?;
        match to_value(&node) {
            Value::Object(map) => Some(map),
            _ => {
                self.wrong(&node, "the pillar must be a mapping; that");
                None
            }
        }
    }

    fn text(&mut self, key: &str) -> Option<String> {
        let node = self.get(key).cloned()?;
        if node.as_str().is_none() {
            self.wrong(&node, format!("{key} must be a name; that"));
        }
        Some(node.to_text())
    }

    fn flag(&mut self, key: &str) -> Option<bool> {
        let node = self.get(key).cloned()?;
        match node.data {
            Data::Bool(flag) => Some(flag),
            _ => {
                self.wrong(&node, format!("{key} must be True or False; that"));
                None
            }
        }
    }

    fn checks(&mut self) -> Vec<Value> {
        let Some(node) = self.get("check").cloned() else { return Vec::new() };
        let items = match &node.data {
            Data::Seq(items) => items.to_vec(),
            _ => vec![node],
        };
        items.iter().filter_map(|item| self.check(item)).collect()
    }

    /// A function as `function` has it, the name of a health check (which has no dot), or a mapping with
    /// `function` or `check`, and more.
    fn check(&mut self, item: &Node) -> Option<Value> {
        let what = ["function", "fun", "check"].into_iter().find_map(|key| item.get(key));
        let long = item.as_map().filter(|_| what.is_some());
        let Some(pairs) = long else {
            if let Some(name) = item.as_str().filter(|name| !name.contains('.')) {
                return Some(serde_json::json!({ "fun": HEALTH, "args": [name] }));
            }
            let (name, args) = self.function(item)?;
            return Some(serde_json::json!({ "fun": name, "args": args.positional, "kwargs": args.named }));
        };
        known_keys(pairs, CHECK, &format!("a check of the stage {}", self.stage), self.problems);
        let mut check: Map = pairs.iter().map(|(key, value)| (key.to_text(), to_value(value))).collect();
        if let Some(function) = check.shift_remove("function") {
            check.insert("fun".into(), function);
        }
        for key in ["within", "every"] {
            let node = item.get(key).cloned();
            if let Some(node) = node.filter(|node| duration(&to_value(node)).is_none()) {
                self.wrong(&node, format!("{key} must be seconds, or such as 5m; that, in a check"));
            }
        }
        if let Some(node) = item.get("match").cloned()
            && let Err(why) = Target::parse(&node.to_text())
        {
            self.wrong(&node, format!("{why}; that is the match of a check"));
        }
        if let Some(names) = item.get("check").cloned() {
            return self.health_check(&names, item, check);
        }
        let name = item.get("function").or_else(|| item.get("fun")).cloned()?;
        if let Err(why) = name.to_text().parse::<FunctionName>() {
            self.wrong(&name, format!("{why}; that, in a check"));
        }
        Some(Value::Object(check))
    }
}

impl Reading<'_> {
    /// `check: disk`, or a list of names.
    fn health_check(&mut self, names: &Node, item: &Node, mut check: Map) -> Option<Value> {
        for key in ["function", "fun", "args", "kwargs"] {
            if let Some(node) = item.get(key).cloned() {
                self.wrong(&node, format!("a health check takes no {key}; that, in a check"));
            }
        }
        let names = match &names.data {
            Data::Seq(items) => items.iter().map(|name| Value::from(name.to_text())).collect(),
            _ => vec![Value::from(names.to_text())],
        };
        check.shift_remove("check");
        check.insert("fun".into(), HEALTH.into());
        check.insert("args".into(), Value::Array(names));
        Some(Value::Object(check))
    }
}

/// A list of arguments, in which mappings of one are named ones; a mapping; or the only argument.
fn arguments(node: &Node) -> Args {
    match to_value(node) {
        Value::Null => Args::default(),
        Value::Object(named) => Args { positional: Vec::new(), named },
        Value::Array(items) => {
            let mut args = Args::default();
            for item in items {
                match item {
                    Value::Object(map) if map.len() == 1 => args.named.extend(map),
                    other => args.positional.push(other),
                }
            }
            args
        }
        one => Args::positional([one]),
    }
}
