//! A report: its rows, and their sums by class, by pool and by day.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::{Timestamp, civil::Date};
use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use super::{
    class::Class,
    customers::NotAttributed,
    row::Row,
    rules::{Mode, Rules},
    tallies::{Day, Entry, Tallies},
    tally::Counts,
};
use crate::store::activity::Covered;

/// What the rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// Addresses, and IPv6 prefixes.
    Subscriber,
    /// Customers, by the sessions.
    Customer,
}

/// Which time a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) since: Timestamp,
    /// The first instant after it.
    pub(crate) until: Timestamp,
}

/// What is done with the packets of all rows of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Sum {
    /// How many subscribers or customers.
    pub(crate) rows: u64,
    pub(crate) packets: u64,
    pub(crate) blocked: u64,
    pub(crate) monitored: u64,
    pub(crate) syns: u64,
    pub(crate) hidden: u64,
}

/// The rows of a class; of none if no packet has readable ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ClassSum {
    pub(crate) class: Option<Class>,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

/// The rows of a pool; of none for subscribers in no pool of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PoolSum {
    pub(crate) pool: Option<String>,
    pub(crate) mode: Option<Mode>,
    /// When it is enforced, if that is later.
    pub(crate) enforce_from: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

/// What happened on a day of the system's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DaySum {
    pub(crate) day: Date,
    #[serde(flatten)]
    pub(crate) sum: Sum,
}

/// A report. Adding a member is a compatible change, changing one is not.
pub(crate) struct Report<'a, K> {
    pub(crate) by: By,
    pub(crate) pool: Option<String>,
    pub(crate) period: Period,
    pub(crate) covered: Covered,
    pub(crate) policy_file: PathBuf,
    pub(crate) total: Sum,
    pub(crate) classes: Vec<ClassSum>,
    pub(crate) pools: Vec<PoolSum>,
    pub(crate) days: Vec<DaySum>,
    /// How many rows match, listed or not.
    pub(crate) matching: usize,
    /// Only of a report by customer.
    pub(crate) not_attributed: Option<NotAttributed>,
    rules: &'a Rules<'a>,
    entries: Vec<Entry<K>>,
    customer: Customer<'a, K>,
}

/// The customer of a key.
pub(crate) type Customer<'a, K> = Box<dyn Fn(&K) -> Option<&'a str> + 'a>;

/// What a report is about, and which of its rows are listed.
pub(crate) struct Scope {
    pub(crate) by: By,
    pub(crate) pool: Option<String>,
    pub(crate) period: Period,
    pub(crate) covered: Covered,
    pub(crate) policy_file: PathBuf,
    /// Only rows of this class.
    pub(crate) class: Option<Class>,
    /// At most so many; `None` for all.
    pub(crate) top: Option<usize>,
    /// Only of a report by customer.
    pub(crate) not_attributed: Option<NotAttributed>,
}

impl<'a, K: Copy + Ord + std::hash::Hash> Report<'a, K> {
    pub(crate) fn new(
        scope: Scope,
        tallies: Tallies<K>,
        rules: &'a Rules<'a>,
        customer: Customer<'a, K>,
    ) -> Self {
        let (mut entries, days) = tallies.finish();
        let mut sums = Sums::default();
        for entry in &entries {
            sums.add(entry);
        }
        if scope.class.is_some() {
            entries.retain(|entry| Class::of(&entry.tally) == scope.class);
        }
        let matching = entries.len();
        entries.truncate(scope.top.unwrap_or(usize::MAX));
        Self {
            by: scope.by,
            pool: scope.pool,
            period: scope.period,
            covered: scope.covered,
            policy_file: scope.policy_file,
            total: sums.total,
            classes: sums.by_class(),
            pools: sums.by_pool(rules),
            days: days
                .into_iter()
                .map(|(day, done)| DaySum::new(day, done))
                .collect(),
            matching,
            not_attributed: scope.not_attributed,
            rules,
            entries,
            customer,
        }
    }
}

impl<K> Report<'_, K> {
    /// Whether its rows are customers.
    pub(crate) fn has_customers(&self) -> bool {
        self.by == By::Customer
    }

    /// The rows that are listed, those with the most packets first.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = Row<'_>> {
        self.entries
            .iter()
            .map(|entry| Row::new(entry, (self.customer)(&entry.key), self.rules))
    }
}

/// The rows one by one: there may be a million.
struct Rows<'r, 'a, K>(&'r Report<'a, K>);

impl<K> Serialize for Rows<'_, '_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.rows())
    }
}

impl<K> Serialize for Report<'_, K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Report", 13)?;
        body.serialize_field("by", &self.by)?;
        body.serialize_field("pool", &self.pool)?;
        body.serialize_field("since", &self.period.since)?;
        body.serialize_field("until", &self.period.until)?;
        body.serialize_field("history", &self.covered)?;
        body.serialize_field("policy_file", &self.policy_file)?;
        body.serialize_field("total", &self.total)?;
        body.serialize_field("classes", &self.classes)?;
        body.serialize_field("pools", &self.pools)?;
        body.serialize_field("days", &self.days)?;
        body.serialize_field("not_attributed", &self.not_attributed)?;
        body.serialize_field("matching", &self.matching)?;
        body.serialize_field("rows", &Rows(self))?;
        body.end()
    }
}

impl Sum {
    pub(super) fn add(&mut self, counts: &Counts, rows: u64) {
        self.rows += rows;
        self.packets += counts.packets();
        self.blocked += counts.blocked();
        self.monitored += counts.monitored();
        self.syns += counts.syns();
        self.hidden += counts.hidden;
    }
}

impl DaySum {
    fn new(day: Date, done: Day) -> Self {
        let mut sum = Sum::default();
        sum.add(&done.counts, done.active);
        Self { day, sum }
    }
}

/// The sums of rows.
#[derive(Default)]
struct Sums {
    total: Sum,
    by_class: BTreeMap<Option<Class>, Sum>,
    by_pool: BTreeMap<Option<usize>, Sum>,
}

impl Sums {
    fn add<K>(&mut self, entry: &Entry<K>) {
        let counts = &entry.tally.counts;
        let class = Class::of(&entry.tally);
        for sum in [
            &mut self.total,
            self.by_class.entry(class).or_default(),
            self.by_pool.entry(entry.pool).or_default(),
        ] {
            sum.add(counts, 1);
        }
    }

    /// Every class, and what has none if there is that.
    fn by_class(&self) -> Vec<ClassSum> {
        let of = |class| self.by_class.get(&class).copied();
        let classes = Class::ALL.map(|class| ClassSum {
            class: Some(class),
            sum: of(Some(class)).unwrap_or_default(),
        });
        let none = of(None).map(|sum| ClassSum { class: None, sum });
        classes.into_iter().chain(none).collect()
    }

    /// The pools in the policy's order, without those where nothing happened.
    fn by_pool(&self, rules: &Rules<'_>) -> Vec<PoolSum> {
        let (none, pools): (Vec<_>, Vec<_>) = self.by_pool.iter().partition(|(number, _)| number.is_none());
        let of = |(number, sum): (&Option<usize>, &Sum)| {
            let pool = number.map(|number| &rules.pools()[number]);
            let mode = pool.map(|pool| rules.mode(pool));
            PoolSum {
                pool: pool.map(|pool| pool.name.clone()),
                mode: mode.map(|(mode, _)| mode),
                enforce_from: mode.and_then(|(_, from)| from),
                sum: *sum,
            }
        };
        pools.into_iter().chain(none).map(of).collect()
    }
}
