//! The open bucket over a simulated record of the kernel.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::SignedDuration;
use op25b_common::values::Subscriber;

use super::{bucket::OpenBucket, times::Times};
use crate::store::activity::{ActivityReader, ActivityStore, BucketQuery, Reading};

const LENGTH: SignedDuration = SignedDuration::from_mins(10);
/// The Unix time of the boot: a bucket begins then.
const BOOT: i64 = 1_794_999_600;

/// The clocks so many seconds after the boot.
fn at(seconds: i64) -> Times {
    Times::at(seconds * 1_000_000_000, BOOT * 1_000_000_000)
}

/// The kernel's records, counting as the program does.
#[derive(Default)]
struct Kernel {
    records: BTreeMap<IpNet, Subscriber>,
    begin: u32,
}

impl Kernel {
    /// A blocked SYN of a subscriber to a destination, which is a bit of the sketch.
    fn syn(&mut self, subscriber: IpNet, second: i64, destination: u32) {
        let now = at(second).noted();
        let record = self.records.entry(subscriber).or_default();
        if record.cold.first_seen == 0 {
            record.cold.first_seen = now;
        }
        if record.hot.last_seen < self.begin {
            record.hot.destinations = 0;
        }
        record.hot.last_seen = now;
        record.hot.blocked_syns += 1;
        record.hot.destinations |= 1 << destination;
    }

    /// Reads the records that had packets since a time; returns the time of the next reading.
    fn read(&self, open: &mut OpenBucket, since: u32, second: i64) -> u32 {
        for (subscriber, record) in &self.records {
            if record.hot.last_seen >= since {
                open.note(*subscriber, record, since);
            }
        }
        at(second).noted()
    }
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

/// A reading as the seconds after the boot of its start, its first and its last packet, its count and its sketch.
fn shown(reading: &Reading) -> (i64, i64, i64, u32, u64) {
    let seconds = |at: jiff::Timestamp| at.as_second() - BOOT;
    (
        seconds(reading.start),
        seconds(reading.first),
        seconds(reading.last),
        reading.counted.blocked_syns,
        reading.destinations,
    )
}

#[test]
fn a_sketch_is_that_of_its_bucket_and_a_packet_of_the_last_second_is_in_one_bucket_alone() {
    let (one, other) = (net("198.51.100.1/32"), net("198.51.100.2/32"));
    let mut kernel = Kernel::default();
    let mut open = OpenBucket::new(BOOT, at(0).noted());
    kernel.syn(one, 10, 1);
    let since = kernel.read(&mut open, 1, 12);
    kernel.syn(one, 599, 2);
    kernel.syn(other, 600, 3);
    // At 600 s the bucket is over; the next one begins with the next second.
    let begin = at(600).noted() + 1;
    kernel.begin = begin;
    let since = kernel.read(&mut open, since, 600);
    kernel.syn(other, 601, 4);
    let since = kernel.read(&mut open, since, 601);
    let mut readings: Vec<_> = open.readings(at(601), LENGTH).iter().map(shown).collect();
    readings.sort_unstable();
    assert_eq!(readings, [(0, 10, 599, 2, 0b110), (0, 600, 601, 2, 0b11000)]);
    open.written(since);
    open.next(BOOT + 600, begin);

    let since = kernel.read(&mut open, since, 605);
    assert!(open.readings(at(605), LENGTH).is_empty(), "no packet came since");
    kernel.syn(one, 610, 5);
    kernel.read(&mut open, since, 615);
    let readings: Vec<_> = open.readings(at(615), LENGTH).iter().map(shown).collect();
    // The record was read at 605 s and 615 s.
    assert_eq!(readings, [(600, 605, 610, 3, 1 << 5)]);
}

#[test]
fn a_cut_ends_the_part_of_one_subscriber_and_what_it_did_before_is_not_in_the_next_one() {
    let (one, other) = (net("198.51.100.1/32"), net("198.51.100.2/32"));
    let mut kernel = Kernel::default();
    let mut open = OpenBucket::new(BOOT, at(0).noted());
    kernel.syn(one, 10, 1);
    kernel.syn(other, 10, 1);
    let since = kernel.read(&mut open, 1, 12);
    kernel.syn(one, 14, 2);
    open.cut(one, kernel.records.get(&one), since, at(15).noted());
    assert_eq!(open.active_in(net("198.51.100.0/24")), [other]);
    let since = kernel.read(&mut open, since, 17);
    kernel.syn(one, 20, 3);
    kernel.read(&mut open, since, 22);
    let mut readings: Vec<_> = open.readings(at(22), LENGTH).iter().map(shown).collect();
    // The parts of one subscriber come in the order of time.
    assert_eq!(readings.remove(0), (0, 10, 14, 2, 0b110));
    readings.sort_unstable();
    assert_eq!(readings, [(0, 10, 10, 1, 0b10), (15, 17, 20, 3, 0b1000)]);
}

#[test]
fn what_was_counted_without_a_daemon_is_in_the_bucket_of_the_last_packet() {
    let one = net("198.51.100.1/32");
    let mut kernel = Kernel::default();
    kernel.syn(one, 700, 1);
    let mut open = OpenBucket::new(BOOT + 1800, at(1800).noted());
    kernel.read(&mut open, at(300).noted(), 1801);
    let readings: Vec<_> = open.readings(at(1801), LENGTH).iter().map(shown).collect();
    assert_eq!(readings, [(600, 700, 700, 1, 0b10)]);
}

/// Readings at random times, buckets that end and cuts: each packet is in exactly one row, and between its first and its last second.
#[test]
fn every_packet_is_counted_once_however_buckets_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = ActivityStore::open(dir.path(), "boot").unwrap().store;
    store.begin(at(0).read_until(1)).unwrap();
    let subscribers: Vec<_> = (1..20)
        .map(|last| net(&format!("198.51.100.{last}/32")))
        .collect();
    let (mut kernel, mut open) = (Kernel::default(), OpenBucket::new(BOOT, 1));
    let (mut since, mut state) = (1, 7_u64);
    let mut random = |below: u64| {
        // A linear congruential generator, of which the upper bits are used.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut sent: BTreeMap<IpNet, Vec<i64>> = BTreeMap::new();
    for second in 1..3000 {
        for _ in 0..random(4) {
            let subscriber = subscribers[usize::try_from(random(19)).unwrap()];
            kernel.syn(subscriber, second, u32::try_from(random(64)).unwrap());
            sent.entry(subscriber).or_default().push(BOOT + second);
        }
        match random(40) {
            0..8 => since = kernel.read(&mut open, since, second),
            8 => {
                let cut = subscribers[usize::try_from(random(19)).unwrap()];
                open.cut(cut, kernel.records.get(&cut), since, at(second).noted());
            }
            9 => {
                since = kernel.read(&mut open, since, second);
                store
                    .write(&open.readings(at(second), LENGTH), at(second).read_until(since))
                    .unwrap();
                open.written(since);
                if random(2) == 0 {
                    kernel.begin = at(second).noted() + 1;
                    open.next(BOOT + second, kernel.begin);
                }
            }
            _ => {}
        }
    }
    kernel.read(&mut open, since, 3000);
    store
        .write(&open.readings(at(3000), LENGTH), at(3000).read_until(since))
        .unwrap();
    let reader = ActivityReader::open(dir.path()).unwrap().unwrap();
    let mut counted: BTreeMap<IpNet, usize> = BTreeMap::new();
    let mut spans: BTreeMap<IpNet, Vec<(i64, i64)>> = BTreeMap::new();
    let note = |bucket: crate::store::activity::Bucket| {
        *counted.entry(bucket.subscriber).or_default() += bucket.blocked_syns as usize;
        let span = (bucket.first.as_second(), bucket.last.as_second());
        spans.entry(bucket.subscriber).or_default().push(span);
    };
    reader.each(&BucketQuery::default(), note).unwrap();
    for (subscriber, times) in sent {
        assert_eq!(counted[&subscriber], times.len(), "{subscriber}");
        for time in times {
            let is_in = |(first, last): &(i64, i64)| (*first..=*last).contains(&time);
            assert!(spans[&subscriber].iter().any(is_in), "{subscriber} {time}");
        }
    }
}
