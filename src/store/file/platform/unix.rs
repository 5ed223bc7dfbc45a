//! Owners and modes as POSIX has them. Imports nothing from this crate.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;

/// Creates the directory and its parents, for this user alone. It is no error if it is there.
pub(in super::super) fn create_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// Makes `open` fail at a symbolic link, and return at once at a FIFO.
pub(in super::super) fn do_not_follow(options: &mut OpenOptions) -> &mut OpenOptions {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    options.custom_flags(flags.bits() as i32)
}

/// Makes a file that is created readable for its owner alone.
pub(in super::super) fn make_private(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

/// Does nothing, because whatever is open may be deleted on Unix.
pub(in super::super) fn undeletable(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

/// Whether this file still is the one of this name.
pub(in super::super) fn is_at(path: &Path, file: &File) -> io::Result<bool> {
    let (ours, there) = match (file.metadata()?, fs::symlink_metadata(path)) {
        (ours, Ok(there)) => (ours, there),
        (_, Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(false),
        (_, Err(error)) => return Err(error),
    };
    Ok((ours.dev(), ours.ino()) == (there.dev(), there.ino()))
}

/// Says who else than the user of this process could have written what has this metadata, or read it.
pub(in super::super) fn strangers(metadata: &Metadata) -> Option<String> {
    strangers_by(metadata.uid(), metadata.mode(), rustix::process::geteuid().as_raw())
}

/// Says which other user owns what has this metadata.
pub(in super::super) fn stranger(metadata: &Metadata) -> Option<String> {
    stranger_by(metadata.uid(), rustix::process::geteuid().as_raw())
}

fn strangers_by(owner: u32, mode: u32, us: u32) -> Option<String> {
    let mode = mode & 0o7777;
    stranger_by(owner, us).or_else(|| {
        (mode & 0o077 != 0).then(|| format!("can be read or changed by other users, since its mode is {mode:04o}"))
    })
}

fn stranger_by(owner: u32, us: u32) -> Option<String> {
    (owner != us).then(|| format!("belongs to the user with the id {owner}, and this program runs as {us}"))
}

/// Returns the name of the network file system that this directory is on, if it is on one.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(in super::super) fn network_file_system(directory: &Path) -> Option<&'static str> {
    // Some platforms sign the number.
    network_file_system_by(rustix::fs::statfs(directory).ok()?.f_type as u32)
}

/// Always `None`: there is no such number here.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(in super::super) fn network_file_system(_: &Path) -> Option<&'static str> {
    None
}

/// Numbers from statfs(2), and from the table of coreutils (`stat.c`).
#[cfg(any(target_os = "linux", target_os = "android"))]
fn network_file_system_by(magic: u32) -> Option<&'static str> {
    Some(match magic {
        0x0000_6969 => "NFS",
        0x0000_517B | 0xFF53_4D42 | 0xFE53_4D42 => "SMB",
        0x6573_5546 => "FUSE",
        0x0102_1997 => "9p",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x00C3_6400 => "Ceph",
        0x0BD0_0BD0 => "Lustre",
        0x4750_4653 => "GPFS",
        0x0116_1970 => "GFS2",
        0x7461_636F => "OCFS2",
        0x1983_0326 => "BeeGFS",
        0x2003_0528 => "OrangeFS",
        0xAAD7_AAEA => "PanFS",
        0x6163_6673 => "ACFS",
        0xBEEF_DEAD => "StorNext",
        0x7375_7245 => "Coda",
        0x0000_564C => "NCP",
        0x786F_4256 | 0xBACB_ACBC | 0x7C7C_6673 => "a shared folder of a virtual machine",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_user_owns_or_may_open_has_strangers() {
        assert_eq!(strangers_by(1000, 0o100_600, 1000), None);
        assert_eq!(strangers_by(1000, 0o042_700, 1000), None, "the bit that passes the group on gives no right");
        let foreign = strangers_by(0, 0o100_600, 1000).expect("root's");
        assert!(foreign.contains("id 0") && foreign.contains("runs as 1000"), "{foreign}");
        for bit in [0o001, 0o002, 0o004, 0o010, 0o020, 0o040] {
            let open = strangers_by(1000, 0o100_600 | bit, 1000).expect("open to others");
            assert!(open.contains(&format!("{:04o}", 0o600 | bit)), "{open}");
        }
    }

    #[test]
    fn a_file_that_was_deleted_or_replaced_is_not_at_its_path() {
        let path = std::env::temp_dir().join(format!("client-credentials-{}-is-at", std::process::id()));
        let file = File::create(&path).expect("a file");
        assert!(is_at(&path, &file).expect("no error"));
        fs::remove_file(&path).expect("it is there");
        assert!(!is_at(&path, &file).expect("no error"));
        let other = File::create(&path).expect("a file");
        assert!(!is_at(&path, &file).expect("no error"));
        assert!(is_at(&path, &other).expect("no error"));
        fs::remove_file(&path).expect("it is there");
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn network_file_systems_are_known_by_their_numbers() {
        let network = [
            (0x0000_6969, "NFS"),
            (0x0000_517B, "SMB"),
            (0xFF53_4D42, "SMB"),
            (0xFE53_4D42, "SMB"),
            (0x6573_5546, "FUSE"),
            (0x00C3_6400, "Ceph"),
            (0x0BD0_0BD0, "Lustre"),
            (0x4750_4653, "GPFS"),
            (0x0102_1997, "9p"),
        ];
        for (magic, name) in network {
            assert_eq!(network_file_system_by(magic), Some(name), "{magic:#x}");
        }
        // ext4, tmpfs, XFS, Btrfs, overlayfs, ZFS, F2FS.
        for magic in [0xEF53, 0x0102_1994, 0x5846_5342, 0x9123_683E, 0x794C_7630, 0x2FC1_2FC1, 0xF2F5_2010] {
            assert_eq!(network_file_system_by(magic), None, "{magic:#x}");
        }
    }
}
