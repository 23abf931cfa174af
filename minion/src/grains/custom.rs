//! Grains that people add: a file, and executables.

use std::{path::Path, time::Duration};

use proto::{Map, Value};
use states::{Command, Look, yaml};

use crate::host::Local;

/// All executables together must not hold up a start for longer than each of them may.
const PATIENCE: Duration = Duration::from_secs(10);

/// The file `grains` beside the configuration: YAML.
pub fn of_file(path: &Path, grains: &mut Map) {
    let Some(text) = super::text(path) else { return };
    match yaml::parse(&path.display().to_string(), &text).map(|node| yaml::to_value(&node)) {
        Ok(Value::Object(map)) => grains.extend(map),
        Ok(Value::Null) => {}
        Ok(_) => tracing::error!(path = %path.display(), "the grains file is no mapping; it is left out"),
        Err(error) => tracing::error!("the grains file is left out: {}", error.render(false)),
    }
}

/// Executables in a folder, in order of name, each printing one JSON mapping.
pub fn of_executables(folder: &Path, grains: &mut Map) {
    let host = Local::default();
    for name in host.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let Some(program) = host.which(&path.to_string_lossy()) else { continue };
        match of_executable(&host, &program) {
            Ok(map) => grains.extend(map),
            Err(why) => tracing::error!(program = %program.display(), why, "grains of an executable are left out"),
        }
    }
}

fn of_executable(host: &Local, program: &Path) -> Result<Map, String> {
    let argv = vec![program.to_string_lossy().into_owned()];
    let command = Command { argv, timeout: Some(PATIENCE), ..Command::default() };
    let output = host.probe(&command).map_err(|error| error.to_string())?;
    match () {
        () if output.timed_out => Err(format!("it took longer than {} s", PATIENCE.as_secs())),
        () if output.code != 0 => Err(format!("it ended with {}", output.code)),
        () => {
            serde_json::from_slice(&output.stdout).map_err(|error| format!("it did not print a JSON mapping: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use states::Host;

    #[test]
    fn files_and_executables_add_grains_and_faulty_ones_do_not() {
        let dir = tempfile::tempdir().unwrap();
        let host = Local::default();
        let write = |name: &str, text: &str, mode| host.write(&dir.path().join(name), text.as_bytes(), mode).unwrap();
        let mut grains = Map::new();
        write("good", "#!/bin/sh\necho '{\"rack\": 7}'\n", 0o755);
        write("bad", "#!/bin/sh\necho nonsense\n", 0o755);
        write("failing", "#!/bin/sh\necho '{\"a\": 1}'; exit 3\n", 0o755);
        write("notes.txt", "not a program", 0o644);
        of_executables(dir.path(), &mut grains);
        assert_eq!(grains, Map::from_iter([("rack".to_owned(), 7.into())]));
        write("grains", "roles: [web, db]\nmode: 0644\n", 0o644);
        of_file(&dir.path().join("grains"), &mut grains);
        assert_eq!(grains["roles"], serde_json::json!(["web", "db"]));
        write("grains", "a: [", 0o644);
        of_file(&dir.path().join("grains"), &mut grains);
        assert_eq!(grains.len(), 3);
    }
}
