//! The file of an entry: a line with the stamp, then the bytes. Imports `store`, `store::file::checked`,
//! `store::file::temporary`.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::store::file::checked::{self, Found};
use crate::store::file::temporary::Temporary;
use crate::store::{Entry, Stamp};

/// What the first line begins with. The stamp follows, in decimal digits.
const BEGINNING: &[u8] = b"client-credentials 1 ";
/// More than the longest first line.
const MOST_OF_A_HEADER: usize = 64;
/// The most bytes of an entry.
pub(super) const MOST: usize = 1024 * 1024;

/// Reads the entry that is at `path`.
pub(super) fn read(path: &Path) -> io::Result<Option<Entry>> {
    let unusable =
        |why: &str| Some(Entry::unusable(format!("the entry {path:?} {why}, so it is not used"), Stamp::default()));
    let file = match checked::open(path)? {
        Found::Nothing => return Ok(None),
        Found::Wrong(why) => return Ok(unusable(&why)),
        Found::File(file, _) => file,
    };
    let text = read_at_most(file, MOST + MOST_OF_A_HEADER)?;
    Ok(match split(&text) {
        None => unusable("does not begin with the line of this version"),
        Some((_, bytes)) if bytes.len() > MOST => unusable("is larger than 1 MiB"),
        Some((stamp, bytes)) => Some(Entry::new(bytes.to_vec(), stamp)),
    })
}

/// Returns the stamp of the entry that is at `path`, if there is one that can be used.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let Ok(Found::File(file, metadata)) = checked::open(path) else { return None };
    let text = read_at_most(file, MOST_OF_A_HEADER).ok()?;
    let (stamp, bytes) = split(&text)?;
    let header = text.len() - bytes.len();
    (metadata.len() <= (header + MOST) as u64).then_some(stamp)
}

/// Replaces whatever is at `path`, and returns when that was, by the clock of the file system.
pub(super) fn write(path: &Path, stamp: Stamp, bytes: &[u8]) -> io::Result<Option<SystemTime>> {
    let stamp = u64::from(stamp).to_string();
    let temporary = Temporary::write(path, &[BEGINNING, stamp.as_bytes(), b"\n", bytes])?;
    let written = temporary.written;
    temporary.rename(path)?;
    Ok(written)
}

/// Reads at most this many bytes.
fn read_at_most(file: File, most: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let length = file.metadata()?.len();
    // With one more there is no need to grow, which would leave a copy behind.
    let room = usize::try_from(length).map_or(most, |length| length.min(most)) + 1;
    let mut text = Zeroizing::new(Vec::with_capacity(room));
    file.take(most as u64).read_to_end(&mut text)?;
    Ok(text)
}

/// Returns the stamp of the first line, and what follows it.
fn split(text: &[u8]) -> Option<(Stamp, &[u8])> {
    let rest = text.strip_prefix(BEGINNING)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let stamp: u64 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    Some((Stamp::from(stamp), rest[digits..].strip_prefix(b"\n")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_version_and_a_stamp_and_nothing_else() {
        assert_eq!(split(b"client-credentials 1 7\nbytes\n"), Some((Stamp::from(7), &b"bytes\n"[..])));
        let most = format!("client-credentials 1 {}\n", u64::MAX);
        assert_eq!(split(most.as_bytes()), Some((Stamp::from(u64::MAX), &b""[..])));
        assert!(most.len() < MOST_OF_A_HEADER);
        let others = [
            "",
            "\n",
            "client-credentials 1 \n",
            "client-credentials 1 -7\n",
            "client-credentials 1 +7\n",
            "client-credentials 1 7",
            "client-credentials 1 7 \n",
            "client-credentials 1 7\r\n",
            "client-credentials 1 18446744073709551616\n",
            "client-credentials 2 7\n",
            "Client-credentials 1 7\n",
        ];
        for other in others {
            assert_eq!(split(other.as_bytes()), None, "{other:?}");
        }
    }
}
