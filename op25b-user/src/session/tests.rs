//! Attribution: by cases, and compared with what happened.

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{
    Attribution, SKEW_SECONDS, Session, SessionIndex, Span,
    fixtures::{at, ended, net, open},
};

const SKEW: SignedDuration = SignedDuration::from_secs(SKEW_SECONDS);

/// Whose activity from `first` to `last` was, in words.
#[track_caller]
fn whose(sessions: &[Session], subscriber: &str, first: i64, last: i64) -> String {
    let index: SessionIndex = sessions.iter().cloned().collect();
    match index.of(net(subscriber), at(first), at(last), SKEW) {
        Attribution::Customer(name) => name.to_owned(),
        Attribution::Ambiguous(names) => format!("one of {}", names.join(", ")),
        Attribution::Unattributed => "nobody".to_owned(),
    }
}

#[test]
fn activity_is_of_the_customer_whose_session_covers_it() {
    let sessions = [
        ended("alice", "198.51.100.7/32", 0, 3600),
        ended("bob", "198.51.100.7/32", 7200, 9000),
        ended("carol", "198.51.100.8/32", 0, 9000),
    ];
    for (first, last, expected) in [
        (0, 600, "alice"),
        (3000, 3600, "alice"),
        (7200, 7800, "bob"),
        // Between the two it was nobody's.
        (5000, 5600, "nobody"),
        // The whole second of an end counts, and as much as clocks may differ.
        (3600, 3630, "alice"),
        (3631, 3631, "nobody"),
    ] {
        let found = whose(&sessions, "198.51.100.7/32", first, last);
        assert_eq!(found, expected, "from {first} to {last}");
    }
    assert_eq!(whose(&sessions, "198.51.100.9/32", 0, 600), "nobody");
    assert_eq!(whose(&[], "198.51.100.7/32", 0, 600), "nobody");
}

#[test]
fn a_time_that_two_customers_share_or_may_share_is_ambiguous() {
    let sessions = [
        ended("alice", "198.51.100.7/32", 0, 3600),
        ended("bob", "198.51.100.7/32", 3610, 9000),
    ];
    for (first, last, expected) in [
        (3000, 4000, "one of alice, bob"),
        // Bob's session may have begun earlier by the router's clock, and alice's may have ended later.
        (3500, 3580, "one of alice, bob"),
        (3630, 3640, "one of alice, bob"),
        (3641, 3650, "bob"),
        (3400, 3579, "alice"),
    ] {
        let found = whose(&sessions, "198.51.100.7/32", first, last);
        assert_eq!(found, expected, "from {first} to {last}");
    }
}

#[test]
fn a_customer_whose_sessions_cover_only_a_part_of_the_time_may_not_have_been_the_only_one() {
    let sessions = [
        ended("alice", "198.51.100.7/32", 0, 3600),
        ended("alice", "198.51.100.7/32", 3660, 7200),
        ended("alice", "198.51.100.7/32", 7300, 9000),
    ];
    for (first, last, expected) in [
        // What is between two sessions is no longer than clocks may differ.
        (3000, 4000, "alice"),
        (7000, 7400, "one of alice"),
        (8000, 9100, "one of alice"),
        (-100, 600, "one of alice"),
    ] {
        let found = whose(&sessions, "198.51.100.7/32", first, last);
        assert_eq!(found, expected, "from {first} to {last}");
    }
}

#[test]
fn a_session_without_an_end_is_known_until_it_was_seen_last() {
    let sessions = [
        open("alice", "198.51.100.7/32", 0, 600),
        ended("bob", "198.51.100.7/32", 7200, 9000),
    ];
    assert_eq!(whose(&sessions, "198.51.100.7/32", 0, 600), "alice");
    assert_eq!(whose(&sessions, "198.51.100.7/32", 0, 1200), "one of alice");
    assert_eq!(whose(&sessions, "198.51.100.7/32", 3600, 4000), "nobody");
    assert_eq!(whose(&sessions, "198.51.100.7/32", 7200, 8000), "bob");
}

#[test]
fn a_session_of_a_prefix_covers_the_subscribers_in_it_and_one_of_a_part_does_not_cover_the_subscriber() {
    let sessions = [
        ended("alice", "2001:db8:0:100::/56", 0, 3600),
        ended("bob", "2001:db8:0:200::17/128", 0, 3600),
        ended("carol", "2001:db8:0:300::1/128", 0, 3600),
        ended("dave", "2001:db8:0:300::2/128", 0, 3600),
        ended("erin", "198.51.100.8/29", 0, 3600),
        ended("frank", "198.51.100.9/32", 0, 3600),
    ];
    for (subscriber, expected) in [
        ("2001:db8:0:117::/64", "alice"),
        ("2001:db8:0:100::/56", "alice"),
        // The rest of it may be somebody else's.
        ("2001:db8::/48", "one of alice, bob, carol, dave"),
        ("2001:db8:0:200::/64", "one of bob"),
        ("2001:db8:0:300::/64", "one of carol, dave"),
        ("198.51.100.10/32", "erin"),
        ("198.51.100.9/32", "one of erin, frank"),
        ("198.51.100.16/32", "nobody"),
    ] {
        assert_eq!(whose(&sessions, subscriber, 0, 600), expected, "{subscriber}");
    }
}

#[test]
fn all_sessions_that_reach_a_time_are_found_behind_those_that_do_not() {
    let mut sessions = vec![ended("long", "198.51.100.7/32", 0, 100_000)];
    sessions.extend((1..50).map(|hour| ended("short", "198.51.100.7/32", hour * 1000, hour * 1000 + 10)));
    assert_eq!(whose(&sessions, "198.51.100.7/32", 90_000, 90_100), "long");
    assert_eq!(
        whose(&sessions, "198.51.100.7/32", 49_000, 49_010),
        "one of long, short"
    );
}

/// A session as it was, in milliseconds, and how far off the clock of its log was.
#[derive(Clone, Debug)]
struct Real {
    customer: usize,
    prefix: IpNet,
    start: i64,
    end: i64,
    log_is_ahead: i64,
    has_end: bool,
}

impl Real {
    /// The session as the log has it.
    fn logged(&self) -> Session {
        let logged = |at: i64| at_milliseconds(at + self.log_is_ahead);
        let customer = self.customer.to_string();
        let (start, end) = (logged(self.start), logged(self.end));
        if self.has_end {
            Session::ended(customer, self.prefix, start, end)
        } else {
            Session::open(customer, self.prefix, start, end)
        }
    }
}

fn at_milliseconds(at: i64) -> Timestamp {
    super::fixtures::at(at.div_euclid(1000))
}

/// Prefixes of which a customer may have a part: addresses, a network with some of them, and delegated prefixes.
fn prefixes() -> Vec<IpNet> {
    let texts = [
        "198.51.100.7/32",
        "198.51.100.8/32",
        "198.51.100.9/32",
        "198.51.100.8/31",
        "2001:db8:0:100::/56",
        "2001:db8:0:101::/64",
        "2001:db8:0:101::5/128",
    ];
    texts.map(net).to_vec()
}

/// Sessions of which no two have the same address at the same time.
fn real_sessions() -> impl Strategy<Value = Vec<Real>> {
    let session = (
        0..6_usize,
        0..prefixes().len(),
        0..400_000_i64,
        1..60_000_i64,
        -SKEW_SECONDS * 1000..=SKEW_SECONDS * 1000,
        any::<bool>(),
    );
    prop::collection::vec(session, 1..40).prop_map(|drawn| {
        let mut sessions: Vec<Real> = Vec::new();
        for (customer, prefix, start, lasts, log_is_ahead, has_end) in drawn {
            let real = Real {
                customer,
                prefix: prefixes()[prefix],
                start,
                end: start + lasts,
                log_is_ahead,
                has_end,
            };
            let is_free = sessions.iter().all(|other| {
                let overlap = other.prefix.contains(&real.prefix) || real.prefix.contains(&other.prefix);
                !overlap || other.end <= real.start || real.end <= other.start
            });
            if is_free {
                sessions.push(real);
            }
        }
        sessions
    })
}

proptest! {
    /// Whatever the clocks and whatever two customers share a bucket: attempts are attributed to whom they were of, or to nobody.
    #[test]
    fn nothing_is_attributed_to_a_wrong_customer(
        sessions in real_sessions(),
        attempts in prop::collection::vec((any::<prop::sample::Index>(), 0..1000_i64), 1..6),
        from_one in any::<bool>(),
    ) {
        let index: SessionIndex = sessions.iter().map(Real::logged).collect();
        let first = attempts[0].0;
        // Attempts of one session, or of several sessions of one subscriber.
        let made = attempts.iter().map(|(session, part)| {
            let session = if from_one { first } else { *session };
            let real = &sessions[session.index(sessions.len())];
            (real, real.start + (real.end - 1 - real.start) * part / 1000)
        });
        let subscriber = match first.get(&sessions).prefix {
            IpNet::V4(prefix) => IpNet::from(std::net::IpAddr::from(prefix.addr())),
            IpNet::V6(prefix) => IpNet::new(prefix.addr().into(), 64).unwrap().trunc(),
        };
        let made: Vec<_> = made
            .filter(|(real, _)| real.prefix.contains(&subscriber) || subscriber.contains(&real.prefix))
            .collect();
        prop_assume!(!made.is_empty());
        let begin = made.iter().map(|(_, at)| *at).min().unwrap();
        let end = made.iter().map(|(_, at)| *at).max().unwrap();
        if let Attribution::Customer(name) =
            index.of(subscriber, at_milliseconds(begin), at_milliseconds(end), SKEW)
        {
            for (real, at) in made {
                prop_assert_eq!(name, real.customer.to_string(), "attempt at {}", at);
            }
        }
    }

    /// Statements about sessions mean the same in any order, and nothing when they are repeated.
    #[test]
    fn statements_about_a_session_can_be_joined_in_any_order(
        spans in prop::collection::vec((0..100_i64, 0..20_i64, any::<bool>()), 3),
    ) {
        let spans: Vec<Span> = spans
            .into_iter()
            .map(|(start, lasts, is_ended)| Span { start, seen: start + lasts, is_ended })
            .collect();
        let [one, two, three] = spans[..] else { unreachable!() };
        prop_assert_eq!(one.joined(two), two.joined(one));
        prop_assert_eq!(one.joined(two).joined(three), one.joined(two.joined(three)));
        prop_assert_eq!(one.joined(one), one);
        prop_assert!(one.joined(two).contains(two));
    }
}

#[test]
fn the_end_of_a_session_says_more_than_that_it_lasted_at_that_time_and_less_than_that_it_lasted_later() {
    let span = |start, seen, is_ended| Span {
        start,
        seen,
        is_ended,
    };
    let [lasted, ended] = [span(0, 600, false), span(0, 600, true)];
    assert_eq!(lasted.joined(ended), ended);
    assert!(ended.contains(lasted) && !lasted.contains(ended));
    assert_eq!(ended.joined(span(600, 900, false)), span(0, 900, false));
    // One that follows within two seconds is the same one.
    assert!(ended.is_of_one_session_with(&span(602, 900, true)));
    assert!(!ended.is_of_one_session_with(&span(603, 900, true)));
}
