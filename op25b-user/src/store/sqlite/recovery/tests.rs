//! Each step of a recovery fails once, and is the last one of its process once: nothing is lost by either.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use tempfile::{TempDir, tempdir};

use crate::store::{
    Change, ChangeKind, Commit, Record, Records as _, Store as _,
    fake::{actor, record},
    sqlite::{
        self, SqliteStore,
        steps::{Fail, fail_at, taken},
    },
};

/// More steps than any recovery takes.
const MOST: usize = 200;

fn commit(store: &mut SqliteStore, action: ChangeKind, before: Option<Record>, after: Record) {
    store
        .commit(&Commit {
            at: Timestamp::now(),
            by: actor(),
            reason: None,
            changes: vec![Change {
                action,
                before,
                after,
            }],
            request: None,
            taken_back: None,
        })
        .unwrap();
}

fn add(store: &mut SqliteStore, number: u128) {
    let after = record(
        number,
        &format!("Customer {number}"),
        &format!("198.51.100.{number}/32"),
    );
    commit(store, ChangeKind::Add, None, after);
}

fn remove(store: &mut SqliteStore, number: u128) {
    let before = store.get(ulid::Ulid::from(number)).unwrap().unwrap();
    let after = Record {
        removed_at: Some(Timestamp::now()),
        ..before.clone()
    };
    commit(store, ChangeKind::Remove, Some(before), after);
}

fn numbers(store: &SqliteStore) -> Vec<u128> {
    let records = store.not_removed().unwrap();
    records.iter().map(|record| u128::from(record.id)).collect()
}

/// A store with 1, 3 and 4, all of it in a backup, beside a file that still has 2, and neither 3 nor 4.
fn store() -> (TempDir, SqliteStore) {
    let dir = tempdir().unwrap();
    let mut store = sqlite::open(dir.path()).store;
    add(&mut store, 1);
    add(&mut store, 2);
    store.maintain(Timestamp::now()).unwrap();
    fs::copy(dir.path().join("exemptions.db"), dir.path().join("old")).unwrap();
    remove(&mut store, 2);
    add(&mut store, 3);
    add(&mut store, 4);
    store
        .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
        .unwrap();
    (dir, store)
}

fn empty(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

/// What is on the disk if the process ends now.
fn killed(dir: &Path) -> TempDir {
    let copy = tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

/// What is done to a store that is open.
type Harm = fn(&Path);

const HARMS: [Harm; 3] = [
    empty,
    |dir| fs::rename(dir.join("old"), dir.join("exemptions.db")).unwrap(),
    |dir| fs::remove_file(dir.join("exemptions.db-wal")).unwrap(),
];

#[test]
fn whichever_step_of_putting_a_store_back_fails_the_next_attempt_loses_nothing() {
    for harm in HARMS {
        let mut failures = 0;
        for at in 0..MOST {
            let (dir, mut store) = store();
            harm(dir.path());
            fail_at(Some((at, Fail::Once)));
            store.maintain(Timestamp::now()).unwrap();
            let is_over = taken() <= at;
            fail_at(None);
            assert_eq!(numbers(&store), [1, 3, 4], "step {at}");
            store.maintain(Timestamp::now()).unwrap();
            add(&mut store, 5);
            assert_eq!(numbers(&store), [1, 3, 4, 5], "step {at}");
            let after_a_kill = killed(dir.path());
            drop(store);
            for dir in [&dir, &after_a_kill] {
                let store = sqlite::open(dir.path()).store;
                assert_eq!(numbers(&store), [1, 3, 4, 5], "step {at}");
            }
            if is_over {
                break;
            }
            failures += 1;
        }
        assert!((5..MOST).contains(&failures), "{failures}");
    }
}

#[test]
fn whichever_step_of_putting_a_store_back_is_the_last_of_its_process_nothing_that_is_on_the_disk_is_lost() {
    for (harm, is_on_the_disk) in HARMS.into_iter().zip([false, true, true]) {
        let mut is_whole = false;
        for at in 0..MOST {
            let (dir, mut store) = store();
            harm(dir.path());
            fail_at(Some((at, Fail::FromThenOn)));
            store.maintain(Timestamp::now()).unwrap();
            let is_over = taken() <= at;
            let after_a_kill = killed(dir.path());
            fail_at(None);
            let store = sqlite::open(after_a_kill.path()).store;
            let found = numbers(&store);
            // All of it from the step on by which the draft is complete; before that what is on the disk.
            is_whole |= !found.is_empty();
            if is_whole || is_on_the_disk {
                assert_eq!(found, [1, 3, 4], "step {at}");
            }
            drop(store);
            assert_eq!(numbers(&sqlite::open(after_a_kill.path()).store), found);
            if is_over {
                break;
            }
        }
        assert!(is_whole);
    }
}

#[test]
fn whichever_step_of_a_merge_at_a_start_fails_or_is_the_last_nothing_is_lost() {
    for fail in [Fail::Once, Fail::FromThenOn] {
        let mut failures = 0;
        for at in 0..MOST {
            let (dir, store) = store();
            drop(store);
            fs::rename(dir.path().join("old"), dir.path().join("exemptions.db")).unwrap();
            fail_at(Some((at, fail)));
            let opened = sqlite::open(dir.path()).store;
            let is_over = taken() <= at;
            let after_a_kill = killed(dir.path());
            fail_at(None);
            drop(opened);
            for dir in [&dir, &after_a_kill] {
                let mut store = sqlite::open(dir.path()).store;
                assert_eq!(numbers(&store), [1, 3, 4], "{fail:?} at step {at}");
                add(&mut store, 5);
            }
            if is_over {
                break;
            }
            failures += 1;
        }
        assert!((5..MOST).contains(&failures), "{failures}");
    }
}
