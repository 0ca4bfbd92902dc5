//! The class of simulated senders, each of which behaves for a week as the real ones do.

use std::collections::BTreeMap;

use fastrand::Rng;
use jiff::{Timestamp, tz::TimeZone};

use super::{super::calendar::Calendar, *};
use crate::store::activity::Bucket;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;
const WEEK: u32 = 7 * DAY;
const BUCKET: u32 = 10 * MINUTE;

/// What the packets of a connection are.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// They are dropped: the system sends the SYN again, as Linux does.
    Dropped,
    /// They are rejected: one SYN.
    Rejected,
    /// They pass: a SYN, and what a message takes.
    Monitored,
}

const FATES: [Fate; 3] = [Fate::Dropped, Fate::Rejected, Fate::Monitored];

/// A subscriber whose packets are counted in buckets, as the kernel and the daemon do.
struct Sender {
    fate: Fate,
    rng: Rng,
    buckets: BTreeMap<u32, Bucket>,
}

impl Sender {
    fn new(fate: Fate, seed: u64) -> Self {
        Self {
            fate,
            rng: Rng::with_seed(seed),
            buckets: BTreeMap::new(),
        }
    }

    /// A connection to a destination in a second of the week.
    fn connect(&mut self, at: u32, destination: u64) {
        match self.fate {
            Fate::Dropped => {
                for after in [0, 1, 3, 7, 15, 31, 63] {
                    self.packet(at + after, destination, |bucket| bucket.blocked_syns += 1);
                }
            }
            Fate::Rejected => self.packet(at, destination, |bucket| bucket.blocked_syns += 1),
            Fate::Monitored => {
                self.packet(at, destination, |bucket| bucket.monitored_syns += 1);
                self.packet(at + 1, destination, |bucket| bucket.monitored_others += 20);
            }
        }
    }

    fn packet(&mut self, at: u32, destination: u64, count: impl FnOnce(&mut Bucket)) {
        if at >= WEEK {
            return;
        }
        let time = |second: u32| Timestamp::from_second(1_795_305_600 + i64::from(second)).unwrap();
        let start = at - at % BUCKET;
        let bucket = self.buckets.entry(start).or_insert_with(|| Bucket {
            subscriber: "198.51.100.9/32".parse().unwrap(),
            start: time(start),
            first: time(at),
            last: time(at),
            blocked_syns: 0,
            blocked_others: 0,
            monitored_syns: 0,
            monitored_others: 0,
            hidden: 0,
            destinations: 0,
        });
        bucket.last = bucket.last.max(time(at));
        // Any good hash.
        bucket.destinations |= 1 << (Rng::with_seed(destination).u64(..) % 64);
        count(bucket);
    }

    fn class(&self) -> Option<Class> {
        let mut calendar = Calendar::new(TimeZone::UTC);
        let mut tally = Tally::default();
        for bucket in self.buckets.values() {
            tally.add(bucket, &mut calendar);
        }
        Class::of(&tally)
    }
}

/// Asserts the class of many senders of one kind, whatever is done with their packets.
fn assert_class(class: Class, behave: impl Fn(&mut Sender)) {
    for fate in FATES {
        for seed in 0..40 {
            let mut sender = Sender::new(fate, seed);
            behave(&mut sender);
            assert_eq!(sender.class(), Some(class), "{fate:?}, {seed}");
        }
    }
}

#[test]
fn a_mail_program_with_an_old_setting_is_a_mail_client() {
    assert_class(Class::MailClient, |sender| {
        // Some messages a day at one server with two addresses, each tried again for half an hour.
        for day in 0..7 {
            for _ in 0..sender.rng.u32(1..6) {
                let at = day * DAY + sender.rng.u32(7 * HOUR..22 * HOUR);
                for retry in 0..sender.rng.u32(1..4) {
                    let destination = sender.rng.u64(0..2);
                    sender.connect(at + retry * 10 * MINUTE, destination);
                }
            }
        }
    });
}

#[test]
fn a_mail_program_whose_message_is_stuck_and_whose_server_has_changing_addresses_is_a_mail_client() {
    assert_class(Class::MailClient, |sender| {
        for at in (0..WEEK).step_by(5 * MINUTE as usize) {
            // The name server gives another one of eight each half hour.
            let destination = u64::from(at / (30 * MINUTE) % 8);
            sender.connect(at, destination);
        }
    });
}

#[test]
fn a_mail_server_whose_queue_is_tried_again_is_a_mail_server() {
    assert_class(Class::MailServer, |sender| {
        // Postfix: a message is tried after 5 minutes, then after twice as long up to 4,000 seconds, for five days, at both
        // servers of its domain.
        for _ in 0..60 {
            let domain = sender.rng.u64(0..15);
            let (mut at, mut wait) = (sender.rng.u32(0..6 * DAY), 300);
            let give_up = at + 5 * DAY;
            while at < give_up.min(WEEK) {
                sender.connect(at, 2 * domain);
                sender.connect(at + 30, 2 * domain + 1);
                // The queue is scanned each five minutes: messages are tried together.
                at = (at + wait).next_multiple_of(300);
                wait = (2 * wait).min(4000);
            }
        }
    });
}

#[test]
fn a_bot_that_sends_to_hundreds_of_servers_for_a_quarter_of_an_hour_is_bulk_or_bot() {
    assert_class(Class::BulkOrBot, |sender| {
        let begin = sender.rng.u32(0..6 * DAY);
        for second in 0..15 * MINUTE {
            let destination = sender.rng.u64(..);
            sender.connect(begin + second, destination);
        }
    });
}

#[test]
fn a_bot_that_hides_in_a_low_rate_is_bulk_or_bot() {
    assert_class(Class::BulkOrBot, |sender| {
        for at in (0..2 * DAY).step_by(8) {
            let destination = sender.rng.u64(..);
            sender.connect(at, destination);
        }
    });
}

#[test]
fn a_bot_that_tries_passwords_at_one_server_is_bulk_or_bot() {
    assert_class(Class::BulkOrBot, |sender| {
        let begin = sender.rng.u32(0..6 * DAY);
        for attempt in 0..2 * HOUR {
            sender.connect(begin + attempt / 2, 7);
        }
    });
}

#[test]
fn a_device_that_sends_a_report_now_and_then_is_rare() {
    assert_class(Class::Rare, |sender| {
        for _ in 0..sender.rng.u32(1..3) {
            let at = sender.rng.u32(0..WEEK - HOUR);
            sender.connect(at, 1);
        }
    });
}

#[test]
fn packets_that_hide_their_ports_have_no_class() {
    let mut sender = Sender::new(Fate::Dropped, 1);
    for second in 0..1000 {
        sender.packet(second, 1, |bucket| bucket.hidden += 1);
    }
    assert_eq!(sender.class(), None);
}

#[test]
fn the_document_has_these_thresholds() {
    let document = include_str!("../../../../../docs/reports.md");
    for row in [
        format!(
            "| bulk or bot | {MANY_IN_A_BUCKET} destinations or more in one bucket, or {MANY_SYNS} SYNs or more in ten minutes |"
        ),
        format!("| rare | attempts in at most {FEW_HOURS} hours of the period |"),
        format!(
            "| mail server | {SEVERAL} destinations or more, {SEVERAL_IN_A_BUCKET} or more of them in one bucket; or {MANY} or \
             more in all |"
        ),
    ] {
        assert!(document.contains(&row), "{row}");
    }
}
