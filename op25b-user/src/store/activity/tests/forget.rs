//! What is forgotten, and what is kept for less long than buckets are.

use std::{fs, path::Path};

use ipnet::IpNet;
use tempfile::tempdir;

use super::{
    super::{Counted, Forget, Kind, Which},
    ActivityStore, BucketQuery, all, at, begun, counted, net, reading, row, shown, until,
};

/// Whether bytes are in any file of a directory.
fn has_bytes(dir: &Path, bytes: &[u8]) -> bool {
    fs::read_dir(dir).unwrap().any(|entry| {
        let content = fs::read(entry.unwrap().path()).unwrap();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

fn forget(store: &mut ActivityStore, prefix: &str, which: Which) -> u64 {
    let within = net(prefix);
    let deleted = store.forget(&[Forget { within, which }]).unwrap();
    assert!(!deleted.is_in_log);
    deleted.rows
}

/// Forgets what the records of subscribers in a prefix had counted.
fn prune(store: &mut ActivityStore, prefix: &str) -> u64 {
    let is_in = |(subscriber, began): &(IpNet, u32)| *began == 8 && net(prefix).contains(subscriber);
    store
        .prune(|known| Some(known.iter().map(is_in).collect()))
        .unwrap()
}

#[test]
fn no_byte_is_left_of_a_subscriber_that_was_forgotten() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    for start in [0, 600] {
        let count = 1 + u32::try_from(start).unwrap();
        let readings = ["203.0.113.77/32", "2001:db8:7777:7700::/56", "203.0.113.78/32"]
            .map(|subscriber| reading(subscriber, start, count));
        store.write(&readings, until(1)).unwrap();
    }
    let v6 = [0x20, 0x01, 0x0d, 0xb8, 0x77, 0x77, 0x77];
    assert!(has_bytes(dir.path(), &[203, 0, 113, 77]) && has_bytes(dir.path(), &v6));
    for prefix in ["203.0.113.77/32", "2001:db8:7777::/48"] {
        assert_eq!(forget(&mut store, prefix, Which::Before(at(600))), 1);
        assert_eq!(prune(&mut store, "192.0.2.0/24"), 0);
        assert_eq!(forget(&mut store, prefix, Which::All), 1);
        assert_eq!(prune(&mut store, prefix), 1);
    }
    assert!(!has_bytes(dir.path(), &[203, 0, 113, 77]) && !has_bytes(dir.path(), &v6));
    assert_eq!(
        shown(dir.path(), &BucketQuery::default()),
        [row("203.0.113.78/32", 0, 1), row("203.0.113.78/32", 600, 600)]
    );
}

#[test]
fn no_byte_is_left_however_often_pages_were_split_and_merged() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let mut random = fastrand::Rng::with_seed(7);
    let addresses: Vec<[u8; 4]> = (0xcb71_0000_u32..).take(3000).map(u32::to_be_bytes).collect();
    for round in 0..6_i64 {
        let mut some = addresses.clone();
        random.shuffle(&mut some);
        let count = 1 + u32::try_from(round).unwrap();
        for part in some[..2000].chunks(700) {
            let readings: Vec<_> = part
                .iter()
                .map(|[a, b, c, d]| reading(&format!("{a}.{b}.{c}.{d}/32"), round * 600, count))
                .collect();
            store.write(&readings, until(1)).unwrap();
        }
    }
    for [a, b, c, d] in addresses.iter().step_by(37).copied() {
        let prefix = format!("{a}.{b}.{c}.{d}/32");
        forget(&mut store, &prefix, Which::All);
        prune(&mut store, &prefix);
        assert!(!has_bytes(dir.path(), &[a, b, c, d]), "{prefix}");
    }
}

#[test]
fn what_was_done_during_a_time_is_forgotten_and_nothing_before_and_after_it() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    for start in [0, 600, 1200, 1800] {
        let count = 1 + u32::try_from(start).unwrap();
        // Packets come in the second minute.
        let readings =
            ["203.0.113.77/32", "203.0.113.78/32"].map(|subscriber| reading(subscriber, start, count));
        store.write(&readings, until(1)).unwrap();
    }
    let during = Which::During(at(720), Some(at(1259)));
    assert_eq!(forget(&mut store, "203.0.113.77/32", during), 1);
    assert_eq!(
        forget(&mut store, "203.0.113.77/32", Which::During(at(1921), None)),
        0
    );
    assert_eq!(
        forget(&mut store, "203.0.113.77/32", Which::During(at(1920), None)),
        1
    );
    let left: Vec<_> = shown(dir.path(), &BucketQuery::default())
        .into_iter()
        .filter(|(subscriber, ..)| subscriber == "203.0.113.77/32")
        .map(|(_, start, _)| start)
        .collect();
    assert_eq!(left, [0, 1200]);
    assert_eq!(store.kept().unwrap().rows, 6);
}

#[test]
fn a_baseline_goes_with_its_record_and_stays_if_the_kernel_cannot_be_asked() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let many = ["203.0.113.77/32", "203.0.113.78/32"].map(|subscriber| reading(subscriber, 0, 5));
    store.write(&many, until(1)).unwrap();
    assert_eq!(store.prune(|_| None).unwrap(), 0);
    assert_eq!(prune(&mut store, "203.0.113.77/32"), 1);
    // Of the one that is gone another record counts, of the other one the difference.
    let again = [("203.0.113.77/32", 3), ("203.0.113.78/32", 7)];
    let again = again.map(|(subscriber, count)| reading(subscriber, 600, count));
    store.write(&again, until(1)).unwrap();
    assert_eq!(
        shown(dir.path(), &BucketQuery::default())[2..],
        [row("203.0.113.77/32", 600, 3), row("203.0.113.78/32", 600, 2)]
    );
}

#[test]
fn what_was_monitored_ends_before_what_was_blocked_also_in_a_bucket_that_is_written_late() {
    let dir = tempdir().unwrap();
    let mut store = begun(dir.path());
    let mixed = |subscriber: &str, start, blocked, monitored| {
        let counted = Counted {
            monitored_syns: monitored,
            ..counted(blocked)
        };
        super::Reading {
            counted,
            ..reading(subscriber, start, 0)
        }
    };
    let first = [
        mixed("203.0.113.1/32", 600, 5, 5),
        mixed("203.0.113.2/32", 600, 0, 5),
        mixed("203.0.113.3/32", 600, 5, 0),
    ];
    store.write(&first, until(1)).unwrap();
    store
        .write(&[mixed("203.0.113.1/32", 1200, 6, 6)], until(1))
        .unwrap();
    // The last packets came 120 s after the start of the bucket.
    assert_eq!(store.expire(Kind::Monitored, at(720)).unwrap(), 0);
    assert_eq!(store.expire(Kind::Monitored, at(721)).unwrap(), 2);
    let monitored = || -> Vec<_> {
        let buckets = all(dir.path(), &BucketQuery::default()).into_iter();
        buckets
            .map(|bucket| {
                (
                    bucket.subscriber.to_string(),
                    bucket.blocked_syns,
                    bucket.monitored_syns,
                )
            })
            .collect()
    };
    let one = |address: &str, blocked, monitored| (format!("203.0.113.{address}/32"), blocked, monitored);
    assert_eq!(monitored(), [one("1", 5, 0), one("3", 5, 0), one("1", 1, 1)]);
    assert_eq!(store.kept().unwrap().rows, 3);

    store
        .write(&[mixed("203.0.113.9/32", 0, 1, 1)], until(1))
        .unwrap();
    assert_eq!(store.expire(Kind::Monitored, at(721)).unwrap(), 1);
    assert_eq!(monitored()[0], one("9", 1, 0));
    // The other kind is looked for from the beginning.
    assert_eq!(store.expire(Kind::Blocked, at(721)).unwrap(), 3);
    assert_eq!(monitored(), [one("1", 1, 1)]);
}
