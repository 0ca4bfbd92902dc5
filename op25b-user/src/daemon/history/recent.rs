//! The subscribers of whom packets were blocked a short time ago, counted by pool.

use std::collections::{HashMap, hash_map::Entry};

use ipnet::IpNet;
use op25b_common::values::Subscriber;

use crate::report::Index;

/// How far back, in seconds.
const SPAN: u32 = 300;
/// The most subscribers in memory; more are not counted.
const MOST: usize = 1 << 18;

/// The subscribers of whom packets were blocked in the last five minutes.
#[derive(Default)]
pub(super) struct Recent {
    seen: HashMap<IpNet, Seen>,
}

/// What was read of a subscriber. Times are as the kernel notes them.
struct Seen {
    blocked: u64,
    last: u32,
}

impl Recent {
    /// Notes what was read of a record that had packets since it was read before.
    pub(super) fn note(&mut self, subscriber: IpNet, record: &Subscriber) {
        let blocked = u64::from(record.hot.blocked_syns) + u64::from(record.cold.blocked_others);
        let last = record.hot.last_seen;
        let room = self.seen.len() < MOST;
        match self.seen.entry(subscriber) {
            Entry::Occupied(mut seen) => {
                let seen = seen.get_mut();
                // Otherwise they were packets that are only monitored.
                if seen.blocked != blocked {
                    *seen = Seen { blocked, last };
                }
            }
            Entry::Vacant(place) if room && blocked > 0 => {
                place.insert(Seen { blocked, last });
            }
            Entry::Vacant(_) => {}
        }
    }

    /// How many there are of each of so many pools.
    pub(super) fn by_pool(&mut self, pools: &Index, count: usize, now: u32) -> Vec<u64> {
        self.seen.retain(|_, seen| now <= seen.last.saturating_add(SPAN));
        let mut counts = vec![0; count];
        let of = (self.seen.keys()).filter_map(|subscriber| pools.longest(subscriber.addr()));
        of.for_each(|pool| counts[pool] += 1);
        counts
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{super::pools::Pools, *};
    use crate::policy::parse;

    fn record(blocked: u32, monitored: u32, last: u32) -> Subscriber {
        let mut record = Subscriber::default();
        record.hot.blocked_syns = blocked;
        record.cold.monitored_syns = monitored;
        record.hot.last_seen = last;
        record
    }

    #[test]
    fn subscribers_count_for_the_pool_with_the_longest_prefix_for_five_minutes_after_a_blocked_packet() {
        let policy = parse(
            "policy.yaml",
            "version: 1\ninterfaces: [{ name: eth1, role: subscriber }]\npools:\n\
             - { name: outer, prefixes: [198.51.100.0/22, '2001:db8::/32'] }\n\
             - { name: inner, prefixes: [198.51.101.0/24] }\n",
        );
        let policy = Arc::new(policy.unwrap().policy);
        let mut pools = Pools::default();
        let pools = pools.of(&policy);
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let mut recent = Recent::default();
        for (subscriber, record) in [
            ("198.51.100.1/32", record(1, 0, 1000)),
            ("198.51.101.1/32", record(1, 0, 1000)),
            ("198.51.101.2/32", record(1, 0, 1200)),
            ("2001:db8:5::/64", record(7, 0, 1000)),
            ("198.51.100.2/32", record(0, 9, 1000)),
            ("192.0.2.1/32", record(1, 0, 1000)),
        ] {
            recent.note(net(subscriber), &record);
        }
        assert_eq!(recent.by_pool(pools, 2, 1300), [2, 2]);
        // A packet that is only monitored prolongs nothing; one that is blocked does.
        recent.note(net("198.51.100.1/32"), &record(1, 5, 1250));
        recent.note(net("198.51.101.1/32"), &record(2, 0, 1250));
        assert_eq!(recent.by_pool(pools, 2, 1301), [0, 2]);
        recent.clear();
        assert_eq!(recent.by_pool(pools, 2, 1301), [0, 0]);
    }
}
