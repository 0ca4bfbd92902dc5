//! A store whose file is removed, replaced or written to while it is open is put right, and loses nothing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use op25b::{
    fault::{FaultKind, Faults},
    store::{
        ChangeKind, Records as _, Store as _, StoreError,
        sqlite::{self, Options, SqliteStore},
    },
};
use tempfile::{TempDir, tempdir};

use crate::{add, add_each, customers, named, now, of, open, record, remove};

const FILES: [&str; 3] = ["exemptions.db", "exemptions.db-wal", "exemptions.db-shm"];

/// An open store with five records, and its faults.
fn five() -> (TempDir, SqliteStore, Faults) {
    let dir = tempdir().unwrap();
    let faults = Faults::default();
    let options = Options {
        faults: faults.clone(),
        ..Options::default()
    };
    let mut store = sqlite::open_with(dir.path(), options).store;
    add_each(&mut store, 1..=5);
    (dir, store, faults)
}

fn empty(dir: &Path) {
    for entry in fs::read_dir(dir).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
}

fn kinds(faults: &Faults) -> Vec<FaultKind> {
    faults.list().iter().map(|fault| fault.kind).collect()
}

fn asides(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_str().unwrap().contains(".damaged-"))
        .collect()
}

/// What the store's file has, as the next start reads it after a kill at this moment.
fn after_a_kill(dir: &Path) -> Vec<String> {
    let killed = tempdir().unwrap();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), killed.path().join(entry.file_name())).unwrap();
    }
    customers(&sqlite::open(killed.path()).store)
}

#[test]
fn a_store_whose_directory_is_emptied_is_put_back_before_the_next_change() {
    let (dir, mut store, faults) = five();
    store
        .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
        .unwrap();
    empty(dir.path());
    add_each(&mut store, [6]);
    assert_eq!(customers(&store), named(1..=6));
    assert_eq!(customers(&store.reader().unwrap()), named(1..=6));
    assert_eq!(kinds(&faults), [FaultKind::StoreRecovered]);
    assert_eq!(after_a_kill(dir.path()), named(1..=6));
    drop(store);
    let opened = sqlite::open(dir.path());
    assert_eq!(customers(&opened.store), named(1..=6));
    // Nothing was lost: no revisions are skipped.
    assert_eq!(opened.store.revision().unwrap(), 7);
}

#[test]
fn a_store_whose_directory_is_emptied_is_put_back_within_a_second() {
    let (dir, mut store, faults) = five();
    empty(dir.path());
    store.maintain(Timestamp::now()).unwrap();
    assert_eq!(after_a_kill(dir.path()), named(1..=5));
    let [fault] = &faults.list()[..] else { panic!() };
    assert!(
        fault.message.contains("it was removed while it was open")
            && fault
                .message
                .contains("5 exemptions were restored from the file that is open"),
        "{}",
        fault.message
    );
    let events = store.events(None, 5, 10).unwrap();
    assert_eq!(events.len(), 1);
    assert_eq!(
        (events[0].action, events[0].by.name.as_str()),
        (ChangeKind::Recover, "op25b")
    );
    assert!(fault.message.starts_with(events[0].reason.as_deref().unwrap()));
}

#[test]
fn a_store_whose_directory_is_removed_is_put_back() {
    let (dir, mut store, _faults) = five();
    fs::remove_dir_all(dir.path()).unwrap();
    add_each(&mut store, [6]);
    assert_eq!(after_a_kill(dir.path()), named(1..=6));
}

#[test]
fn a_store_whose_log_is_removed_loses_nothing() {
    for name in &FILES[1..] {
        let (dir, mut store, _faults) = five();
        fs::remove_file(dir.path().join(name)).unwrap();
        store.maintain(Timestamp::now()).unwrap();
        assert_eq!(after_a_kill(dir.path()), named(1..=5), "{name}");
        add_each(&mut store, [6]);
        drop(store);
        assert_eq!(customers(&sqlite::open(dir.path()).store), named(1..=6), "{name}");
    }
}

#[test]
fn a_store_that_cannot_be_put_back_accepts_no_change_and_is_still_read() {
    let (dir, mut store, faults) = five();
    fs::remove_dir_all(dir.path()).unwrap();
    fs::write(dir.path(), "a file is in the way").unwrap();
    for _ in 0..2 {
        store.commit(&of([add(record(6))])).unwrap_err();
        store.maintain(Timestamp::now()).unwrap();
        assert_eq!(customers(&store), named(1..=5));
        assert_eq!(kinds(&faults), [FaultKind::StoreReplaced]);
    }
    fs::remove_file(dir.path()).unwrap();
    store.maintain(Timestamp::now()).unwrap();
    assert_eq!(kinds(&faults), [FaultKind::StoreRecovered]);
    add_each(&mut store, [6]);
    assert_eq!(after_a_kill(dir.path()), named(1..=6));
}

/// A complete store as it was when it had three records, before the third was removed.
fn older() -> (TempDir, SqliteStore, PathBuf) {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    store.maintain(Timestamp::now()).unwrap();
    let old = dir.path().join("old");
    fs::copy(dir.path().join(FILES[0]), &old).unwrap();
    let third = store.get(record(3).id).unwrap().unwrap();
    store.commit(&of([remove(&third)])).unwrap();
    add_each(&mut store, [4]);
    assert_eq!(customers(&store), named([1, 2, 4]));
    (dir, store, old)
}

#[test]
fn an_older_store_that_is_renamed_over_an_open_one_revives_nothing_and_loses_nothing() {
    let (dir, mut store, old) = older();
    fs::rename(&old, dir.path().join(FILES[0])).unwrap();
    store.maintain(Timestamp::now()).unwrap();
    assert_eq!(customers(&store), named([1, 2, 4]));
    assert_eq!(after_a_kill(dir.path()), named([1, 2, 4]));
    // The kernel has these.
    assert_eq!(store.progress().replacements(), 0);
    // What was in its place is kept.
    assert_eq!(asides(dir.path()).len(), 3, "{:?}", asides(dir.path()));
}

#[test]
fn an_older_store_that_is_copied_over_an_open_one_revives_nothing_that_was_backed_up() {
    let (dir, mut store, old) = older();
    store
        .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
        .unwrap();
    store.maintain(Timestamp::now()).unwrap();
    let before = store.progress().replacements();
    // Into the same inode, as `cp` does.
    fs::copy(&old, dir.path().join(FILES[0])).unwrap();
    store.maintain(Timestamp::now()).unwrap();
    assert_eq!(customers(&store), named([1, 2, 4]));
    assert!(store.progress().replacements() > before);
    drop(store);
    assert_eq!(customers(&sqlite::open(dir.path()).store), named([1, 2, 4]));
}

#[test]
fn a_store_with_changes_of_its_own_that_replaces_an_open_one_is_merged_and_removals_win() {
    let (dir, mut store, old) = older();
    // Meanwhile somebody removed the first from the older store, and added to it.
    let other = tempdir().unwrap();
    fs::rename(&old, other.path().join(FILES[0])).unwrap();
    let mut forked = open(other.path());
    let first = forked.get(record(1).id).unwrap().unwrap();
    forked.commit(&of([remove(&first)])).unwrap();
    add_each(&mut forked, 7..=9);
    drop(forked);
    fs::rename(other.path().join(FILES[0]), dir.path().join(FILES[0])).unwrap();
    let added = add_each(&mut store, [5]);
    assert_eq!(customers(&store), named([2, 4, 5, 7, 8, 9]));
    assert_eq!(store.progress().replacements(), 1);
    assert!(store.get(record(3).id).unwrap().unwrap().removed_at.is_some());
    let history = store.events(Some(record(1).id), 0, 10).unwrap();
    assert_eq!(
        history.iter().map(|event| event.action).collect::<Vec<_>>(),
        [ChangeKind::Add, ChangeKind::Remove]
    );
    // The audit ends with the state of each exemption, whichever of the two it is from.
    for number in 1..=9 {
        if let Some(record) = store.get(record(number).id).unwrap() {
            let last = store.events(Some(record.id), 0, 100).unwrap().pop().unwrap();
            assert_eq!(last.after, record);
        }
    }
    assert_eq!(store.revision().unwrap(), added);
    drop(store);
    assert_eq!(
        customers(&sqlite::open(dir.path()).store),
        named([2, 4, 5, 7, 8, 9])
    );
}

#[test]
fn a_directory_in_the_place_of_an_open_store_is_moved_aside() {
    let (dir, mut store, _faults) = five();
    for name in FILES {
        fs::remove_file(dir.path().join(name)).unwrap();
    }
    fs::create_dir(dir.path().join(FILES[0])).unwrap();
    add_each(&mut store, [6]);
    assert_eq!(after_a_kill_without_asides(dir.path()), named(1..=6));
    assert!(asides(dir.path())[0].is_dir());
}

fn after_a_kill_without_asides(dir: &Path) -> Vec<String> {
    let killed = tempdir().unwrap();
    for name in FILES {
        fs::copy(dir.join(name), killed.path().join(name)).unwrap();
    }
    customers(&sqlite::open(killed.path()).store)
}

#[test]
fn a_recovery_is_shown_for_a_day_also_after_a_restart() {
    let (dir, mut store, _faults) = five();
    empty(dir.path());
    store.maintain(Timestamp::now()).unwrap();
    drop(store);
    let faults = Faults::default();
    let options = Options {
        faults: faults.clone(),
        ..Options::default()
    };
    let mut store = sqlite::open_with(dir.path(), options).store;
    assert_eq!(kinds(&faults), [FaultKind::StoreRecovered]);
    let hours = |hours| Timestamp::now() + SignedDuration::from_hours(hours);
    store.maintain(hours(23)).unwrap();
    assert_eq!(kinds(&faults), [FaultKind::StoreRecovered]);
    store.maintain(hours(25)).unwrap();
    assert_eq!(faults.list(), []);
}

#[test]
fn a_write_by_another_process_is_read_without_a_fault() {
    let (dir, mut store, faults) = five();
    let before = store.progress().replacements();
    crate::by_hand(
        dir.path(),
        "INSERT INTO requests VALUES (0, 'key', 'digest', '2027-04-01T00:00:00.000000000Z', '[]');
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    store.maintain(Timestamp::now()).unwrap();
    assert!(store.earlier(0, "key", now()).unwrap().is_some());
    assert!(store.progress().replacements() > before);
    assert_eq!(faults.list(), []);
    assert!(matches!(
        store.commit(&of([add(record(1))])),
        Err(StoreError::Conflict { .. })
    ));
    add_each(&mut store, [6]);
}
