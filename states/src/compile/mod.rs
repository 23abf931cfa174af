//! SLS to low state: rendering, top file, pillar, high state, requisites, order.
//!
//! Everything here gives all problems it finds, not only the first.

mod decrypt;
mod ext_pillar;
mod extend;
mod high;
#[cfg(test)]
mod hints;
mod low;
mod order;
pub mod pillar;
mod render;
mod requisite_in;
mod sls;
mod step;
pub mod top;
mod verify;

use std::sync::Arc;

use proto::{Map, Value};

pub use high::{Arg, Decl, High, StateDecl};
pub use low::Chunk;
pub use render::{Rendered, Renderer, Where, rendering};
pub use step::{Group, Kind, Step};
pub use top::{Matches, Strategy};
pub use verify::{KEYWORDS, is_keyword};

use crate::{Context, Diagnostic};

/// Everything that a tree has wrong.
pub type Problems = Vec<Diagnostic>;

/// What to compile, and how.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Only this environment; `None` means `base` for named SLS, and all of them for a highstate.
    pub saltenv: Option<String>,
    /// `SLS` names or globs to leave out, as `exclude=` on the command line.
    pub exclude: Vec<Value>,
}

/// One compile of a tree: what it rendered is kept for as long as it lives.
pub struct Compiler<'a> {
    pub(crate) renderer: Renderer<'a>,
    pub(crate) context: &'a Context<'a>,
    /// The next number of `order`; Salt begins at 10000.
    pub(crate) next_order: i64,
    /// SLS that were rendered, as `env:name`, so that none is rendered twice.
    pub(crate) rendered: std::collections::HashSet<String>,
    /// The SLS of each environment.
    pub(crate) available: std::collections::HashMap<String, std::rc::Rc<Vec<String>>>,
}

const FIRST_ORDER: i64 = 10_000;

impl<'a> Compiler<'a> {
    pub fn new(context: &'a Context<'a>) -> Self {
        Self {
            renderer: Renderer::new(context),
            context,
            next_order: FIRST_ORDER,
            rendered: std::collections::HashSet::new(),
            available: std::collections::HashMap::new(),
        }
    }

    /// The high state of some SLS of one environment, as `state.show_sls` shows it.
    pub fn high_of(&mut self, sls: &[String], saltenv: &str) -> (High, Problems) {
        let mut matches = Matches::new();
        matches.insert(saltenv.to_owned(), sls.to_vec());
        let (high, mut problems) = self.render_highstate(&matches);
        problems.extend(verify::verify(&high));
        (high, problems)
    }

    /// The low state of some SLS as `state.show_low_sls` shows it: what `extend`, `exclude` and
    /// `*_in` say is left alone.
    pub fn shown_low(&mut self, sls: &[String], saltenv: &str) -> Result<Vec<Chunk>, Problems> {
        let (high, problems) = self.high_of(sls, saltenv);
        if !problems.is_empty() {
            return Err(problems);
        }
        low::compile(high, self.context).map(chunks)
    }

    /// The low state of some SLS as they are run.
    pub fn low_of(&mut self, sls: &[String], options: &Options) -> Result<Vec<Step>, Problems> {
        let mut matches = Matches::new();
        matches.insert(options.saltenv.clone().unwrap_or_else(|| "base".into()), sls.to_vec());
        let (high, problems) = self.render_highstate(&matches);
        self.finish(high, problems, options)
    }

    /// The low state of what the top file gives this minion.
    pub fn low_of_top(&mut self, options: &Options) -> Result<Vec<Step>, Problems> {
        let matches = self.top_matches(options.saltenv.as_deref()).map_err(|why| vec![why])?;
        let (high, problems) = self.render_highstate(&matches);
        self.finish(high, problems, options)
    }

    /// The high state of what the top file gives this minion.
    pub fn high_of_top(&mut self, options: &Options) -> (High, Problems) {
        match self.top_matches(options.saltenv.as_deref()) {
            Ok(matches) => self.render_highstate(&matches),
            Err(why) => (High::default(), vec![why]),
        }
    }

    /// Extends, excludes and requisites of others, then the order.
    pub fn finish(&mut self, mut high: High, mut problems: Problems, options: &Options) -> Result<Vec<Step>, Problems> {
        high.exclude.extend(options.exclude.iter().filter_map(high::Exclude::from_value));
        problems.extend(extend::reconcile(&mut high, false));
        problems.extend(verify::verify(&high));
        if problems.is_empty() {
            problems.extend(requisite_in::apply(&mut high));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        extend::exclude(&mut high);
        low::compile(high, self.context)
    }

    /// The low state of an SLS that is given as a text.
    pub fn low_of_text(&mut self, text: &str) -> Result<Vec<Step>, Problems> {
        let source = crate::diag::Source::new("template", text);
        let at = Where { env: "base", sls: "", path: "" };
        let rendered = self.renderer.render(&source, at, &Map::new()).map_err(|why| vec![*why])?;
        let Rendered::Data(node) = rendered else {
            return Err(vec![Diagnostic::new("the template renders to text, not to data")]);
        };
        let mut problems = Problems::new();
        let high = self.high_from_node(&node, "", "base", &mut problems);
        self.finish(high, problems, &Options::default())
    }

    /// Low chunks from high data that a caller gives (`state.high`).
    pub fn low_of_high(&mut self, data: &Map) -> Result<Vec<Step>, Problems> {
        let text = crate::yaml::emit(&Value::Object(data.clone()));
        let node = crate::yaml::parse("high data", &text).map_err(|why| vec![why])?;
        let mut problems = Problems::new();
        let high = self.high_from_node(&node, "", "base", &mut problems);
        self.finish(high, problems, &Options::default())
    }
}

/// The chunks of some steps.
pub fn chunks(steps: Vec<Step>) -> Vec<Chunk> {
    steps.into_iter().map(|step| Arc::unwrap_or_clone(step.chunk)).collect()
}
