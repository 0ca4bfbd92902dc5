//! Computes the impact: of each exemption that only one of the policies has, and of each subscriber with a recent attempt.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap, HashSet},
};

use ipnet::IpNet;
use jiff::Timestamp;

use super::{
    Affected, Impact, MOST_LISTED, PoolImpact,
    compare::{Change, Comparison},
};
use crate::policy::{Exemption, Policy, exemption_id};

/// The most prefixes inside a subscriber's or an exemption's prefix that are examined for themselves.
const MOST_INSIDE: usize = 64;

/// A subscriber who had an attempt.
pub(super) struct Attempt {
    pub(super) net: IpNet,
    pub(super) last_seen: Timestamp,
}

/// One direction of the impact.
#[derive(Default)]
struct Direction {
    /// By the number of the exemption that ends or begins.
    customers: BTreeMap<usize, Affected>,
    /// Those with the latest attempts.
    subscribers: Vec<Affected>,
    by_pool: HashMap<Option<String>, usize>,
}

/// The state of the computation.
pub(super) struct Computation<'p> {
    comparison: Comparison<'p>,
    now: Timestamp,
    blocked: Direction,
    free: Direction,
    examined: usize,
}

/// Computes the impact of a policy that replaces another one, both with the stored exemptions. `visit` calls its argument with each
/// subscriber and the time of the last attempt.
pub(crate) fn impact<E>(
    before: &Policy,
    after: &Policy,
    since: Timestamp,
    visit: impl FnOnce(&mut dyn FnMut(IpNet, Timestamp)) -> Result<(), E>,
) -> Result<Impact, E> {
    let mut computation = Computation::new(before, after, Timestamp::now());
    computation.customers();
    visit(&mut |net, last_seen| {
        if last_seen >= since {
            computation.subscriber(&Attempt { net, last_seen });
        }
    })?;
    Ok(computation.finish(since))
}

impl<'p> Computation<'p> {
    pub(super) fn new(before: &'p Policy, after: &'p Policy, now: Timestamp) -> Self {
        Self {
            comparison: Comparison::new(before, after, now),
            now,
            blocked: Direction::default(),
            free: Direction::default(),
            examined: 0,
        }
    }

    /// Examines the exemptions that one of the policies lacks: of exempt customers no attempts are recorded.
    pub(super) fn customers(&mut self) {
        let (before, after) = (self.comparison.before.policy, self.comparison.after.policy);
        for (of, other, is_blocked) in [(before, after, true), (after, before, false)] {
            let now = self.now;
            let holds = |exemption: &&Exemption| exemption.holds_at(now);
            let others: HashSet<_> = other.exemptions.iter().filter(holds).map(grants).collect();
            for (number, exemption) in of.exemptions.iter().enumerate() {
                if !exemption.holds_at(now) || others.contains(&grants(exemption)) {
                    continue;
                }
                let prefixes = exemption.terms.prefixes.iter();
                let mut changes = Vec::new();
                for prefix in prefixes {
                    changes.extend(self.changes(*prefix));
                }
                let concerns =
                    |change: &Change| change.is_blocked == is_blocked && change.exemption == Some(number);
                if let Some(change) = changes.into_iter().find(concerns) {
                    self.note_customer(number, &change, None);
                }
            }
        }
    }

    /// Examines a subscriber with a recent attempt.
    pub(super) fn subscriber(&mut self, attempt: &Attempt) {
        self.examined += 1;
        let mut seen = [false; 2];
        for change in self.changes(attempt.net) {
            // A subscriber with several prefixes inside is one subscriber.
            let is_seen = &mut seen[usize::from(change.is_blocked)];
            if std::mem::replace(is_seen, true) {
                continue;
            }
            match change.exemption {
                Some(number) => self.note_customer(number, &change, Some(attempt)),
                None => self.note_subscriber(&change, attempt),
            }
        }
    }

    /// What changes for the addresses of a prefix.
    fn changes(&mut self, net: IpNet) -> Vec<Change> {
        let mut sources = vec![net.addr()];
        sources.extend(self.comparison.before.inside(net, MOST_INSIDE));
        sources.extend(self.comparison.after.inside(net, MOST_INSIDE));
        sources.sort_unstable();
        sources.dedup();
        let mut changes = Vec::new();
        for source in sources {
            changes.extend(self.comparison.of(source));
        }
        changes
    }

    fn direction(&mut self, change: &Change) -> &mut Direction {
        if change.is_blocked {
            &mut self.blocked
        } else {
            &mut self.free
        }
    }

    /// Notes that the exemption with a number, of the policy before or after, ends or begins.
    fn note_customer(&mut self, number: usize, change: &Change, attempt: Option<&Attempt>) {
        let policy = if change.is_blocked {
            self.comparison.before.policy
        } else {
            self.comparison.after.policy
        };
        let direction = self.direction(change);
        let last_seen = attempt.map(|attempt| attempt.last_seen);
        if let Some(affected) = direction.customers.get_mut(&number) {
            affected.last_seen = affected.last_seen.max(last_seen);
            return;
        }
        *direction.by_pool.entry(change.pool.clone()).or_default() += 1;
        let exemption = &policy.exemptions[number];
        let affected = Affected {
            customer: Some(exemption.terms.customer.to_string()),
            exemption: Some(exemption_id(&policy.lists, &policy.exemptions, number)),
            ..affected(exemption.terms.prefixes.iter(), change, last_seen)
        };
        direction.customers.insert(number, affected);
    }

    fn note_subscriber(&mut self, change: &Change, attempt: &Attempt) {
        let direction = self.direction(change);
        *direction.by_pool.entry(change.pool.clone()).or_default() += 1;
        let affected = affected([&attempt.net].into_iter(), change, Some(attempt.last_seen));
        direction.subscribers.push(affected);
        if direction.subscribers.len() >= 2 * MOST_LISTED {
            direction.cut();
        }
    }

    pub(super) fn finish(self, since: Timestamp) -> Impact {
        let after = self.comparison.after.policy;
        let not_remembered = |pool: &&str| !after.subscribers.remember.includes(pool);
        let pools = after.pools.iter().map(|pool| pool.name.as_str());
        let mut by_pool: BTreeMap<Option<String>, PoolImpact> = BTreeMap::new();
        for (direction, is_blocked) in [(&self.blocked, true), (&self.free, false)] {
            for (pool, count) in &direction.by_pool {
                let of = by_pool.entry(pool.clone()).or_insert_with(|| PoolImpact {
                    pool: pool.clone(),
                    ..PoolImpact::default()
                });
                if is_blocked {
                    of.becomes_blocked += count;
                } else {
                    of.becomes_free += count;
                }
            }
        }
        Impact {
            since,
            pools_not_remembered: pools.filter(not_remembered).map(str::to_owned).collect(),
            by_pool: by_pool.into_values().collect(),
            examined: self.examined,
            becomes_blocked: self.blocked.listed(),
            becomes_free: self.free.listed(),
        }
    }
}

impl Direction {
    fn cut(&mut self) {
        self.subscribers
            .sort_by_key(|affected| (Reverse(affected.last_seen), affected.who.clone()));
        self.subscribers.truncate(MOST_LISTED);
    }

    /// The customers, then the subscribers with the latest attempts.
    fn listed(mut self) -> Vec<Affected> {
        self.cut();
        let customers = self.customers.into_values();
        customers.chain(self.subscribers).take(MOST_LISTED).collect()
    }
}

/// What an exemption grants, and to whom.
fn grants(exemption: &Exemption) -> (&str, &[IpNet], &[IpNet]) {
    let terms = &exemption.terms;
    (&terms.customer, &terms.prefixes, &terms.destinations)
}

fn affected<'a>(
    who: impl Iterator<Item = &'a IpNet>,
    change: &Change,
    last_seen: Option<Timestamp>,
) -> Affected {
    let is_host = |net: &IpNet| net.prefix_len() == net.max_prefix_len();
    Affected {
        who: who
            .map(|net| {
                if is_host(net) {
                    net.addr().to_string()
                } else {
                    net.to_string()
                }
            })
            .collect(),
        customer: None,
        exemption: None,
        pool: change.pool.clone(),
        last_seen,
        destination: change.destination,
        port: change.port,
        was: change.was.name().to_owned(),
        becomes: change.becomes.name().to_owned(),
    }
}
