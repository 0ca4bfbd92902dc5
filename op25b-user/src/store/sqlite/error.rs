//! Maps errors of SQLite and the system to [`StoreError`].

use std::{
    io,
    path::{Path, PathBuf},
};

use nix::{errno::Errno, sys::statvfs::statvfs};
use rusqlite::{Connection, ErrorCode, ffi};

use crate::store::StoreError;

/// Maps errors about one file.
pub(super) struct ErrorMap;

impl ErrorMap {
    /// Maps errors of a connection, which has the system's last error.
    pub(super) fn with<'a>(
        connection: &'a Connection,
        file: &'a Path,
    ) -> impl Fn(rusqlite::Error) -> StoreError + 'a {
        move |error| {
            // SAFETY: the handle is that of an open connection, which outlives the call.
            let system = unsafe { ffi::sqlite3_system_errno(connection.handle()) };
            map(file, &error, Errno::from_raw(system))
        }
    }

    /// Maps errors without a connection.
    pub(super) fn at(file: &Path) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        move |error| map(file, &error, Errno::UnknownErrno)
    }

    /// Maps errors of the system.
    pub(super) fn of_system(file: &Path) -> impl Fn(io::Error) -> StoreError + '_ {
        move |error| {
            let (path, why) = (file.to_owned(), error.to_string());
            match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { path, why },
                io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                    StoreError::ReadOnly { path, why }
                }
                _ => StoreError::Failed { path, why },
            }
        }
    }
}

fn map(file: &Path, error: &rusqlite::Error, system: Errno) -> StoreError {
    let path: PathBuf = file.to_owned();
    let why = match system {
        Errno::UnknownErrno => error.to_string(),
        system => format!("{error}: {}", system.desc()),
    };
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            // A malformed value.
            rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::Utf8Error(..) => StoreError::Damaged {
                path,
                why: error.to_string(),
            },
            _ => StoreError::Failed { path, why },
        };
    };
    let why_of_sqlite = error.to_string();
    match code {
        ErrorCode::DiskFull => StoreError::Full {
            path,
            why: why_of_sqlite,
        },
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Damaged {
            path,
            why: why_of_sqlite,
        },
        // These codes do not state the cause.
        ErrorCode::SystemIoFailure | ErrorCode::CannotOpen | ErrorCode::ReadOnly => match system {
            Errno::ENOSPC | Errno::EDQUOT => StoreError::Full { path, why },
            Errno::EROFS | Errno::EACCES | Errno::EPERM => StoreError::ReadOnly { path, why },
            // An error of reading or writing is another fault, also on a disk that happens to be full.
            _ if code == ErrorCode::SystemIoFailure && system != Errno::UnknownErrno => {
                StoreError::Failed { path, why }
            }
            _ if is_full(file) => StoreError::Full {
                path,
                why: why_of_sqlite,
            },
            _ if code == ErrorCode::SystemIoFailure => StoreError::Failed { path, why },
            _ => StoreError::ReadOnly {
                path,
                why: why_of_sqlite,
            },
        },
        _ => StoreError::Failed {
            path,
            why: why_of_sqlite,
        },
    }
}

/// Whether a file's disk has no space left, or no inodes.
fn is_full(file: &Path) -> bool {
    file.parent()
        .and_then(|dir| statvfs(dir).ok())
        .is_some_and(|disk| {
            // Some file systems create inodes as needed, and report none.
            disk.blocks_available() == 0 || (disk.files() > 0 && disk.files_available() == 0)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file system of `/proc` has no space, as a full disk.
    const FULL: &str = "/proc/exemptions.db";

    fn mapped(code: i32, system: Errno) -> StoreError {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        map(Path::new(FULL), &error, system)
    }

    #[test]
    fn only_an_error_of_a_full_disk_is_that_it_is_full() {
        assert!(is_full(Path::new(FULL)));
        for (code, system) in [
            (ffi::SQLITE_FULL, Errno::UnknownErrno),
            (ffi::SQLITE_IOERR_WRITE, Errno::ENOSPC),
            (ffi::SQLITE_IOERR_WRITE, Errno::EDQUOT),
            // Its error of the system may be that of an earlier call.
            (ffi::SQLITE_CANTOPEN, Errno::ENOENT),
        ] {
            let error = mapped(code, system);
            assert!(
                matches!(error, StoreError::Full { .. }),
                "{code} {system}: {error}"
            );
        }
        for system in [Errno::EIO, Errno::ENOMEM, Errno::EMFILE] {
            let error = mapped(ffi::SQLITE_IOERR_FSYNC, system);
            assert!(matches!(error, StoreError::Failed { .. }), "{system}: {error}");
        }
        for code in [ffi::SQLITE_BUSY, ffi::SQLITE_NOMEM, ffi::SQLITE_PROTOCOL] {
            let error = mapped(code, Errno::UnknownErrno);
            assert!(matches!(error, StoreError::Failed { .. }), "{code}: {error}");
        }
    }
}
