//! Chunks by what requisites call them.

use std::sync::Arc;

use indexmap::IndexMap;
use proto::Value;

use super::push_new;
use crate::{
    compile::Chunk,
    diag::{did_you_mean, nearest},
    glob, value,
};

/// Nodes of the graph by module and by name or id (under `id` those of any module), and by SLS.
pub struct Lookup {
    by_name: IndexMap<(Arc<str>, String), Vec<usize>>,
    by_sls: IndexMap<String, Vec<usize>>,
}

impl Lookup {
    pub fn new<'c>(chunks: impl ExactSizeIterator<Item = (usize, &'c Chunk)>) -> Self {
        let mut lookup = Self { by_name: IndexMap::with_capacity(chunks.len() * 2), by_sls: IndexMap::new() };
        let id: Arc<str> = "id".into();
        for (node, chunk) in chunks {
            lookup.add(node, chunk, &id);
        }
        lookup
    }

    fn add(&mut self, node: usize, chunk: &Chunk, id: &Arc<str>) {
        let text = |key: &str| chunk.printed(key).into_owned();
        let module: Arc<str> = chunk.printed("state").into();
        let keys = [
            (module.clone(), text("name")),
            (module, text("__id__")),
            (id.clone(), text("__id__")),
            (id.clone(), text("name")),
        ];
        for key in keys {
            push_new(self.by_name.entry(key).or_default(), node);
        }
        push_new(self.by_sls.entry(text("__sls__")).or_default(), node);
        if let Some(Value::Array(from)) = chunk.data.get("__sls_included_from__") {
            for sls in from {
                push_new(self.by_sls.entry(value::python_str(sls)).or_default(), node);
            }
        }
    }

    /// The nodes that a requisite means.
    pub fn find(&self, module: &str, wanted: &str) -> Vec<usize> {
        let pattern = glob::is_pattern(wanted);
        match (module, pattern) {
            ("sls", true) => {
                let matching = self.by_sls.iter().filter(|(sls, _)| glob::matches(wanted, sls));
                matching.flat_map(|(_, nodes)| nodes.clone()).collect()
            }
            ("sls", false) => self.by_sls.get(wanted).cloned().unwrap_or_default(),
            (_, true) => {
                let of_module = self.by_name.iter().filter(|((other, _), _)| &**other == module);
                let matching = of_module.filter(|((_, name), _)| glob::matches(wanted, name));
                matching.flat_map(|(_, nodes)| nodes.clone()).collect()
            }
            _ => self.by_name.get(&(Arc::from(module), wanted.to_owned())).cloned().unwrap_or_default(),
        }
    }

    /// What may have been meant where nothing has this name.
    pub fn near(&self, module: &str, wanted: &str) -> Option<String> {
        if module == "sls" {
            return did_you_mean(wanted, self.by_sls.keys().map(String::as_str));
        }
        let of_module = self.by_name.keys().filter(|(other, _)| &**other == module);
        let near = nearest(wanted, of_module.map(|(_, name)| name.as_str()));
        let whole = |near: &str| match module {
            "id" => format!("did you mean {near}?"),
            _ => format!("did you mean {module}: {near}?"),
        };
        near.map(whole).or_else(|| self.other_module(wanted))
    }

    /// The same name in another module.
    fn other_module(&self, wanted: &str) -> Option<String> {
        let found = self.by_name.keys().find(|(module, name)| name == wanted && &**module != "id")?;
        Some(format!("there is {}: {wanted}", found.0))
    }
}
