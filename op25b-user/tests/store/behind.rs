//! A store that lacks changes which it had, because its log is lost or an older file was put in its place, is damaged.

use std::{fs, path::Path};

use jiff::{SignedDuration, Timestamp};
use op25b::{
    fault::{FaultKind, Faults},
    store::{
        ChangeKind, Records as _, Revision, Store as _, StoreError,
        sqlite::{self, Opened, Options, SqliteStore},
    },
};
use tempfile::{TempDir, tempdir};

use crate::{add, add_each, customers, named, of, open, record, remove};

const FILE: &str = "exemptions.db";
const BACKUP: &str = "exemptions.db.backup";
const BEFORE: &str = "exemptions.db.backup.1";

fn hours(hours: i64) -> Timestamp {
    Timestamp::now() + SignedDuration::from_hours(hours)
}

/// What the daemon does each second.
fn look_after(store: &mut SqliteStore, now: Timestamp) {
    store.maintain(now).unwrap();
    if let Err(error) = store.backup_if_due(now) {
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    }
}

/// A store of which a backup has more than the file: one was removed and one added since. The last argument is whether the
/// changes were only in the log, which is lost, or an older file was put in place.
fn behind(log_is_lost: bool) -> TempDir {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    store.maintain(hours(1)).unwrap();
    let old = dir.path().join("old");
    fs::copy(dir.path().join(FILE), &old).unwrap();
    let third = store.get(record(3).id).unwrap().unwrap();
    store.commit(&of([remove(&third)])).unwrap();
    add_each(&mut store, [4]);
    store.backup_if_due(hours(4)).unwrap();
    if log_is_lost {
        let lost = tempdir().unwrap();
        for name in [FILE, BACKUP] {
            fs::copy(dir.path().join(name), lost.path().join(name)).unwrap();
        }
        return lost;
    }
    drop(store);
    fs::rename(&old, dir.path().join(FILE)).unwrap();
    dir
}

fn is_reported(opened: &Opened, text: &str) -> bool {
    opened.remarks.iter().any(|remark| remark.contains(text))
}

#[test]
fn a_lost_log_or_an_older_file_revives_no_removed_exemption_and_loses_no_new_one() {
    for log_is_lost in [true, false] {
        let dir = behind(log_is_lost);
        let opened = sqlite::open(dir.path());
        assert_eq!(customers(&opened.store), named([1, 2, 4]), "{log_is_lost}");
        assert!(
            is_reported(&opened, "its revision is 3, but 5 is that of its backup"),
            "{:?}",
            opened.remarks
        );
        assert!(!is_reported(&opened, "lost"), "{:?}", opened.remarks);
        assert!(opened.store.revision().unwrap() > 1_000_000);
        drop(opened);
        drop(open(dir.path()));
    }
}

fn revision_of(dir: &Path, name: &str) -> Revision {
    let copy = tempdir().unwrap();
    fs::copy(dir.join(name), copy.path().join(FILE)).unwrap();
    let reader = sqlite::open_read_only(copy.path()).unwrap().unwrap();
    reader.revision().unwrap()
}

#[test]
fn a_backup_that_is_newer_than_the_store_is_merged_and_not_rotated_out() {
    let dir = behind(false);
    let newer = fs::read(dir.path().join(BACKUP)).unwrap();
    fs::remove_file(dir.path().join(BACKUP)).unwrap();
    let mut store = sqlite::open(dir.path()).store;
    assert_eq!(customers(&store), named(1..=3));
    add_each(&mut store, [7]);
    // Somebody copies the newer one to where it was.
    for name in [BACKUP, BEFORE] {
        fs::write(dir.path().join(name), &newer).unwrap();
    }
    look_after(&mut store, hours(2));
    look_after(&mut store, hours(2));
    assert_eq!(customers(&store), named([1, 2, 4, 7]));
    // The next ones have all of it.
    look_after(&mut store, hours(4));
    drop(store);
    for name in [BACKUP, BEFORE] {
        assert!(revision_of(dir.path(), name) >= 5, "{name}");
    }
    assert_eq!(customers(&sqlite::open(dir.path()).store), named([1, 2, 4, 7]));
}

#[test]
fn a_backup_that_is_newer_than_the_last_one_is_not_replaced_by_it() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=2);
    store.backup_if_due(hours(2)).unwrap();
    let old = fs::read(dir.path().join(BACKUP)).unwrap();
    add_each(&mut store, 3..=4);
    store.backup_if_due(hours(4)).unwrap();
    // The two are in each other's place.
    fs::rename(dir.path().join(BACKUP), dir.path().join(BEFORE)).unwrap();
    fs::write(dir.path().join(BACKUP), old).unwrap();
    add_each(&mut store, 5..=5);
    store.backup_if_due(hours(6)).unwrap();
    assert_eq!(revision_of(dir.path(), BACKUP), 5);
    assert_eq!(revision_of(dir.path(), BEFORE), 4);
}

#[test]
fn a_store_that_went_on_from_an_older_file_is_merged_with_its_backup_and_removals_win() {
    // Also if it has more changes of its own than the backup.
    for more in [1, 7] {
        let dir = behind(false);
        let aside = dir.path().join("aside");
        fs::rename(dir.path().join(BACKUP), &aside).unwrap();
        let mut store = sqlite::open(dir.path()).store;
        let first = store.get(record(1).id).unwrap().unwrap();
        store.commit(&of([remove(&first)])).unwrap();
        add_each(&mut store, 10..10 + more);
        drop(store);
        let _ = fs::remove_file(dir.path().join(BEFORE));
        fs::rename(&aside, dir.path().join(BACKUP)).unwrap();

        let opened = sqlite::open(dir.path());
        assert_eq!(
            customers(&opened.store),
            named([2, 4].into_iter().chain(10..10 + more)),
            "{more}: {:?}",
            opened.remarks
        );
        drop(opened);
        // It is merged once.
        drop(open(dir.path()));
    }
}

fn open_enforced(dir: &Path, enforced: Revision) -> (Opened, Faults) {
    let faults = Faults::default();
    let options = Options {
        enforced,
        faults: faults.clone(),
    };
    (sqlite::open_with(dir, options), faults)
}

#[test]
fn a_store_that_is_behind_what_was_enforced_is_merged_with_its_backup() {
    let dir = behind(false);
    let (opened, faults) = open_enforced(dir.path(), 5);
    assert_eq!(customers(&opened.store), named([1, 2, 4]));
    assert!(is_reported(&opened, "its revision is 3, but 5 was enforced"));
    assert!(!is_reported(&opened, "lost"), "{:?}", opened.remarks);
    assert_eq!(faults.list()[0].kind, FaultKind::StoreRecovered);
}

#[test]
fn changes_that_were_enforced_and_are_in_no_copy_are_reported_as_lost() {
    let dir = behind(false);
    let (opened, faults) = open_enforced(dir.path(), 9);
    assert_eq!(customers(&opened.store), named([1, 2, 4]));
    let text = "the changes with revisions 6 to 9 were enforced and are lost";
    assert!(is_reported(&opened, text), "{:?}", opened.remarks);
    assert!(faults.list()[0].message.contains(text));
    let last = opened.store.events(None, 5, 100).unwrap().pop().unwrap();
    assert_eq!(last.action, ChangeKind::Recover);
    assert!(last.reason.unwrap().contains(text));
    // None of their numbers is given to another change.
    assert!(last.revision > 1_000_000);
    drop(opened);
    // It is said once, and shown for a day.
    let (opened, faults) = open_enforced(dir.path(), 9);
    assert_eq!(opened.remarks, [""; 0]);
    assert_eq!(faults.list().len(), 1);
}

#[test]
fn an_empty_state_directory_under_a_filter_that_had_exemptions_is_reported() {
    let dir = tempdir().unwrap();
    let (opened, faults) = open_enforced(dir.path(), 2);
    assert!(is_reported(
        &opened,
        "the changes with revisions 1 to 2 were enforced and are lost"
    ));
    assert_eq!(faults.list()[0].kind, FaultKind::StoreRecovered);
    let mut store = opened.store;
    add_each(&mut store, [1]);
    drop(store);
    assert_eq!(customers(&sqlite::open(dir.path()).store), named([1]));
}

#[test]
fn what_is_looked_after_each_second_is_in_the_file_and_not_only_in_its_log() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    store.maintain(hours(0)).unwrap();
    let killed = tempdir().unwrap();
    fs::copy(dir.path().join(FILE), killed.path().join(FILE)).unwrap();
    assert_eq!(customers(&sqlite::open(killed.path()).store), named(1..=3));
    // Readers are not waited for.
    let reader = store.reader().unwrap();
    assert_eq!(customers(&reader), named(1..=3));
    add_each(&mut store, 4..=4);
    store.maintain(hours(0)).unwrap();
    assert_eq!(customers(&store), named(1..=4));
}

fn removed(store: &mut SqliteStore, number: u32) {
    let before = store.get(record(number).id).unwrap().unwrap();
    store.commit(&of([remove(&before)])).unwrap();
}

#[test]
fn a_removal_is_in_a_backup_within_a_minute_and_does_not_come_back_after_a_loss() {
    let dir = tempdir().unwrap();
    add_each(&mut open(dir.path()), 1..=3);
    // The hour begins here.
    let mut store = open(dir.path());
    let hourly = fs::read(dir.path().join(BACKUP)).unwrap();
    add_each(&mut store, 4..=4);
    let next = || Timestamp::now() + SignedDuration::from_mins(1);
    // An addition waits for the hour.
    look_after(&mut store, next());
    assert!(fs::read(dir.path().join(BACKUP)).unwrap() == hourly);
    removed(&mut store, 2);
    removed(&mut store, 1);
    look_after(&mut store, next());
    assert_eq!(revision_of(dir.path(), BACKUP), 6);
    // The one of the hour before is still the hour's.
    assert!(!dir.path().join(BEFORE).exists());
    let lost = tempdir().unwrap();
    fs::copy(dir.path().join(BACKUP), lost.path().join(BACKUP)).unwrap();
    assert_eq!(customers(&sqlite::open(lost.path()).store), named([3, 4]));
    // The next one is due when something is removed again.
    let taken = fs::read(dir.path().join(BACKUP)).unwrap();
    add_each(&mut store, 5..=5);
    store.backup_if_due(next()).unwrap();
    assert!(fs::read(dir.path().join(BACKUP)).unwrap() == taken);
}

#[test]
fn an_addition_after_a_lost_log_is_kept_beside_the_backup() {
    let dir = behind(true);
    let mut store = sqlite::open(dir.path()).store;
    store.commit(&of([add(record(20))])).unwrap();
    drop(store);
    assert_eq!(customers(&open(dir.path())), named([1, 2, 4, 20]));
}
