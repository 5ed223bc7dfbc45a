//! Deletes what nobody uses any more. Imports nothing from this crate.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// An hour more than the longest lifetime that is honored.
const OLD: Duration = Duration::from_secs(25 * 60 * 60);
/// How many names are looked at.
const MOST: usize = 1024;

/// Deletes the entries, locks and temporary files that were last written more than 25 hours before `now`.
/// An error is not reported: the next sweep tries again.
pub(super) fn sweep(directory: &Path, now: SystemTime) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.take(MOST).flatten().filter(|entry| is_ours(&entry.file_name())) {
        if is_old(&entry, now) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn is_old(entry: &DirEntry, now: SystemTime) -> bool {
    let Ok(metadata) = entry.metadata() else { return false };
    let age = metadata.modified().ok().and_then(|written| now.duration_since(written).ok());
    !metadata.is_dir() && age.is_some_and(|age| age > OLD)
}

/// Whether this is a name that [`FileStore`](super::FileStore) gives, other than `KEY`.
fn is_ours(name: &OsStr) -> bool {
    let Some((start, rest)) = name.to_str().and_then(|name| name.split_once('.')) else { return false };
    let is_hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match rest {
        "token" | "lock" => is_hex(start, 64),
        _ => {
            let random = rest.strip_suffix(".tmp");
            (is_hex(start, 64) || start == "KEY") && random.is_some_and(|random| is_hex(random, 16))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_the_store_gives_are_swept() {
        let (key, random) = ("0123456789abcdef".repeat(4), "0123456789abcdef");
        let swept =
            [format!("{key}.token"), format!("{key}.lock"), format!("{key}.{random}.tmp"), format!("KEY.{random}.tmp")];
        for name in swept {
            assert!(is_ours(OsStr::new(&name)), "{name}");
        }
        let kept = [
            "KEY".to_owned(),
            "KEY.token".to_owned(),
            key.clone(),
            format!("{key}.tmp"),
            format!("{key}.token.tmp"),
            format!("{key}.token2"),
            format!("{key}a.token"),
            format!("{}.token", key.to_uppercase()),
            format!("{}.token", &key[1..]),
            "notes.token".to_owned(),
            format!(".{random}.tmp"),
        ];
        for name in kept {
            assert!(!is_ours(OsStr::new(&name)), "{name}");
        }
    }
}
