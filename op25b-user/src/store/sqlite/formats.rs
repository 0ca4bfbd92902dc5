//! The formats of a database: how its file is recognized, and how an older one becomes the newest.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::error::ErrorMap;
use crate::store::StoreError;

/// The formats of one database.
#[derive(Clone, Copy, Debug)]
pub(in crate::store) struct Formats {
    /// SQLite's `application_id`.
    pub(in crate::store) application: u32,
    /// What each format adds to the one before it, the first to a blank file. SQLite's `user_version` counts them.
    pub(in crate::store) each: &'static [&'static str],
}

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Contents {
    /// Nothing yet.
    Blank,
    /// The tables of the database, of this format.
    Store(u32),
}

impl Formats {
    /// The newest supported format.
    #[expect(clippy::cast_possible_truncation, reason = "there are a few")]
    const fn newest(&self) -> u32 {
        self.each.len() as u32
    }

    /// The contents of an open file.
    pub(super) fn contents(&self, connection: &Connection, file: &Path) -> Result<Contents, StoreError> {
        let failed = ErrorMap::with(connection, file);
        let number = |sql| connection.query_row(sql, [], |row| row.get::<_, u32>(0));
        let tables = number("SELECT count(*) FROM sqlite_schema").map_err(&failed)?;
        let application = number("PRAGMA application_id").map_err(&failed)?;
        let format = number("PRAGMA user_version").map_err(&failed)?;
        if (tables, application, format) == (0, 0, 0) {
            return Ok(Contents::Blank);
        }
        if application != self.application || format == 0 {
            return Err(StoreError::Damaged {
                path: file.to_owned(),
                why: "it is a database, but not of op25b".to_owned(),
            });
        }
        if format > self.newest() {
            return Err(StoreError::Newer {
                path: file.to_owned(),
                found: format,
                known: self.newest(),
            });
        }
        Ok(Contents::Store(format))
    }

    /// Creates the tables in a blank file, or upgrades those of an older format: completely or not at all.
    pub(super) fn make_current(
        &self,
        connection: &mut Connection,
        contents: Contents,
    ) -> rusqlite::Result<()> {
        let format = match contents {
            Contents::Blank => 0,
            Contents::Store(format) => format,
        };
        if format < self.newest() {
            self.upgrade(connection, format, self.newest())?;
        }
        Ok(())
    }

    /// Upgrades the tables from one format to another.
    pub(super) fn upgrade(&self, connection: &mut Connection, from: u32, to: u32) -> rusqlite::Result<()> {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let missing = (1..)
            .zip(self.each)
            .filter(|(format, _)| (from + 1..=to).contains(format));
        for (_, tables) in missing {
            transaction.execute_batch(tables)?;
        }
        transaction.pragma_update(None, "application_id", self.application)?;
        transaction.pragma_update(None, "user_version", to)?;
        transaction.commit()
    }
}
