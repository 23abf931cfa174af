//! When the new files of a run are brought to the disk: together, before anything but a state of files
//! runs, and before the run tells its end. So no command, package or service is ever ahead of a file
//! that was made for it, also after a power cut.

use std::{
    io,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use super::{Results, Row};
use crate::{Host, compile::Chunk};

/// A host that holds new files back.
pub struct Held<'a> {
    host: &'a dyn Host,
    failed: Mutex<Vec<(PathBuf, io::Error)>>,
}

impl<'a> Held<'a> {
    pub fn new(host: &'a dyn Host) -> Self {
        host.hold();
        Self { host, failed: Mutex::default() }
    }

    /// To be called before a state of this module runs.
    pub fn before(&self, module: &str) {
        if module != "file" {
            self.settle();
        }
    }

    fn settle(&self) {
        let failed = self.host.settle();
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).extend(failed);
    }

    /// Ends the run: a state whose file is not on the disk has failed after all.
    pub fn end(self, results: &mut Results) {
        self.settle();
        for (path, why) in self.failed.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let said = format!("Unable to bring {} to the disk: {why}", path.display());
            let made = |chunk: &Chunk| chunk.text("name") == path.to_string_lossy();
            let changed = |row: &Row| !row.changes.is_empty();
            let own = results.values().position(|(chunk, row)| made(chunk) && changed(row));
            let row = own.or_else(|| results.values().rposition(|(_, row)| changed(row)));
            if let Some((_, (_, row))) = row.and_then(|at| results.get_index_mut(at)) {
                row.result = Some(false);
                row.comment = format!("{}\n{said}", row.comment);
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.host.release();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::testing::{Memory, apply};

    const SLS: &str = "/a:\n  file.managed:\n    - contents: a\n/b:\n  file.managed:\n    - contents: b\n\
                       make:\n  cmd.run: []\n/c:\n  file.managed:\n    - contents: c\n";

    #[test]
    fn new_files_are_on_the_disk_before_a_command_runs_and_before_the_end() {
        let host = Memory::new(json!({}));
        assert!(apply(&host, SLS, true).iter().all(|row| row.1.is_null()));
        assert_eq!(host.disk.lock().unwrap().log, Vec::<String>::new());
        assert!(apply(&host, SLS, false).iter().all(|row| row.1 == true));
        assert_eq!(host.disk.lock().unwrap().log, ["/a", "/b", "make", "/c"]);
    }

    #[test]
    fn a_state_whose_file_cannot_be_brought_there_has_failed() {
        let host = Memory::new(json!({}));
        host.disk.lock().unwrap().bad = Some("/b".into());
        let rows = apply(&host, SLS, false);
        let failed: Vec<&str> = rows.iter().filter(|row| row.1 == false).map(|row| row.0.as_str()).collect();
        assert_eq!(failed, ["/b"]);
        assert_eq!(rows[1].2, "File /b updated\nUnable to bring /b to the disk: Input/output error");
    }
}
