//! Tests that load the machine take turns, across threads and processes.

use std::fs::File;

/// The right to load the machine, until it is dropped.
pub struct Turn(#[expect(dead_code, reason = "the lock lives as long as the file is open")] File);

/// Waits for the turn of a test that starts many processes or keeps both cores busy. Works the
/// same under `cargo test` (threads) and `cargo nextest` (processes), because it is a file lock.
///
/// # Panics
/// When the temporary folder cannot be written.
///
/// ```
/// let turn = tests::heavy::turn();
/// drop(turn);
/// ```
pub fn turn() -> Turn {
    let path = std::env::temp_dir().join("overstate-tests.heavy");
    let file =
        File::options().create(true).truncate(false).write(true).open(path).expect("the lock file can be opened");
    file.lock().expect("the lock file can be locked");
    Turn(file)
}
