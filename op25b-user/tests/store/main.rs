//! The store of exemptions keeps what it has acknowledged, and can be opened whatever the state of its disk.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod backups;
mod behind;
mod commits;
mod crash;
mod damage;
mod disks;
mod history;
mod model;
mod opening;
mod operations;
mod replaced;
mod volume;

use std::path::Path;

use jiff::Timestamp;
use op25b::exemption::Terms;
use op25b::store::{
    Actor, Change, ChangeKind, Commit, Record, Revision, Store as _, StoreError,
    sqlite::{self, SqliteStore},
};
use rusqlite::Connection;
use ulid::Ulid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2027-04-01T00:00:00Z")
}

fn actor() -> Actor {
    Actor {
        uid: 1000,
        name: "hanako".into(),
    }
}

/// The `number`th record, with a prefix that no other has.
fn record(number: u32) -> Record {
    let [_, high, middle, low] = number.to_be_bytes();
    Record {
        id: Ulid::from_parts(1_800_000_000_000 + u64::from(number), 7),
        terms: Terms {
            customer: format!("Customer {number}").into(),
            prefixes: Box::new([
                format!("10.{high}.{middle}.{low}/32").parse().unwrap(),
                format!("2001:db8:{high:x}{middle:02x}:{low:x}::/64")
                    .parse()
                    .unwrap(),
            ]),
            destinations: Box::new(["192.0.2.0/24".parse().unwrap()]),
            ticket: Some(format!("OPS-{number}").into()),
            note: None,
            expires_at: Some(at("2028-03-31T15:00:00Z")),
        },
        created_at: at("2027-03-31T12:34:56.789012345Z"),
        created_by: actor(),
        removed_at: None,
        revision: 0,
        batch: None,
    }
}

fn add(after: Record) -> Change {
    Change {
        action: ChangeKind::Add,
        before: None,
        after,
    }
}

fn remove(before: &Record) -> Change {
    Change {
        action: ChangeKind::Remove,
        before: Some(before.clone()),
        after: Record {
            removed_at: Some(now()),
            ..before.clone()
        },
    }
}

fn of(changes: impl Into<Vec<Change>>) -> Commit {
    Commit {
        at: now(),
        by: actor(),
        reason: Some("asked for by telephone".into()),
        changes: changes.into(),
        request: None,
        taken_back: None,
    }
}

/// Adds records, one by one, and returns the last one's revision.
fn add_each(store: &mut SqliteStore, numbers: impl IntoIterator<Item = u32>) -> Revision {
    numbers
        .into_iter()
        .map(|number| store.commit(&of([add(record(number))])).unwrap())
        .last()
        .unwrap()
}

/// Opens a store that needs no remark.
fn open(dir: &Path) -> SqliteStore {
    let opened = sqlite::open(dir);
    assert_eq!(opened.remarks, [""; 0]);
    assert_eq!(opened.store.write_error(), None);
    opened.store
}

fn customers(store: &impl op25b::store::Records) -> Vec<String> {
    let records = store.not_removed().unwrap();
    records
        .into_iter()
        .map(|record| record.terms.customer.into())
        .collect()
}

fn named(numbers: impl IntoIterator<Item = u32>) -> Vec<String> {
    numbers
        .into_iter()
        .map(|number| format!("Customer {number}"))
        .collect()
}

/// Runs SQL on the file, as from a shell.
fn by_hand(dir: &Path, sql: &str) -> rusqlite::Result<()> {
    Connection::open(dir.join("exemptions.db"))?.execute_batch(sql)
}

fn is_full<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Full { .. }))
}

fn is_read_only<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::ReadOnly { .. }))
}
