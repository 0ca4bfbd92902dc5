//! The intact copies of a store that a recovery has: backups, the file at its path, and the file that is still open.

use jiff::Timestamp;
use rusqlite::Connection;

use super::Damage;
use crate::store::{
    Records as _, Revision, StoreError,
    sqlite::{
        error::ErrorMap,
        files::Files,
        read_only::{self, SqliteReader},
        tables::read,
        upkeep::{
            backup::{self, Intact},
            integrity,
        },
    },
};

/// An intact copy.
pub(super) struct Source<'a> {
    /// How the log and the audit name it.
    pub(super) name: String,
    pub(super) kind: SourceKind,
    pub(super) revision: Revision,
    handle: Handle<'a>,
}

/// Where a copy is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SourceKind {
    /// A backup.
    Backup {
        /// When it was taken.
        taken: Timestamp,
    },
    /// A recovery that was complete but not yet in its place.
    Interrupted,
    /// The file at the store's path.
    AtPath,
    /// The file that this process has open.
    Open,
}

enum Handle<'a> {
    Own(SqliteReader),
    Open(&'a Connection),
}

impl Source<'_> {
    /// The connection to read it with.
    pub(super) fn connection(&self) -> Option<&Connection> {
        match &self.handle {
            Handle::Own(reader) => reader.connection(),
            Handle::Open(connection) => Some(connection),
        }
    }
}

/// The intact copies, the one with the highest revision first.
pub(super) fn intact<'a>(files: &Files, damage: &Damage<'a>) -> Vec<Source<'a>> {
    let mut sources: Vec<Source<'a>> = match damage {
        Damage::Removed(open) => open_one(open).into_iter().collect(),
        Damage::Replaced { open, log_is_open } => open_one(open)
            .into_iter()
            .chain(at_path(files, !log_is_open))
            .collect(),
        Damage::Found => at_path(files, true)
            .into_iter()
            .chain(interrupted(files))
            .chain(newest_backup(files))
            .collect(),
    };
    if sources.is_empty() {
        sources.extend(interrupted(files).into_iter().chain(newest_backup(files)));
    }
    // A stable sort: of two with the same revision the first one named above stays first.
    sources.sort_by_key(|source| std::cmp::Reverse(source.revision));
    sources
}

fn open_one(open: &Connection) -> Option<Source<'_>> {
    integrity::check(open, std::path::Path::new("")).ok()?;
    Some(Source {
        name: "the file that is open".to_owned(),
        kind: SourceKind::Open,
        revision: read::revision(open).ok()?,
        handle: Handle::Open(open),
    })
}

fn at_path<'a>(files: &Files, with_log: bool) -> Option<Source<'a>> {
    let store = files.store();
    let copy = if with_log {
        read_only::copy(&store)
    } else {
        read_only::copy_without_log(&store)
    }
    .ok()?;
    let reader = SqliteReader::of_copy(store.clone(), copy).ok()?;
    integrity::check(reader.connection()?, &store).ok()?;
    Some(Source {
        name: store.display().to_string(),
        kind: SourceKind::AtPath,
        revision: reader.revision().ok()?,
        handle: Handle::Own(reader),
    })
}

fn interrupted<'a>(files: &Files) -> Option<Source<'a>> {
    let intact = backup::intact(files.recovered()).ok()?;
    of_file(&intact, SourceKind::Interrupted).ok()
}

fn newest_backup<'a>(files: &Files) -> Option<Source<'a>> {
    let newest = backup::newest_intact(files)?;
    let taken = newest.taken;
    of_file(&newest, SourceKind::Backup { taken }).ok()
}

fn of_file<'a>(intact: &Intact, kind: SourceKind) -> Result<Source<'a>, StoreError> {
    let reader = read_only::unchanging(&intact.path)?;
    if reader.connection().is_none() {
        return Err(ErrorMap::of_system(&intact.path)(
            std::io::ErrorKind::NotFound.into(),
        ));
    }
    Ok(Source {
        name: intact.path.display().to_string(),
        kind,
        revision: intact.revision,
        handle: Handle::Own(reader),
    })
}
