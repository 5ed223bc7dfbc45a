//! SECURITY.md as a check: the tests and fuzz targets that hold its promises exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder of tests or of modules, with their paths as modules.
fn modules(folder: &Path, within: &str, out: &mut Vec<(String, PathBuf)>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let module =
            if ["main", "mod", "lib"].contains(&name) { within.to_owned() } else { format!("{within}::{name}") };
        if path.is_dir() {
            modules(&path, &module, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push((module, path));
        }
    }
}

/// The full names of all tests, such as `agent::redirects::d23_...` or `redact::tests::...`.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["tests", "src"] {
        modules(&root().join(folder), "", &mut files);
    }
    let mut names = BTreeSet::new();
    for (module, path) in files {
        let text = fs::read_to_string(path).expect("a text");
        let (mut inner, mut is_test) = (String::new(), false);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(" {")) {
                inner = format!("::{name}");
            }
            let code = line.trim_start();
            is_test |= code == "#[test]";
            if let Some(rest) = code.strip_prefix("fn ").filter(|_| is_test) {
                let name = rest.split('(').next().unwrap_or_default();
                names.insert(format!("{module}{inner}::{name}").trim_start_matches("::").to_owned());
                is_test = false;
            }
        }
    }
    names
}

/// What the last column of the tables names.
fn named() -> Vec<String> {
    let page = fs::read_to_string(root().join("SECURITY.md")).expect("a page");
    let rows = page.lines().filter_map(|line| line.strip_prefix('|')?.trim_end().strip_suffix('|')?.rsplit('|').next());
    rows.flat_map(|column| column.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Whether this is the name of a test, of a module with tests, or the beginning of some names.
fn is_test(name: &str, tests: &BTreeSet<String>) -> bool {
    let within = format!("{name}::");
    tests.iter().any(|test| match name.strip_suffix('*') {
        Some(start) => test.starts_with(start),
        None => test == name || test.starts_with(&within),
    })
}

#[test]
fn every_test_and_fuzz_target_that_holds_a_promise_exists() {
    let tests = tests();
    let is_target = |name: &str| root().join(format!("fuzz/fuzz_targets/{name}.rs")).is_file();
    let names = named();
    let missing: Vec<_> = names.iter().filter(|name| !is_test(name, &tests) && !is_target(name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names what does not exist: {missing:#?}");
    assert!(names.len() > 40 && tests.len() > 500, "{} names, {} tests", names.len(), tests.len());
}

#[test]
fn the_check_notices_a_name_that_does_not_exist() {
    let tests = tests();
    for (name, exists) in [
        ("source::herd::a_panicking_secret_closure_hurts_only_its_own_caller", true),
        ("source::herd::a_panicking_secret_closure", false),
        ("source::herd::a_panicking_*", true),
        ("source::herd::b*", false),
        ("source::shared_slot::model", true),
        ("redact::tests::*", true),
        ("hostile::*", true),
        ("hostile", true),
        ("nowhere::*", false),
    ] {
        assert_eq!(is_test(name, &tests), exists, "{name}");
    }
}
