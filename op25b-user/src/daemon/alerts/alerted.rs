//! Of whom there was an alert within the last hour: there is no other one.

use std::collections::{HashMap, hash_map::Entry};

use ipnet::IpNet;

/// How long there is no other alert about a subscriber, in seconds.
const HOUR: u32 = 3600;

/// When there was an alert about a subscriber, of those of whom there was one within the last hour.
#[derive(Default)]
pub(super) struct Alerted(HashMap<IpNet, u32>);

impl Alerted {
    /// Notes that there is to be an alert; whether there may be one.
    pub(super) fn begin(&mut self, subscriber: IpNet, now: u32) -> bool {
        match self.0.entry(subscriber) {
            Entry::Occupied(at) if now.saturating_sub(*at.get()) < HOUR => false,
            at => {
                at.insert_entry(now);
                true
            }
        }
    }

    /// Drops what is an hour old.
    pub(super) fn drop_old(&mut self, now: u32) {
        self.0.retain(|_, at| now.saturating_sub(*at) < HOUR);
    }

    /// Forgets subscribers.
    pub(super) fn forget(&mut self, which: impl Fn(IpNet) -> bool) {
        self.0.retain(|subscriber, _| !which(*subscriber));
    }
}
