//! Replaces a file by another one, so that after a crash one of the two is there, whole.

use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use super::is_missing;

/// Readable for members of the daemon's group, as the store is.
const DIR_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;

/// Replaces the file at `path` by what `write` writes. When this returns, it is on the disk. The directory is created if it is
/// missing.
pub(crate) fn replace(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    replace_with_mode(path, FILE_MODE, write)
}

/// The same with the permissions of the file.
pub(super) fn replace_with_mode(
    path: &Path,
    mode: u32,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    // A name alone is one in the working directory.
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = dir.unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(DIR_MODE).create(dir)?;
    let mut draft = OsString::from(path);
    draft.push(".new");
    let file = create(Path::new(&draft), mode)?;
    let written = (|| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.flush()?;
        file.get_ref().sync_all()
    })();
    if let Err(error) = written {
        // It takes space that may be what is missing.
        let _ = fs::remove_file(&draft);
        return Err(error);
    }
    fs::rename(&draft, path)?;
    File::open(dir)?.sync_all()
}

/// Creates a draft. What is in its way, of a crash or a link of the directory's owner, is removed and not written to: root writes in
/// the directory of the service's user as well.
fn create(draft: &Path, mode: u32) -> io::Result<File> {
    match fs::remove_file(draft) {
        Err(error) if !is_missing(&error) => return Err(error),
        _ => {}
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(draft)?;
    // Whatever the umask is.
    file.set_permissions(Permissions::from_mode(mode))?;
    Ok(file)
}

/// Removes the file at `path`, if there is one. When this returns, it is gone from the disk.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    // A read-only file system refuses to remove what is not there, too.
    match fs::symlink_metadata(path).and_then(|_| fs::remove_file(path)) {
        Ok(()) => File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all(),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_in_the_place_of_a_draft_is_replaced_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("file"), dir.path().join("other"));
        fs::write(&other, "of another").unwrap();
        symlink(&other, dir.path().join("file.new")).unwrap();
        replace_with_mode(&path, 0o600, |file| file.write_all(b"ours")).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"of another");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/file");
        replace(&path, |file| file.write_all(b"first")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"first");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            FILE_MODE
        );

        let refused = replace(&path, |file| {
            file.write_all(b"half of the sec")?;
            Err(io::Error::other("no more"))
        });
        assert_eq!(refused.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"first");

        // What a crash left in its way is overwritten.
        fs::write(dir.path().join("new/file.new"), "a longer draft").unwrap();
        replace(&path, |file| file.write_all(b"second")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
