//! The floor plan of DESIGN.md, "The house", as a check: a module imports only from floors below its own.

use std::fs;
use std::path::Path;

/// From the ground up. Modules on one floor do not know each other, except for the parts of one room.
const FLOORS: [&[&str]; 9] = [
    &["clock", "random", "redact"],
    &["error"],
    &["audience", "basic", "challenge", "event", "retry", "token"],
    &["backoff", "credentials", "transport"],
    &["request", "settings"],
    &["cache", "response", "schedule"],
    &["slot"],
    &["source"],
    &["guide", "test_util", "ureq"],
];

fn floor(room: &str) -> usize {
    FLOORS
        .iter()
        .position(|floor| floor.contains(&room))
        .unwrap_or_else(|| panic!("src/{room} is on no floor: give it one in tests/floors.rs and DESIGN.md"))
}

fn files(folder: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            out.push(path);
        }
    }
}

/// The rooms that the code of a file names, documentation and the tests at its end left out.
fn rooms_named_in(source: &str) -> Vec<String> {
    source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]") && !line.starts_with("#[cfg(all(test"))
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split("crate::").skip(1))
        .map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect())
        .collect()
}

#[test]
fn a_module_imports_only_from_floors_below_its_own() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    files(&src, &mut paths);
    let mut imports = 0;
    for path in paths {
        let inside = path.strip_prefix(&src).expect("a file of src");
        let room = inside.iter().next().and_then(|name| name.to_str()).expect("a name").trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let own = floor(room);
        for named in rooms_named_in(&fs::read_to_string(&path).expect("a text")) {
            assert!(
                named == room || floor(&named) < own,
                "{} (floor {own}) imports crate::{named} (floor {})",
                inside.display(),
                floor(&named)
            );
            imports += 1;
        }
    }
    assert!(imports > 50, "the check must have something to look at: {imports}");
}
