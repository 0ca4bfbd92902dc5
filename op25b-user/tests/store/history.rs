//! The history of records: what is found by time, customer and import, and the expiries that were reached.

use jiff::Timestamp;
use op25b::{
    exemption::search::Pattern,
    store::{
        Change, ChangeKind, Commit, HistoryQuery, Record, Records as _, Store as _, sqlite::SqliteStore,
    },
};
use tempfile::tempdir;
use ulid::Ulid;

use crate::{add, at, of, open, record};

/// Everything.
fn all() -> HistoryQuery {
    HistoryQuery {
        limit: 100,
        ..HistoryQuery::default()
    }
}

fn ending(number: u32, end: &str) -> Record {
    let mut record = record(number);
    record.terms.expires_at = Some(at(end));
    record
}

/// Makes a change of a stored record at a time.
fn change(store: &mut SqliteStore, number: u32, action: ChangeKind, when: &str, edit: impl Fn(&mut Record)) {
    let before = store.get(record(number).id).unwrap().unwrap();
    let mut after = before.clone();
    edit(&mut after);
    let change = Change {
        action,
        before: Some(before),
        after,
    };
    let commit = Commit {
        at: at(when),
        ..of([change])
    };
    store.commit(&commit).unwrap();
}

/// The numbers of the records that ended, with when.
fn ended(store: &SqliteStore, query: &HistoryQuery, now: Timestamp) -> Vec<(u32, String)> {
    let found = store.expiries(query, now).unwrap().into_iter();
    let number = |id: Ulid| (1..10).find(|number| record(*number).id == id).unwrap();
    found
        .map(|expiry| (number(expiry.record.id), expiry.at.to_string()))
        .collect()
}

/// Records that end, of which some are extended, removed or restored before or after that; the fourth is of an import.
fn fill(store: &mut SqliteStore, batch: Ulid) {
    store
        .commit(&of([
            add(ending(1, "2027-05-01T00:00:00Z")),
            add(ending(2, "2027-05-02T00:00:00Z")),
            add(ending(3, "2027-05-03T00:00:00Z")),
            add(Record {
                batch: Some(batch),
                ..ending(4, "2027-05-04T00:00:00Z")
            }),
            add(ending(5, "2027-05-05T00:00:00Z")),
            add(ending(6, "2030-01-01T00:00:00Z")),
        ]))
        .unwrap();
    let to = |end: &'static str| move |record: &mut Record| record.terms.expires_at = Some(at(end));
    let removed = |when: &'static str| move |record: &mut Record| record.removed_at = Some(at(when));
    // Extended after its end, and before it.
    change(
        store,
        1,
        ChangeKind::Extend,
        "2027-05-01T00:00:00Z",
        to("2027-06-01T00:00:00Z"),
    );
    change(
        store,
        2,
        ChangeKind::Extend,
        "2027-05-01T23:59:59.9Z",
        to("2027-06-02T00:00:00Z"),
    );
    // Removed before its end, and restored after it; removed after its end.
    change(
        store,
        3,
        ChangeKind::Remove,
        "2027-05-02T00:00:00Z",
        removed("2027-05-02T00:00:00Z"),
    );
    change(store, 3, ChangeKind::Restore, "2027-05-10T00:00:00Z", |record| {
        record.removed_at = None;
        record.terms.expires_at = Some(at("2027-06-03T00:00:00Z"));
    });
    change(
        store,
        4,
        ChangeKind::Remove,
        "2027-05-04T00:00:00.5Z",
        removed("2027-05-04T00:00:00.5Z"),
    );
    change(
        store,
        5,
        ChangeKind::Remove,
        "2027-05-04T00:00:00Z",
        removed("2027-05-04T00:00:00Z"),
    );
}

#[test]
fn an_expiry_that_was_reached_is_found_whatever_became_of_the_record_later() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let batch = Ulid::from(99);
    fill(&mut store, batch);
    let now = at("2027-06-02T12:00:00Z");
    let (first, second, fourth) = (
        (1, "2027-05-01T00:00:00Z".to_owned()),
        (1, "2027-06-01T00:00:00Z".to_owned()),
        (4, "2027-05-04T00:00:00Z".to_owned()),
    );
    let last = (2, "2027-06-02T00:00:00Z".to_owned());
    let everything = [first.clone(), fourth.clone(), second.clone(), last.clone()];
    assert_eq!(ended(&store, &all(), now), everything);
    let query = HistoryQuery {
        since: Some(at("2027-05-01T00:00:00Z")),
        until: Some(at("2027-06-02T00:00:00Z")),
        ..all()
    };
    assert_eq!(ended(&store, &query, now), everything[..3]);
    let query = HistoryQuery {
        of: Some(record(1).id),
        since: Some(at("2027-05-01T00:00:00.1Z")),
        ..all()
    };
    assert_eq!(ended(&store, &query, now), [second]);
    let query = HistoryQuery {
        batch: Some(batch),
        ..all()
    };
    assert_eq!(ended(&store, &query, now), [fourth]);
    assert_eq!(ended(&store, &query, at("2027-05-03T00:00:00Z")), []);
    let query = HistoryQuery {
        customer: Pattern::new("customer 2"),
        ..all()
    };
    assert_eq!(ended(&store, &query, now), [last]);
    let pages: Vec<_> = (0..5)
        .flat_map(|after| {
            ended(
                &store,
                &HistoryQuery {
                    after,
                    limit: 1,
                    ..all()
                },
                now,
            )
        })
        .collect();
    assert_eq!(pages, everything);
}

#[test]
fn changes_are_found_by_time_customer_and_import() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let batch = Ulid::from(99);
    for (number, when) in [
        (1, "2027-05-01T00:00:00Z"),
        (2, "2027-05-02T00:00:00Z"),
        (3, "2027-05-03T00:00:00Z"),
    ] {
        let commit = Commit {
            at: at(when),
            ..of([add(Record {
                batch: (number > 1).then_some(batch),
                ..record(number)
            })])
        };
        store.commit(&commit).unwrap();
    }
    let found = |query: HistoryQuery| {
        let events = store.history(&query).unwrap().into_iter();
        events.map(|event| event.revision).collect::<Vec<_>>()
    };
    assert_eq!(found(all()), [1, 2, 3]);
    let since = Some(at("2027-05-02T00:00:00Z"));
    assert_eq!(found(HistoryQuery { since, ..all() }), [2, 3]);
    assert_eq!(
        found(HistoryQuery {
            until: since,
            ..all()
        }),
        [1]
    );
    let batch = Some(batch);
    assert_eq!(found(HistoryQuery { batch, ..all() }), [2, 3]);
    assert_eq!(
        found(HistoryQuery {
            batch,
            after: 2,
            ..all()
        }),
        [3]
    );
    let customer = Pattern::new("ＣＵＳＴＯＭＥＲ 3");
    assert!(found(HistoryQuery { customer, ..all() }).is_empty());
    let customer = Pattern::new("ｃustomer 3");
    assert_eq!(
        found(HistoryQuery {
            customer,
            limit: 1,
            ..all()
        }),
        [3]
    );
}
