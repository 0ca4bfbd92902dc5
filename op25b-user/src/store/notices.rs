//! Which customers were written to, when and with which template, in a database that can be thrown away.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use rusqlite::{Connection, Params, TransactionBehavior, params, types::Type};

use super::{
    Deleted, StoreError,
    database::Database,
    sqlite::{
        disposable::{self, Disposable, Opened},
        formats::Formats,
    },
};

const NOTICES: Disposable = Disposable {
    database: Database::Notices,
    formats: Formats {
        application: u32::from_be_bytes(*b"O25n"),
        each: &[FIRST],
    },
};

/// Times are Unix seconds.
const FIRST: &str = "
    CREATE TABLE notices (
        customer TEXT NOT NULL,
        written INTEGER NOT NULL,
        -- SHA-256 in hexadecimal.
        template TEXT NOT NULL,
        PRIMARY KEY (customer, written, template)
    ) STRICT, WITHOUT ROWID;
";

/// A notice that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub written: Timestamp,
    /// The SHA-256 of the template, in hexadecimal.
    pub template: String,
}

/// The record, for the process that writes notices.
#[derive(Debug)]
pub struct Notices {
    file: PathBuf,
    connection: Connection,
}

/// An opened record.
#[derive(Debug)]
pub struct OpenedNotices {
    /// The record.
    pub notices: Notices,
    /// Why the record before was thrown away, if it was.
    pub lost: Option<StoreError>,
}

impl Notices {
    /// Opens the record in a state directory; creates the file if there is none.
    pub fn open(state_dir: &Path) -> Result<OpenedNotices, StoreError> {
        let Opened { connection, lost } = NOTICES.open(state_dir)?;
        Ok(OpenedNotices {
            notices: Self {
                file: NOTICES.database.path(state_dir),
                connection,
            },
            lost,
        })
    }

    /// Opens the record, if there is a file.
    pub fn open_existing(state_dir: &Path) -> Result<Option<OpenedNotices>, StoreError> {
        let exists = NOTICES.exists(state_dir)?;
        exists.then(|| Self::open(state_dir)).transpose()
    }

    /// Opens the record for reading; `None` if there is none.
    pub fn open_to_read(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let connection = NOTICES.reader(state_dir)?;
        Ok(connection.map(|connection| Self {
            file: NOTICES.database.path(state_dir),
            connection,
        }))
    }

    /// The last notice to each customer.
    pub fn last(&self) -> Result<BTreeMap<String, Notice>, StoreError> {
        let read = || {
            let sql = "SELECT customer, written, template FROM notices ORDER BY customer, written";
            let mut statement = self.connection.prepare(sql)?;
            let mut rows = statement.query([])?;
            let mut last = BTreeMap::new();
            while let Some(row) = rows.next()? {
                let written = Timestamp::from_second(row.get(1)?).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(1, Type::Integer, Box::new(error))
                })?;
                let template = row.get(2)?;
                last.insert(row.get(0)?, Notice { written, template });
            }
            Ok(last)
        };
        read().map_err(self.error())
    }

    /// Notes that customers are written to: all of them, or none.
    pub fn add<'c>(
        &mut self,
        customers: impl Iterator<Item = &'c str>,
        notice: &Notice,
    ) -> Result<(), StoreError> {
        self.change(|connection| {
            let sql = "INSERT OR IGNORE INTO notices (customer, written, template) VALUES (?, ?, ?)";
            let mut statement = connection.prepare(sql)?;
            for customer in customers {
                statement.execute(params![customer, notice.written.as_second(), notice.template])?;
            }
            Ok(())
        })
    }

    /// Removes what is noted of a customer, so that no byte of it is left.
    pub fn remove_customer(&mut self, customer: &str) -> Result<Deleted, StoreError> {
        self.remove("DELETE FROM notices WHERE customer = ?", [customer])
    }

    /// Removes the notices that were written before a time.
    pub fn remove_before(&mut self, before: Timestamp) -> Result<Deleted, StoreError> {
        self.remove("DELETE FROM notices WHERE written < ?", [before.as_second()])
    }

    fn remove(&mut self, sql: &str, of: impl Params) -> Result<Deleted, StoreError> {
        let rows = self.change(|connection| connection.execute(sql, of))? as u64;
        let is_in_log = !disposable::empty_log(&self.connection).map_err(self.error())?;
        Ok(Deleted { rows, is_in_log })
    }

    fn change<T>(
        &mut self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let Self { file, connection } = self;
        let changed = (|| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let changed = change(&transaction)?;
            transaction.commit()?;
            Ok(changed)
        })();
        changed.map_err(|error| disposable::error_of(connection, file, error))
    }

    fn error(&self) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        |error| disposable::error_of(&self.connection, &self.file, error)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::tempdir;

    use super::*;

    fn notice(written: &str, template: &str) -> Notice {
        Notice {
            written: written.parse().unwrap(),
            template: template.into(),
        }
    }

    #[test]
    fn the_last_notice_to_each_customer_is_kept_and_nothing_of_one_who_is_removed() {
        let dir = tempdir().unwrap();
        assert!(Notices::open_to_read(dir.path()).unwrap().is_none());
        let mut notices = Notices::open(dir.path()).unwrap().notices;
        let (first, second) = (
            notice("2026-11-01T00:00:00Z", "aa"),
            notice("2026-12-01T00:00:00Z", "bb"),
        );
        notices
            .add(["Example KK", "株式会社サンプル"].into_iter(), &first)
            .unwrap();
        notices.add(["Example KK"].into_iter(), &second).unwrap();
        let read = Notices::open_to_read(dir.path()).unwrap().unwrap();
        let last = read.last().unwrap();
        assert_eq!(last["Example KK"], second);
        assert_eq!(last["株式会社サンプル"], first);
        drop(read);
        assert_eq!(notices.remove_customer("Example KK").unwrap().rows, 2);
        assert_eq!(notices.last().unwrap().len(), 1);
        for file in fs::read_dir(dir.path()).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(10).any(|window| window == b"Example KK"));
        }
    }
}
