//! The history as it is written and read.

mod forget;

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use ipnet::IpNet;
use jiff::Timestamp;
use tempfile::tempdir;

use super::{ActivityReader, ActivityStore, Begun, Bucket, BucketQuery, Counted, ReadUntil, Reading};
use crate::store::StoreError;

const BOOT: &str = "2c0f8f42-3f0c-4b0c-9d2e-1f3f5a1b7c11";
const MINUTES: i64 = 60;
/// No limit.
const LARGE: u64 = 1 << 40;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

/// That the kernel was read up to a second of the boot.
fn until(noted: u32) -> ReadUntil {
    ReadUntil {
        noted,
        at: at(noted.into()),
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A record that began in second 7 of the boot.
fn counted(blocked_syns: u32) -> Counted {
    Counted {
        first_seen: 8,
        blocked_syns,
        ..Counted::default()
    }
}

/// What was read of a subscriber whose packets came in the second minute of a bucket.
fn reading(subscriber: &str, start: i64, blocked_syns: u32) -> Reading {
    Reading {
        subscriber: net(subscriber),
        start: at(start),
        first: at(start + MINUTES),
        last: at(start + 2 * MINUTES),
        counted: counted(blocked_syns),
        destinations: 1,
    }
}

fn open(dir: &Path) -> ActivityStore {
    let opened = ActivityStore::open(dir, BOOT).unwrap();
    assert_eq!(opened.lost, None);
    opened.store
}

/// A history without a record before it.
fn begun(dir: &Path) -> ActivityStore {
    let mut store = open(dir);
    assert_eq!(store.begun().unwrap(), Begun::No);
    store.begin(until(1)).unwrap();
    store
}

fn all(dir: &Path, query: &BucketQuery) -> Vec<Bucket> {
    let mut buckets = Vec::new();
    let reader = ActivityReader::open(dir).unwrap().unwrap();
    reader.each(query, |bucket| buckets.push(bucket)).unwrap();
    buckets
}

/// Each bucket as its subscriber, the seconds of its start, and its blocked SYNs.
fn shown(dir: &Path, query: &BucketQuery) -> Vec<(String, i64, u32)> {
    let show = |bucket: Bucket| {
        let start = bucket.start.as_second() - at(0).as_second();
        (bucket.subscriber.to_string(), start, bucket.blocked_syns)
    };
    all(dir, query).into_iter().map(show).collect()
}

fn row(subscriber: &str, start: i64, blocked_syns: u32) -> (String, i64, u32) {
    (subscriber.to_owned(), start, blocked_syns)
}

#[test]
fn a_bucket_has_what_was_counted_since_the_one_before() {
    let dir = tempdir().unwrap();
    assert!(ActivityReader::open(dir.path()).unwrap().is_none());
    let mut store = open(dir.path());
    store.learn(&[(net("10.0.0.9/32"), counted(1000))]).unwrap();
    store.begin(until(1)).unwrap();
    // The last one had no packet since.
    let first = [("10.0.0.9/32", 1003), ("10.0.0.1/32", 2), ("10.0.0.2/32", 0)];
    let first = first.map(|(subscriber, count)| reading(subscriber, 0, count));
    store.write(&first, until(600)).unwrap();
    store
        .write(&[reading("10.0.0.1/32", 600, 7)], until(1200))
        .unwrap();
    assert_eq!(
        shown(dir.path(), &BucketQuery::default()),
        [
            row("10.0.0.1/32", 0, 2),
            row("10.0.0.9/32", 0, 3),
            row("10.0.0.1/32", 600, 5)
        ]
    );
    let first = all(dir.path(), &BucketQuery::default()).remove(0);
    assert_eq!((first.first, first.last), (at(MINUTES), at(2 * MINUTES)));
    for suffix in ["", "-wal"] {
        let path = dir.path().join(format!("activity.db{suffix}"));
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

#[test]
fn every_counter_and_the_sketch_of_a_bucket_are_kept_and_a_restart_in_it_adds_to_them() {
    let dir = tempdir().unwrap();
    let of = |factor: u32| Counted {
        first_seen: 8,
        blocked_syns: factor,
        blocked_others: 2 * factor,
        monitored_syns: 3 * factor,
        monitored_others: 4 * factor,
        hidden: 5 * factor,
    };
    let mut reading = Reading {
        counted: of(10),
        destinations: 1 << 63 | 1,
        ..reading("2001:db8:0:100::/56", 0, 0)
    };
    begun(dir.path()).write(&[reading], until(300)).unwrap();
    reading = Reading {
        counted: of(11),
        destinations: 2,
        first: at(30),
        last: at(599),
        ..reading
    };
    let mut store = open(dir.path());
    assert_eq!(store.begun().unwrap(), Begun::Yes { read_until: 300 });
    store.write(&[reading], until(600)).unwrap();
    let bucket = Bucket {
        subscriber: net("2001:db8:0:100::/56"),
        start: at(0),
        first: at(30),
        last: at(599),
        blocked_syns: 11,
        blocked_others: 22,
        monitored_syns: 33,
        monitored_others: 44,
        hidden: 55,
        destinations: 1 << 63 | 3,
    };
    assert_eq!(all(dir.path(), &BucketQuery::default()), [bucket]);
    assert_eq!(store.kept().unwrap().rows, 1);
}

#[test]
fn parts_of_a_bucket_that_was_cut_have_each_what_was_counted_in_them() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let (first, second) = (reading("10.0.0.1/32", 0, 2), reading("10.0.0.1/32", 240, 7));
    store
        .write(&[first, second, reading("10.0.0.2/32", 0, 1)], until(600))
        .unwrap();
    assert_eq!(
        shown(dir.path(), &BucketQuery::default()),
        [
            row("10.0.0.1/32", 0, 2),
            row("10.0.0.2/32", 0, 1),
            row("10.0.0.1/32", 240, 5)
        ]
    );
}

#[test]
fn after_a_reboot_records_begin_anew_and_what_is_written_stays() {
    let dir = tempdir().unwrap();
    begun(dir.path())
        .write(&[reading("10.0.0.1/32", 0, 5)], until(600))
        .unwrap();
    let mut store = ActivityStore::open(dir.path(), "another boot").unwrap().store;
    assert_eq!(store.begun().unwrap(), Begun::InAnotherBoot);
    store.pause().unwrap();
    store.begin(until(1)).unwrap();
    store
        .write(&[reading("10.0.0.1/32", 900, 9)], until(1200))
        .unwrap();
    assert_eq!(
        shown(dir.path(), &BucketQuery::default()),
        [row("10.0.0.1/32", 0, 5), row("10.0.0.1/32", 900, 9)]
    );
    // Off, and on again: what was counted meanwhile is not recorded.
    store.pause().unwrap();
    assert_eq!(store.begun().unwrap(), Begun::No);
}

#[test]
fn buckets_are_found_by_time_and_by_subscriber() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let subscribers = [
        "10.0.0.1/32",
        "10.0.0.2/32",
        "2001:db8:0:100::/56",
        "2001:db8:0:200::/56",
    ];
    for start in [0, 600, 1200] {
        let readings =
            subscribers.map(|subscriber| reading(subscriber, start, 1 + u32::try_from(start).unwrap()));
        store.write(&readings, until(1)).unwrap();
    }
    let starts = |query: &BucketQuery| {
        let mut starts: Vec<_> = shown(dir.path(), query)
            .iter()
            .map(|(_, start, _)| *start)
            .collect();
        starts.dedup();
        starts
    };
    let time = |since: Option<i64>, until: Option<i64>| BucketQuery {
        since: since.map(at),
        until: until.map(at),
        ..BucketQuery::default()
    };
    // The packets of each came from the first to the second minute of it.
    assert_eq!(starts(&time(Some(720), None)), [600, 1200]);
    assert_eq!(starts(&time(Some(721), None)), [1200]);
    assert_eq!(starts(&time(None, Some(660))), [0]);
    assert_eq!(starts(&time(Some(1), Some(661))), [0, 600]);
    let found = |within: &[&str]| {
        let query = BucketQuery {
            within: within.iter().map(|text| net(text)).collect(),
            until: Some(at(600)),
            ..BucketQuery::default()
        };
        let found = shown(dir.path(), &query);
        found
            .into_iter()
            .map(|(subscriber, ..)| subscriber)
            .collect::<Vec<_>>()
    };
    assert_eq!(found(&["10.0.0.2/32"]), ["10.0.0.2/32"]);
    // One address of a subscriber's prefix, and twice the same.
    assert_eq!(
        found(&["2001:db8:0:17f::1/128", "10.0.0.0/31", "10.0.0.1/32"]),
        ["10.0.0.1/32", "2001:db8:0:100::/56"]
    );
    assert_eq!(found(&["0.0.0.0/0", "::/0"]), subscribers);
    assert_eq!(found(&["192.0.2.0/24", "2001:db8:1::/48"]), [""; 0]);
    // More than are looked up one by one.
    let many: Vec<_> = (0..100).map(|third| format!("10.{third}.0.1/32")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    assert_eq!(found(&many), ["10.0.0.1/32"]);
}

#[test]
fn the_oldest_buckets_are_removed_by_age_and_then_by_size_and_the_file_shrinks() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let addresses: Vec<_> = (0..1000)
        .map(|low: u16| format!("10.0.{}.{}/32", low >> 8, low & 255))
        .collect();
    for start in [0, 600, 1200, 1800] {
        let readings: Vec<_> = addresses
            .iter()
            .map(|address| reading(address, start, 1 + u32::try_from(start).unwrap()))
            .collect();
        store.write(&readings, until(1)).unwrap();
    }
    let size = store.kept().unwrap().size;
    let starts = || {
        let kept = store_of(dir.path());
        (kept.oldest, kept.newest, kept.rows)
    };
    // The last packets of the first bucket came at 120 s.
    assert_eq!(store.keep(at(120), LARGE).unwrap().old, 0);
    let removed = store.keep(at(121), LARGE).unwrap();
    assert_eq!((removed.old, removed.without_room), (1000, 0));
    assert_eq!(starts(), (Some(at(600)), Some(at(1800)), 3000));
    let removed = store.keep(at(121), size / 2).unwrap();
    assert_eq!((removed.old, removed.without_room), (0, 2000));
    assert_eq!(starts(), (Some(at(1800)), Some(at(1800)), 1000));
    assert!(store.kept().unwrap().size <= size / 2);
    assert_eq!(shown(dir.path(), &BucketQuery::default()).len(), 1000);
}

fn store_of(dir: &Path) -> super::Kept {
    ActivityStore::open(dir, BOOT).unwrap().store.kept().unwrap()
}

#[test]
fn a_history_that_is_damaged_is_thrown_away_and_another_one_begins() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    store.write(&[reading("10.0.0.1/32", 0, 5)], until(600)).unwrap();
    drop(store);
    let file = dir.path().join("activity.db");
    let mut bytes = fs::read(&file).unwrap();
    bytes[..64].fill(0xa5);
    fs::write(&file, bytes).unwrap();
    assert!(matches!(
        ActivityReader::open(dir.path()),
        Err(StoreError::Damaged { .. })
    ));
    let opened = ActivityStore::open(dir.path(), BOOT).unwrap();
    let lost = opened.lost.unwrap().to_string();
    assert!(
        lost.starts_with("the history of activity ") && lost.contains("activity.db is damaged"),
        "{lost}"
    );
    assert_eq!(opened.store.begun().unwrap(), Begun::No);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        3,
        "no copy of it is kept"
    );
    let mut store = opened.store;
    store.begin(until(1)).unwrap();
    store
        .write(&[reading("10.0.0.1/32", 600, 7)], until(1200))
        .unwrap();
    assert_eq!(
        shown(dir.path(), &BucketQuery::default()),
        [row("10.0.0.1/32", 600, 7)]
    );
}

#[test]
fn a_history_that_is_not_written_any_more_is_read_without_a_file_beside_it() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    store.write(&[reading("10.0.0.1/32", 0, 5)], until(600)).unwrap();
    drop(store);
    let files = || fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files(), 1);
    assert_eq!(shown(dir.path(), &BucketQuery::default()).len(), 1);
    assert_eq!(files(), 1);
}
