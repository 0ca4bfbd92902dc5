//! A damaged store is restored from its backup, and from what can still be read of it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use jiff::{SignedDuration, Timestamp};
use op25b::store::{
    Record, Records as _, Store as _,
    sqlite::{self, Opened},
};
use tempfile::{TempDir, tempdir};

use crate::{add, add_each, by_hand, customers, named, of, open, record};

const BACKED_UP: u32 = 60;
const ALL: u32 = 120;
const PAGE: usize = 4096;

/// Writes over all of a file.
pub(crate) fn garbage(file: &Path) {
    let len = fs::metadata(file).unwrap().len();
    fs::write(file, vec![0xa5; usize::try_from(len).unwrap()]).unwrap();
}

/// A store of which half is in a backup.
pub(crate) fn half_backed_up() -> TempDir {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=BACKED_UP);
    store
        .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
        .unwrap();
    add_each(&mut store, BACKED_UP + 1..=ALL);
    drop(store);
    assert!(!log_of(&dir).exists());
    dir
}

/// A copy of a store that is not open.
fn copy_of(dir: &TempDir) -> TempDir {
    let copy = tempdir().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    copy
}

fn file_of(dir: &TempDir) -> PathBuf {
    dir.path().join("exemptions.db")
}

fn log_of(dir: &TempDir) -> PathBuf {
    dir.path().join("exemptions.db-wal")
}

fn asides(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_str().unwrap().contains(".damaged-"))
        .collect()
}

/// What must hold whatever the damage and the remarks were.
fn recovered(dir: &Path) -> Opened {
    let mut opened = sqlite::open(dir);
    assert_eq!(opened.store.write_error(), None);
    let records = opened.store.not_removed().unwrap();
    let mut ids = named(1..=BACKED_UP);
    ids.retain(|id| !records.iter().any(|record| record.terms.customer == *id));
    assert_eq!(ids, [""; 0], "these were in the backup: {:?}", opened.remarks);
    for found in &records {
        let number: u32 = found
            .terms
            .customer
            .strip_prefix("Customer ")
            .unwrap()
            .parse()
            .unwrap();
        let original = Record {
            revision: found.revision,
            ..record(number)
        };
        assert_eq!(*found, original);
    }
    let last = opened.store.commit(&of([add(record(ALL + 1))])).unwrap();
    assert!(last > u64::from(ALL));
    opened
}

#[test]
fn a_file_of_garbage_is_restored_from_the_backup_and_kept_aside() {
    let dir = half_backed_up();
    garbage(&file_of(&dir));
    let damaged = fs::read(file_of(&dir)).unwrap();
    let opened = recovered(dir.path());
    let remarks = opened.remarks.join("\n");
    assert!(remarks.contains("60 exemptions were restored from "), "{remarks}");
    assert!(
        remarks.contains("later changes are lost") || remarks.contains("may be lost"),
        "{remarks}"
    );
    let asides = asides(dir.path());
    assert_eq!(fs::read(&asides[0]).unwrap(), damaged);
    assert!(remarks.contains(asides[0].to_str().unwrap()), "{remarks}");
    drop(opened);
    drop(open(dir.path()));
}

#[test]
fn whichever_page_is_damaged_the_store_opens_with_all_that_was_backed_up() {
    let original = half_backed_up();
    let pages = fs::read(file_of(&original)).unwrap().len() / PAGE;
    assert!(pages > 20, "{pages}");
    let (mut whole, mut noticed) = (0, 0);
    for page in 0..pages {
        let dir = copy_of(&original);
        let mut bytes = fs::read(file_of(&dir)).unwrap();
        bytes[page * PAGE..(page + 1) * PAGE].fill(0xa5);
        fs::write(file_of(&dir), bytes).unwrap();
        let opened = recovered(dir.path());
        let records = opened.store.not_removed().unwrap().len();
        noticed += usize::from(!opened.remarks.is_empty());
        whole += usize::from(records == usize::try_from(ALL).unwrap() + 1);
        let is_reported = opened.remarks.iter().any(|remark| remark.contains("lost"));
        assert!(
            is_reported || records == usize::try_from(ALL).unwrap() + 1,
            "page {page}: {:?}",
            opened.remarks
        );
    }
    assert_eq!(noticed, pages);
    // Each record is stored in two places; the schema, by which the tables are found, in one.
    assert!(whole >= pages - 4, "{whole} of {pages}");
}

#[test]
fn whichever_bit_is_flipped_no_exemption_becomes_another_one() {
    let original = half_backed_up();
    let bytes = fs::read(file_of(&original)).unwrap();
    let mut noticed = 0;
    for _ in 0..100 {
        let bit = fastrand::usize(..bytes.len() * 8);
        // A format that has become a larger number is that of a newer version.
        if (60..64).contains(&(bit / 8)) {
            continue;
        }
        let dir = copy_of(&original);
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(file_of(&dir), bytes).unwrap();
        let opened = recovered(dir.path());
        let remarks = opened.remarks.join("\n");
        noticed += usize::from(!remarks.is_empty());
        let records = opened.store.not_removed().unwrap().len();
        assert!(
            records == usize::try_from(ALL).unwrap() + 1
                || remarks.contains("lost")
                || remarks.contains("accounts"),
            "bit {bit}: {records} exemptions: {remarks}"
        );
    }
    assert!(noticed > 0);
}

#[test]
fn wherever_a_file_is_cut_off_the_store_opens_with_all_that_was_backed_up() {
    let original = half_backed_up();
    let len = fs::read(file_of(&original)).unwrap().len();
    for len in [
        0,
        1,
        50,
        512,
        PAGE,
        len / 3 / PAGE * PAGE,
        len / 2,
        len - PAGE,
        len - 1,
    ] {
        let dir = copy_of(&original);
        let bytes = fs::read(file_of(&dir)).unwrap();
        fs::write(file_of(&dir), &bytes[..len]).unwrap();
        let opened = recovered(dir.path());
        assert!(!opened.remarks.is_empty(), "{len}");
    }
}

#[test]
fn without_a_backup_it_begins_with_what_can_be_read_and_reports_so() {
    let dir = tempdir().unwrap();
    add_each(&mut open(dir.path()), 1..=3);
    garbage(&file_of(&dir));
    let opened = sqlite::open(dir.path());
    assert_eq!(customers(&opened.store), [""; 0]);
    assert!(
        opened
            .remarks
            .contains(&"there is no intact backup to restore exemptions from".to_owned()),
        "{:?}",
        opened.remarks
    );
    drop(opened);
    let mut store = open(dir.path());
    add_each(&mut store, 4..=6);
    drop(store);
    for backup in ["exemptions.db.backup", "exemptions.db.backup.1"] {
        let _ = fs::remove_file(dir.path().join(backup));
    }
    by_hand(
        dir.path(),
        "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'exemptions_customer'",
    )
    .unwrap();
    let opened = sqlite::open(dir.path());
    assert_eq!(customers(&opened.store), named(4..=6));
    assert!(
        opened.remarks[2].contains("3 changes and 3 changed exemptions could be read"),
        "{:?}",
        opened.remarks
    );
}

#[test]
fn of_two_accounts_of_one_exemption_neither_is_believed() {
    let dir = half_backed_up();
    by_hand(
        dir.path(),
        &format!(
            "UPDATE exemptions SET prefixes = '[\"0.0.0.0/0\"]' WHERE id = '{}';
             PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'exemptions_customer'",
            record(ALL).id
        ),
    )
    .unwrap();
    let opened = recovered(dir.path());
    assert_eq!(opened.store.get(record(ALL).id).unwrap(), None);
    assert!(opened.store.get(record(ALL - 1).id).unwrap().is_some());
    let remarks = opened.remarks.join("\n");
    assert!(
        remarks.contains(&format!("two different accounts of exemption {}", record(ALL).id)),
        "{remarks}"
    );
}

#[test]
fn a_damaged_log_loses_only_what_was_not_yet_in_the_file() {
    let dir = half_backed_up();
    let mut store = open(dir.path());
    add_each(&mut store, ALL + 2..=ALL + 5);
    let crashed = copy_of(&dir);
    garbage(&log_of(&crashed));
    let opened = recovered(crashed.path());
    assert!(opened.store.not_removed().unwrap().len() > usize::try_from(ALL).unwrap());
}

#[test]
fn a_recovery_that_was_interrupted_goes_on() {
    let twin = half_backed_up();
    garbage(&file_of(&twin));
    drop(sqlite::open(twin.path()));
    let recovered_draft = |dir: &TempDir| {
        fs::copy(file_of(&twin), dir.path().join("exemptions.db.recovered")).unwrap();
    };
    // Before the damaged one was moved.
    let dir = half_backed_up();
    recovered_draft(&dir);
    garbage(&file_of(&dir));
    fs::write(dir.path().join("exemptions.db.recovering"), "half a draft").unwrap();
    drop(recovered(dir.path()));
    drop(open(dir.path()));
    // After that, but not yet its log.
    let dir = half_backed_up();
    recovered_draft(&dir);
    fs::remove_file(file_of(&dir)).unwrap();
    fs::write(log_of(&dir), "half a log").unwrap();
    let opened = recovered(dir.path());
    assert_eq!(
        opened.store.not_removed().unwrap().len(),
        usize::try_from(BACKED_UP).unwrap() + 1
    );
    assert_eq!(asides(dir.path()).len(), 1);
}
