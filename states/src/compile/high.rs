//! High data: the declarations of SLS, put together.

use std::sync::Arc;

use indexmap::IndexMap;
use proto::{Map, Value};

use crate::{
    diag::Place,
    yaml::{Data, Node, to_key, to_value},
};

/// What some SLS declare together.
#[derive(Debug, Clone, Default)]
pub struct High {
    pub decls: IndexMap<Arc<str>, Decl>,
    /// What is to be changed of declarations, in the order it was found.
    pub extend: Vec<(Arc<str>, Decl)>,
    pub exclude: Vec<Exclude>,
    /// Whether any SLS had an `extend` or `exclude`, for showing.
    pub has_extend: bool,
    pub has_exclude: bool,
}

/// One id with its states.
#[derive(Debug, Clone)]
pub struct Decl {
    pub id: Node,
    pub states: Vec<StateDecl>,
    pub sls: Arc<str>,
    pub env: Arc<str>,
    pub included_from: Vec<Arc<str>>,
    /// Keys that begin with `__` and are not ours, as they were written.
    pub other: Vec<(Node, Node)>,
}

/// One state of an id: `file` with its function and arguments.
#[derive(Debug, Clone)]
pub struct StateDecl {
    pub module: Arc<str>,
    /// Where the state is named.
    pub at: Node,
    pub body: Body,
}

#[derive(Debug, Clone)]
pub enum Body {
    Args(Vec<Arg>),
    /// No list, as it should be.
    Other(Node),
}

/// One item of a state's list.
#[derive(Debug, Clone)]
pub enum Arg {
    /// The function's name, or what looks like one.
    Fun(Node),
    Pairs(Vec<(Node, Node)>, Node),
    Other(Node),
    /// The number that was given to it.
    Order(i64),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Exclude {
    /// `- name`.
    Bare(String),
    /// `- sls: name`.
    Sls(String),
    Id(String),
}

impl Exclude {
    pub fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(sls) => Some(Self::Bare(sls.clone())),
            Value::Object(map) if map.len() == 1 => match map.iter().next() {
                Some((key, Value::String(name))) if key == "sls" => Some(Self::Sls(name.clone())),
                Some((key, Value::String(name))) if key == "id" => Some(Self::Id(name.clone())),
                _ => None,
            },
            _ => None,
        }
    }
}

impl Arg {
    pub fn from_node(node: &Node) -> Self {
        match &node.data {
            Data::Str(_) => Arg::Fun(node.clone()),
            Data::Map(pairs) => Arg::Pairs(pairs.as_ref().clone(), node.clone()),
            _ => Arg::Other(node.clone()),
        }
    }

    pub fn pair(key: &Node, value: Node) -> Self {
        Arg::Pairs(vec![(key.clone(), value.clone())], value)
    }

    /// The first key of a mapping.
    pub fn key(&self) -> Option<&str> {
        match self {
            Arg::Pairs(pairs, _) => pairs.first().and_then(|(key, _)| key.as_str()),
            Arg::Order(_) => Some("order"),
            _ => None,
        }
    }

    /// The value of a mapping of exactly one key.
    pub fn single(&self) -> Option<(&str, &Node)> {
        match self {
            Arg::Pairs(pairs, _) => match &pairs[..] {
                [(key, value)] => Some((key.as_str()?, value)),
                _ => None,
            },
            _ => None,
        }
    }

    pub fn to_value(&self) -> Value {
        match self {
            Arg::Fun(node) | Arg::Other(node) => to_value(node),
            Arg::Pairs(pairs, _) => {
                let pair = |(key, value): &(Node, Node)| (to_key(key), to_value(value));
                Value::Object(pairs.iter().map(pair).collect())
            }
            Arg::Order(number) => serde_json::json!({ "order": number }),
        }
    }
}

impl StateDecl {
    pub fn args(&self) -> &[Arg] {
        match &self.body {
            Body::Args(args) => args,
            Body::Other(_) => &[],
        }
    }

    pub fn args_mut(&mut self) -> Option<&mut Vec<Arg>> {
        match &mut self.body {
            Body::Args(args) => Some(args),
            Body::Other(_) => None,
        }
    }

    /// The function's name, if one is given.
    pub fn fun(&self) -> Option<&Node> {
        self.args().iter().find_map(|arg| if let Arg::Fun(node) = arg { Some(node) } else { None })
    }
}

impl Decl {
    pub fn place(&self) -> Place {
        self.id.place()
    }

    pub fn state(&self, module: &str) -> Option<&StateDecl> {
        self.states.iter().find(|state| &*state.module == module)
    }

    pub fn state_mut(&mut self, module: &str) -> Option<&mut StateDecl> {
        self.states.iter_mut().find(|state| &*state.module == module)
    }

    /// Whether two declarations say the same.
    pub fn same(&self, other: &Decl) -> bool {
        self.sls == other.sls && self.env == other.env && self.to_value() == other.to_value()
    }

    pub fn to_value(&self) -> Value {
        let mut map = Map::new();
        for state in &self.states {
            let body = match &state.body {
                Body::Args(args) => Value::Array(args.iter().map(Arg::to_value).collect()),
                Body::Other(node) => to_value(node),
            };
            map.insert(state.module.to_string(), body);
        }
        for (key, value) in &self.other {
            map.insert(key.to_text(), to_value(value));
        }
        map.insert("__sls__".into(), Value::String(self.sls.to_string()));
        map.insert("__env__".into(), Value::String(self.env.to_string()));
        if !self.included_from.is_empty() {
            let from = self.included_from.iter().map(|sls| Value::String(sls.to_string())).collect();
            map.insert("__sls_included_from__".into(), Value::Array(from));
        }
        Value::Object(map)
    }
}

impl High {
    /// As `state.show_sls` shows it.
    pub fn to_value(&self) -> Value {
        let mut map: Map = self.decls.iter().map(|(id, decl)| (id.to_string(), decl.to_value())).collect();
        if self.has_extend {
            let one = |(id, decl): &(Arc<str>, Decl)| serde_json::json!({ id.to_string(): decl.to_value() });
            map.insert("__extend__".into(), Value::Array(self.extend.iter().map(one).collect()));
        }
        if self.has_exclude {
            let one = |exclude: &Exclude| match exclude {
                Exclude::Bare(sls) => Value::String(sls.clone()),
                Exclude::Sls(sls) => serde_json::json!({ "sls": sls }),
                Exclude::Id(id) => serde_json::json!({ "id": id }),
            };
            map.insert("__exclude__".into(), Value::Array(self.exclude.iter().map(one).collect()));
        }
        Value::Object(map)
    }

    /// Looks up ids near to one that is not there.
    pub fn nearest(&self, id: &str) -> Option<String> {
        crate::diag::did_you_mean(id, self.decls.keys().map(|known| &**known))
    }
}
