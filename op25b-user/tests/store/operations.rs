//! The operations on the filter: written beside the exemptions, kept for a year, and kept when the store is put together again.

use jiff::{SignedDuration, Timestamp};
use op25b::store::{
    Operation, OperationKind, OperationQuery, Query, Record, Records, Store as _,
    sqlite::{self, SqliteStore},
};
use tempfile::tempdir;
use ulid::Ulid;

use crate::{
    actor, add, add_each, by_hand, customers, model::everything, named, now, of, open, record, remove,
};

/// The `number`th operation, one a minute.
fn operation(number: i64) -> Operation {
    Operation {
        at: now() + SignedDuration::from_mins(number),
        by: actor(),
        what: OperationKind::Pause,
        pool: Some(format!("pool-{number}")),
        reason: Some("メールが届かない\n'; DROP TABLE operations".to_owned()),
        detail: None,
        until: Some(now() + SignedDuration::from_mins(number + 30)),
    }
}

fn write_each(store: &mut SqliteStore, numbers: impl IntoIterator<Item = i64>) {
    for number in numbers {
        store.write_operation(&operation(number)).unwrap();
    }
}

fn newest(store: &impl Records, limit: usize) -> Vec<Operation> {
    store
        .operations(OperationQuery {
            limit,
            ..OperationQuery::default()
        })
        .unwrap()
}

#[test]
fn operations_are_read_as_they_were_written_the_newest_first() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    assert_eq!(newest(&store, 10), []);
    write_each(&mut store, 1..=4);
    for kind in OperationKind::ALL {
        let stored = Operation {
            pool: None,
            reason: None,
            until: None,
            what: *kind,
            ..operation(5)
        };
        let stored = stored.with_detail(kind.name());
        store.write_operation(&stored).unwrap();
        // Those about reading are listed apart.
        let query = OperationQuery {
            limit: 1,
            reads: *kind == OperationKind::Read,
            ..OperationQuery::default()
        };
        assert_eq!(store.operations(query).unwrap(), [stored]);
    }
    let since = Some(operation(3).at);
    let query = OperationQuery {
        since,
        limit: 100,
        ..OperationQuery::default()
    };
    let found = store.reader().unwrap().operations(query).unwrap();
    assert_eq!(found.len(), 2 + OperationKind::ALL.len() - 1);
    assert_eq!(found.last(), Some(&operation(3)));
    assert_eq!(store.revision().unwrap(), 0, "it is no change of an exemption");
    drop(store);
    let store = sqlite::open_read_only(dir.path()).unwrap().unwrap();
    assert_eq!(newest(&store, usize::MAX).last(), Some(&operation(1)));
}

#[test]
fn an_operation_is_kept_for_a_year_and_at_most_ten_thousand_are() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    store.write_operation(&operation(0)).unwrap();
    let year = i64::from(365 * 24 * 60);
    write_each(&mut store, [1, year]);
    assert_eq!(newest(&store, 10), [operation(year), operation(1), operation(0)]);
    write_each(&mut store, [year + 1]);
    assert_eq!(
        newest(&store, 10),
        [operation(year + 1), operation(year), operation(1)]
    );
    drop(store);
    by_hand(
        dir.path(),
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 10100)
         INSERT INTO operations (at, uid, name, what) SELECT '2028-03-31T00:00:00.000000000Z', 0, 'root', 'reload' FROM numbers",
    )
    .unwrap();
    let mut store = open(dir.path());
    write_each(&mut store, [year + 2]);
    let kept = newest(&store, usize::MAX);
    assert_eq!((kept.len(), &kept[0]), (10_000, &operation(year + 2)));
    assert!(kept[1..].iter().all(|one| one.what == OperationKind::Reload));
}

#[test]
fn operations_are_kept_when_a_damaged_store_is_recovered() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=2);
    write_each(&mut store, [1, 2]);
    store
        .backup_if_due(Timestamp::now() + SignedDuration::from_hours(2))
        .unwrap();
    write_each(&mut store, [3]);
    drop(store);
    by_hand(dir.path(), "UPDATE exemptions SET customer = 'another'").unwrap();
    let opened = sqlite::open(dir.path());
    assert!(!opened.remarks.is_empty());
    assert_eq!(customers(&opened.store), named(1..=2));
    assert_eq!(
        newest(&opened.store, 10),
        [operation(3), operation(2), operation(1)]
    );
}

#[test]
fn operations_of_both_copies_are_kept_when_an_older_one_is_put_in_the_stores_place() {
    let [dir, older] = [tempdir().unwrap(), tempdir().unwrap()];
    let mut store = open(older.path());
    add_each(&mut store, 1..=1);
    write_each(&mut store, [1]);
    drop(store);
    let file = "exemptions.db";
    std::fs::copy(older.path().join(file), dir.path().join(file)).unwrap();
    let mut store = open(older.path());
    write_each(&mut store, [2]);
    drop(store);

    let mut store = open(dir.path());
    write_each(&mut store, [3]);
    std::fs::rename(older.path().join(file), dir.path().join(file)).unwrap();
    write_each(&mut store, [4]);
    let found: Vec<_> = newest(&store, 10)
        .into_iter()
        .map(|one| one.pool.unwrap())
        .collect();
    assert_eq!(found, ["pool-4", "pool-3", "pool-2", "pool-1"]);
    assert_eq!(customers(&store), named(1..=1));
}

/// A store as the first format had it: three exemptions, of which the second is removed.
fn first_format(dir: &std::path::Path) {
    by_hand(dir, include_str!("format-1.sql")).unwrap();
}

#[test]
fn a_store_of_the_first_format_is_upgraded_with_all_that_it_has() {
    let dir = tempdir().unwrap();
    first_format(dir.path());
    let before = std::fs::read(dir.path().join("exemptions.db")).unwrap();
    let reader = sqlite::open_read_only(dir.path()).unwrap().unwrap();
    assert_eq!((customers(&reader), newest(&reader, 10)), (named([1, 3]), vec![]));
    drop(reader);
    assert_eq!(std::fs::read(dir.path().join("exemptions.db")).unwrap(), before);

    let mut store = open(dir.path());
    assert_eq!(customers(&store), named([1, 3]));
    assert_eq!(store.revision().unwrap(), 4);
    assert_eq!(store.events(None, 0, 10).unwrap().len(), 4);
    write_each(&mut store, [1]);
    let third = store.get(record(3).id).unwrap().unwrap();
    let imported = Record {
        batch: Some(Ulid::from(7)),
        ..record(4)
    };
    assert_eq!(store.commit(&of([remove(&third), add(imported)])).unwrap(), 6);
    drop(store);
    let store = open(dir.path());
    assert_eq!(
        store.batches_between(Ulid::from(0), Ulid::from(9), 9).unwrap(),
        [(Ulid::from(7), 1)]
    );
    let of_batch = Query {
        batch: Some(Ulid::from(7)),
        ..everything()
    };
    assert_eq!(store.list(&of_batch, now()).unwrap()[0].id, record(4).id);
    assert_eq!(store.list(&everything(), now()).unwrap().len(), 4);
    assert_eq!(
        (customers(&store), newest(&store, 10)),
        (named([1, 4]), vec![operation(1)])
    );
}

#[test]
fn a_store_is_recovered_from_a_backup_of_the_first_format() {
    let dir = tempdir().unwrap();
    first_format(dir.path());
    std::fs::rename(
        dir.path().join("exemptions.db"),
        dir.path().join("exemptions.db.backup"),
    )
    .unwrap();
    let mut opened = sqlite::open(dir.path());
    assert!(opened.remarks[0].contains("was missing"), "{:?}", opened.remarks);
    assert_eq!(customers(&opened.store), named([1, 3]));
    write_each(&mut opened.store, [1]);
    assert_eq!(newest(&opened.store, 10), [operation(1)]);
    drop(opened);
    // Its own file is whole, and needs no further recovery.
    assert_eq!(customers(&open(dir.path())), named([1, 3]));
}

#[test]
fn a_damaged_store_of_the_first_format_is_recovered_too() {
    let dir = tempdir().unwrap();
    first_format(dir.path());
    by_hand(
        dir.path(),
        "UPDATE exemptions SET customer = 'another' WHERE customer = 'Customer 1'",
    )
    .unwrap();
    let mut opened = sqlite::open(dir.path());
    assert!(!opened.remarks.is_empty());
    assert_eq!(
        customers(&opened.store),
        named([3]),
        "in doubt, neither version is used"
    );
    write_each(&mut opened.store, [1]);
    drop(opened);
    assert_eq!(newest(&open(dir.path()), 10), [operation(1)]);
}
