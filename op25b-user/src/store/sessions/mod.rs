//! The sessions: which customer had which address and when, in a database that can be thrown away.
//!
//! Of each customer and prefix it holds the times, no two of which overlap: what is added of a session that is there is joined
//! with it (`session::Span`). A customer's name is in one place, so that nothing of it stays when it is removed.

mod import;
mod query;
mod read;
mod remove;
mod row;
mod schema;
mod survey;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{StoreError, sqlite::disposable};

pub use self::{
    import::{Added, Import},
    query::SessionQuery,
    read::SessionsReader,
    survey::{Gap, Overlap, Survey},
};

/// The sessions, for the process that writes them.
#[derive(Debug)]
pub struct Sessions {
    file: PathBuf,
    connection: Connection,
}

/// Opened sessions.
#[derive(Debug)]
pub struct OpenedSessions {
    /// The sessions.
    pub sessions: Sessions,
    /// Why the file before was thrown away, if it was.
    pub lost: Option<StoreError>,
}

impl Sessions {
    /// Opens the sessions in a state directory; creates the file if there is none. A damaged one is replaced by an empty one.
    pub fn open(state_dir: &Path) -> Result<OpenedSessions, StoreError> {
        let disposable::Opened { connection, lost } = schema::SESSIONS.open(state_dir)?;
        Ok(OpenedSessions {
            sessions: Self {
                file: schema::SESSIONS.database.path(state_dir),
                connection,
            },
            lost,
        })
    }

    /// The same, if there is a file.
    pub fn open_existing(state_dir: &Path) -> Result<Option<OpenedSessions>, StoreError> {
        let exists = schema::SESSIONS.exists(state_dir)?;
        exists.then(|| Self::open(state_dir)).transpose()
    }
}
