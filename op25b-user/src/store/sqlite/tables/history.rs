//! Reads the history of records: the audit of their changes, and the expiries that were reached, which nobody wrote down.

use jiff::Timestamp;
use rusqlite::{Connection, Row, ToSql};

use super::{row, schema};
use crate::store::{Event, Expiry, HistoryQuery, Record};

/// Parameters of a statement, by their names.
type Parameters<'a> = Vec<(&'static str, &'a dyn ToSql)>;

/// The changes that match, by ascending revision.
pub(in crate::store::sqlite) fn changes(
    connection: &Connection,
    query: &HistoryQuery,
) -> rusqlite::Result<Vec<Event>> {
    let Some(bounds) = Bounds::of(connection, query)? else {
        return Ok(Vec::new());
    };
    // SQLite's integers are signed.
    let after = i64::try_from(query.after).unwrap_or(i64::MAX);
    let mut sql = format!("SELECT {} FROM audit WHERE revision > :after", row::EVENT);
    let mut parameters: Parameters<'_> = vec![(":after", &after)];
    bounds.add("exemption", "at", &mut sql, &mut parameters);
    sql += " ORDER BY revision";
    let is_found = |event: &Event| query.matches_customer(&event.after);
    first(connection, &sql, &parameters, row::event, is_found, query.limit)
}

/// The expiries that match and were reached by `now`, the oldest first: those of records as they are, and those after which a record
/// was extended or restored.
pub(in crate::store::sqlite) fn expiries(
    connection: &Connection,
    query: &HistoryQuery,
    now: Timestamp,
) -> rusqlite::Result<Vec<Expiry>> {
    let Some(bounds) = Bounds::of(connection, query)? else {
        return Ok(Vec::new());
    };
    let skipped = usize::try_from(query.after).unwrap_or(usize::MAX);
    let most = query.limit.saturating_add(skipped);
    let is_found = |expiry: &Expiry| query.matches_customer(&expiry.record);

    let now = row::time(now);
    let mut sql = format!(
        "SELECT {} FROM exemptions
         WHERE expires_at <= :now AND (removed_at IS NULL OR removed_at >= expires_at)",
        row::record_columns(connection)?
    );
    let mut parameters: Parameters<'_> = vec![(":now", &now)];
    bounds.add("id", "expires_at", &mut sql, &mut parameters);
    sql += " ORDER BY expires_at, id";
    let present = |row: &Row<'_>| expiry(row::record(row)?);
    let mut found = first(connection, &sql, &parameters, present, is_found, most)?;

    // Ends are whole seconds: the first 19 characters of a time compare as they do, in a column and in JSON.
    let mut sql = "SELECT before FROM (
            SELECT revision, exemption, before, substr(at, 1, 19) AS changed,
                substr(json_extract(before, '$.expires_at'), 1, 19) AS ended,
                substr(json_extract(before, '$.removed_at'), 1, 19) AS removed
            FROM audit WHERE action IN ('extend', 'restore'))
         WHERE ended <= changed AND (removed IS NULL OR removed >= ended)"
        .to_owned();
    let mut parameters = Parameters::new();
    bounds.add("exemption", "(ended || '.000000000Z')", &mut sql, &mut parameters);
    sql += " ORDER BY ended, exemption, revision";
    let before = |row: &Row<'_>| expiry(row::json(row, 0)?);
    found.extend(first(connection, &sql, &parameters, before, is_found, most)?);

    found.sort_by_key(|expiry| (expiry.at, expiry.record.id, expiry.record.revision));
    Ok(found.into_iter().skip(skipped).take(query.limit).collect())
}

/// The end of a record that has an expiry.
fn expiry(record: Record) -> rusqlite::Result<Expiry> {
    let at = record
        .terms
        .expires_at
        .ok_or_else(|| row::damaged(0, "it has no expiry"))?;
    Ok(Expiry { at, record })
}

/// What a query limits, as columns have it.
struct Bounds {
    of: Option<String>,
    batch: Option<String>,
    since: Option<String>,
    until: Option<String>,
}

impl Bounds {
    /// `None` if nothing can match: the store is of a format without imports.
    fn of(connection: &Connection, query: &HistoryQuery) -> rusqlite::Result<Option<Self>> {
        if query.batch.is_some() && !schema::has_batches(connection)? {
            return Ok(None);
        }
        Ok(Some(Self {
            of: query.of.map(|id| id.to_string()),
            batch: query.batch.map(|id| id.to_string()),
            since: query.since.map(row::time),
            until: query.until.map(row::time),
        }))
    }

    /// Adds the conditions, with the columns that have the record's id and the time.
    fn add<'a>(&'a self, id: &str, at: &str, sql: &mut String, parameters: &mut Parameters<'a>) {
        let conditions = [
            (":of", &self.of, format!("{id} = :of")),
            (
                ":batch",
                &self.batch,
                format!("{id} IN (SELECT id FROM exemptions WHERE batch = :batch)"),
            ),
            (":since", &self.since, format!("{at} >= :since")),
            (":until", &self.until, format!("{at} < :until")),
        ];
        for (name, value, condition) in conditions {
            if let Some(value) = value {
                *sql += " AND ";
                *sql += &condition;
                parameters.push((name, value));
            }
        }
    }
}

/// The first rows that are wanted. SQLite compares neither the forms of characters nor capitals beyond ASCII.
fn first<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[(&str, &dyn ToSql)],
    decode: impl Fn(&Row<'_>) -> rusqlite::Result<T>,
    is_wanted: impl Fn(&T) -> bool,
    limit: usize,
) -> rusqlite::Result<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut found = Vec::new();
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let read = decode(row)?;
        if is_wanted(&read) {
            found.push(read);
        }
    }
    Ok(found)
}
