//! What the kernel's records had counted when their last buckets were written.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::Counted;

/// What the record of a subscriber had counted.
pub(super) fn get(connection: &Connection, key: &[u8]) -> rusqlite::Result<Option<Counted>> {
    connection
        .prepare_cached(
            "SELECT first_seen, blocked_syns, blocked_others, monitored_syns, monitored_others, hidden \
             FROM baseline WHERE subscriber = ?",
        )?
        .query_row([key], counted)
        .optional()
}

fn counted(row: &Row<'_>) -> rusqlite::Result<Counted> {
    Ok(Counted {
        first_seen: row.get(0)?,
        blocked_syns: row.get(1)?,
        blocked_others: row.get(2)?,
        monitored_syns: row.get(3)?,
        monitored_others: row.get(4)?,
        hidden: row.get(5)?,
    })
}

/// Sets what the record of a subscriber has counted.
pub(super) fn set(connection: &Connection, key: &[u8], counted: &Counted) -> rusqlite::Result<()> {
    let [
        blocked_syns,
        blocked_others,
        monitored_syns,
        monitored_others,
        hidden,
    ] = counted.counters();
    connection
        .prepare_cached(
            "INSERT INTO baseline (subscriber, first_seen, blocked_syns, blocked_others, monitored_syns, \
                 monitored_others, hidden) VALUES (?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT DO UPDATE SET first_seen = excluded.first_seen, blocked_syns = excluded.blocked_syns, \
                 blocked_others = excluded.blocked_others, monitored_syns = excluded.monitored_syns, \
                 monitored_others = excluded.monitored_others, hidden = excluded.hidden",
        )?
        .execute(params![
            key,
            counted.first_seen,
            blocked_syns,
            blocked_others,
            monitored_syns,
            monitored_others,
            hidden
        ])?;
    Ok(())
}

/// Whether there is a baseline of this boot: of every record that is older than what was written.
pub(super) fn is_complete(connection: &Connection, boot: &str) -> rusqlite::Result<bool> {
    let complete = connection
        .prepare_cached("SELECT is_complete FROM state WHERE boot = ?")?
        .query_row([boot], |row| row.get(0))
        .optional()?;
    Ok(complete.unwrap_or(false))
}

/// Notes that every record of this boot that has no baseline is newer than what was written.
pub(super) fn complete(connection: &Connection, boot: &str) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO state (id, boot, is_complete) VALUES (0, ?, TRUE) \
         ON CONFLICT DO UPDATE SET boot = excluded.boot, is_complete = TRUE",
        [boot],
    )?;
    Ok(())
}

/// Forgets the baseline. There is none until [`complete`] is called.
pub(super) fn clear(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM baseline", [])?;
    connection.execute("UPDATE state SET is_complete = FALSE", [])?;
    Ok(())
}
