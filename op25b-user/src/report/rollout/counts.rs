//! Whom a roll-out concerns, pool by pool, from the buckets of the history.
//!
//! Buckets are read from the earliest of three times on: the beginning of the period, seven days before the date of a pool that was
//! reached, and seven days before a notice. Who tried then and not in the period has stopped.

use std::collections::{BTreeMap, HashMap};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use crate::{
    policy::{Pool, PoolMode},
    report::activity::{Customers, NotAttributed, Period, Rules},
    session::SessionIndex,
    store::{activity::Bucket, notices::Notice},
};

/// How long before a date or a notice an attempt counts as one of those whom it is for.
const BEFORE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Counts the subscribers and the customers of each pool.
pub(crate) struct Counts<'a> {
    rules: &'a Rules<'a>,
    period: Period,
    /// The last notice to each customer; none if nobody was written to.
    notices: Option<&'a BTreeMap<String, Notice>>,
    /// The customers of buckets before the period, whose rest is nobody's business.
    earlier: Option<Customers<'a>>,
    pools: Vec<PoolCounts<'a>>,
}

/// What is counted of a pool.
struct PoolCounts<'a> {
    /// The date from which it is enforced, if it was reached.
    reached: Option<Timestamp>,
    subscribers: HashMap<IpNet, Attempts>,
    customers: HashMap<&'a str, Attempts>,
    /// The customers of buckets in the period; none without sessions.
    attributed: Option<Customers<'a>>,
}

/// When a subscriber or a customer tried.
#[derive(Clone, Copy, Default)]
struct Attempts {
    in_period: bool,
    /// In the days before the date or the notice.
    before: bool,
}

/// What was counted of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Subscribers with attempts in the period, without those that are exempt now.
    pub(crate) subscribers: u64,
    /// Those that are exempt.
    pub(crate) exempt: u64,
    /// Whose date was reached before the period: how many tried in the days before it, and how many of them have stopped.
    pub(crate) since_date: Option<Stopped>,
    /// The same of customers; none without sessions.
    pub(crate) customers: Option<CountedCustomers>,
}

/// The customers of a pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountedCustomers {
    /// Customers with attempts in the period.
    pub(crate) customers: u64,
    /// Subscribers whose attempts are one of several customers'.
    pub(crate) ambiguous: u64,
    /// Subscribers whose attempts are no known customer's.
    pub(crate) unattributed: u64,
    /// How many of the customers were written to.
    pub(crate) written: u64,
    /// Customers who were written to before the period: how many tried in the days before, and how many of them have stopped.
    pub(crate) since_notice: Stopped,
}

/// Who tried, and has stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stopped {
    pub(crate) of: u64,
    pub(crate) stopped: u64,
}

impl<'a> Counts<'a> {
    pub(crate) fn new(
        rules: &'a Rules<'a>,
        period: Period,
        sessions: Option<(&'a SessionIndex, SignedDuration)>,
        notices: Option<&'a BTreeMap<String, Notice>>,
    ) -> Self {
        let attributed = || sessions.map(|(sessions, skew)| Customers::new(sessions, skew));
        let pools = rules.pools().iter().map(|pool| PoolCounts {
            reached: reached(pool, period),
            subscribers: HashMap::new(),
            customers: HashMap::new(),
            attributed: attributed(),
        });
        Self {
            pools: pools.collect(),
            earlier: attributed(),
            rules,
            period,
            notices,
        }
    }

    /// From when on buckets are to be added.
    pub(crate) fn begin(
        rules: &Rules<'_>,
        period: Period,
        notices: Option<&BTreeMap<String, Notice>>,
    ) -> Timestamp {
        let dates = rules.pools().iter().filter_map(|pool| reached(pool, period));
        let notices = notices.into_iter().flat_map(BTreeMap::values);
        let before = dates
            .chain(notices.map(|notice| notice.written))
            .map(|at| at.checked_sub(BEFORE).unwrap_or(Timestamp::MIN));
        before.min().unwrap_or(period.since).min(period.since)
    }

    /// Adds a bucket of a subscriber in a pool.
    pub(crate) fn add(&mut self, bucket: &Bucket, pool: Option<usize>) {
        let Some(pool) = pool.and_then(|number| self.pools.get_mut(number)) else {
            return;
        };
        let in_period = bucket.last >= self.period.since;
        pool.subscribers
            .entry(bucket.subscriber)
            .or_default()
            .add(in_period, is_before(bucket, pool.reached));
        let customers = if in_period {
            pool.attributed.as_mut()
        } else {
            self.earlier.as_mut()
        };
        if let Some(customer) = customers.and_then(|customers| customers.of(bucket)) {
            let notice = self.notices.and_then(|notices| notices.get(customer));
            let before = is_before(bucket, notice.map(|notice| notice.written));
            pool.customers.entry(customer).or_default().add(in_period, before);
        }
    }

    /// What was counted of each pool, in the policy's order.
    pub(crate) fn finish(self) -> Vec<Counted> {
        let Self {
            rules,
            period,
            notices,
            pools,
            ..
        } = self;
        let is_exempt = |subscriber: IpNet| {
            let exempt = rules.exemption(subscriber);
            exempt.is_some_and(|exempt| {
                exempt.terms.destinations.is_empty()
                    && exempt.terms.prefixes.iter().any(|net| net.contains(&subscriber))
            })
        };
        let count = |pool: PoolCounts<'_>| {
            let tried = pool.subscribers.iter().filter(|(_, attempts)| attempts.in_period);
            let (exempt, subscribers): (Vec<_>, Vec<_>) = tried
                .map(|(subscriber, _)| *subscriber)
                .partition(|subscriber| is_exempt(*subscriber));
            let is_past = |at: &Timestamp| *at < period.since;
            let since_date = pool.reached.filter(is_past);
            Counted {
                subscribers: number(subscribers.len()),
                exempt: number(exempt.len()),
                since_date: since_date.map(|_| stopped(pool.subscribers.values())),
                customers: pool.attributed.map(|attributed| {
                    let NotAttributed {
                        ambiguous,
                        unattributed,
                        ..
                    } = attributed.finish();
                    let notice = |customer: &str| Some(notices?.get(customer)?.written);
                    let tried = || pool.customers.iter().filter(|(_, attempts)| attempts.in_period);
                    let written = tried().filter(|(customer, _)| notice(customer).is_some());
                    let told = pool.customers.iter();
                    let told = told.filter(|(customer, _)| notice(customer).is_some_and(|at| is_past(&at)));
                    CountedCustomers {
                        customers: number(tried().count()),
                        ambiguous: ambiguous.rows,
                        unattributed: unattributed.rows,
                        written: number(written.count()),
                        since_notice: stopped(told.map(|(_, attempts)| attempts)),
                    }
                }),
            }
        };
        pools.into_iter().map(count).collect()
    }
}

impl Attempts {
    fn add(&mut self, in_period: bool, before: bool) {
        self.in_period |= in_period;
        self.before |= before;
    }
}

/// The first date of a pool, if it was reached by the end of a period.
fn reached(pool: &Pool, period: Period) -> Option<Timestamp> {
    let dates = pool.phases.iter().filter_map(|phase| phase.from);
    let reached = dates.map(|from| from.at).filter(|at| *at <= period.until);
    reached.min().filter(|_| pool.mode == PoolMode::Enforce)
}

/// Whether a bucket is of the days before an instant.
fn is_before(bucket: &Bucket, at: Option<Timestamp>) -> bool {
    at.is_some_and(|at| bucket.first < at && at.duration_since(bucket.last) <= BEFORE)
}

fn stopped<'t>(attempts: impl Iterator<Item = &'t Attempts>) -> Stopped {
    let mut stopped = Stopped::default();
    for attempts in attempts.filter(|attempts| attempts.before) {
        stopped.of += 1;
        stopped.stopped += u64::from(!attempts.in_period);
    }
    stopped
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
