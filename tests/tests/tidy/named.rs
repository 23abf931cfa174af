//! `tests/tests/e2e/README.md` says which test shows what: each that it names is there.

use std::fs;

use super::root;

#[test]
fn tests_that_the_list_of_faults_names_are_there() {
    let folder = root().join("tests/tests");
    let text = fs::read_to_string(folder.join("e2e/README.md")).unwrap();
    let named: Vec<(&str, &str)> = text.split('`').filter_map(|word| word.split_once("::")).collect();
    assert!(named.len() > 25, "{named:?}");
    for (file, test) in named {
        // Some are not of this package's e2e tests, and say so: `twins/trials::…`.
        let file = if file.contains('/') { file.to_owned() } else { format!("e2e/{file}") };
        let code = fs::read_to_string(folder.join(format!("{file}.rs"))).unwrap_or_default();
        assert!(code.contains(&format!("fn {test}(")), "{file}::{test} is gone");
    }
}
