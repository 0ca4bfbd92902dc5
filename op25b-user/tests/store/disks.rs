//! Disks that are full or cannot be written to: the store is read all the same, and written as soon as that is possible.
//!
//! They are mounted in a namespace of the test's own thread, which ends with it.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use jiff::{SignedDuration, Timestamp};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    unistd::{Uid, setfsuid},
};
use op25b::store::{Records as _, Store as _, StoreError, sqlite};
use tempfile::{TempDir, tempdir};

use crate::{
    add, add_each, customers,
    damage::{garbage, half_backed_up},
    is_full, is_read_only, named, of, open, record,
};

const NOTHING: Option<&str> = None;

fn unshare_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).expect("this takes root");
    mount(
        NOTHING,
        "/",
        NOTHING,
        MsFlags::MS_REC | MsFlags::MS_PRIVATE,
        NOTHING,
    )
    .unwrap();
}

/// A directory that something is mounted on, until it is dropped.
struct Mounted(TempDir);

impl Mounted {
    /// A small disk.
    fn tiny(options: &str) -> Self {
        unshare_mounts();
        let dir = tempdir().unwrap();
        let nothing = MsFlags::empty();
        mount(Some("tmpfs"), dir.path(), Some("tmpfs"), nothing, Some(options)).unwrap();
        Self(dir)
    }

    /// The directory itself, so that it can be made read-only.
    fn bind(dir: TempDir) -> Self {
        unshare_mounts();
        mount(Some(dir.path()), dir.path(), NOTHING, MsFlags::MS_BIND, NOTHING).unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = umount2(self.path(), MntFlags::MNT_DETACH);
    }
}

fn fill(dir: &Path) {
    let mut room = 1 << 20;
    let mut file = fs::File::create(dir.join("filler")).unwrap();
    while room > 0 {
        if std::io::Write::write_all(&mut file, &vec![1; room]).is_err() {
            room /= 2;
        }
    }
}

fn make_room(dir: &Path) {
    fs::remove_file(dir.join("filler")).unwrap();
}

fn set_read_only(dir: &Path, read_only: bool) {
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT;
    flags.set(MsFlags::MS_RDONLY, read_only);
    mount(NOTHING, dir, NOTHING, flags, NOTHING).unwrap();
}

#[test]
fn a_disk_that_fills_up_refuses_whole_commits_and_takes_them_when_there_is_room() {
    let dir = Mounted::tiny("size=2m");
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    fill(dir.path());
    let many = || (100..400).map(|number| add(record(number))).collect::<Vec<_>>();
    let mut last = 3;
    for number in 4..1000 {
        match store.commit(&of([add(record(number))])) {
            Ok(_) => last = number,
            refused => {
                assert!(is_full(&refused), "{refused:?}");
                break;
            }
        }
    }
    assert!(last < 99);
    for _ in 0..3 {
        let refused = store.commit(&of(many()));
        assert!(is_full(&refused), "{refused:?}");
        assert_eq!(customers(&store), named(1..=last));
        assert_eq!(store.revision().unwrap(), u64::from(last));
    }
    make_room(dir.path());
    assert_eq!(store.commit(&of(many())).unwrap(), u64::from(last) + 300);
    drop(store);
    assert_eq!(
        customers(&open(dir.path())).len(),
        usize::try_from(last).unwrap() + 300
    );
}

#[test]
fn a_store_on_a_full_disk_opens_and_is_read() {
    for options in ["size=2m", "size=2m,nr_inodes=5"] {
        let dir = Mounted::tiny(options);
        add_each(&mut open(dir.path()), 1..=3);
        fill(dir.path());
        let mut more = 0;
        while options.contains("inodes") && fs::File::create(dir.path().join(format!("more{more}"))).is_ok() {
            more += 1;
        }
        let mut store = sqlite::open(dir.path()).store;
        assert_eq!(customers(&store), named(1..=3));
        assert_eq!(customers(&store.reader().unwrap()), named(1..=3));
        let refused = store.commit(&of([add(record(4))]));
        assert!(is_full(&refused), "{options}: {refused:?}");
        make_room(dir.path());
        for index in 0..more {
            fs::remove_file(dir.path().join(format!("more{index}"))).unwrap();
        }
        add_each(&mut store, 4..=4);
        assert_eq!(customers(&store), named(1..=4));
        assert_eq!(store.write_error(), None);
    }
}

#[test]
fn a_full_disk_without_a_store_is_an_empty_store_until_there_is_room() {
    let dir = Mounted::tiny("size=1m");
    fill(dir.path());
    let opened = sqlite::open(dir.path());
    let mut store = opened.store;
    assert!(
        opened.remarks[0].starts_with("no space left for the exemption store"),
        "{:?}",
        opened.remarks
    );
    assert_eq!(customers(&store), [""; 0]);
    let refused = store.commit(&of([add(record(1))]));
    assert!(is_full(&refused), "{refused:?}");
    make_room(dir.path());
    add_each(&mut store, 1..=2);
    assert_eq!(customers(&store), named(1..=2));
}

#[test]
fn no_room_for_a_backup_is_reported_and_does_no_harm() {
    let dir = Mounted::tiny("size=1m");
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    fill(dir.path());
    let later = |hours| Timestamp::now() + SignedDuration::from_hours(hours);
    let error = store.backup_if_due(later(2)).unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert_eq!(customers(&store), named(1..=3));
    make_room(dir.path());
    add_each(&mut store, 4..=4);
    store.backup_if_due(later(4)).unwrap();
    assert!(dir.path().join("exemptions.db.backup").exists());
}

#[test]
fn on_a_read_only_disk_also_what_only_the_log_has_is_read() {
    for beside in [
        &[][..],
        &["exemptions.db-wal"],
        &["exemptions.db-wal", "exemptions.db-shm"],
    ] {
        let running = tempdir().unwrap();
        let dir = tempdir().unwrap();
        let mut store = open(running.path());
        add_each(&mut store, 1..=5);
        let mut expected = 5;
        if beside.is_empty() {
            drop(store);
        } else {
            assert!(running.path().join("exemptions.db-wal").exists());
            add_each(&mut store, 6..=7);
            expected = 7;
        }
        for name in ["exemptions.db"].iter().chain(beside) {
            fs::copy(running.path().join(name), dir.path().join(name)).unwrap();
        }
        let dir = Mounted::bind(dir);
        set_read_only(dir.path(), true);
        let opened = sqlite::open(dir.path());
        let mut store = opened.store;
        assert!(
            opened.remarks[0].starts_with("cannot write the exemption store "),
            "{:?}",
            opened.remarks
        );
        assert_eq!(customers(&store), named(1..=expected));
        assert_eq!(customers(&store.reader().unwrap()), named(1..=expected));
        let by_command = sqlite::open_read_only(dir.path()).unwrap().unwrap();
        assert_eq!(customers(&by_command), named(1..=expected));
        let refused = store.commit(&of([add(record(8))]));
        assert!(is_read_only(&refused), "{refused:?}");
        drop(by_command);
        set_read_only(dir.path(), false);
        add_each(&mut store, [8]);
        assert_eq!(customers(&store), named((1..=expected).chain([8])));
        drop(store);
        assert_eq!(customers(&open(dir.path())), named((1..=expected).chain([8])));
    }
}

#[test]
fn a_disk_that_becomes_read_only_refuses_commits_until_it_no_longer_is() {
    let dir = tempdir().unwrap();
    let dir = Mounted::bind(dir);
    add_each(&mut open(dir.path()), 1..=2);
    set_read_only(dir.path(), true);
    let mut store = sqlite::open(dir.path()).store;
    for _ in 0..2 {
        assert!(is_read_only(&store.commit(&of([add(record(3))]))));
        assert_eq!(customers(&store), named(1..=2));
    }
    set_read_only(dir.path(), false);
    store.reopen().unwrap();
    assert_eq!(store.write_error(), None);
    add_each(&mut store, 3..=3);
}

#[test]
fn a_damaged_store_on_a_read_only_disk_is_restored_in_memory_and_later_in_place() {
    let dir = half_backed_up();
    garbage(&dir.path().join("exemptions.db"));
    let dir = Mounted::bind(dir);
    set_read_only(dir.path(), true);
    let opened = sqlite::open(dir.path());
    let mut store = opened.store;
    let remarks = opened.remarks.join("\n");
    assert!(remarks.contains("60 exemptions were restored from "), "{remarks}");
    assert_eq!(customers(&store), named(1..=60));
    assert_eq!(customers(&store.reader().unwrap()), named(1..=60));
    assert!(store.commit(&of([add(record(61))])).is_err());
    assert_eq!(customers(&store), named(1..=60));
    set_read_only(dir.path(), false);
    add_each(&mut store, 61..=61);
    drop(store);
    assert_eq!(customers(&open(dir.path())), named(1..=61));
}

/// Fills a disk but for so many bytes.
fn leave(dir: &Path, bytes: usize) {
    fs::write(dir.join("room"), vec![1; bytes]).unwrap();
    fill(dir);
    fs::remove_file(dir.join("room")).unwrap();
}

#[test]
fn wherever_the_space_ends_while_a_store_is_put_back_nothing_is_lost() {
    let mut refused = 0;
    for pages in (0..100).step_by(3) {
        let dir = Mounted::tiny("size=4m");
        let mut store = open(dir.path());
        add_each(&mut store, 1..=20);
        store.maintain(Timestamp::now()).unwrap();
        for name in ["exemptions.db", "exemptions.db-wal", "exemptions.db-shm"] {
            fs::remove_file(dir.path().join(name)).unwrap();
        }
        leave(dir.path(), pages * 4096);
        let commit = store.commit(&of([add(record(21))]));
        refused += usize::from(is_full(&commit));
        let mut expected = 20 + u32::from(commit.is_ok());
        assert_eq!(customers(&store), named(1..=expected), "{pages}: {commit:?}");
        make_room(dir.path());
        store.maintain(Timestamp::now()).unwrap();
        if commit.is_err() {
            add_each(&mut store, 21..=21);
            expected = 21;
        }
        assert_eq!(customers(&store), named(1..=expected), "{pages}");
        drop(store);
        let opened = sqlite::open(dir.path());
        assert_eq!(customers(&opened.store), named(1..=expected), "{pages}");
    }
    assert!((3..30).contains(&refused), "{refused}");
}

#[test]
fn wherever_the_space_ends_while_an_older_store_is_merged_nothing_is_lost() {
    for pages in (0..100).step_by(6) {
        let dir = Mounted::tiny("size=4m");
        let mut store = open(dir.path());
        add_each(&mut store, 1..=10);
        store.maintain(Timestamp::now()).unwrap();
        fs::copy(dir.path().join("exemptions.db"), dir.path().join("old")).unwrap();
        add_each(&mut store, 11..=20);
        store
            .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
            .unwrap();
        drop(store);
        fs::rename(dir.path().join("old"), dir.path().join("exemptions.db")).unwrap();
        leave(dir.path(), pages * 4096);
        // What cannot be written is read.
        let store = sqlite::open(dir.path()).store;
        assert_eq!(customers(&store), named(1..=20), "{pages}");
        drop(store);
        make_room(dir.path());
        let mut store = sqlite::open(dir.path()).store;
        assert_eq!(customers(&store), named(1..=20), "{pages}");
        add_each(&mut store, 21..=21);
    }
}

/// Root may do everything; a thread need not.
fn as_nobody<T>(action: impl FnOnce() -> T) -> T {
    let before = setfsuid(Uid::from_raw(65534));
    let done = action();
    setfsuid(before);
    done
}

#[test]
fn a_store_that_may_not_be_written_is_read_and_one_that_may_not_be_read_is_an_error() {
    let dir = tempdir().unwrap();
    let file = dir.path().join("exemptions.db");
    add_each(&mut open(dir.path()), 1..=2);
    let set_mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set_mode(dir.path(), 0o755);
    set_mode(&file, 0o644);
    let mut store = as_nobody(|| sqlite::open(dir.path()).store);
    assert_eq!(customers(&store), named(1..=2));
    let refused = as_nobody(|| store.commit(&of([add(record(3))])));
    assert!(is_read_only(&refused), "{refused:?}");

    for (dir_mode, file_mode) in [(0o755, 0o600), (0o700, 0o600)] {
        set_mode(dir.path(), dir_mode);
        set_mode(&file, file_mode);
        let opened = as_nobody(|| sqlite::open(dir.path()));
        assert!(!opened.remarks.is_empty());
        let mut store = opened.store;
        assert!(is_read_only(&store.not_removed()), "{:?}", store.not_removed());
        assert!(is_read_only(&as_nobody(|| store.commit(&of([add(record(3))])))));
        assert!(as_nobody(|| sqlite::open_read_only(dir.path())).is_err());
        store.reopen().unwrap();
        assert_eq!(customers(&store), named(1..=2));
    }
}
