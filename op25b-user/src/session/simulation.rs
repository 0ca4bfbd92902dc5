//! A pool whose addresses go from customer to customer, a kernel that counts attempts by address, and the two logs of that: the
//! history of activity and the sessions. What is attributed is compared with who made the attempts.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    net::Ipv4Addr,
    path::Path,
};

use fastrand::Rng;
use ipnet::{IpNet, Ipv4Net};
use jiff::{SignedDuration, Timestamp};
use tempfile::tempdir;

use super::{Attribution, SKEW_SECONDS, Session};
use crate::store::{
    activity::{ActivityReader, ActivityStore, BucketQuery, Counted, ReadUntil, Reading},
    sessions::{SessionQuery, Sessions, SessionsReader},
};

const CUSTOMERS: usize = 1000;
const ADDRESSES: usize = 256;
const SESSIONS: usize = 10_000;
/// A bucket of the history, and the time between two readings of the kernel, in seconds.
const BUCKET: i64 = 600;
const PASS: i64 = 5;
/// How far the clock of the log is off at most, in seconds.
const OFF: i64 = 3;
/// How long a customer is online and offline on average, in seconds: so many are online that addresses are handed on soon.
const ONLINE: f64 = 10_800.0;
const OFFLINE: f64 = 36_000.0;

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The session of a customer ends.
    Ends(usize),
    /// A customer comes online.
    Begins(usize),
    /// A customer makes an attempt.
    Attempt(usize),
    /// A bucket of the history ends.
    BucketEnds,
}

/// What the kernel and the history know of an address.
#[derive(Clone, Default)]
struct Record {
    counted: Counted,
    /// Since when the bucket, or its part, lasts.
    start: i64,
    first: i64,
    last: i64,
    /// How many attempts there were since then, and whose.
    made: BTreeMap<usize, u32>,
}

/// A session that has begun.
struct Online {
    address: usize,
    since: i64,
    /// How far the clock of the log is off for this session.
    off: i64,
}

struct World {
    rng: Rng,
    /// Whether the history is cut when a session begins or ends.
    has_live_cuts: bool,
    events: BinaryHeap<Reverse<(i64, Event)>>,
    online: BTreeMap<usize, Online>,
    free: Vec<usize>,
    records: Vec<Record>,
    readings: Vec<Reading>,
    log: Vec<Session>,
    /// Who made the attempts of each bucket.
    truth: BTreeMap<(IpNet, i64), BTreeMap<usize, u32>>,
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_200 + second).unwrap()
}

fn subscriber(address: usize) -> IpNet {
    let address = Ipv4Addr::from(u32::from(Ipv4Addr::new(198, 51, 100, 0)) + u32::try_from(address).unwrap());
    Ipv4Net::from(address).into()
}

fn name(customer: usize) -> String {
    format!("customer {customer}")
}

impl World {
    fn new(seed: u64, has_live_cuts: bool) -> Self {
        let mut world = Self {
            rng: Rng::with_seed(seed),
            has_live_cuts,
            events: BinaryHeap::new(),
            online: BTreeMap::new(),
            free: (0..ADDRESSES).collect(),
            records: vec![Record::default(); ADDRESSES],
            readings: Vec::new(),
            log: Vec::new(),
            truth: BTreeMap::new(),
        };
        for customer in 0..CUSTOMERS {
            let begin = world.lasts(OFFLINE);
            world.plan(begin, Event::Begins(customer));
        }
        world.plan(BUCKET, Event::BucketEnds);
        world
    }

    /// A time of this length on average.
    fn lasts(&mut self, average: f64) -> i64 {
        let lasts = -average * (1.0 - self.rng.f64()).ln();
        #[expect(clippy::cast_possible_truncation, reason = "some days")]
        let seconds = lasts as i64;
        seconds.max(1)
    }

    fn plan(&mut self, at: i64, event: Event) {
        self.events.push(Reverse((at, event)));
    }

    /// How long it is on average until a customer makes another attempt; most make none.
    const fn between_attempts(customer: usize) -> Option<f64> {
        match customer % 100 {
            // A bot, mail servers, and mail clients that were forgotten.
            0 => Some(20.0),
            1..10 => Some(180.0),
            10..40 => Some(900.0),
            _ => None,
        }
    }

    /// Runs until there were enough sessions; those that last then have no end in the log.
    fn run(&mut self) {
        let mut begun = 0;
        let mut now = 0;
        while begun < SESSIONS || now % BUCKET != 0 {
            let Some(Reverse((at, event))) = self.events.pop() else {
                break;
            };
            now = at;
            match event {
                Event::Begins(customer) if begun < SESSIONS => {
                    begun += usize::from(self.begin(customer, now));
                }
                Event::Begins(_) => {}
                Event::Ends(customer) => self.end(customer, now),
                Event::Attempt(customer) => self.attempt(customer, now),
                Event::BucketEnds => {
                    for address in 0..ADDRESSES {
                        self.close(address, now);
                    }
                    self.plan(now + BUCKET, Event::BucketEnds);
                }
            }
        }
        for (customer, online) in std::mem::take(&mut self.online) {
            self.close(online.address, now);
            let (start, seen) = (at(online.since + online.off), at(now + online.off));
            self.log.push(Session::open(
                name(customer),
                subscriber(online.address),
                start,
                seen,
            ));
        }
    }

    /// Whether there was an address for the customer.
    fn begin(&mut self, customer: usize, now: i64) -> bool {
        if self.free.is_empty() {
            let later = now + self.lasts(60.0);
            self.plan(later, Event::Begins(customer));
            return false;
        }
        let place = self.rng.usize(..self.free.len());
        let address = self.free.swap_remove(place);
        let off = self.rng.i64(-OFF..=OFF);
        if self.has_live_cuts {
            self.close(address, now);
        }
        self.online.insert(
            customer,
            Online {
                address,
                since: now,
                off,
            },
        );
        let end = now + self.lasts(ONLINE);
        self.plan(end, Event::Ends(customer));
        self.plan_attempt(customer, now);
        true
    }

    fn end(&mut self, customer: usize, now: i64) {
        let Some(online) = self.online.remove(&customer) else {
            return;
        };
        if self.has_live_cuts {
            self.close(online.address, now);
        }
        self.free.push(online.address);
        let (start, end) = (at(online.since + online.off), at(now + online.off));
        self.log.push(Session::ended(
            name(customer),
            subscriber(online.address),
            start,
            end,
        ));
        let again = now + self.lasts(OFFLINE);
        self.plan(again, Event::Begins(customer));
    }

    fn plan_attempt(&mut self, customer: usize, now: i64) {
        if let Some(average) = Self::between_attempts(customer) {
            let next = now + self.lasts(average);
            self.plan(next, Event::Attempt(customer));
        }
    }

    fn attempt(&mut self, customer: usize, now: i64) {
        // An attempt that was planned in a session before is that of this one.
        let Some(online) = self.online.get(&customer) else {
            return;
        };
        let record = &mut self.records[online.address];
        if record.made.is_empty() {
            // The daemon saw no attempt when it read the kernel last.
            record.first = record.start.max(now - now.rem_euclid(PASS));
        }
        record.last = now;
        record.counted.blocked_syns += 1;
        *record.made.entry(customer).or_default() += 1;
        self.plan_attempt(customer, now);
    }

    /// Ends the bucket of an address.
    fn close(&mut self, address: usize, now: i64) {
        let record = &mut self.records[address];
        let (start, made) = (record.start, std::mem::take(&mut record.made));
        record.start = now;
        if made.is_empty() {
            return;
        }
        self.readings.push(Reading {
            subscriber: subscriber(address),
            start: at(start),
            first: at(record.first),
            last: at(record.last),
            counted: Counted {
                first_seen: 1,
                ..record.counted
            },
            destinations: 1,
        });
        let truth = self
            .truth
            .entry((subscriber(address), at(start).as_second()))
            .or_default();
        for (customer, count) in made {
            *truth.entry(customer).or_default() += count;
        }
    }

    /// Stores what the daemon stores.
    fn store(&self, dir: &Path) {
        let mut activity = ActivityStore::open(dir, "boot").unwrap().store;
        let until = ReadUntil { noted: 1, at: at(0) };
        activity.begin(until).unwrap();
        activity.write(&self.readings, until).unwrap();
        let mut sessions = Sessions::open(dir).unwrap().sessions;
        let mut import = sessions.import().unwrap();
        for session in &self.log {
            import.add(session).unwrap();
        }
        import.commit().unwrap();
    }
}

/// How many attempts were attributed how.
#[derive(Debug, Default, PartialEq, Eq)]
struct Score {
    attempts: u32,
    right: u32,
    wrong: u32,
    /// Of a bucket that is ambiguous, with who made them among those that are named.
    named: u32,
    lost: u32,
}

/// Attributes what is stored, and compares it with what happened.
fn score(dir: &Path, world: &World) -> Score {
    let reader = SessionsReader::open(dir).unwrap().unwrap();
    let index = reader.index(&SessionQuery::default()).unwrap();
    let mut score = Score::default();
    let activity = ActivityReader::open(dir).unwrap().unwrap();
    let read = activity.each(&BucketQuery::default(), |bucket| {
        let made = &world.truth[&(bucket.subscriber, bucket.start.as_second())];
        assert_eq!(made.values().sum::<u32>(), bucket.blocked_syns, "{bucket:?}");
        let skew = SignedDuration::from_secs(SKEW_SECONDS);
        let attribution = index.of(bucket.subscriber, bucket.first, bucket.last, skew);
        for (customer, count) in made {
            let name = name(*customer);
            let column = match &attribution {
                Attribution::Customer(found) if *found == name => &mut score.right,
                Attribution::Customer(_) => &mut score.wrong,
                Attribution::Ambiguous(names) if names.contains(&name.as_str()) => &mut score.named,
                Attribution::Ambiguous(_) | Attribution::Unattributed => &mut score.lost,
            };
            *column += count;
            score.attempts += count;
        }
    });
    read.unwrap();
    score
}

#[test]
fn in_a_pool_that_churns_no_attempt_is_attributed_to_a_wrong_customer_and_with_live_cuts_99_of_100_are() {
    for has_live_cuts in [true, false] {
        let mut world = World::new(25, has_live_cuts);
        world.run();
        let handed_on = world.log.len();
        assert!(handed_on >= SESSIONS, "{handed_on}");
        let dir = tempdir().unwrap();
        world.store(dir.path());
        let score = score(dir.path(), &world);
        assert!(score.attempts > 50_000, "{score:?}");
        assert_eq!((score.wrong, score.lost), (0, 0), "{score:?}");
        let per_mille = score.right * 1000 / score.attempts;
        let expected = if has_live_cuts { 990 } else { 900 };
        assert!(
            per_mille >= expected,
            "with live cuts: {has_live_cuts}: {score:?}"
        );
        // What is ambiguous is there, and named.
        assert!(score.named > 0, "{score:?}");
    }
}
