//! Files that get their name only when they are complete. Imports `random`, `store::file::platform`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::random::random_bytes;
use crate::store::file::platform;

/// How often a file is renamed: on Windows that fails while somebody has the other file open.
const RENAMES: usize = if cfg!(windows) { 3 } else { 1 };

/// A complete file in the same directory as `path`. It is deleted on drop, unless it was renamed.
pub(super) struct Temporary {
    path: PathBuf,
    renamed: bool,
    /// By the clock of the file system.
    pub(super) written: Option<SystemTime>,
}

impl Temporary {
    pub(super) fn write(path: &Path, parts: &[&[u8]]) -> io::Result<Self> {
        let random: String = random_bytes()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let temporary = path.with_extension(format!("{random}.tmp"));
        let mut options = OpenOptions::new();
        let mut file = platform::make_private(options.write(true).create_new(true)).open(&temporary)?;
        let mut made = Self { path: temporary, renamed: false, written: None };
        made.fill(&mut file, parts)?;
        Ok(made)
    }

    fn fill(&mut self, file: &mut File, parts: &[&[u8]]) -> io::Result<()> {
        parts.iter().try_for_each(|part| file.write_all(part))?;
        self.written = file.metadata()?.modified().ok();
        Ok(())
    }

    /// Gives the file this name, in place of whatever has it.
    pub(super) fn rename(mut self, path: &Path) -> io::Result<()> {
        let mut tries = 1;
        while let Err(error) = fs::rename(&self.path, path) {
            if tries == RENAMES {
                return Err(error);
            }
            tries += 1;
            std::thread::yield_now();
        }
        self.renamed = true;
        Ok(())
    }

    /// Gives the file this name as well, if nothing has it.
    pub(super) fn link(&self, path: &Path) -> io::Result<()> {
        fs::hard_link(&self.path, path)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            let _ = fs::remove_file(&self.path);
        }
    }
}
