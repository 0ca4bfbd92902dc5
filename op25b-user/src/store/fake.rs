//! A fake store in memory, for tests of its readers.

use std::{cell::Cell, collections::BTreeMap};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use ulid::Ulid;

use super::{
    Actor, ChangeKind, Event, Expiry, HistoryQuery, Operation, OperationKind, OperationQuery, Query, Record,
    Records, Revision, State, StoreError,
};
use crate::exemption::Terms;

/// A store that holds the records that it was created with, by ascending id.
#[derive(Default)]
pub(crate) struct Fake {
    pub(crate) events: Vec<Event>,
    /// The number of calls of `list`.
    pub(crate) lists: Cell<usize>,
}

/// The user that tests act as.
pub(crate) fn actor() -> Actor {
    Actor {
        uid: 1000,
        name: "operator".to_owned(),
    }
}

/// A record whose id ends with a number.
pub(crate) fn record(number: u128, customer: &str, prefix: &str) -> Record {
    let prefix: IpNet = prefix.parse().unwrap();
    let terms = Terms::new(customer, [prefix]);
    Record::new(Ulid::from(number), terms, Timestamp::UNIX_EPOCH, actor())
}

impl Fake {
    /// A store to which these records were added.
    pub(crate) fn of(records: impl IntoIterator<Item = Record>) -> Self {
        let events = (1..).zip(records).map(|(revision, record)| Event {
            revision,
            at: Timestamp::UNIX_EPOCH,
            by: actor(),
            action: ChangeKind::Add,
            reason: None,
            before: None,
            after: Record { revision, ..record },
        });
        Self {
            events: events.collect(),
            ..Self::default()
        }
    }

    fn records(&self) -> impl Iterator<Item = &Record> {
        self.events.iter().map(|event| &event.after)
    }
}

fn overlaps(one: &IpNet, other: &IpNet) -> bool {
    one.contains(other) || other.contains(one)
}

impl Records for Fake {
    fn revision(&self) -> Result<Revision, StoreError> {
        Ok(self.events.len() as Revision)
    }

    fn not_removed(&self) -> Result<Vec<Record>, StoreError> {
        let not_removed = self.records().filter(|record| record.removed_at.is_none());
        Ok(not_removed.cloned().collect())
    }

    fn get(&self, id: Ulid) -> Result<Option<Record>, StoreError> {
        Ok(self.records().find(|record| record.id == id).cloned())
    }

    fn ids_between(&self, first: Ulid, last: Ulid, limit: usize) -> Result<(Vec<Ulid>, usize), StoreError> {
        let ids = self.records().map(|record| record.id);
        let ids: Vec<_> = ids.filter(|id| (first..=last).contains(id)).collect();
        let count = ids.len();
        Ok((ids.into_iter().take(limit).collect(), count))
    }

    fn batches_between(
        &self,
        first: Ulid,
        last: Ulid,
        limit: usize,
    ) -> Result<Vec<(Ulid, usize)>, StoreError> {
        let mut batches = BTreeMap::new();
        let of = self.records().filter_map(|record| record.batch);
        for batch in of.filter(|batch| (first..=last).contains(batch)) {
            *batches.entry(batch).or_default() += 1;
        }
        Ok(batches.into_iter().take(limit).collect())
    }

    fn list(&self, query: &Query, now: Timestamp) -> Result<Vec<Record>, StoreError> {
        self.lists.set(self.lists.get() + 1);
        let found = self.records().filter(|record| {
            let active = record.state(now) == State::Active;
            query.after.is_none_or(|after| record.id > after)
                && query.texts.match_terms(&record.terms)
                && query.batch.is_none_or(|batch| record.batch == Some(batch))
                && query.within.is_none_or(|within| {
                    record
                        .terms
                        .prefixes
                        .iter()
                        .any(|prefix| overlaps(prefix, &within))
                })
                && query
                    .expiring_before
                    .is_none_or(|before| active && record.terms.expires_at.is_some_and(|end| end < before))
                && (query.all || active)
        });
        Ok(found.take(query.limit).cloned().collect())
    }

    fn removed_with(&self, prefix: IpNet) -> Result<Vec<Record>, StoreError> {
        let removed = self.records().filter(|record| record.removed_at.is_some());
        let found = removed.filter(|record| record.terms.prefixes.contains(&prefix));
        Ok(found.cloned().collect())
    }

    fn history(&self, query: &HistoryQuery) -> Result<Vec<Event>, StoreError> {
        let is_within = |at: Timestamp| {
            query.since.is_none_or(|since| at >= since) && query.until.is_none_or(|until| at < until)
        };
        let found = self.events.iter().filter(|event| {
            event.revision > query.after
                && query.of.is_none_or(|id| event.after.id == id)
                && query.batch.is_none_or(|batch| event.after.batch == Some(batch))
                && query.matches_customer(&event.after)
                && is_within(event.at)
        });
        Ok(found.take(query.limit).cloned().collect())
    }

    fn expiries(&self, _: &HistoryQuery, _: Timestamp) -> Result<Vec<Expiry>, StoreError> {
        Ok(Vec::new())
    }

    fn operations(&self, query: OperationQuery) -> Result<Vec<Operation>, StoreError> {
        let start = |second| Operation {
            at: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second),
            ..Operation::now(OperationKind::Start, actor())
        };
        if query.reads {
            return Ok(Vec::new());
        }
        let all = [3, 2, 1].map(start).into_iter();
        let since = query.since.unwrap_or(Timestamp::MIN);
        Ok(all.filter(|one| one.at >= since).take(query.limit).collect())
    }
}
