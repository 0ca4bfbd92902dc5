//! Opening the store: which files are created, what is refused, and who may read beside the daemon.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread,
};

use jiff::SignedDuration;
use op25b::store::{
    Records as _, Store as _, StoreError,
    sqlite::{self, SqliteStore},
};
use tempfile::{TempDir, tempdir};

use crate::{add, add_each, by_hand, customers, named, now, of, open, record};

fn mode(path: PathBuf) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_missing_directory_and_file_are_made_for_the_group_to_read() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("lib/op25b");
    let mut store = open(&state);
    add_each(&mut store, 1..=1);
    assert_eq!(mode(state.clone()), 0o750);
    for name in ["exemptions.db", "exemptions.db-wal", "exemptions.db-shm"] {
        assert_eq!(mode(state.join(name)), 0o640, "{name}");
    }
    drop(store);
    assert_eq!(names(&state), ["exemptions.db"]);
}

#[test]
fn a_store_of_a_newer_format_is_unread_and_left_as_it_is() {
    let dir = tempdir().unwrap();
    add_each(&mut open(dir.path()), 1..=3);
    by_hand(dir.path(), "PRAGMA user_version = 4").unwrap();
    let file = dir.path().join("exemptions.db");
    let before = fs::read(&file).unwrap();
    let newer = StoreError::Newer {
        path: file.clone(),
        found: 4,
        known: 3,
    };
    let mut store = sqlite::open(dir.path()).store;
    assert_eq!(store.not_removed().unwrap_err(), newer);
    assert_eq!(store.earlier(0, "key", now()).unwrap_err(), newer);
    assert_eq!(store.commit(&of([add(record(4))])).unwrap_err(), newer);
    store.maintain(now()).unwrap_err();
    drop(store);
    assert_eq!(sqlite::open_read_only(dir.path()).unwrap_err(), newer);
    assert_eq!(fs::read(&file).unwrap(), before);
    by_hand(dir.path(), "PRAGMA user_version = 3").unwrap();
    assert_eq!(customers(&open(dir.path())), named(1..=3));
}

#[test]
fn another_programs_database_is_moved_aside() {
    let dir = tempdir().unwrap();
    by_hand(dir.path(), "CREATE TABLE bookmarks (title TEXT)").unwrap();
    let before = fs::read(dir.path().join("exemptions.db")).unwrap();
    let opened = sqlite::open(dir.path());
    assert!(
        opened.remarks[0].contains("it is a database, but not of op25b"),
        "{:?}",
        opened.remarks
    );
    assert_eq!(customers(&opened.store), [""; 0]);
    let names = names(dir.path());
    let aside = names.iter().find(|name| name.contains(".damaged-")).unwrap();
    assert_eq!(fs::read(dir.path().join(aside)).unwrap(), before);
}

#[test]
fn where_no_store_can_be_made_it_is_empty_and_tries_again_at_each_commit() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("state");
    fs::write(&state, "a file is in the way").unwrap();
    let opened = sqlite::open(&state);
    let mut store = opened.store;
    assert!(
        opened
            .remarks
            .iter()
            .any(|remark| remark.contains("none is enforced from it")),
        "{:?}",
        opened.remarks
    );
    assert_eq!(customers(&store), [""; 0]);
    assert_eq!(customers(&store.reader().unwrap()), [""; 0]);
    assert_eq!(store.revision().unwrap(), 0);
    let refused = store.commit(&of([add(record(1))])).unwrap_err();
    assert_eq!(store.write_error(), Some(&refused));
    fs::remove_file(&state).unwrap();
    assert_eq!(store.commit(&of([add(record(1))])).unwrap(), 1);
    assert_eq!(store.write_error(), None);
    drop(store);
    assert_eq!(customers(&open(&state)), named([1]));
}

#[test]
fn a_store_that_appears_where_there_was_none_is_read_while_it_is_looked_after() {
    let dir = tempdir().unwrap();
    let (state, aside) = (dir.path().join("state"), dir.path().join("aside"));
    add_each(&mut open(&aside), 1..=2);
    fs::write(&state, "a file is in the way").unwrap();
    let mut store = sqlite::open(&state).store;
    assert_eq!(customers(&store), [""; 0]);
    let before = store.progress().replacements();
    fs::remove_file(&state).unwrap();
    fs::rename(&aside, &state).unwrap();
    store.maintain(now()).unwrap();
    assert_eq!(customers(&store), named(1..=2));
    assert_eq!(customers(&store.reader().unwrap()), named(1..=2));
    // The kernel follows.
    assert_eq!(store.progress().replacements(), before + 1);
    add_each(&mut store, 3..=3);
    assert_eq!(customers(&open(&state)), named(1..=3));
}

#[test]
fn a_store_that_cannot_be_read_does_not_pass_for_empty() {
    a_directory_is_no_store_in(&tempdir().unwrap());
    // In memory a directory has another size than on a disk: it passes for no damaged file either.
    a_directory_is_no_store_in(&tempfile::tempdir_in("/dev/shm").unwrap());
}

fn a_directory_is_no_store_in(dir: &TempDir) {
    let file = dir.path().join("exemptions.db");
    fs::create_dir(&file).unwrap();
    let opened = sqlite::open(dir.path());
    let mut store = opened.store;
    assert!(!opened.remarks.is_empty());
    assert!(store.not_removed().is_err());
    assert!(store.revision().is_err());
    assert!(store.earlier(0, "key", now()).is_err());
    assert!(store.reader().is_err());
    assert!(store.commit(&of([add(record(1))])).is_err());
    assert!(sqlite::open_read_only(dir.path()).is_err());
    fs::remove_dir(&file).unwrap();
    add_each(&mut store, 1..=1);
    assert_eq!(customers(&store), named([1]));
}

/// A store that cannot be read when it is opened; the result repairs it.
fn open_broken(dir: &Path) -> (SqliteStore, impl FnOnce() + use<>) {
    add_each(&mut open(dir), 1..=2);
    let (file, aside) = (dir.join("exemptions.db"), dir.join("aside"));
    fs::rename(&file, &aside).unwrap();
    fs::create_dir(&file).unwrap();
    let mut store = sqlite::open(dir).store;
    assert!(store.commit(&of([add(record(3))])).is_err());
    assert!(store.not_removed().is_err());
    (store, move || {
        fs::remove_dir(&file).unwrap();
        fs::rename(&aside, &file).unwrap();
    })
}

#[test]
fn a_store_that_can_be_read_again_is_read_while_it_is_looked_after() {
    let dir = tempdir().unwrap();
    let (mut store, put_right) = open_broken(dir.path());
    let after = |seconds| now() + SignedDuration::from_secs(seconds);
    assert!(store.maintain(after(0)).is_err());
    put_right();
    store.maintain(after(9)).unwrap();
    assert!(store.not_removed().is_err());
    store.maintain(after(10)).unwrap();
    assert_eq!(customers(&store), named(1..=2));
    assert_eq!(customers(&store.reader().unwrap()), named(1..=2));
}

#[test]
fn a_store_that_can_be_read_again_answers_who_asks_for_an_earlier_request() {
    let dir = tempdir().unwrap();
    let (mut store, put_right) = open_broken(dir.path());
    assert!(store.earlier(0, "key", now()).is_err());
    put_right();
    assert_eq!(store.earlier(0, "key", now()).unwrap(), None);
    assert_eq!(store.write_error(), None);
    assert_eq!(customers(&store), named(1..=2));
}

#[test]
fn readers_in_other_threads_see_whole_commits_while_the_store_writes() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 0..1);
    thread::scope(|scope| {
        for _ in 0..3 {
            let reader = store.reader().unwrap();
            scope.spawn(move || {
                let mut seen = 1;
                while seen < 301 {
                    let now = reader.not_removed().unwrap().len();
                    assert!(now >= seen && now % 3 == 1, "{now} after {seen}");
                    seen = now;
                }
            });
        }
        for first in (1..=300).step_by(3) {
            let changes: Vec<_> = (first..first + 3).map(|number| add(record(number))).collect();
            store.commit(&of(changes)).unwrap();
        }
    });
}

#[test]
fn a_reader_without_a_daemon_reads_and_leaves_nothing_behind() {
    let dir = tempdir().unwrap();
    let state = dir.path().join("100% ?mode=rw#");
    assert!(sqlite::open_read_only(&state).unwrap().is_none());
    assert!(!state.exists());
    let mut store = open(&state);
    assert_eq!(
        customers(&sqlite::open_read_only(&state).unwrap().unwrap()),
        [""; 0]
    );
    add_each(&mut store, 1..=3);
    let beside = sqlite::open_read_only(&state).unwrap().unwrap();
    assert_eq!(customers(&beside), named(1..=3));
    add_each(&mut store, 4..=4);
    assert_eq!(customers(&beside), named(1..=4));
    drop((store, beside));
    drop(open(&state));
    let before = names(&state);
    let reader = sqlite::open_read_only(&state).unwrap().unwrap();
    assert_eq!(customers(&reader), named(1..=4));
    assert_eq!(reader.revision().unwrap(), 4);
    assert_eq!(names(&state), before);
}

#[test]
fn a_reader_sees_what_a_killed_daemon_has_only_put_into_its_log() {
    let dir = tempdir().unwrap();
    let killed = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    for name in ["exemptions.db", "exemptions.db-wal"] {
        fs::copy(dir.path().join(name), killed.path().join(name)).unwrap();
    }
    let reader = sqlite::open_read_only(killed.path()).unwrap().unwrap();
    assert_eq!(customers(&reader), named(1..=3));
    assert_eq!(customers(&open(killed.path())), named(1..=3));
}
