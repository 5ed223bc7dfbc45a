//! SECURITY.md as a check: the tests and fuzz targets that hold its promises exist.

mod project;

use std::collections::BTreeSet;

/// The path of the module in this file.
fn module(file: &str) -> String {
    let path = file.trim_end_matches(".rs").split('/').filter(|name| !["main", "mod", "lib"].contains(name));
    path.map(|name| format!("::{name}")).collect()
}

/// The full names of all tests, such as `agent::redirects::d23_...` or `redact::tests::...`.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (file, text) in ["tests", "src"].iter().flat_map(|folder| project::files(folder, "rs")) {
        let module = module(&file);
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
    let page = project::read("SECURITY.md");
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
    let is_target = |name: &str| project::root().join(format!("fuzz/fuzz_targets/{name}.rs")).is_file();
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
