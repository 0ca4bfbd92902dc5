//! Tests of the exemptions in reports.

use jiff::SignedDuration;

use super::*;
use crate::{
    exemption::search::Pattern,
    policy::parse_at,
    store::{
        ChangeKind, Record,
        fake::{Fake, actor, record},
    },
};

const POLICY: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/24, '2001:db8:100::/40'] }]
exemptions:
  - { customer: First, prefixes: [198.51.100.8/29] }
  - { id: second, customer: Second, prefixes: [198.51.100.16/29], expires: 2030-01-10T00:00:00Z }
  - { customer: Third, prefixes: ['2001:db8:100::/48'] }
  - { customer: Old, prefixes: [198.51.100.64/29], expires: 2029-01-01T00:00:00Z }
";

fn now() -> Timestamp {
    "2030-01-01T00:00:00Z".parse().unwrap()
}

fn exemptions(text: &str) -> Vec<policy::Exemption> {
    let loaded = parse_at("policy.yaml", text, now(), &jiff::tz::TimeZone::UTC).unwrap();
    loaded.policy.exemptions
}

fn store() -> Fake {
    let mut removed = record(3, "Gone", "198.51.100.32/29");
    removed.removed_at = Some(now());
    let mut ending = record(2, "Second", "198.51.100.40/29");
    ending.terms.expires_at = Some(now() + days(7));
    Fake::of([record(1, "First", "198.51.100.24/29"), ending, removed])
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

fn ids(selection: &Selection) -> Vec<String> {
    let exemptions = exemptions(POLICY);
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &exemptions,
    };
    let page = list(policy, &store(), selection, now()).unwrap();
    assert_eq!(page.next, None);
    page.items
        .into_iter()
        .map(|exemption| short(&exemption))
        .collect()
}

/// The id, of a stored one without the zeros at its beginning.
fn short(exemption: &Exemption) -> String {
    exemption.id.trim_start_matches('0').to_owned()
}

fn some() -> Selection {
    Selection {
        limit: 100,
        ..Selection::default()
    }
}

#[test]
fn the_files_come_in_its_order_and_then_the_stored_ones() {
    assert_eq!(ids(&some()), ["line-5", "second", "line-7", "1", "2"]);
    let all = Selection { all: true, ..some() };
    assert_eq!(ids(&all), ["line-5", "second", "line-7", "line-8", "1", "2", "3"]);
}

#[test]
fn each_filter_is_for_both() {
    let customer = Selection {
        texts: Texts {
            customer: Pattern::new("first"),
            ..Texts::default()
        },
        ..some()
    };
    assert_eq!(ids(&customer), ["line-5", "1"]);
    let within = |text: &str| Selection {
        within: Some(text.parse().unwrap()),
        ..some()
    };
    assert_eq!(ids(&within("198.51.100.16/28")), ["second", "1"]);
    assert_eq!(ids(&within("198.51.100.25/32")), ["1"]);
    assert_eq!(ids(&within("2001:db8:100::7/128")), ["line-7"]);
    assert_eq!(ids(&within("192.0.2.0/24")), [""; 0]);
    let expiring = |count| Selection {
        expiring_before: Some(now() + days(count)),
        all: true,
        ..some()
    };
    // What has expired does not expire any more.
    assert_eq!(ids(&expiring(30)), ["second", "2"]);
    assert_eq!(ids(&expiring(8)), ["2"]);
    assert_eq!(ids(&expiring(7)), [""; 0]);
}

#[test]
fn pages_of_any_size_go_through_everything_once() {
    let exemptions = exemptions(POLICY);
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &exemptions,
    };
    let store = store();
    for limit in 1..8 {
        let mut selection = Selection {
            all: true,
            limit,
            ..Selection::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = list(policy, &store, &selection, now()).unwrap();
            assert!(!page.items.is_empty() && page.items.len() <= limit);
            seen.extend(page.items.iter().map(short));
            let Some(next) = page.next else { break };
            selection.after = Some(next.parse().unwrap());
        }
        assert_eq!(
            seen,
            ["line-5", "second", "line-7", "line-8", "1", "2", "3"],
            "{limit}"
        );
    }
}

#[test]
fn a_page_of_the_file_does_not_ask_the_store() {
    let exemptions = exemptions(POLICY);
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &exemptions,
    };
    let store = store();
    list(policy, &store, &Selection { limit: 2, ..some() }, now()).unwrap();
    assert_eq!(store.lists.get(), 0);
}

#[test]
fn what_the_policy_holds_without_a_place_in_the_file_is_not_listed_twice() {
    let mut exemptions = exemptions(POLICY);
    exemptions.push(policy::Exemption {
        origin: policy::Origin::Store(Ulid::from(1)),
        registration: None,
        ..exemptions[0].clone()
    });
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &exemptions,
    };
    let page = list(policy, &store(), &some(), now()).unwrap();
    assert_eq!(page.items.len(), 5);
    let found = find(policy, &store(), "00000000000000000000000001", now()).unwrap();
    let Found::One(found) = found else {
        panic!("{found:?}")
    };
    assert_eq!(found.origin, Origin::Store);
}

#[test]
fn each_id_that_is_listed_is_found() {
    let text = POLICY.replace(
        "  - { customer: Third",
        "  - { customer: Other, prefixes: [198.51.100.128] }\n  - { customer: Third",
    );
    let flow = "exemptions: [{ customer: A, prefixes: [198.51.100.1] }, { customer: B, prefixes: [198.51.100.2] }]\n";
    let (head, _) = POLICY.split_once("exemptions:").unwrap();
    for text in [text, format!("{head}{flow}")] {
        let exemptions = exemptions(&text);
        let policy = FileExemptions {
            file: Path::new("policy.yaml"),
            lists: &[],
            exemptions: &exemptions,
        };
        let all = Selection { all: true, ..some() };
        for exemption in list(policy, &store(), &all, now()).unwrap().items {
            let found = find(policy, &store(), &exemption.id, now()).unwrap();
            assert_eq!(found, Found::One(exemption));
        }
    }
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &[],
    };
    for id in ["", "line-5", "nobody", "00000000000000000000000009"] {
        assert_eq!(find(policy, &store(), id, now()).unwrap(), Found::None, "{id}");
    }
}

#[test]
fn a_removed_one_is_shown_and_listed_with_who_removed_it_and_why() {
    let at: Timestamp = "2027-03-31T00:00:00Z".parse().unwrap();
    let added = record(7, "Example KK", "198.51.100.8/29");
    let removed = Record {
        removed_at: Some(at),
        revision: 1,
        ..added.clone()
    };
    let store = Fake {
        events: vec![Event {
            revision: 1,
            at,
            by: actor(),
            action: ChangeKind::Remove,
            reason: Some("contract ended".to_owned()),
            before: Some(added),
            after: removed.clone(),
        }],
        ..Fake::default()
    };
    let policy = FileExemptions {
        file: Path::new("policy.yaml"),
        lists: &[],
        exemptions: &[],
    };
    let expected = Some(Removal {
        by: actor(),
        reason: Some("contract ended".to_owned()),
    });
    let Found::One(shown) = find(policy, &store, &removed.id.to_string(), now()).unwrap() else {
        panic!("it is not found");
    };
    assert_eq!(shown.removal, expected);
    let all = Selection { all: true, ..some() };
    let listed = list(policy, &store, &all, now()).unwrap().items;
    assert_eq!(listed[0].removal, expected);
}

#[test]
fn history_is_read_in_pages() {
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let query = HistoryQuery {
            after,
            limit: 2,
            ..HistoryQuery::default()
        };
        let page = history(&store(), &query, now()).unwrap();
        seen.extend(page.items.iter().map(|entry| entry.revision));
        let Some(next) = page.next else { break };
        after = next.parse().unwrap();
    }
    assert_eq!(seen, [1, 2, 3]);
    let query = HistoryQuery {
        of: Some(Ulid::from(3)),
        limit: 9,
        ..HistoryQuery::default()
    };
    let one = history(&store(), &query, now()).unwrap();
    assert_eq!(one.items.len(), 1);
    assert_eq!(one.items[0].after.state, State::Removed);
}

#[test]
fn a_cursor_reads_as_it_is_written() {
    let position = Position::in_policy(12, 5);
    let file = FileNumber::of_list(3).unwrap();
    let in_list = Position { file, ..position };
    for cursor in [
        Cursor::File(position),
        Cursor::File(in_list),
        Cursor::Store(Ulid::from(77)),
    ] {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    for text in [
        "",
        "p",
        "p1",
        "p1.",
        "p1.-2",
        "p+1.2",
        "s",
        "s12",
        // 130 bits: it is no cursor, and not another one either.
        "s81KB00000000000000000000AA",
        "x1.2",
        "p99999999999.1",
        "l",
        "l1",
        "l1.2",
        "l65535.1.2",
        "l-1.1.2",
    ] {
        assert_eq!(text.parse::<Cursor>(), Err(InvalidCursor), "{text}");
    }
}
