//! Reads the sessions.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use ipnet::IpNet;
use rusqlite::{Connection, Params, params};

use super::{
    query::SessionQuery,
    row::{self, COLUMNS, Key},
    schema::SESSIONS,
};
use crate::{
    session::{IndexBuilder, Session, SessionIndex},
    store::{StoreError, sqlite::disposable},
};

/// The sessions, for a process that reads them.
#[derive(Debug)]
pub struct SessionsReader {
    file: PathBuf,
    connection: Connection,
}

/// What a session must be besides its prefix or its customer: the first two parameters are the time that is searched.
const IN_TIME: &str = "start <= ?2 AND (seen >= ?1 OR NOT is_ended)";

impl SessionsReader {
    /// Opens the sessions in a state directory, whether or not a daemon writes to them; `None` if there is no file.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, StoreError> {
        let connection = SESSIONS.reader(state_dir)?;
        Ok(connection.map(|connection| Self {
            file: SESSIONS.database.path(state_dir),
            connection,
        }))
    }

    /// Calls `found` with each session that matches, by prefix and start.
    pub fn each(&self, query: &SessionQuery, mut found: impl FnMut(Session)) -> Result<(), StoreError> {
        self.try_each(query, &mut found)
            .map_err(|error| disposable::error_of(&self.connection, &self.file, error))
    }

    /// An index of the sessions that match.
    pub fn index(&self, query: &SessionQuery) -> Result<SessionIndex, StoreError> {
        let mut builder = IndexBuilder::default();
        self.each(query, |session| builder.add(&session))?;
        Ok(builder.finish())
    }

    fn try_each(&self, query: &SessionQuery, found: &mut dyn FnMut(Session)) -> rusqlite::Result<()> {
        let (first, last) = query.seconds();
        let customers = self.customers(query)?;
        let mut add = |session: Session| {
            if customers
                .as_ref()
                .is_none_or(|names| names.contains(&session.customer))
            {
                found(session);
            }
        };
        let Some(within) = query.within.map(|within| within.trunc()) else {
            return match &customers {
                Some(names) => self.of_customers(names, first, last, found),
                None => self.rows(IN_TIME, params![first, last], &mut add),
            };
        };
        for length in 0..within.prefix_len() {
            let Ok(prefix) = IpNet::new(within.addr(), length) else {
                continue;
            };
            let key = Key::of(prefix.trunc());
            self.rows(
                &format!("family = ?3 AND address = ?4 AND length = ?5 AND {IN_TIME}"),
                params![first, last, key.family, key.address(), key.length],
                &mut add,
            )?;
        }
        let (begin, end) = (Key::of(within), Key::last_of(within));
        self.rows(
            &format!("family = ?3 AND address BETWEEN ?4 AND ?5 AND length >= ?6 AND {IN_TIME}"),
            params![
                first,
                last,
                begin.family,
                begin.address(),
                end.address(),
                begin.length
            ],
            &mut add,
        )
    }

    /// The sessions of customers, without those of all others being read.
    fn of_customers(
        &self,
        names: &BTreeSet<String>,
        first: i64,
        last: i64,
        found: &mut dyn FnMut(Session),
    ) -> rusqlite::Result<()> {
        let mut sessions = Vec::new();
        for name in names {
            self.rows(
                &format!("customer = (SELECT id FROM customers WHERE name = ?3) AND {IN_TIME}"),
                params![first, last, name],
                &mut |session| sessions.push(session),
            )?;
        }
        sessions.sort_unstable_by_key(|session: &Session| (session.prefix, session.start));
        sessions.into_iter().for_each(found);
        Ok(())
    }

    /// The names of the customers that match, if some are asked for.
    fn customers(&self, query: &SessionQuery) -> rusqlite::Result<Option<BTreeSet<String>>> {
        let Some(pattern) = &query.customer else {
            return Ok(None);
        };
        let mut names = BTreeSet::new();
        let mut statement = self.connection.prepare_cached("SELECT name FROM customers")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name = row.get_ref(0)?.as_str()?;
            if pattern.matches(name) {
                names.insert(name.to_owned());
            }
        }
        Ok(Some(names))
    }

    fn rows(&self, which: &str, params: impl Params, found: &mut dyn FnMut(Session)) -> rusqlite::Result<()> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sessions JOIN customers ON customers.id = customer
             WHERE {which} ORDER BY family, address, length, start"
        ))?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            found(row::session(row)?);
        }
        Ok(())
    }
}
