//! The sessions as they are added, read and removed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::tempdir;

use super::{Added, OpenedSessions, SessionQuery, Sessions, SessionsReader, Survey};
use crate::{
    exemption::search::Pattern,
    session::{
        Session,
        fixtures::{at, ended, net, open},
    },
    store::{Deleted, StoreError},
};

fn sessions(dir: &Path) -> Sessions {
    let OpenedSessions { sessions, lost } = Sessions::open(dir).unwrap();
    assert_eq!(lost, None);
    sessions
}

fn import(dir: &Path, rows: &[Session]) -> (Added, Survey) {
    let mut sessions = sessions(dir);
    let mut import = sessions.import().unwrap();
    for row in rows {
        import.add(row).unwrap();
    }
    let done = (import.added(), import.survey().unwrap());
    import.commit().unwrap();
    done
}

const fn added(added: usize, extended: usize, unchanged: usize) -> Added {
    Added {
        added,
        extended,
        unchanged,
    }
}

/// What a query finds, a line for each.
fn found(dir: &Path, query: &SessionQuery) -> Vec<String> {
    let mut lines = Vec::new();
    let reader = SessionsReader::open(dir).unwrap().unwrap();
    let base = at(0).as_second();
    reader
        .each(query, |session| {
            let Session {
                customer,
                prefix,
                start,
                end,
                seen,
            } = session;
            assert!(end.is_none_or(|end| end == seen));
            let [start, seen] = [start, seen].map(|at| at.as_second() - base);
            let mark = if end.is_some() { "" } else { "+" };
            lines.push(format!("{customer} {prefix} {start}..{seen}{mark}"));
        })
        .unwrap();
    lines
}

#[test]
fn a_session_is_found_by_its_time_its_prefix_and_its_customer() {
    let dir = tempdir().unwrap();
    assert!(SessionsReader::open(dir.path()).unwrap().is_none());
    import(
        dir.path(),
        &[
            ended("alice", "198.51.100.7/32", 0, 3600),
            open("bob", "198.51.100.7/32", 7200, 7800),
            ended("alice", "2001:db8:0:100::/56", 0, 3600),
            ended("Carol KK", "198.51.100.8/29", 0, 9000),
            // Its bytes begin like those of an address of IPv4.
            ended("dave", "c633:6407::/32", 0, 9000),
        ],
    );
    let find = |query: SessionQuery| found(dir.path(), &query);
    let all = SessionQuery::default();
    let alice = "alice 198.51.100.7/32 0..3600";
    let alice_v6 = "alice 2001:db8:0:100::/56 0..3600";
    let bob = "bob 198.51.100.7/32 7200..7800+";
    let carol = "Carol KK 198.51.100.8/29 0..9000";
    let dave = "dave c633:6407::/32 0..9000";
    assert_eq!(find(all.clone()), [alice, bob, carol, alice_v6, dave]);
    let within = |text: &str| SessionQuery {
        within: Some(net(text)),
        ..all.clone()
    };
    assert_eq!(find(within("198.51.100.0/24")), [alice, bob, carol]);
    assert_eq!(find(within("198.51.100.9/32")), [carol]);
    assert_eq!(find(within("2001:db8:0:142::/64")), [alice_v6]);
    assert_eq!(find(within("c633:6407:8::/48")), [dave]);
    let moment = |second| SessionQuery {
        at: Some(at(second)),
        ..within("198.51.100.7/32")
    };
    assert_eq!(find(moment(3600)), [alice]);
    assert_eq!(find(moment(3601)), [""; 0]);
    // Its end is not known.
    assert_eq!(find(moment(100_000)), [bob]);
    let customer = |text: &str| SessionQuery {
        customer: Pattern::new(text),
        ..all.clone()
    };
    assert_eq!(find(customer("ALI")), [""; 0]);
    assert_eq!(find(customer("ali")), [alice, alice_v6]);
    assert_eq!(find(customer("carol kk")), [carol]);
    let between = |since, until| SessionQuery {
        since: Some(at(since)),
        until: Some(at(until)),
        ..all.clone()
    };
    assert_eq!(find(between(3601, 7200)), [carol, dave]);
    assert_eq!(find(between(3600, 7201)), [alice, bob, carol, alice_v6, dave]);
    let both = SessionQuery {
        within: Some(net("2001:db8::/32")),
        ..customer("alice")
    };
    assert_eq!(find(both), [alice_v6]);
}

#[test]
fn what_several_records_say_of_one_session_is_one_session_in_any_order_and_adds_nothing_again() {
    let records = [
        open("alice", "198.51.100.7/32", 0, 0),
        open("alice", "198.51.100.7/32", 0, 600),
        // A second off: its beginning is computed from a duration.
        ended("alice", "198.51.100.7/32", 1, 1500),
        ended("alice", "198.51.100.7/32", 3000, 3600),
        open("bob", "198.51.100.7/32", 1500, 2000),
        ended("alice", "2001:db8:0:100::/56", 0, 1500),
    ];
    let orders = [
        [0, 1, 2, 3, 4, 5],
        [5, 4, 3, 2, 1, 0],
        [2, 0, 4, 1, 5, 3],
        [1, 3, 0, 5, 2, 4],
    ];
    for order in orders {
        let dir = tempdir().unwrap();
        let rows = order.map(|place| records[place].clone());
        let (first, _) = import(dir.path(), &rows);
        assert_eq!(
            (first.added, first.extended + first.unchanged),
            (4, 2),
            "{order:?}"
        );
        let expected = [
            "alice 198.51.100.7/32 0..1500",
            "bob 198.51.100.7/32 1500..2000+",
            "alice 198.51.100.7/32 3000..3600",
            "alice 2001:db8:0:100::/56 0..1500",
        ];
        assert_eq!(found(dir.path(), &SessionQuery::default()), expected, "{order:?}");
        let (again, _) = import(dir.path(), &rows);
        assert_eq!(again, added(0, 0, 6), "{order:?}");
        assert_eq!(found(dir.path(), &SessionQuery::default()), expected, "{order:?}");
    }
}

#[test]
fn two_stored_times_become_one_when_a_record_says_that_the_session_lasted_between_them() {
    let dir = tempdir().unwrap();
    let (first, _) = import(
        dir.path(),
        &[
            open("alice", "198.51.100.7/32", 0, 600),
            open("alice", "198.51.100.7/32", 3000, 3600),
            ended("alice", "198.51.100.7/32", 9000, 9900),
        ],
    );
    assert_eq!(first, added(3, 0, 0));
    let (second, _) = import(dir.path(), &[ended("alice", "198.51.100.7/32", 300, 4000)]);
    assert_eq!(second, added(0, 1, 0));
    assert_eq!(
        found(dir.path(), &SessionQuery::default()),
        [
            "alice 198.51.100.7/32 0..4000",
            "alice 198.51.100.7/32 9000..9900"
        ]
    );
}

#[test]
fn an_import_that_is_not_committed_leaves_nothing() {
    let dir = tempdir().unwrap();
    let mut sessions = sessions(dir.path());
    let mut import = sessions.import().unwrap();
    import.add(&ended("alice", "198.51.100.7/32", 0, 600)).unwrap();
    drop(import);
    drop(sessions);
    assert_eq!(found(dir.path(), &SessionQuery::default()), [""; 0]);
}

#[test]
fn overlaps_of_customers_and_gaps_are_named() {
    let dir = tempdir().unwrap();
    let (_, survey) = import(
        dir.path(),
        &[
            ended("alice", "198.51.100.7/32", 0, 3600),
            // As much as clocks may differ.
            ended("bob", "198.51.100.7/32", 3580, 7200),
            ended("bob", "198.51.100.7/32", 90_000, 91_000),
            ended("carol", "198.51.100.0/24", 3000, 3100),
            open("alice", "2001:db8:0:100::/56", 0, 3600),
        ],
    );
    let Survey {
        from,
        until,
        sessions,
        customers,
        with_several_prefixes,
        prefixes,
        open,
        overlaps,
        short_overlaps,
        first_overlaps,
        gaps,
        longest_gap,
    } = survey;
    assert_eq!((from, until), (Some(at(0)), Some(at(91_000))));
    assert_eq!((sessions, customers, prefixes), (5, 3, 3));
    assert_eq!((with_several_prefixes, open), (1, 1));
    assert_eq!((overlaps, short_overlaps), (1, 1));
    let overlap = &first_overlaps[0];
    assert_eq!(overlap.prefix, net("198.51.100.7/32"));
    assert_eq!(overlap.customers, ["carol", "alice"]);
    assert_eq!((overlap.from, overlap.until), (at(3000), at(3100)));
    let gap = longest_gap.unwrap();
    assert_eq!((gaps, gap.prefix), (1, net("198.51.100.7/32")));
    assert_eq!((gap.from, gap.until), (at(7200), at(90_000)));
    // Only what the import covers is examined.
    let (_, survey) = import(dir.path(), &[ended("bob", "198.51.100.7/32", 90_000, 91_000)]);
    assert_eq!((survey.sessions, survey.overlaps, survey.gaps), (1, 0, 0));
}

/// The bytes of all files in a directory.
fn bytes(dir: &Path) -> Vec<u8> {
    let files = fs::read_dir(dir).unwrap();
    let read = |file: PathBuf| fs::read(file).unwrap();
    files.flat_map(|file| read(file.unwrap().path())).collect()
}

fn holds(dir: &Path, text: &str) -> bool {
    bytes(dir)
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

#[test]
fn of_a_customer_who_is_removed_no_byte_is_left() {
    let dir = tempdir().unwrap();
    let many: Vec<_> = (0..2000)
        .map(|number| {
            ended(
                &format!("customer {number:04}"),
                "198.51.100.7/32",
                number * 100,
                number * 100 + 90,
            )
        })
        .collect();
    import(dir.path(), &many);
    let mut sessions = sessions(dir.path());
    assert!(holds(dir.path(), "customer 0777"));
    let gone = |rows| Deleted {
        rows,
        is_in_log: false,
    };
    assert_eq!(sessions.remove_customer("customer 0777").unwrap(), gone(1));
    assert_eq!(sessions.remove_customer("customer 0777").unwrap(), gone(0));
    assert!(!holds(dir.path(), "customer 0777"));
    assert!(holds(dir.path(), "customer 0778"));

    assert_eq!(sessions.remove_before(at(100_000)).unwrap(), gone(999));
    assert!(!holds(dir.path(), "customer 0500"));
    assert!(holds(dir.path(), "customer 1500"));
    assert_eq!(found(dir.path(), &SessionQuery::default()).len(), 1000);
}

#[test]
fn a_session_that_may_last_outlives_the_time_that_sessions_are_kept_until_the_address_is_handed_out_again() {
    let dir = tempdir().unwrap();
    let rows = [
        ended("alice", "198.51.100.7/32", 0, 600),
        open("bob", "198.51.100.7/32", 700, 900),
        open("carol", "198.51.100.7/32", 2000, 2500),
        open("dave", "198.51.100.8/32", 0, 10),
    ];
    import(dir.path(), &rows);
    let left = |before| {
        sessions(dir.path()).remove_before(at(before)).unwrap();
        let reader = SessionsReader::open(dir.path()).unwrap().unwrap();
        let mut left = Vec::new();
        reader
            .each(&SessionQuery::default(), |session| left.push(session.customer))
            .unwrap();
        left
    };
    assert_eq!(left(600), ["alice", "bob", "carol", "dave"]);
    // Carol has had it since 2000 s.
    assert_eq!(left(2000), ["bob", "carol", "dave"]);
    assert_eq!(left(2001), ["carol", "dave"]);
    assert_eq!(left(100_000), ["carol", "dave"]);
}

#[test]
fn sessions_of_what_overlaps_a_prefix_are_removed_and_of_a_customer_all_are_found() {
    let dir = tempdir().unwrap();
    let rows = [
        ended("alice", "198.51.100.7/32", 0, 600),
        ended("alice", "2001:db8:0:100::/56", 0, 600),
        ended("bob", "198.51.100.7/32", 700, 900),
        ended("bob", "198.51.100.8/32", 700, 900),
        ended("bobby", "198.51.100.9/32", 0, 900),
    ];
    import(dir.path(), &rows);
    let of = |name| -> Vec<_> {
        let reader = SessionsReader::open(dir.path()).unwrap().unwrap();
        let sessions = reader.of_customer(name).unwrap().into_iter();
        sessions.map(|session| session.prefix.to_string()).collect()
    };
    assert_eq!(of("bob"), ["198.51.100.7/32", "198.51.100.8/32"]);
    let mut sessions = sessions(dir.path());
    let mut removed = |prefix, before| sessions.remove_within(net(prefix), before).unwrap().rows;
    assert_eq!(removed("198.51.100.7/32", Some(at(700))), 1);
    assert_eq!(removed("2001:db8:0:142::77/128", None), 1);
    assert_eq!(removed("198.51.100.8/31", None), 2);
    assert_eq!(found(dir.path(), &SessionQuery::default()).len(), 1);
    assert_eq!(of("bob"), ["198.51.100.7/32"]);
}

#[test]
fn a_damaged_file_is_replaced_and_a_newer_one_is_left_alone() {
    let dir = tempdir().unwrap();
    import(dir.path(), &[ended("alice", "198.51.100.7/32", 0, 3600)]);
    let file = dir.path().join("sessions.db");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    fs::write(
        &file,
        b"this is no database, and it is longer than one page of a file that SQLite writes".repeat(100),
    )
    .unwrap();
    assert!(matches!(
        SessionsReader::open(dir.path()),
        Err(StoreError::Damaged { .. })
    ));
    let OpenedSessions { sessions, lost } = Sessions::open(dir.path()).unwrap();
    let message = lost.unwrap().to_string();
    assert!(message.starts_with("the session store "), "{message}");
    drop(sessions);
    assert_eq!(found(dir.path(), &SessionQuery::default()), [""; 0]);

    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(
        Sessions::open(dir.path()),
        Err(StoreError::Newer { found: 99, .. })
    ));
}
