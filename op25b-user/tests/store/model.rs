//! The store returns what a list in memory does that is searched from its start to its end.

use std::collections::BTreeMap;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use op25b::exemption::{Terms, search::Pattern};
use op25b::store::{
    Change, ChangeKind, Event, Query, Record, Records as _, Revision, State, Store as _, StoreError, Texts,
};
use proptest::prelude::*;
use tempfile::tempdir;
use ulid::Ulid;

use crate::{actor, now, of, open};

/// Every record, whatever its state.
pub(crate) fn everything() -> Query {
    Query {
        all: true,
        limit: usize::MAX,
        ..Query::default()
    }
}

#[derive(Default)]
struct Model {
    records: BTreeMap<Ulid, Record>,
    events: Vec<Event>,
}

impl Model {
    fn commit(&mut self, changes: &[Change]) -> Result<Revision, StoreError> {
        let mut records = self.records.clone();
        let mut events = self.events.clone();
        for change in changes {
            let id = change.after.id;
            if records.get(&id) != change.before.as_ref() {
                return Err(StoreError::Conflict { id });
            }
            let revision = Revision::try_from(events.len()).unwrap() + 1;
            let after = Record {
                revision,
                ..change.after.clone()
            };
            records.insert(id, after.clone());
            events.push(Event {
                revision,
                at: now(),
                by: actor(),
                action: change.action,
                reason: Some("asked for by telephone".into()),
                before: change.before.clone(),
                after,
            });
        }
        (self.records, self.events) = (records, events);
        Ok(Revision::try_from(self.events.len()).unwrap())
    }

    fn list(&self, query: &Query, now: Timestamp) -> Vec<Record> {
        let overlap = |one: &IpNet, other: &IpNet| one.contains(other) || other.contains(one);
        let asked_for = |record: &&Record| {
            let active = record.state(now) == State::Active;
            (query.all || active)
                && query.texts.match_terms(&record.terms)
                && query.batch.is_none_or(|batch| record.batch == Some(batch))
                && query.expiring_before.is_none_or(|before| {
                    active && record.terms.expires_at.is_some_and(|expires| expires < before)
                })
                && query
                    .within
                    .is_none_or(|net| record.terms.prefixes.iter().any(|prefix| overlap(prefix, &net)))
                && query.after.is_none_or(|after| record.id > after)
        };
        let records = self.records.values().filter(asked_for);
        records.take(query.limit).cloned().collect()
    }
}

/// Prefixes that have much to do with each other.
fn prefix() -> impl Strategy<Value = IpNet> {
    let v4 = (any::<[bool; 32]>(), 0u8..=32).prop_map(|(bits, len)| {
        let few = bits
            .iter()
            .enumerate()
            .filter(|(index, bit)| **bit && index % 9 == 0);
        let address = few.fold(0u32, |address, (index, _)| address | 1 << index);
        IpNet::new(std::net::Ipv4Addr::from_bits(address).into(), len)
            .unwrap()
            .trunc()
    });
    let v6 = (any::<[bool; 128]>(), 0u8..=128).prop_map(|(bits, len)| {
        let few = bits
            .iter()
            .enumerate()
            .filter(|(index, bit)| **bit && index % 37 == 16);
        let address = few.fold(0u128, |address, (index, _)| address | 1 << index);
        IpNet::new(std::net::Ipv6Addr::from_bits(address).into(), len)
            .unwrap()
            .trunc()
    });
    prop_oneof![v4, v6]
}

/// Times around now, also on the same second.
fn time() -> impl Strategy<Value = Timestamp> {
    (-2i64..=2).prop_map(|seconds| now() + SignedDuration::from_secs(seconds))
}

fn id() -> impl Strategy<Value = Ulid> {
    (0u64..6).prop_map(|number| Ulid::from_parts(number, 0))
}

fn customer() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("A".to_owned()),
        Just("B".to_owned()),
        Just("ａ  b".to_owned()),
        Just("ä'\"".to_owned())
    ]
}

fn record() -> impl Strategy<Value = Record> {
    let ends = (prop::option::of(time()), prop::option::weighted(0.2, time()));
    let nets = (
        prop::collection::vec(prefix(), 1..4),
        prop::collection::vec(prefix(), 0..2),
    );
    let words = prop::option::of(any::<String>());
    (id(), customer(), nets, words, time(), ends).prop_map(
        |(id, customer, (prefixes, destinations), note, created_at, (expires_at, removed_at))| Record {
            id,
            terms: Terms {
                customer: customer.into(),
                prefixes: prefixes.into(),
                destinations: destinations.into(),
                ticket: note.clone().map(Into::into),
                note: note.map(Into::into),
                expires_at,
            },
            created_at,
            created_by: actor(),
            removed_at,
            revision: 0,
            batch: (expires_at.is_none()).then(|| Ulid::from(7)),
        },
    )
}

/// A change, and whether it has the record before it.
fn change() -> impl Strategy<Value = (Record, bool, ChangeKind)> {
    let action = prop_oneof![
        Just(ChangeKind::Add),
        Just(ChangeKind::Extend),
        Just(ChangeKind::Remove)
    ];
    (record(), prop::bool::weighted(0.9), action)
}

fn query() -> impl Strategy<Value = (Query, Timestamp)> {
    let query = (
        prop::option::of(customer()),
        prop::option::of(time()),
        prop::option::weighted(0.7, prefix()),
        any::<bool>(),
        prop::option::of(id()),
        prop_oneof![Just(usize::MAX), 0usize..4],
    )
        .prop_map(|(customer, expiring_before, within, all, after, limit)| Query {
            texts: Texts {
                customer: customer.and_then(|name| Pattern::new(&name)),
                ..Texts::default()
            },
            batch: (limit == 3).then(|| Ulid::from(7)),
            expiring_before,
            within,
            all,
            after,
            limit,
        });
    (query, time())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_store_answers_as_a_list_in_memory_does(
        commits in prop::collection::vec(prop::collection::vec(change(), 0..4), 1..12),
        queries in prop::collection::vec(query(), 20),
        reopens in any::<bool>(),
    ) {
        let dir = tempdir().unwrap();
        let (mut store, mut model) = (open(dir.path()), Model::default());
        for changes in commits {
            let changes: Vec<_> = changes
                .into_iter()
                .map(|(after, knows, action)| Change {
                    action,
                    before: knows.then(|| model.records.get(&after.id).cloned()).flatten(),
                    after,
                })
                .collect();
            prop_assert_eq!(store.commit(&of(changes.clone())), model.commit(&changes));
        }
        if reopens {
            drop(store);
            store = open(dir.path());
        }
        let reader = store.reader().unwrap();
        for (query, now) in queries {
            let expected = model.list(&query, now);
            prop_assert_eq!(store.list(&query, now).unwrap(), expected.clone(), "{:?}", &query);
            prop_assert_eq!(reader.list(&query, now).unwrap(), expected);
        }
        prop_assert_eq!(store.list(&everything(), now()).unwrap(), model.list(&everything(), now()));
        let not_removed: Vec<_> =
            model.records.values().filter(|record| record.removed_at.is_none()).cloned().collect();
        prop_assert_eq!(store.not_removed().unwrap(), not_removed);
        prop_assert_eq!(store.events(None, 0, usize::MAX).unwrap(), model.events.clone());
        for number in 0..6 {
            let id = Ulid::from_parts(number, 0);
            let of_one: Vec<_> =
                model.events.iter().filter(|event| event.after.id == id && event.revision > 2).cloned().collect();
            prop_assert_eq!(store.events(Some(id), 2, usize::MAX).unwrap(), of_one);
            prop_assert_eq!(store.get(id).unwrap(), model.records.get(&id).cloned());
        }
    }
}
