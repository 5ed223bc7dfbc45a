//! The files of this project, for the tests that check what is written in them.
#![allow(dead_code, reason = "every test file uses its own part")]

use std::fs;
use std::path::Path;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file, with `\n` at the end of its lines.
pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).expect("a text").replace("\r\n", "\n")
}

/// All files below a folder whose names end in this way: their names within the folder, with slashes,
/// and their texts.
pub fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let (top, mut folders, mut found) = (root().join(folder), vec![root().join(folder)], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                let name = path.strip_prefix(&top).expect("a file of the folder").to_str().expect("a name");
                found.push((name.replace('\\', "/"), read(&path)));
            }
        }
    }
    found
}
