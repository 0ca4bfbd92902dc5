//! The rows of the audit that op25b itself appends: what a recovery found.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use ulid::Ulid;

use super::{read, row, write};
use crate::{
    exemption::Terms,
    store::{Actor, ChangeKind, Event, Record},
};

/// The id in the audit's rows about the store itself, which no exemption has.
pub(in crate::store::sqlite) const STORE: Ulid = Ulid::nil();

/// Whether a row is about the store itself.
pub(in crate::store::sqlite) fn is_recovery(event: &Event) -> bool {
    event.after.id == STORE
}

/// Appends what a recovery found. The table requires a record: this one has no prefixes and is removed.
pub(in crate::store::sqlite) fn append_recovery(
    connection: &Connection,
    at: Timestamp,
    text: String,
) -> rusqlite::Result<()> {
    let by = Actor::op25b();
    let revision = read::revision(connection)? + 1;
    let event = Event {
        revision,
        at,
        by: by.clone(),
        action: ChangeKind::Recover,
        reason: Some(text),
        before: None,
        after: Record {
            removed_at: Some(at),
            revision,
            ..Record::new(STORE, Terms::new("op25b", []), at, by)
        },
    };
    write::append(connection, &event)
}

/// The last recovery.
pub(in crate::store::sqlite) fn last_recovery(connection: &Connection) -> rusqlite::Result<Option<Event>> {
    connection
        .prepare_cached(&format!(
            "SELECT {} FROM audit WHERE exemption = ? ORDER BY revision DESC LIMIT 1",
            row::EVENT
        ))?
        .query_row([STORE.to_string()], row::event)
        .optional()
}
