//! Reads the sessions.

use std::{
    collections::BTreeSet,
    ops::ControlFlow,
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

/// What gets the sessions, until it has enough.
type Found<'f> = &'f mut dyn FnMut(Session) -> ControlFlow<()>;

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
        self.until_break(query, &mut |session| {
            found(session);
            ControlFlow::Continue(())
        })
    }

    /// The first sessions that match, by prefix and start; at most `limit`.
    pub fn list(&self, query: &SessionQuery, limit: usize) -> Result<Vec<Session>, StoreError> {
        let mut sessions = Vec::new();
        self.until_break(query, &mut |session| {
            if sessions.len() == limit {
                return ControlFlow::Break(());
            }
            sessions.push(session);
            ControlFlow::Continue(())
        })?;
        Ok(sessions)
    }

    /// The sessions of a customer, whose name is the same, character by character.
    pub fn of_customer(&self, name: &str) -> Result<Vec<Session>, StoreError> {
        let mut sessions = Vec::new();
        let read = self.rows("name = ?1", [name], &mut |session| {
            sessions.push(session);
            ControlFlow::Continue(())
        });
        let _ = read.map_err(|error| disposable::error_of(&self.connection, &self.file, error))?;
        Ok(sessions)
    }

    /// An index of the sessions that match.
    pub fn index(&self, query: &SessionQuery) -> Result<SessionIndex, StoreError> {
        let mut builder = IndexBuilder::default();
        self.each(query, |session| builder.add(&session))?;
        Ok(builder.finish())
    }

    fn until_break(&self, query: &SessionQuery, found: Found<'_>) -> Result<(), StoreError> {
        let read = match query.within {
            Some(within) => self.within(within.trunc(), query, found),
            None if query.customer.is_some() => self.of_customers(query, found),
            None => {
                let (first, last) = query.seconds();
                self.rows(IN_TIME, params![first, last], found)
            }
        };
        read.map(|_| ())
            .map_err(|error| disposable::error_of(&self.connection, &self.file, error))
    }

    /// The sessions of a prefix: those of prefixes that it is within, and those within it.
    fn within(
        &self,
        within: IpNet,
        query: &SessionQuery,
        found: Found<'_>,
    ) -> rusqlite::Result<ControlFlow<()>> {
        let (first, last) = query.seconds();
        let customers = self.customers(query)?;
        let found: Found<'_> = &mut |session| match &customers {
            Some(names) if !names.contains(&session.customer) => ControlFlow::Continue(()),
            _ => found(session),
        };
        for length in 0..within.prefix_len() {
            let Ok(prefix) = IpNet::new(within.addr(), length) else {
                continue;
            };
            let key = Key::of(prefix.trunc());
            let which = format!("family = ?3 AND address = ?4 AND length = ?5 AND {IN_TIME}");
            let of_it = params![first, last, key.family, key.address(), key.length];
            if self.rows(&which, of_it, found)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
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
            found,
        )
    }

    /// The sessions of customers, without those of all others being read.
    fn of_customers(&self, query: &SessionQuery, found: Found<'_>) -> rusqlite::Result<ControlFlow<()>> {
        let (first, last) = query.seconds();
        let mut sessions = Vec::new();
        for name in self.customers(query)?.unwrap_or_default() {
            let which = format!("customer = (SELECT id FROM customers WHERE name = ?3) AND {IN_TIME}");
            let _ = self.rows(&which, params![first, last, name], &mut |session| {
                sessions.push(session);
                ControlFlow::Continue(())
            })?;
        }
        sessions.sort_unstable_by_key(|session: &Session| (session.prefix, session.start));
        Ok(sessions.into_iter().try_for_each(found))
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

    fn rows(&self, which: &str, params: impl Params, found: Found<'_>) -> rusqlite::Result<ControlFlow<()>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM sessions JOIN customers ON customers.id = customer
             WHERE {which} ORDER BY family, address, length, start"
        ))?;
        let mut rows = statement.query(params)?;
        while let Some(row) = rows.next()? {
            if found(row::session(row)?).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}
