//! Merges the changes that only one of two copies of a store has.
//!
//! The two have a common past, after which each took changes that the other lacks. The draft keeps its own; the other's are
//! appended to its audit with new revisions. Of an exemption that both changed, a removal wins, and otherwise the later change.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use ulid::Ulid;

use crate::store::{
    Actor, ChangeKind, Event, Record, Revision,
    sqlite::tables::{audit, read, row, write},
};

/// What was merged.
#[derive(Debug, Default)]
pub(super) struct Merged {
    /// The number of changes.
    pub(super) changes: usize,
    /// The exemptions that they changed.
    pub(super) exemptions: BTreeSet<Ulid>,
}

/// What only one of two copies has.
pub(super) struct Difference {
    events: Vec<Event>,
    requests: Vec<Request>,
}

/// A row of `requests`.
struct Request {
    uid: u32,
    key: String,
    digest: String,
    at: String,
    changed: String,
}

impl Difference {
    /// Reads what only `other` has.
    pub(super) fn read(other: &Connection, draft: &Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            events: only_in(other, draft)?,
            requests: requests(other)?,
        })
    }

    /// Merges it into the draft.
    pub(super) fn merge(self, draft: &Connection, at: Timestamp) -> rusqlite::Result<Merged> {
        let mut next = read::revision(draft)?;
        let mut merged = Merged {
            changes: self.events.len(),
            ..Merged::default()
        };
        let mut last = BTreeMap::new();
        for event in self.events {
            next += 1;
            let appended = renumbered(event, next);
            write::append(draft, &appended)?;
            if !audit::is_recovery(&appended) {
                last.insert(appended.after.id, appended);
            }
        }
        for (id, theirs) in last {
            merged.exemptions.insert(id);
            match read::get(draft, id)? {
                Some(ours) if ours_wins(draft, &ours, &theirs)? => {
                    // The last row about an exemption in the audit is its state.
                    next += 1;
                    let event = again(&ours, &theirs, next, at);
                    write::append(draft, &event)?;
                    write::replace(draft, &event.after)?;
                }
                _ => write::replace(draft, &theirs.after)?,
            }
        }
        // None of the requests is done twice.
        for request in self.requests {
            draft
                .prepare_cached(
                    "INSERT OR IGNORE INTO requests (uid, key, digest, at, changed) VALUES (?, ?, ?, ?, ?)",
                )?
                .execute(params![
                    request.uid,
                    request.key,
                    request.digest,
                    request.at,
                    request.changed
                ])?;
        }
        Ok(merged)
    }
}

/// Whether `newer` has everything that `older`, whose revision is not higher, has.
pub(in crate::store::sqlite) fn continues(newer: &Connection, older: &Connection) -> rusqlite::Result<bool> {
    let last = older
        .query_row("SELECT max(revision) FROM audit", [], |row| {
            row.get::<_, Option<Revision>>(0)
        })?
        .map(|last| event(older, last))
        .transpose()?
        .flatten();
    match last {
        None => Ok(true),
        Some(last) => Ok(event(newer, last.revision)?.is_some_and(|event| event == last)),
    }
}

/// The changes in one copy that the other lacks.
fn only_in(one: &Connection, other: &Connection) -> rusqlite::Result<Vec<Event>> {
    if continues(other, one)? {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT {} FROM audit ORDER BY revision", row::EVENT);
    let mut statement = one.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let here = row::event(row)?;
        if event(other, here.revision)?.is_none_or(|there| there != here) {
            found.push(here);
        }
    }
    Ok(found)
}

fn event(connection: &Connection, revision: Revision) -> rusqlite::Result<Option<Event>> {
    connection
        .prepare_cached(&format!("SELECT {} FROM audit WHERE revision = ?", row::EVENT))?
        .query_row([revision], row::event)
        .optional()
}

fn renumbered(event: Event, revision: Revision) -> Event {
    Event {
        revision,
        after: Record {
            revision,
            ..event.after
        },
        ..event
    }
}

fn ours_wins(draft: &Connection, ours: &Record, theirs: &Event) -> rusqlite::Result<bool> {
    Ok(match (ours.removed_at, theirs.after.removed_at) {
        (Some(_), _) => true,
        (None, Some(_)) => false,
        (None, None) => event(draft, ours.revision)?.is_some_and(|event| event.at > theirs.at),
    })
}

/// A change by op25b that makes an exemption what it is in the draft.
fn again(ours: &Record, theirs: &Event, revision: Revision, at: Timestamp) -> Event {
    let is_removed = ours.removed_at.is_some();
    Event {
        revision,
        at,
        by: Actor::op25b(),
        action: if is_removed {
            ChangeKind::Remove
        } else {
            ChangeKind::Extend
        },
        reason: Some(
            if is_removed {
                "two copies of the store were merged, and in one of them it is removed"
            } else {
                "two copies of the store were merged, and this is the later change"
            }
            .to_owned(),
        ),
        before: Some(theirs.after.clone()),
        after: Record {
            revision,
            ..ours.clone()
        },
    }
}

fn requests(connection: &Connection) -> rusqlite::Result<Vec<Request>> {
    connection
        .prepare("SELECT uid, key, digest, at, changed FROM requests")?
        .query_map([], |row| {
            Ok(Request {
                uid: row.get(0)?,
                key: row.get(1)?,
                digest: row.get(2)?,
                at: row.get(3)?,
                changed: row.get(4)?,
            })
        })?
        .collect()
}
