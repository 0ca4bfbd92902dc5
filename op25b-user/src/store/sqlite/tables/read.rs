//! Reads records and requests.

use std::fmt::Write as _;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, Row, ToSql, named_params, params};
use ulid::Ulid;

use super::{row, schema};
use crate::store::{Earlier, Query, Record, Revision};

/// How long the outcome of a request is kept.
const REQUESTS_ARE_KEPT: SignedDuration = SignedDuration::from_hours(24);

/// The revision of the last change. The sequence also has it after a recovery, which skips numbers.
pub(in crate::store::sqlite) fn revision(connection: &Connection) -> rusqlite::Result<Revision> {
    connection
        .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")?
        .query_row([], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

/// All records that are not removed. `note` is called for each of them.
pub(in crate::store::sqlite) fn not_removed(
    connection: &Connection,
    note: impl Fn(),
) -> rusqlite::Result<Vec<Record>> {
    let sql = format!(
        "SELECT {} FROM exemptions WHERE removed_at IS NULL ORDER BY id",
        row::record_columns(connection)?
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let records = statement.query_map([], row::record)?;
    records.inspect(|_| note()).collect()
}

pub(in crate::store::sqlite) fn get(connection: &Connection, id: Ulid) -> rusqlite::Result<Option<Record>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM exemptions WHERE id = ?",
            row::record_columns(connection)?
        ))?
        .query_row([id.to_string()], row::record)
        .optional()
}

/// The first ids of a range, and how many it has.
pub(in crate::store::sqlite) fn ids_between(
    connection: &Connection,
    first: Ulid,
    last: Ulid,
    limit: usize,
) -> rusqlite::Result<(Vec<Ulid>, usize)> {
    let (first, last) = (first.to_string(), last.to_string());
    let count = connection
        .prepare_cached("SELECT count(*) FROM exemptions WHERE id BETWEEN ? AND ?")?
        .query_row([&first, &last], |row| row.get(0))?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let ids = connection
        .prepare_cached("SELECT id FROM exemptions WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?")?
        .query_map(params![first, last, limit], row::id)?
        .collect::<rusqlite::Result<_>>()?;
    Ok((ids, count))
}

/// The first imports whose ids are in a range, with how many exemptions each has, removed ones included.
pub(in crate::store::sqlite) fn batches_between(
    connection: &Connection,
    first: Ulid,
    last: Ulid,
    limit: usize,
) -> rusqlite::Result<Vec<(Ulid, usize)>> {
    if !schema::has_batches(connection)? {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT batch, count(*) FROM exemptions WHERE batch BETWEEN ? AND ? GROUP BY batch ORDER BY batch LIMIT ?",
        )?
        .query_map(params![first.to_string(), last.to_string(), limit], |row| {
            Ok((row::id(row)?, row.get(1)?))
        })?
        .collect()
}

pub(in crate::store::sqlite) fn list(
    connection: &Connection,
    query: &Query,
    now: Timestamp,
) -> rusqlite::Result<Vec<Record>> {
    let now = row::time(now);
    let after = query.after.map(|id| id.to_string());
    let before = query.expiring_before.map(row::time);
    let within = query.within.as_ref().map(|net| (row::bounds(net), around(net)));
    let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);

    let batch = query.batch.map(|id| id.to_string());

    let mut sql = format!(
        "SELECT {} FROM exemptions WHERE TRUE",
        row::record_columns(connection)?
    );
    let mut parameters: Vec<(&str, &dyn ToSql)> = Vec::new();
    if !query.all || before.is_some() {
        sql += " AND removed_at IS NULL AND (expires_at IS NULL OR expires_at > :now)";
        parameters.push((":now", &now));
    }
    if let Some(before) = &before {
        sql += " AND expires_at < :before";
        parameters.push((":before", before));
    }
    if let Some(batch) = &batch {
        if !schema::has_batches(connection)? {
            return Ok(Vec::new());
        }
        sql += " AND batch = :batch";
        parameters.push((":batch", batch));
    }
    if let Some(after) = &after {
        sql += " AND id > :after";
        parameters.push((":after", after));
    }
    if let Some(((family, first, last), around)) = &within {
        // Two prefixes overlap only if one contains the other: those inside are a range of the index, and those around
        // begin at one of few addresses.
        sql += " AND id IN (
                SELECT id FROM exemption_prefixes WHERE family = :family AND first BETWEEN :first AND :last
                UNION ALL
                SELECT outer.id FROM json_each(:around) CROSS JOIN exemption_prefixes AS outer
                WHERE outer.family = :family AND outer.first = unhex(json_each.value) AND outer.last >= :last)";
        parameters.extend([
            (":family", family as &dyn ToSql),
            (":first", first),
            (":last", last),
            (":around", around),
        ]);
    }
    if !query.texts.are_any() {
        sql += " ORDER BY id LIMIT :limit";
        parameters.push((":limit", &limit));
        return rows(connection, &sql, &parameters, row::record);
    }
    // SQLite compares neither the forms of characters nor capitals beyond ASCII.
    sql += " ORDER BY id";
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(&*parameters)?;
    let mut found = Vec::new();
    while found.len() < query.limit
        && let Some(row) = rows.next()?
    {
        let (customer, ticket, note) = row::texts(row)?;
        if query.texts.match_all(customer, ticket, note) {
            found.push(row::record(row)?);
        }
    }
    Ok(found)
}

/// The removed records that have exactly this prefix.
pub(in crate::store::sqlite) fn removed_with(
    connection: &Connection,
    prefix: IpNet,
) -> rusqlite::Result<Vec<Record>> {
    let (family, first, last) = row::bounds(&prefix);
    let sql = format!(
        "SELECT {} FROM exemptions WHERE removed_at IS NOT NULL AND id IN (
            SELECT id FROM exemption_prefixes WHERE family = :family AND first = :first AND last = :last)
         ORDER BY id",
        row::record_columns(connection)?
    );
    let parameters: [(&str, &dyn ToSql); 3] = [(":family", &family), (":first", &first), (":last", &last)];
    rows(connection, &sql, &parameters, row::record)
}

/// The earliest and the latest time at which a request was made whose outcome still counts. A time after now is that of a clock
/// that ran ahead; within a day it may be the present clock that was set back.
pub(in crate::store::sqlite) fn requests_that_count(now: Timestamp) -> (String, String) {
    let first = now.checked_sub(REQUESTS_ARE_KEPT).unwrap_or(Timestamp::MIN);
    let last = now.checked_add(REQUESTS_ARE_KEPT).unwrap_or(Timestamp::MAX);
    (row::time(first), row::time(last))
}

pub(in crate::store::sqlite) fn earlier(
    connection: &Connection,
    uid: u32,
    key: &str,
    now: Timestamp,
) -> rusqlite::Result<Option<Earlier>> {
    let (first, last) = requests_that_count(now);
    connection
        .prepare_cached(
            "SELECT digest, changed FROM requests WHERE uid = :uid AND key = :key AND at BETWEEN :first AND :last",
        )?
        .query_row(
            named_params! { ":uid": uid, ":key": key, ":first": first, ":last": last },
            |row| {
                Ok(Earlier {
                    digest: row.get(0)?,
                    changed: row::json(row, 1)?,
                })
            },
        )
        .optional()
}

/// The first addresses of the prefixes that contain this one, in hexadecimal, as JSON.
fn around(net: &IpNet) -> String {
    let mut firsts: Vec<_> = (0..=net.prefix_len())
        .filter_map(|len| IpNet::new(net.addr(), len).ok())
        .map(|outer| hexadecimal(&row::octets(outer.network())))
        .collect();
    firsts.dedup();
    serde_json::Value::from(firsts).to_string()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(in crate::store::sqlite) fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[(&str, &dyn ToSql)],
    decode: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    statement.query_map(parameters, decode)?.collect()
}
