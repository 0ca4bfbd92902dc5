//! What the kernel's records had counted when their last buckets were written.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::{Begun, Counted, ReadUntil};

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

/// The subscribers after a key, and when their records began; the first `limit` of them.
pub(super) fn after(
    connection: &Connection,
    key: &[u8],
    limit: usize,
) -> rusqlite::Result<Vec<(Vec<u8>, u32)>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(
            "SELECT subscriber, first_seen FROM baseline WHERE subscriber > ? ORDER BY subscriber LIMIT ?",
        )?
        .query_map(params![key, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Forgets what the record of a subscriber had counted.
pub(super) fn remove(connection: &Connection, key: &[u8]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM baseline WHERE subscriber = ?")?
        .execute([key])?;
    Ok(())
}

/// What is known of the records of this boot.
pub(super) fn begun(connection: &Connection, boot: &str) -> rusqlite::Result<Begun> {
    let state: Option<(String, u32)> = connection
        .prepare_cached("SELECT boot, noted_until FROM state WHERE is_complete")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(match state {
        None => Begun::No,
        Some((of, read_until)) if of == boot => Begun::Yes { read_until },
        Some(_) => Begun::InAnotherBoot,
    })
}

/// Notes that every record of this boot that has no baseline began later than this.
pub(super) fn complete(connection: &Connection, boot: &str, until: ReadUntil) -> rusqlite::Result<()> {
    connection.execute(
        "INSERT INTO state (id, boot, is_complete, noted_until, read_until) VALUES (0, ?, TRUE, ?, ?) \
         ON CONFLICT DO UPDATE SET boot = excluded.boot, is_complete = TRUE, noted_until = excluded.noted_until, \
             read_until = excluded.read_until",
        params![boot, until.noted, until.at.as_second()],
    )?;
    Ok(())
}

/// Forgets the baseline. There is none until [`complete`] is called.
pub(super) fn clear(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM baseline", [])?;
    connection.execute("UPDATE state SET is_complete = FALSE", [])?;
    Ok(())
}
