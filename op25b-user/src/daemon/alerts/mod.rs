//! Alerts about offenders: the thread that reads the records of subscribers finds them, and the newest are kept for clients.

mod feed;
mod senders;
mod windows;

use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;
use ulid::Ulid;

pub(super) use self::feed::Feed;
use self::windows::{Excess, Noted, Windows};
use super::newest::Numbered;
use crate::{
    datapath::destinations,
    policy::{Alerts, Policy},
    report::{Alert, AlertLimits, Index},
    store::activity::Forget,
};

/// What examines the records that were read.
pub(super) struct Examiner {
    feed: Feed,
    windows: Windows,
}

/// A reading of records that is under way.
pub(super) struct Examination<'e> {
    windows: &'e mut Windows,
    feed: &'e Feed,
    limits: Alerts,
    policy: &'e Policy,
    pools: &'e Index,
    /// Since when records with a packet are read, and the present, as the kernel notes times.
    since: u32,
    now: u32,
    /// The time of day of a time that the kernel has noted.
    time_of_day: &'e dyn Fn(u32) -> Timestamp,
}

impl Numbered for Alert {
    fn sequence(&self) -> u64 {
        self.sequence
    }

    fn time(&self) -> Timestamp {
        self.time
    }
}

impl Examiner {
    pub(super) fn new(feed: Feed) -> Self {
        Self {
            feed,
            windows: Windows::default(),
        }
    }

    /// Begins to examine a reading; `None` if the policy has no alerts.
    pub(super) fn begin<'e>(
        &'e mut self,
        policy: &'e Arc<Policy>,
        pools: &'e Index,
        (since, now): (u32, u32),
        time_of_day: &'e dyn Fn(u32) -> Timestamp,
    ) -> Option<Examination<'e>> {
        let Some(limits) = policy.alerts else {
            self.windows.clear();
            return None;
        };
        self.windows.drop_silent(now);
        Some(Examination {
            windows: &mut self.windows,
            feed: &self.feed,
            limits,
            policy,
            pools,
            since,
            now,
            time_of_day,
        })
    }

    /// Forgets subscribers.
    pub(super) fn forget(&mut self, forget: &[Forget]) {
        let is_in = |net: IpNet| {
            let mut within = forget.iter().map(|forget| forget.within);
            within.any(|within| within.contains(&net) || net.contains(&within))
        };
        self.windows.forget(is_in);
    }
}

impl Examination<'_> {
    /// Examines the record of a subscriber that had a packet since the reading before.
    pub(super) fn note(&mut self, subscriber: IpNet, record: &Subscriber) {
        let times = (self.since, self.now);
        match self.windows.note(subscriber, record, times, self.limits) {
            Noted::Within => {}
            Noted::Repeated => self.feed.note_repeated(),
            Noted::NoRoom => self.feed.note_unexamined(),
            Noted::Beyond(excess) => self.alert(subscriber, record, excess),
        }
    }

    /// Adds an alert about a subscriber.
    fn alert(&self, subscriber: IpNet, record: &Subscriber, excess: Excess) {
        let Excess {
            beyond,
            blocked,
            monitored,
        } = excess;
        let Alerts {
            syns_per_minute,
            destinations: most_destinations,
        } = self.limits;
        let pool = self.pools.longest(subscriber.addr());
        let pool = pool.and_then(|pool| self.policy.pools.get(pool));
        let [first_seen, last_seen] =
            [record.cold.first_seen, record.hot.last_seen].map(|noted| (self.time_of_day)(noted));
        self.feed.add(|sequence| Alert {
            sequence,
            id: Ulid::generate().to_string(),
            time: Timestamp::now(),
            subscriber,
            pool: pool.map(|pool| pool.name.clone()),
            beyond,
            limits: AlertLimits {
                syns_per_minute,
                destinations: most_destinations,
            },
            blocked_syns: blocked,
            monitored_syns: monitored,
            destinations: destinations(record.hot.destinations),
            first_seen,
            last_seen,
        });
    }
}
