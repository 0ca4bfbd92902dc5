//! Converts records and events to rows, and back.

use std::{error::Error, net::IpAddr, str::FromStr};

use ipnet::IpNet;
use jiff::Timestamp;
use rusqlite::{Connection, Row, types::Type};
use serde::{Serialize, de::DeserializeOwned};
use ulid::Ulid;

use super::schema;
use crate::{
    exemption::Terms,
    store::{Actor, ChangeKind, Event, Record},
};

/// The columns that [`record`] reads, in its order.
pub(in crate::store::sqlite) const RECORD: &str = "id, customer, prefixes, destinations, ticket, note, created_at, created_uid, \
     created_name, expires_at, removed_at, revision, batch";
/// The columns that [`event`] reads, in its order.
pub(in crate::store::sqlite) const EVENT: &str =
    "revision, at, uid, name, action, reason, before, after, exemption";

/// A record from its row.
pub(in crate::store::sqlite) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record {
        id: parsed(row, 0)?,
        terms: Terms {
            customer: row.get_ref(1)?.as_str()?.into(),
            prefixes: json(row, 2)?,
            destinations: json(row, 3)?,
            ticket: text(row, 4)?,
            note: text(row, 5)?,
            expires_at: parsed_if_any(row, 9)?,
        },
        created_at: parsed(row, 6)?,
        created_by: Actor {
            uid: row.get(7)?,
            name: row.get(8)?,
        },
        removed_at: parsed_if_any(row, 10)?,
        revision: row.get(11)?,
        batch: match row.get_ref(12)?.as_str_or_null()? {
            None => None,
            Some(_) => Some(parsed(row, 12)?),
        },
    })
}

/// [`RECORD`] of a store that may be of a format without batches.
pub(in crate::store::sqlite) fn record_columns(connection: &Connection) -> rusqlite::Result<String> {
    Ok(if schema::has_batches(connection)? {
        RECORD.to_owned()
    } else {
        RECORD.replace("batch", "NULL")
    })
}

/// The texts of a record's row: its customer, ticket and note.
pub(in crate::store::sqlite) fn texts<'r>(
    row: &'r Row<'_>,
) -> rusqlite::Result<(&'r str, Option<&'r str>, Option<&'r str>)> {
    Ok((
        row.get_ref(1)?.as_str()?,
        row.get_ref(4)?.as_str_or_null()?,
        row.get_ref(5)?.as_str_or_null()?,
    ))
}

/// An id from a row that has nothing else.
pub(in crate::store::sqlite) fn id(row: &Row<'_>) -> rusqlite::Result<Ulid> {
    parsed(row, 0)
}

/// An event from its row. The row names the exemption and the revision twice.
pub(in crate::store::sqlite) fn event(row: &Row<'_>) -> rusqlite::Result<Event> {
    let before: Option<String> = row.get(6)?;
    let event = Event {
        revision: row.get(0)?,
        at: parsed(row, 1)?,
        by: Actor {
            uid: row.get(2)?,
            name: row.get(3)?,
        },
        action: change_kind(row, 4)?,
        reason: row.get(5)?,
        before: before.map(|_| json(row, 6)).transpose()?,
        after: json(row, 7)?,
    };
    if (event.after.id, event.after.revision) != (parsed(row, 8)?, event.revision) {
        return Err(damaged(7, "it belongs to another change"));
    }
    Ok(event)
}

/// A time as text that sorts by time.
pub(in crate::store::sqlite) fn time(at: Timestamp) -> String {
    format!("{at:.9}")
}

/// The word for a kind of change in the audit.
pub(in crate::store::sqlite) fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Add => "add",
        ChangeKind::Extend => "extend",
        ChangeKind::Remove => "remove",
        ChangeKind::Restore => "restore",
        ChangeKind::Recover => "recover",
    }
}

/// A value as JSON.
pub(in crate::store::sqlite) fn to_json<T: Serialize>(value: &T) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// A column that may be empty.
fn text<T: for<'t> From<&'t str>>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    Ok(row.get_ref(column)?.as_str_or_null()?.map(T::from))
}

/// A column that holds JSON.
pub(in crate::store::sqlite) fn json<T: DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| damaged(column, error))
}

/// A prefix in `exemption_prefixes`: its family, its first and its last address.
pub(in crate::store::sqlite) fn bounds(net: &IpNet) -> (u8, Vec<u8>, Vec<u8>) {
    let family = if net.network().is_ipv4() { 4 } else { 6 };
    (family, octets(net.network()), octets(net.broadcast()))
}

/// An address in network byte order.
pub(in crate::store::sqlite) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn change_kind(row: &Row<'_>, column: usize) -> rusqlite::Result<ChangeKind> {
    let found = row.get_ref(column)?.as_str()?;
    [
        ChangeKind::Add,
        ChangeKind::Extend,
        ChangeKind::Remove,
        ChangeKind::Restore,
        ChangeKind::Recover,
    ]
    .into_iter()
    .find(|kind| word(*kind) == found)
    .ok_or_else(|| damaged(column, format!("unknown kind of change {found}")))
}

pub(in crate::store::sqlite) fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error: T::Err| damaged(column, error))
}

pub(in crate::store::sqlite) fn parsed_if_any(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<Option<Timestamp>> {
    match row.get_ref(column)?.as_str_or_null()? {
        None => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|error: jiff::Error| damaged(column, error)),
    }
}

pub(in crate::store::sqlite) fn damaged(
    column: usize,
    error: impl Into<Box<dyn Error + Send + Sync + 'static>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}
