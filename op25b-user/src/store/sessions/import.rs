//! Adds sessions: all of an import, or nothing.

use std::path::Path;

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Transaction, TransactionBehavior, params};

use super::{
    Sessions,
    row::{self, Key},
    survey::{self, Survey},
};
use crate::{
    session::{Session, Span},
    store::{StoreError, sqlite::disposable},
};

/// What became of the sessions of an import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// How many were not known before.
    pub added: usize,
    /// How many were known to have lasted for a shorter time, or not to have ended.
    pub extended: usize,
    /// How many were known already.
    pub unchanged: usize,
}

/// An import that is under way. Unless it is committed, nothing is stored.
pub struct Import<'s> {
    transaction: Transaction<'s>,
    connection: &'s Connection,
    file: &'s Path,
    added: Added,
    /// The time that its sessions cover.
    covered: Option<(i64, i64)>,
}

impl Sessions {
    /// Begins an import.
    pub fn import(&mut self) -> Result<Import<'_>, StoreError> {
        let Self { file, connection } = &*self;
        let begun = Transaction::new_unchecked(connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| disposable::error_of(connection, file, error))?;
        Ok(Import {
            transaction,
            connection,
            file,
            added: Added::default(),
            covered: None,
        })
    }
}

impl Import<'_> {
    /// Adds a session.
    pub fn add(&mut self, session: &Session) -> Result<(), StoreError> {
        let span = session.span();
        let added = add(&self.transaction, session, span).map_err(|error| self.error(error))?;
        *match added {
            Kind::Added => &mut self.added.added,
            Kind::Extended => &mut self.added.extended,
            Kind::Unchanged => &mut self.added.unchanged,
        } += 1;
        let (first, last) = self.covered.unwrap_or((span.start, span.seen));
        self.covered = Some((first.min(span.start), last.max(span.seen)));
        Ok(())
    }

    /// When the last session of a customer and a prefix began that has no end.
    pub fn open_since(&self, name: &str, prefix: IpNet) -> Result<Option<Timestamp>, StoreError> {
        let key = Key::of(prefix.trunc());
        let read = || {
            let mut statement = self.transaction.prepare_cached(
                "SELECT start FROM sessions
                 WHERE customer = (SELECT id FROM customers WHERE name = ?) AND family = ? AND address = ? AND length = ?
                     AND NOT is_ended
                 ORDER BY start DESC LIMIT 1",
            )?;
            let mut rows = statement.query(params![name, key.family, key.address(), key.length])?;
            let start = rows.next()?.map(|row| row::time(row.get(0)?, 0));
            start.transpose()
        };
        read().map_err(|error| self.error(error))
    }

    /// What became of the sessions so far.
    #[must_use]
    pub fn added(&self) -> Added {
        self.added
    }

    /// What is conspicuous about the sessions of the time that the import covers.
    pub fn survey(&self) -> Result<Survey, StoreError> {
        let Some((first, last)) = self.covered else {
            return Ok(Survey::default());
        };
        survey::of(&self.transaction, first, last).map_err(|error| self.error(error))
    }

    /// Stores them. When this returns, they are on the disk.
    pub fn commit(self) -> Result<(), StoreError> {
        let Self {
            transaction,
            connection,
            file,
            ..
        } = self;
        transaction
            .commit()
            .map_err(|error| disposable::error_of(connection, file, error))
    }

    fn error(&self, error: rusqlite::Error) -> StoreError {
        disposable::error_of(self.connection, self.file, error)
    }
}

/// What became of a session.
enum Kind {
    Added,
    Extended,
    Unchanged,
}

fn add(transaction: &Transaction<'_>, session: &Session, span: Span) -> rusqlite::Result<Kind> {
    let customer = customer(transaction, &session.customer)?;
    let key = Key::of(session.prefix.trunc());
    let of_one_session = near(transaction, customer, &key, span)?;
    if let [known] = of_one_session[..]
        && known.contains(span)
    {
        return Ok(Kind::Unchanged);
    }
    let mut joined = span;
    for known in &of_one_session {
        joined = joined.joined(*known);
        transaction
            .prepare_cached(
                "DELETE FROM sessions
                 WHERE family = ? AND address = ? AND length = ? AND start = ? AND customer = ?",
            )?
            .execute(params![
                key.family,
                key.address(),
                key.length,
                known.start,
                customer
            ])?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO sessions (family, address, length, start, customer, seen, is_ended)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            key.family,
            key.address(),
            key.length,
            joined.start,
            customer,
            joined.seen,
            joined.is_ended
        ])?;
    Ok(if of_one_session.is_empty() {
        Kind::Added
    } else {
        Kind::Extended
    })
}

/// The number of a customer.
fn customer(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<i64> {
    let known = transaction
        .prepare_cached("SELECT id FROM customers WHERE name = ?")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    transaction
        .prepare_cached("INSERT INTO customers (name) VALUES (?)")?
        .insert([name])
}

/// The stored times that are of one session with another.
fn near(transaction: &Transaction<'_>, customer: i64, key: &Key, span: Span) -> rusqlite::Result<Vec<Span>> {
    let mut statement = transaction.prepare_cached(
        "SELECT start, seen, is_ended FROM sessions
         WHERE customer = ? AND family = ? AND address = ? AND length = ? AND start <= ?
         ORDER BY start DESC",
    )?;
    let last = span.seen.saturating_add(Span::NEAR);
    let mut rows = statement.query(params![customer, key.family, key.address(), key.length, last])?;
    let mut near = Vec::new();
    // No two of them are near each other, so what is before one that is too early is so, too.
    while let Some(row) = rows.next()? {
        let known = row::span(row, 0)?;
        if !known.is_of_one_session_with(&span) {
            break;
        }
        near.push(known);
    }
    Ok(near)
}
