//! Alerts about offenders and exempt subscribers: the thread that reads what is counted finds them, and the newest are kept for clients.

mod alerted;
mod counted;
mod feed;
mod senders;
mod windows;

use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;
use ulid::Ulid;

pub(super) use self::feed::Feed;
use self::{
    alerted::Alerted,
    counted::{Counted, Syns},
    windows::{Excess, Noted, Windows},
};
use super::newest::Numbered;
use crate::{
    policy::{Alerts, Policy},
    report::{Alert, AlertLimits, Index},
    store::activity::Forget,
};

/// What examines the records that were read.
pub(super) struct Examiner {
    feed: Feed,
    windows: Windows,
    exempt: Windows,
    alerted: Alerted,
}

/// A reading of records that is under way.
pub(super) struct Examination<'e> {
    windows: &'e mut Windows,
    exempt: &'e mut Windows,
    alerted: &'e mut Alerted,
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
            exempt: Windows::default(),
            alerted: Alerted::default(),
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
            self.windows = Windows::default();
            self.exempt = Windows::default();
            self.alerted = Alerted::default();
            return None;
        };
        self.windows.drop_silent(now);
        self.alerted.drop_old(now);
        Some(Examination {
            windows: &mut self.windows,
            exempt: &mut self.exempt,
            alerted: &mut self.alerted,
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
        let is_in = |subscriber| forget.iter().any(|forget| forget.is_about(subscriber));
        self.windows.forget(is_in);
        self.exempt.forget(is_in);
        self.alerted.forget(is_in);
    }
}

impl Examination<'_> {
    /// Whether exempt subscribers are to be read.
    pub(super) fn is_of_exempt(&self) -> bool {
        self.limits.exempt_syns_per_minute.is_some()
    }

    /// Examines the record of a subscriber that had a packet since the reading before.
    pub(super) fn note(&mut self, subscriber: IpNet, record: &Subscriber) {
        let counted = Counted::of(record);
        let times = (self.since, self.now);
        let noted = self
            .windows
            .note(subscriber, &counted, times, self.limits, self.alerted);
        self.noted(noted, subscriber, &counted, |_| {
            (record.cold.first_seen, record.hot.last_seen)
        });
    }

    /// Examines what was counted of each exempt subscriber. One that is not known begins with this reading: those that are counted are
    /// read each time.
    pub(super) fn note_exempt(&mut self, subscribers: &[(IpNet, u32)]) {
        let times = (self.since, self.now);
        for (subscriber, exempt) in subscribers {
            let counted = Counted {
                syns: Syns {
                    exempt: *exempt,
                    ..Syns::default()
                },
                destinations: 0,
                begun: self.since,
            };
            let noted = self
                .exempt
                .note(*subscriber, &counted, times, self.limits, self.alerted);
            self.noted(noted, *subscriber, &counted, |excess| (excess.since, self.now));
        }
        self.exempt.drop_unread(self.now);
    }

    /// Counts what came of a reading, and adds an alert if there is to be one; `seen` tells from when to when the subscriber was seen.
    fn noted(
        &self,
        noted: Noted,
        subscriber: IpNet,
        counted: &Counted,
        seen: impl FnOnce(&Excess) -> (u32, u32),
    ) {
        match noted {
            Noted::Within => {}
            Noted::Repeated => self.feed.note_repeated(),
            Noted::NoRoom => self.feed.note_unexamined(),
            Noted::Beyond(excess) => {
                let seen = seen(&excess);
                self.alert(subscriber, excess, counted.destinations, seen);
            }
        }
    }

    /// Adds an alert about a subscriber.
    fn alert(&self, subscriber: IpNet, excess: Excess, destinations: u32, seen: (u32, u32)) {
        let Alerts {
            syns_per_minute,
            destinations: most_destinations,
            exempt_syns_per_minute,
        } = self.limits;
        let pool = self.pools.longest(subscriber.addr());
        let pool = pool.and_then(|pool| self.policy.pools.get(pool));
        let (first_seen, last_seen) = seen;
        let [first_seen, last_seen] = [first_seen, last_seen].map(|noted| (self.time_of_day)(noted));
        self.feed.add(|sequence| Alert {
            sequence,
            id: Ulid::generate().to_string(),
            time: Timestamp::now(),
            subscriber,
            pool: pool.map(|pool| pool.name.clone()),
            beyond: excess.beyond,
            limits: AlertLimits {
                syns_per_minute,
                destinations: most_destinations,
                exempt_syns_per_minute,
            },
            blocked_syns: excess.syns.blocked,
            monitored_syns: excess.syns.monitored,
            exempt_syns: excess.syns.exempt,
            destinations,
            first_seen,
            last_seen,
        });
    }
}
