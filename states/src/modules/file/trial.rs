//! `check_cmd` of the states that write a whole file: the new file is tried before it is put in place.

use std::path::PathBuf;

use proto::{Map, Value};

use super::body::Body;
use crate::{
    plan::{Call, Doing, Done, StateError},
    resource::command,
};

/// The commands that a new file has to please, and where it lies meanwhile.
pub struct Trial {
    commands: Vec<String>,
    shell: String,
    /// `tmp_dir` and `tmp_ext`.
    folder: PathBuf,
    suffix: String,
}

impl Trial {
    pub fn of(call: &Call<'_>) -> Self {
        Self {
            commands: call.list("check_cmd"),
            shell: call.look.grains().get("shell").and_then(Value::as_str).unwrap_or("/bin/sh").to_owned(),
            folder: call.some_text("tmp_dir").map_or_else(std::env::temp_dir, PathBuf::from),
            suffix: call.text_or("tmp_ext", ""),
        }
    }

    /// Runs each command with the new file as its last argument; gives the result if one refuses.
    pub fn refusal(&self, doing: &Doing<'_>, body: &Body) -> Result<Option<Done>, StateError> {
        if self.commands.is_empty() {
            return Ok(None);
        }
        let path = self.folder.join(format!("overstate-{:032x}{}", rand::random::<u128>(), self.suffix));
        body.write(doing, &path, 0o600)?;
        let refused = self.commands.iter().find_map(|line| self.run(doing, line, &path).transpose());
        let _ = doing.host.remove(&path);
        refused.transpose()
    }

    fn run(&self, doing: &Doing<'_>, line: &str, path: &std::path::Path) -> Result<Option<Done>, StateError> {
        let run = crate::Command {
            argv: vec![format!("{line} {}", path.display())],
            shell: Some(self.shell.clone().into()),
            ..crate::Command::default()
        };
        let output = doing.host.run(&run).map_err(|why| StateError::failed(why.to_string()))?;
        if output.code == 0 {
            return Ok(None);
        }
        let said = [&output.stdout, &output.stderr].map(|bytes| command::text(bytes));
        let said = said.into_iter().filter(|text| !text.is_empty());
        let comment = std::iter::once("check_cmd execution failed".to_owned()).chain(said).collect::<Vec<_>>();
        let more = [("skip_watch".to_owned(), Value::Bool(true))].into_iter().collect();
        Ok(Some(Done { more, ..Done::failed(comment.join("\n"), Map::new()) }))
    }
}
