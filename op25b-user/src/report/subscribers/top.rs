//! Keeps the first subscribers of a sort order without keeping all: there may be millions.

use ipnet::IpNet;
use op25b_common::values::Subscriber;

use super::query::{SortBy, SubscriberQuery};

/// The first subscribers of those that were added.
pub(super) struct Top {
    sort: SortBy,
    limit: usize,
    found: Vec<(IpNet, Subscriber)>,
}

impl Top {
    pub(super) fn new(query: &SubscriberQuery) -> Self {
        Self {
            sort: query.sort,
            limit: query.top,
            found: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, net: IpNet, record: Subscriber) {
        const SLACK: usize = 1024;
        self.found.push((net, record));
        if self.limit > 0 && self.found.len() >= self.limit.saturating_mul(2).saturating_add(SLACK) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let sort = self.sort;
        self.found
            .sort_unstable_by_key(|(net, record)| sort.key(*net, record));
        if self.limit > 0 {
            self.found.truncate(self.limit);
        }
    }

    pub(super) fn take(mut self) -> Vec<(IpNet, Subscriber)> {
        self.cut();
        self.found
    }
}

#[cfg(test)]
mod tests {
    use op25b_common::values::{Cold, Hot};

    use super::*;

    #[test]
    fn the_first_of_very_many_are_those_that_sorting_all_would_give() {
        let record = |number: u32| Subscriber {
            hot: Hot {
                blocked_syns: number.wrapping_mul(2_654_435_761) >> 12,
                last_seen: number % 977,
                ..Hot::default()
            },
            cold: Cold {
                first_seen: 1,
                ..Cold::default()
            },
            ..Subscriber::default()
        };
        let net = |number: u32| IpNet::from(std::net::IpAddr::V4(number.into()));
        for sort in [SortBy::Packets, SortBy::Syns, SortBy::LastSeen] {
            let query = SubscriberQuery {
                pool: None,
                within: None,
                since: None,
                sort,
                top: 7,
            };
            let mut first = Top::new(&query);
            let mut all: Vec<_> = (0..20_000).map(|number| (net(number), record(number))).collect();
            for (net, record) in &all {
                first.add(*net, *record);
            }
            all.sort_by_key(|(net, record)| sort.key(*net, record));
            assert_eq!(first.take(), all[..7], "{sort:?}");
        }
    }
}
