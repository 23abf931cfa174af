//! Stages as steps of the state runner.

use proto::{Map, Value};
use serde_json::json;
use states::{
    compile::{Chunk, Kind, Step},
    diag::Place,
};

use super::{Reference, Stage, Work};

/// The steps of stages, each behind those that it waits for, else in the order of the file. All of
/// them may run side by side as far as their requisites allow. `name` is the overstate's, `env` its
/// environment.
pub fn steps(stages: &[Stage], name: &str, env: &str) -> Vec<Step> {
    let name = name.strip_suffix(".sls").unwrap_or(name).trim_start_matches("./").trim_start_matches('/');
    let sls = name.replace('/', ".");
    let mut building = Building { sls: &sls, env, steps: Vec::new(), last: vec![None; stages.len()] };
    for index in 0..stages.len() {
        building.stage(stages, index);
    }
    building.steps
}

struct Building<'a> {
    sls: &'a str,
    env: &'a str,
    steps: Vec<Step>,
    /// The steps of each stage that others wait for: its own, and its checks.
    last: Vec<Option<Vec<usize>>>,
}

impl Building<'_> {
    /// Adds a stage, after those that it waits for. There are no circles.
    fn stage(&mut self, stages: &[Stage], index: usize) {
        if self.last[index].is_some() {
            return;
        }
        let stage = &stages[index];
        let kinds = [(Kind::Require, &stage.require), (Kind::Onfail, &stage.onfail)];
        let mut needs: Vec<(Kind, usize)> = Vec::new();
        for (kind, references) in kinds {
            for Reference { id, .. } in references {
                let Some(other) = stages.iter().position(|other| other.id == *id) else { continue };
                self.stage(stages, other);
                needs.extend(self.last[other].iter().flatten().map(|&step| (kind, step)));
            }
        }
        let own = self.add(stage_data(stage), &stage.place, needs);
        let mut last = vec![own];
        if !stage.checks.is_empty() {
            let check = self.add(check_data(stage), &stage.place, vec![(Kind::Require, own)]);
            last.push(check);
        }
        self.last[index] = Some(last);
    }

    fn add(&mut self, mut data: Map, place: &Place, needs: Vec<(Kind, usize)>) -> usize {
        let order = self.steps.len() + 1;
        for (key, value) in [
            ("__sls__", self.sls.into()),
            ("__env__", self.env.into()),
            ("order", order.into()),
            ("parallel", true.into()),
        ] {
            data.insert(key.to_owned(), value);
        }
        for (kind, key) in [(Kind::Require, "require"), (Kind::Onfail, "onfail")] {
            let ids = needs.iter().filter(|(other, _)| *other == kind).map(|(_, step)| &self.steps[*step].chunk);
            let ids: Vec<Value> = ids.map(|chunk| json!({ "salt": chunk.text("__id__") })).collect();
            if !ids.is_empty() {
                data.insert(key.to_owned(), Value::Array(ids));
            }
        }
        self.steps.push(Step { chunk: Chunk { data, place: place.clone() }.into(), trial: false, tried: None, needs });
        self.steps.len() - 1
    }
}

fn stage_data(stage: &Stage) -> Map {
    let mut data = Map::new();
    let mut put = |key: &str, value: Value| {
        data.insert(key.to_owned(), value);
    };
    put("state", "salt".into());
    put("__id__", stage.id.clone().into());
    put("name", stage.id.clone().into());
    if let Some(target) = &stage.target {
        put("tgt", target.clone().into());
        put("tgt_type", "compound".into());
    }
    match &stage.work {
        Work::Highstate => {
            put("fun", "state".into());
            put("highstate", true.into());
        }
        Work::Sls(sls) => {
            put("fun", "state".into());
            put("sls", sls.clone().into());
        }
        Work::Function(name, args) => {
            put("fun", "function".into());
            put("name", name.clone().into());
            put("arg", Value::Array(args.positional.clone()));
            put("kwarg", Value::Object(args.named.clone()));
        }
        Work::Event(of) => {
            put("fun", "wait_for_event".into());
            of.iter().for_each(|(key, value)| put(key, value.clone()));
            if stage.target.is_none() && !of.contains_key("id_list") {
                put("any", true.into());
            }
        }
    }
    if matches!(stage.work, Work::Highstate | Work::Sls(_)) {
        // A stage waits for its turn where a minion is at work already.
        put("queue", true.into());
        if let Some(pillar) = &stage.pillar {
            put("pillar", Value::Object(pillar.clone()));
        }
        if let Some(saltenv) = &stage.saltenv {
            put("saltenv", saltenv.clone().into());
        }
        if let Some(test) = stage.test {
            put("test", test.into());
        }
    }
    if !matches!(stage.work, Work::Event(_)) {
        put("expect", "all".into());
    }
    stage.rules.iter().for_each(|(key, value)| put(key, value.clone()));
    data
}

fn check_data(stage: &Stage) -> Map {
    let id = format!("{} (check)", stage.id);
    let mut data = json!({
        "state": "salt", "fun": "check", "__id__": id, "name": id, "tgt": stage.target, "tgt_type": "compound",
        "checks": stage.checks,
    });
    if let (Some(expect), Some(data)) = (stage.rules.get("expect"), data.as_object_mut()) {
        data.insert("expect".into(), expect.clone());
    }
    match data {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
