//! What a commit does, and what it refuses.

use jiff::SignedDuration;
use op25b::exemption::Terms;
use op25b::store::{ChangeKind, Commit, Earlier, Record, Records as _, RequestKey, Store as _, StoreError};
use tempfile::tempdir;

use crate::{actor, add, add_each, by_hand, now, of, open, record, remove};

#[test]
fn a_record_comes_back_as_it_was_with_the_number_of_its_change() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let odd = Record {
        terms: Terms {
            note: Some("".into()),
            expires_at: Some("9999-12-30T22:00:00Z".parse().unwrap()),
            ..Terms::new(
                "株式会社 'サンプル'\n\"0\"",
                ["0.0.0.0/0", "::/0", "::/0"].map(|prefix| prefix.parse().unwrap()),
            )
        },
        created_at: "-009999-01-02T01:59:59Z".parse().unwrap(),
        ..record(2)
    };
    assert_eq!(store.revision().unwrap(), 0);
    assert_eq!(store.commit(&of([add(record(1)), add(odd.clone())])).unwrap(), 2);
    let odd = Record { revision: 2, ..odd };
    assert_eq!(store.get(odd.id).unwrap(), Some(odd.clone()));
    drop(store);
    let store = open(dir.path());
    assert_eq!(
        store.not_removed().unwrap(),
        [
            Record {
                revision: 1,
                ..record(1)
            },
            odd
        ]
    );
    assert_eq!(store.revision().unwrap(), 2);
}

#[test]
fn each_change_of_a_commit_is_an_event_of_its_own() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=3);
    let before = store.not_removed().unwrap();
    assert_eq!(
        store
            .commit(&of([remove(&before[2]), add(record(4)), remove(&before[0])]))
            .unwrap(),
        6
    );
    let events = store.events(None, 3, 10).unwrap();
    let reported: Vec<_> = events
        .iter()
        .map(|event| (event.revision, event.action, event.after.id))
        .collect();
    assert_eq!(
        reported,
        [
            (4, ChangeKind::Remove, record(3).id),
            (5, ChangeKind::Add, record(4).id),
            (6, ChangeKind::Remove, record(1).id),
        ]
    );
    assert_eq!(events[0].before.as_ref(), Some(&before[2]));
    assert_eq!(events[0].after, store.get(record(3).id).unwrap().unwrap());
    assert_eq!((events[1].at, &events[1].by), (now(), &actor()));
    assert_eq!(events[2].reason.as_deref(), Some("asked for by telephone"));
    let of_one: Vec<_> = store.events(Some(record(1).id), 0, 10).unwrap();
    assert_eq!(
        of_one.iter().map(|event| event.revision).collect::<Vec<_>>(),
        [1, 6]
    );
    assert_eq!(store.events(None, 0, 2).unwrap().len(), 2);
    assert_eq!(store.events(None, u64::MAX, 2).unwrap(), []);
}

#[test]
fn a_record_that_was_changed_meanwhile_is_a_conflict_and_nothing_is_done() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=2);
    let stale = store.get(record(1).id).unwrap().unwrap();
    store.commit(&of([remove(&stale)])).unwrap();
    let before = store.list(&crate::model::everything(), now()).unwrap();
    let other = store.get(record(2).id).unwrap().unwrap();
    let never_there = Record {
        revision: 1,
        ..record(9)
    };
    // The right number, and yet not the same.
    let another = Record {
        terms: Terms {
            customer: "Somebody".into(),
            ..other.terms.clone()
        },
        ..other.clone()
    };
    for (refused, id) in [
        (remove(&stale), stale.id),
        (add(record(2)), record(2).id),
        (remove(&never_there), never_there.id),
        (remove(&another), other.id),
    ] {
        let answer = store.commit(&of([add(record(3)), remove(&other), refused]));
        assert_eq!(answer, Err(StoreError::Conflict { id }));
        assert_eq!(store.list(&crate::model::everything(), now()).unwrap(), before);
        assert_eq!(store.revision().unwrap(), 3);
        assert_eq!(store.events(None, 3, 1).unwrap(), []);
    }
}

#[test]
fn the_audit_can_be_neither_changed_nor_removed_nor_replaced() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    add_each(&mut store, 1..=2);
    let events = store.events(None, 0, 10).unwrap();
    for sql in [
        "UPDATE audit SET reason = 'none' WHERE revision = 1",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT revision, at, 0, 'root', action, reason, exemption, before, after FROM audit",
    ] {
        let error = by_hand(dir.path(), sql).unwrap_err().to_string();
        assert!(error.contains("the audit is never "), "{sql}: {error}");
    }
    assert_eq!(store.events(None, 0, 10).unwrap(), events);
}

fn request(uid: u32, key: &str) -> RequestKey {
    RequestKey {
        uid,
        key: key.into(),
        digest: format!("digest of {key}"),
    }
}

#[test]
fn what_became_of_a_request_is_known_for_a_day() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let first = Commit {
        request: Some(request(1000, "one")),
        ..of([add(record(1)), add(record(2))])
    };
    store.commit(&first).unwrap();
    let earlier = Earlier {
        digest: "digest of one".into(),
        changed: vec![record(1).id, record(2).id],
    };
    assert_eq!(store.earlier(1000, "one", now()).unwrap(), Some(earlier.clone()));
    assert_eq!(store.earlier(1001, "one", now()).unwrap(), None);
    assert_eq!(store.earlier(1000, "two", now()).unwrap(), None);
    // The same request is not done a second time, also without a look-up before.
    let again = Commit {
        request: Some(request(1000, "one")),
        ..of([add(record(3))])
    };
    assert!(store.commit(&again).is_err());
    assert_eq!(store.get(record(3).id).unwrap(), None);

    let day = SignedDuration::from_hours(24);
    let later = Commit {
        at: now() + day,
        request: Some(request(1000, "two")),
        ..of([add(record(3))])
    };
    store.commit(&later).unwrap();
    assert_eq!(store.earlier(1000, "one", now() + day).unwrap(), Some(earlier));
    // It does not count any longer, whether or not it is still there.
    let late = now() + day + SignedDuration::from_nanos(1);
    assert_eq!(store.earlier(1000, "one", late).unwrap(), None);
    let later = Commit {
        at: late,
        ..of([add(record(4))])
    };
    store.commit(&later).unwrap();
    assert_eq!(store.earlier(1000, "one", now()).unwrap(), None);
    assert!(store.earlier(1000, "two", now() + day).unwrap().is_some());
}

#[test]
fn a_key_that_was_used_under_a_clock_that_ran_ahead_is_free_again() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    let ahead = Commit {
        at: now() + SignedDuration::from_hours(24 * 365),
        request: Some(request(1000, "one")),
        ..of([add(record(1))])
    };
    store.commit(&ahead).unwrap();
    assert_eq!(store.earlier(1000, "one", now()).unwrap(), None);
    let again = Commit {
        request: Some(request(1000, "one")),
        ..of([add(record(2))])
    };
    store.commit(&again).unwrap();
    let changed = store.earlier(1000, "one", now()).unwrap().unwrap().changed;
    assert_eq!(changed, [record(2).id]);
    // A clock that was set back by an hour forgets nothing.
    let before = now() - SignedDuration::from_hours(1);
    assert!(store.earlier(1000, "one", before).unwrap().is_some());
}

#[test]
fn a_request_that_was_taken_back_can_be_sent_again_and_others_cannot() {
    let dir = tempdir().unwrap();
    let mut store = open(dir.path());
    for (number, uid, key) in [(1, 1000, "one"), (2, 1000, "two"), (3, 1001, "one")] {
        let commit = Commit {
            request: Some(request(uid, key)),
            ..of([add(record(number))])
        };
        store.commit(&commit).unwrap();
    }
    let added = store.get(record(1).id).unwrap().unwrap();
    let back = Commit {
        taken_back: Some(request(1000, "one")),
        ..of([remove(&added)])
    };
    store.commit(&back).unwrap();
    assert_eq!(store.earlier(1000, "one", now()).unwrap(), None);
    for (uid, key) in [(1000, "two"), (1001, "one")] {
        assert!(store.earlier(uid, key, now()).unwrap().is_some(), "{uid} {key}");
    }
    let again = Commit {
        request: Some(request(1000, "one")),
        ..of([add(record(4))])
    };
    store.commit(&again).unwrap();
    let changed = store.earlier(1000, "one", now()).unwrap().unwrap().changed;
    assert_eq!(changed, [record(4).id]);
}
