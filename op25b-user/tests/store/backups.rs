//! When a backup is taken, and which one is restored.

use std::fs;

use jiff::{SignedDuration, Timestamp};
use op25b::store::{Records as _, StoreError, sqlite};
use rusqlite::{Connection, backup::Progress};
use tempfile::tempdir;

use crate::{add_each, customers, damage::garbage, named, open};

fn hours(hours: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(hours)
}

#[test]
fn a_backup_is_taken_each_hour_if_something_has_changed() {
    let dir = tempdir().unwrap();
    let backup = dir.path().join("exemptions.db.backup");
    let mut store = open(dir.path());
    let start = hours(10);
    let later = |minutes| start + SignedDuration::from_mins(minutes);
    store.backup_if_due(start).unwrap();
    assert!(!backup.exists(), "there is nothing yet");
    add_each(&mut store, 1..=1);
    store.backup_if_due(later(59)).unwrap();
    assert!(!backup.exists());
    store.backup_if_due(later(60)).unwrap();
    let first = fs::read(&backup).unwrap();
    add_each(&mut store, 2..=2);
    store.backup_if_due(later(119)).unwrap();
    assert!(fs::read(&backup).unwrap() == first);
    store.backup_if_due(later(120)).unwrap();
    assert!(fs::read(&backup).unwrap() != first);
    // Nothing has changed: the one before is kept, too.
    store.backup_if_due(later(240)).unwrap();
    let before = dir.path().join("exemptions.db.backup.1");
    assert!(fs::read(&before).unwrap() == first);
    // The clock was put back.
    add_each(&mut store, 3..=3);
    store.backup_if_due(later(-1000)).unwrap();
    assert!(fs::read(&before).unwrap() != first);
}

#[test]
fn a_backup_is_taken_when_the_store_is_opened_if_something_has_changed() {
    let dir = tempdir().unwrap();
    let backup = dir.path().join("exemptions.db.backup");
    add_each(&mut open(dir.path()), 1..=1);
    assert!(!backup.exists());
    drop(open(dir.path()));
    let first = fs::metadata(&backup).unwrap().modified().unwrap();
    drop(open(dir.path()));
    assert_eq!(fs::metadata(&backup).unwrap().modified().unwrap(), first);
    add_each(&mut open(dir.path()), 2..=2);
    drop(open(dir.path()));
    assert_ne!(fs::metadata(&backup).unwrap().modified().unwrap(), first);
}

#[test]
fn a_backup_that_fails_is_reported_and_does_no_harm() {
    let dir = tempdir().unwrap();
    // Nothing can be put in this one's place.
    let in_the_way = dir.path().join("exemptions.db.backup.new");
    fs::create_dir(&in_the_way).unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=1);
    let error = store.backup_if_due(hours(2)).unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }), "{error}");
    store.backup_if_due(hours(2)).unwrap();
    add_each(&mut store, 2..=2);
    assert_eq!(customers(&store), named(1..=2));
    drop(store);
    let opened = sqlite::open(dir.path());
    assert!(
        opened.remarks[0].starts_with("there is no new backup: "),
        "{:?}",
        opened.remarks
    );
    assert_eq!(opened.store.write_error(), None);
    let store = opened.store;
    fs::remove_dir(&in_the_way).unwrap();
    store.backup_if_due(hours(4)).unwrap();
    assert!(dir.path().join("exemptions.db.backup").exists());
}

#[test]
fn a_damaged_backup_is_passed_over_for_the_one_before() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=5);
    store.backup_if_due(hours(2)).unwrap();
    add_each(&mut store, 6..=9);
    store.backup_if_due(hours(4)).unwrap();
    drop(store);
    garbage(&dir.path().join("exemptions.db"));
    garbage(&dir.path().join("exemptions.db.backup"));
    let opened = sqlite::open(dir.path());
    assert_eq!(customers(&opened.store), named(1..=5));
    assert!(
        opened.remarks[1].starts_with("5 exemptions were restored from ")
            && opened.remarks[1].contains("exemptions.db.backup.1, taken at "),
        "{:?}",
        opened.remarks
    );
    // Numbers that were given out are not given again.
    assert!(opened.store.revision().unwrap() > 1_000_000);
}

#[test]
fn a_store_that_is_missing_beside_its_backup_is_restored() {
    let dir = tempdir().unwrap();
    add_each(&mut open(dir.path()), 1..=5);
    drop(open(dir.path()));
    fs::remove_file(dir.path().join("exemptions.db")).unwrap();
    let opened = sqlite::open(dir.path());
    assert!(
        opened.remarks[0].ends_with("was missing, but its backup was not"),
        "{:?}",
        opened.remarks
    );
    assert_eq!(customers(&opened.store), named(1..=5));
    drop(opened);
    drop(open(dir.path()));
}

#[test]
fn a_copy_that_was_made_while_the_daemon_ran_is_restored_where_the_backup_is_looked_for() {
    let (dir, fresh) = (tempdir().unwrap(), tempdir().unwrap());
    let mut store = open(dir.path());
    add_each(&mut store, 1..=5);
    let copy = fresh.path().join("exemptions.db.backup");
    Connection::open(dir.path().join("exemptions.db"))
        .unwrap()
        .backup("main", &copy, None::<fn(Progress)>)
        .unwrap();
    add_each(&mut store, 6..=6);
    let opened = sqlite::open(fresh.path());
    assert_eq!(customers(&opened.store), named(1..=5));
    // Who has seen the sixth change must not take another one for it.
    assert!(opened.store.revision().unwrap() > store.revision().unwrap());
}
