//! Tests of the text of a diagnosis.

mod exemptions;

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::{Exemption, Explained, FilePosition, NotInForce, NotInForceState, Origin, Removal, Rule, RuleKind},
    exemption::Terms,
    fault::{Fault, FaultKind},
    policy::Pause,
    report::{
        AskedKind, Attempts, Diagnosis, FilterState, Observation, Observed, PlaceVerdict, Pools,
        SubscriberRow, Target, divide,
    },
    store::{Actor, Operation, OperationKind, State},
};

const ID: &str = "01KAXQ3T5BH6Z8W2N4R7C9D1EF";

fn zone() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(9))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Twenty past three at night in Japan.
fn now() -> Timestamp {
    at("2026-11-28T18:20:00Z")
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn alice() -> Actor {
    Actor {
        uid: 1000,
        name: "alice".into(),
    }
}

fn place(line: u32) -> FilePosition {
    FilePosition {
        file: "/etc/op25b/policy.yaml".into(),
        line,
        column: 9,
    }
}

fn pool() -> Rule {
    Rule {
        kind: RuleKind::Pool,
        name: "residential".into(),
        id: None,
        ticket: None,
        prefix: Some("198.51.100.0/24".into()),
        place: Some(place(17)),
    }
}

fn explained(verdict: &str, reason: &str, rule: Option<Rule>) -> Explained {
    Explained {
        rule,
        ..Explained::fake("198.51.100.10", verdict, reason)
    }
}

fn not_in_force(state: NotInForceState, ended: Option<Timestamp>) -> Explained {
    Explained {
        not_in_force: vec![NotInForce {
            id: ID.into(),
            customer: "Example KK".into(),
            ticket: Some("OPS-1042".into()),
            state,
            at: ended,
            expires_at: None,
            by: None,
            reason: None,
            destinations: Vec::new(),
            place: None,
        }],
        ..explained("drop", "blocked", Some(pool()))
    }
}

fn on(interface: &str, tunnel: Option<&str>, explained: &Explained) -> PlaceVerdict {
    PlaceVerdict {
        interface: interface.into(),
        tunnel: tunnel.map(str::to_owned),
        observed: Observed::Decided {
            explained: Box::new(explained.clone()),
        },
    }
}

fn target(prefix: &str, verdicts: &[PlaceVerdict]) -> Target {
    let (asked, _) = divide(net(prefix), std::iter::empty(), 1);
    let observations = asked.into_iter().map(|asked| Observation {
        asked,
        verdicts: verdicts.to_vec(),
    });
    Target::new(net(prefix), observations.collect())
}

fn ended() -> Exemption {
    Exemption {
        id: ID.into(),
        origin: Origin::Store,
        terms: Terms {
            ticket: Some("OPS-1042".into()),
            expires_at: Some(at("2026-11-28T18:00:00Z")),
            ..Terms::new("Example KK", [net("198.51.100.8/29")])
        },
        created_at: Some(at("2026-08-01T00:00:00Z")),
        created_by: Some(alice()),
        removed_at: None,
        removal: None,
        batch: None,
        state: State::Expired,
        revision: Some(7),
        place: None,
        needs_force: false,
    }
}

fn diagnosis(asked: &str, kind: AskedKind, targets: Vec<Target>) -> Diagnosis {
    Diagnosis {
        asked: asked.into(),
        kind,
        at: now(),
        daemon: true,
        filter: FilterState::Runs,
        targets,
        exemptions: Vec::new(),
        attempts: Attempts::default(),
        operations: Vec::new(),
        faults: Vec::new(),
        left_out: Vec::new(),
        actions: Vec::new(),
        pools: Pools::default(),
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    diagnosis.text(&zone(), None)
}

fn first_line(diagnosis: &Diagnosis) -> String {
    text(diagnosis).lines().next().unwrap().to_owned()
}

#[test]
fn a_customer_whose_exemption_has_ended_is_named_with_all_that_is_known_and_what_to_do() {
    let blocked = not_in_force(NotInForceState::Expired, Some(at("2026-11-28T18:00:00Z")));
    let places = vec![
        on("eth1", None, &blocked),
        on("eth2", None, &blocked),
        on("eth2", Some("4in4"), &blocked),
    ];
    let removed = Exemption {
        id: "01KAXQ3T5C2M6P9S0V3X5Z7B8D".into(),
        removed_at: Some(at("2026-11-01T01:00:00Z")),
        removal: Some(Removal {
            by: alice(),
            reason: Some("contract ended".into()),
        }),
        state: State::Removed,
        ..ended()
    };
    let elsewhere = Exemption {
        id: "line-32".into(),
        origin: Origin::Policy,
        terms: Terms {
            destinations: Box::new([net("192.0.2.25/32")]),
            ..Terms::new("株式会社さくらメール", [net("198.51.100.10/32")])
        },
        created_at: None,
        created_by: None,
        place: Some(place(32)),
        state: State::Active,
        ..ended()
    };
    let mut diagnosis = Diagnosis {
        exemptions: vec![elsewhere, ended(), removed],
        attempts: Attempts {
            matching: 1,
            subscribers: vec![SubscriberRow {
                subscriber: "198.51.100.10".into(),
                pool: Some("residential".into()),
                packets: 96,
                blocked_syns: 96,
                blocked_others: 0,
                monitored_syns: 0,
                monitored_others: 0,
                hidden: 3,
                destinations: 9,
                first_seen: at("2026-11-28T18:00:07Z"),
                last_seen: at("2026-11-28T18:19:00Z"),
            }],
            pools_not_remembered: Vec::new(),
        },
        operations: vec![Operation {
            at: at("2026-11-28T17:55:00Z"),
            by: alice(),
            what: OperationKind::ReloadRefused,
            pool: None,
            reason: None,
            detail: Some("policy.yaml:7:3: host-bits".into()),
            until: None,
        }],
        faults: vec![Fault {
            kind: FaultKind::StoreStalled,
            message: "the disk does not answer".into(),
            since: at("2026-11-28T18:10:00Z"),
        }],
        ..diagnosis(
            "198.51.100.10",
            AskedKind::Address,
            vec![target("198.51.100.10/32", &places)],
        )
    };
    diagnosis.add_actions(None);
    insta::assert_snapshot!(text(&diagnosis));
    for (name, width) in [("at_80_columns", 80), ("at_200_columns", 200)] {
        insta::assert_snapshot!(name, diagnosis.text(&zone(), Some(width)));
    }
}

#[test]
fn the_first_line_has_the_verdict_of_each_kind_of_place() {
    let of = |places: Vec<PlaceVerdict>| {
        diagnosis(
            "198.51.100.10",
            AskedKind::Address,
            vec![target("198.51.100.10/32", &places)],
        )
    };
    let blocked = explained("reject", "blocked", Some(pool()));
    let observed = |interface: &str, observed| PlaceVerdict {
        interface: interface.into(),
        tunnel: None,
        observed,
    };
    let exempt = Rule {
        kind: RuleKind::Exemption,
        name: "Example KK".into(),
        id: Some(ID.into()),
        ..pool()
    };
    for (places, line) in [
        (vec![], "198.51.100.10 PASSES: no filter runs here"),
        (
            vec![on("eth1", None, &blocked), on("eth2", None, &blocked)],
            "198.51.100.10 is BLOCKED on eth1 and eth2: pool residential, and no exemption",
        ),
        (
            vec![on("eth1", None, &explained("pass", "exempt", Some(exempt)))],
            "198.51.100.10 PASSES on eth1: exemption 01KAXQ3T5BH6Z8W2N4R7C9D1EF of Example KK",
        ),
        (
            vec![on("eth1", None, &explained("pass", "monitored", Some(pool())))],
            "198.51.100.10 PASSES on eth1: pool residential is only monitored",
        ),
        (
            // The exemption that has ended is not why it passes.
            vec![on(
                "eth1",
                None,
                &Explained {
                    not_in_force: not_in_force(NotInForceState::Expired, Some(now())).not_in_force,
                    ..explained("pass", "monitored", Some(pool()))
                },
            )],
            "198.51.100.10 PASSES on eth1: pool residential is only monitored",
        ),
        (
            vec![on("eth1", None, &explained("pass", "not_pooled", None))],
            "198.51.100.10 PASSES on eth1: it is in no pool",
        ),
        (
            vec![
                observed("eth2", Observed::Unfiltered { why: None }),
                on("eth1", None, &blocked),
                observed("eth3", Observed::Missing),
            ],
            "198.51.100.10 is BLOCKED on eth1: pool residential, and no exemption; it PASSES on eth2: no filter runs \
             there; it cannot arrive on eth3: there is no such interface",
        ),
    ] {
        assert_eq!(first_line(&of(places)), line);
    }
}

#[test]
fn a_prefix_with_several_verdicts_names_the_smaller_part() {
    let exempt = Rule {
        kind: RuleKind::Exemption,
        name: "Example KK".into(),
        id: Some(ID.into()),
        ..pool()
    };
    let blocked = explained("drop", "blocked", Some(pool()));
    let passes = explained("pass", "exempt", Some(exempt));
    let parts = |inside: &Explained, outside: &Explained| {
        let (asked, _) = divide(net("198.51.100.0/24"), std::iter::once(net("198.51.100.8/29")), 9);
        let observations = asked.into_iter().map(|asked| {
            let is_inside = net("198.51.100.8/29").contains(&asked.first);
            Observation {
                asked,
                verdicts: vec![on("eth1", None, if is_inside { inside } else { outside })],
            }
        });
        let target = Target::new(net("198.51.100.0/24"), observations.collect());
        diagnosis("198.51.100.0/24", AskedKind::Prefix, vec![target])
    };
    insta::assert_snapshot!(
        text(&parts(&passes, &blocked))
            .lines()
            .take(4)
            .collect::<Vec<_>>()
            .join("\n")
    );
    assert_eq!(
        first_line(&parts(&blocked, &passes)),
        "198.51.100.0/24 PASSES, but for 198.51.100.8/29 (pool residential, and no exemption), which is BLOCKED"
    );
}

#[test]
fn of_a_customer_the_blocked_prefixes_are_counted_and_the_first_is_explained() {
    let blocked = on(
        "eth1",
        None,
        &not_in_force(NotInForceState::Expired, Some(at("2026-11-28T18:00:00Z"))),
    );
    let passes = on("eth1", None, &explained("pass", "not_pooled", None));
    let targets = vec![
        target("2001:db8:108::/48", std::slice::from_ref(&passes)),
        target("198.51.100.8/29", &[blocked]),
    ];
    let of = |targets| Diagnosis {
        exemptions: vec![ended()],
        ..diagnosis("example", AskedKind::Customer, targets)
    };
    assert_eq!(
        first_line(&of(targets)),
        "Example KK: 1 of 2 prefixes BLOCKED: 198.51.100.8/29 is BLOCKED on eth1: exemption \
         01KAXQ3T5BH6Z8W2N4R7C9D1EF of Example KK (ticket OPS-1042) ended 03:00 today (2026-11-29 03:00:00 +09:00)"
    );
    let all_pass = vec![
        target("192.0.2.0/24", std::slice::from_ref(&passes)),
        target("2001:db8::/48", &[passes]),
    ];
    assert_eq!(
        first_line(&of(all_pass)),
        "Example KK: none of 2 prefixes is blocked"
    );
}

#[test]
fn without_a_daemon_the_first_thing_to_do_is_to_start_it() {
    let blocked = on("eth1", None, &not_in_force(NotInForceState::Removed, Some(now())));
    let mut diagnosis = Diagnosis {
        daemon: false,
        left_out: vec!["the exemptions of the policy file: it has been changed since".into()],
        ..diagnosis(
            "198.51.100.10",
            AskedKind::Address,
            vec![target("198.51.100.10/32", &[blocked])],
        )
    };
    diagnosis.add_actions(None);
    let text = text(&diagnosis);
    let lines: Vec<_> = text.lines().skip(3).collect();
    assert_eq!(
        lines,
        [
            "  exemptions  none, neither in force nor ended",
            "  attempts    none counted",
            "  last day    no start, stop, reload or pause",
            "  faults      not known: no daemon answers",
            "  left out    the exemptions of the policy file: it has been changed since",
            "  to do       first start the daemon: `systemctl start op25b`",
            "              `op25b exempt restore 01KAXQ3T5BH6Z8W2N4R7C9D1EF --reason '...'`",
        ]
    );
}

#[test]
fn what_is_to_be_done_depends_on_the_cause() {
    let actions = |explained: &Explained, subscriber: Option<&str>| {
        let target = target("2001:db8:100::10/128", &[on("eth1", None, explained)]);
        let mut diagnosis = diagnosis("2001:db8:100::10", AskedKind::Address, vec![target]);
        diagnosis.add_actions(subscriber.map(net));
        diagnosis.actions
    };
    let in_file = |state| {
        let mut explained = not_in_force(state, None);
        explained.not_in_force[0].place = Some(place(32));
        explained
    };
    let blocked = explained("drop", "blocked", Some(pool()));
    for (explained, subscriber, action) in [
        (
            &not_in_force(NotInForceState::Expired, None),
            None,
            "`op25b exempt extend 01KAXQ3T5BH6Z8W2N4R7C9D1EF --expires 1y`",
        ),
        (
            &in_file(NotInForceState::Expired),
            None,
            "a later `expires` at /etc/op25b/policy.yaml:32, then `op25b reload`",
        ),
        (
            &in_file(NotInForceState::OtherDestinations),
            None,
            "more `destinations` at /etc/op25b/policy.yaml:32, then `op25b reload`",
        ),
        (
            &not_in_force(NotInForceState::OtherDestinations, None),
            None,
            "`op25b exempt add 2001:db8:100::10 --customer 'Example KK' --ticket TICKET --expires 1y`",
        ),
        (
            &blocked,
            Some("2001:db8:100::/56"),
            "`op25b exempt add 2001:db8:100::/56 --customer NAME --ticket TICKET --expires 1y`",
        ),
        (
            &explained("pass", "monitored", Some(pool())),
            None,
            "to block it: `mode: enforce` and no later `enforce_from` for pool residential (/etc/op25b/policy.yaml:17), \
             then `op25b reload`",
        ),
        (
            &explained("pass", "not_pooled", None),
            None,
            "to block it: add its prefix to a pool of the policy, then `op25b reload`",
        ),
    ] {
        assert_eq!(actions(explained, subscriber), [action]);
    }
    assert_eq!(
        actions(&explained("pass", "relay", None), None),
        Vec::<String>::new()
    );
}

#[test]
fn what_keeps_no_records_is_not_said_to_have_counted_none() {
    let attempts = |explained: &Explained, unseen: &[&str]| {
        let target = target("198.51.100.10/32", &[on("eth1", None, explained)]);
        let mut diagnosis = diagnosis("198.51.100.10", AskedKind::Address, vec![target]);
        diagnosis.attempts.pools_not_remembered = unseen.iter().map(ToString::to_string).collect();
        let text = text(&diagnosis);
        let from = text.find("  attempts").unwrap();
        text[from + 14..text.find("  last day").unwrap()].to_owned()
    };
    let blocked = explained("drop", "blocked", Some(pool()));
    let not_recorded =
        "not recorded in pool residential, by `subscribers: { remember: ... }` of the policy\n";
    assert_eq!(attempts(&blocked, &[]), "none counted\n");
    assert_eq!(attempts(&blocked, &["mobile"]), "none counted\n");
    assert_eq!(attempts(&blocked, &["residential"]), not_recorded);
    let outside = explained("pass", "not_pooled", None);
    assert_eq!(attempts(&outside, &[]), "not recorded: it is in no pool\n");
}

#[test]
fn an_end_is_written_as_in_lists() {
    let ended = at("2026-11-28T15:00:00Z");
    let blocked = not_in_force(NotInForceState::Expired, Some(ended));
    let target = target("198.51.100.10/32", &[on("eth1", None, &blocked)]);
    let line = first_line(&diagnosis("198.51.100.10", AskedKind::Address, vec![target]));
    assert!(
        line.ends_with(" ended at the end of 2026-11-28 (3 hours ago)"),
        "{line}"
    );
}

#[test]
fn a_pause_is_ended_by_resume_and_not_by_an_edit_of_the_policy() {
    for (pause, rule, action, why) in [
        (
            Pause::fake(Some("residential")),
            Some(pool()),
            "to block it: `op25b resume --pool residential`",
            "pool residential is paused until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812: メールが届かない",
        ),
        (
            Pause::fake(Some("it's mobile")),
            Some(pool()),
            r"to block it: `op25b resume --pool 'it'\''s mobile'`",
            "paused until",
        ),
        (
            Pause::fake(None),
            Some(pool()),
            "to block it: `op25b resume`",
            "pool residential is paused until",
        ),
        (
            Pause::fake(None),
            None,
            "to block it: `op25b resume`",
            "it is in no pool, and `unlisted: drop` is paused until 2026-11-29 03:30:00 +09:00 by 花子",
        ),
    ] {
        let reason = if rule.is_some() { "monitored" } else { "not_pooled" };
        let explained = Explained {
            until: pause.until,
            pause: Some(pause),
            ..explained("pass", reason, rule)
        };
        let target = target("198.51.100.10/32", &[on("eth1", None, &explained)]);
        let mut diagnosis = diagnosis("198.51.100.10", AskedKind::Address, vec![target]);
        diagnosis.add_actions(None);
        assert_eq!(diagnosis.actions, [action]);
        let text = diagnosis.text(&zone(), None);
        assert!(
            text.lines().next().is_some_and(|first| first.contains(why)),
            "{text}"
        );
    }
}
