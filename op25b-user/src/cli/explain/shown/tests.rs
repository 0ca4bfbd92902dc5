//! Tests of the texts of explanations.

use super::*;
use crate::{api::NotInForceState, store::Actor};

/// A blocked connection.
fn blocked() -> Explained {
    Explained {
        rule: Some(Rule {
            kind: RuleKind::Pool,
            name: "residential".into(),
            id: None,
            ticket: None,
            prefix: Some("198.51.100.0/24".into()),
            place: Some(place()),
        }),
        interfaces: vec!["eth1".into(), "eth2".into()],
        role: Some("subscriber".into()),
        ..Explained::fake("198.51.100.10", "drop", "blocked")
    }
}

/// An exempt one.
fn exempt(place: Option<FilePosition>) -> Explained {
    Explained {
        verdict: "pass".into(),
        reason: "exempt".into(),
        rule: Some(Rule {
            kind: RuleKind::Exemption,
            name: "Example KK".into(),
            id: Some("01KAXQ3T5BH6Z8W2N4R7C9D1EF".into()),
            ticket: Some("OPS-1042".into()),
            prefix: Some("198.51.100.8/29".into()),
            place,
        }),
        ..blocked()
    }
}

/// What passes since no filter runs.
fn bare() -> Explained {
    Explained {
        verdict: "pass".into(),
        reason: NO_FILTER.into(),
        rule: None,
        interfaces: vec!["eth3".into()],
        role: None,
        ..blocked()
    }
}

fn place() -> FilePosition {
    FilePosition {
        file: "/etc/op25b/policy.yaml".into(),
        line: 32,
        column: 5,
    }
}

fn now() -> Timestamp {
    "2026-11-28T18:30:00Z".parse().unwrap()
}

fn japan() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(9))
}

fn shown(explained: Explained, is_asked_for: bool) -> ShownExplanation {
    let answered = Answered {
        explained,
        policy_file: Some("/etc/op25b/policy.yaml".into()),
        by_daemon: true,
    };
    ShownExplanation::of(answered, is_asked_for, now(), &japan())
}

fn text(explained: Explained, is_asked_for: bool) -> String {
    shown(explained, is_asked_for).text(&japan(), None)
}

#[test]
fn a_stored_exemption_is_named_by_its_id_and_one_of_the_file_by_its_place() {
    insta::assert_snapshot!(text(exempt(None), false), @r"
    198.51.100.10 -> 203.0.113.1 port 25: pass
      reason   exempt
      rule     exemption Example KK (198.51.100.8/29), ticket OPS-1042, 01KAXQ3T5BH6Z8W2N4R7C9D1EF
      from     the enforced program
    ");
    let in_file = text(exempt(Some(place())), false);
    assert!(
        in_file.contains("ticket OPS-1042, /etc/op25b/policy.yaml:32:5\n"),
        "{in_file}"
    );
}

#[test]
fn words_in_any_script_are_folded_to_the_terminal() {
    let mut rule = exempt(Some(place()));
    if let Some(rule) = &mut rule.rule {
        rule.name = "株式会社サンプル 大阪支店".into();
    }
    let shown = shown(rule, true);
    insta::assert_snapshot!(shown.text(&japan(), Some(80)));
    assert_eq!(shown.text(&japan(), Some(200)), shown.text(&japan(), None));
}

#[test]
fn json_has_the_place_of_what_has_one() {
    let rule = |explained| serde_json::to_value(shown(explained, false)).unwrap()["rule"].clone();
    let in_file: serde_json::Value = rule(exempt(Some(place())));
    assert_eq!((&in_file["line"], &in_file["column"]), (&32.into(), &5.into()));
    assert!(rule(exempt(None)).get("line").is_none());
}

#[test]
fn interfaces_that_differ_are_shown_and_those_without_a_filter_are_named_as_such() {
    let differing = Explained {
        elsewhere: vec![
            Elsewhere {
                interfaces: vec!["eth3".into()],
                verdict: "pass".into(),
                reason: NO_FILTER.into(),
                rule: None,
                until: None,
                pause: None,
                phase: None,
                other_program: Some(17),
            },
            Elsewhere {
                interfaces: vec!["eth4".into(), "eth5".into()],
                verdict: "pass".into(),
                reason: "not_tcp".into(),
                rule: None,
                until: None,
                pause: None,
                phase: None,
                other_program: None,
            },
        ],
        vlan: vec![100, 7],
        tunnel: vec!["4in6".into()],
        inner_source: vec!["192.0.0.2".parse().unwrap()],
        ..blocked()
    };
    insta::assert_snapshot!(text(differing, false), @r"
    198.51.100.10 -> 203.0.113.1 port 25: drop
      reason   blocked
      rule     pool residential (198.51.100.0/24), /etc/op25b/policy.yaml:32:5
      on       eth1, eth2 (subscriber)
      in       VLAN 100, VLAN 7, 4in6 with 192.0.0.2 inside
      but      pass: no filter on eth3 (XDP program 17 of somebody else runs there)
      but      pass on eth4, eth5: not_tcp
      from     the enforced program
    ");
    insta::assert_snapshot!(text(bare(), true), @"198.51.100.10 -> 203.0.113.1 port 25: pass: no filter on eth3");
    let nowhere = Explained {
        interfaces: Vec::new(),
        ..bare()
    };
    insta::assert_snapshot!(text(nowhere, false), @"198.51.100.10 -> 203.0.113.1 port 25: pass: no filter on any interface here");
}

#[test]
fn a_pool_whose_date_lies_ahead_is_monitored_until_then() {
    let monitored = Explained {
        verdict: "pass".into(),
        reason: "monitored".into(),
        until: Some("2026-11-30T15:00:00Z".parse().unwrap()),
        ..blocked()
    };
    let shown = shown(monitored, false);
    let text = shown.text(&japan(), None);
    assert!(
        text.contains("  mode     monitor until 2026-12-01 00:00 +09:00\n"),
        "{text}"
    );
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["until"], "2026-11-30T15:00:00Z");
}

#[test]
fn what_passes_during_a_pause_is_told_with_the_pause() {
    let pause = Pause::fake(Some("residential"));
    let monitored = Explained {
        verdict: "pass".into(),
        reason: "monitored".into(),
        until: pause.until,
        pause: Some(pause),
        phase: None,
        ..blocked()
    };
    let there = Elsewhere {
        interfaces: vec!["eth3".into()],
        verdict: "pass".into(),
        reason: "monitored".into(),
        rule: monitored.rule.clone(),
        until: monitored.until,
        pause: monitored.pause.clone(),
        phase: None,
        other_program: None,
    };
    let differing = Explained {
        elsewhere: vec![there],
        ..blocked()
    };
    let elsewhere = text(differing, false);
    assert!(
        elsewhere.contains("monitor (paused until 2026-11-29 03:30:00 +09:00 by 花子: "),
        "{elsewhere}"
    );
    let monitored = shown(monitored, false);
    insta::assert_snapshot!(monitored.text(&japan(), None), @r"
    198.51.100.10 -> 203.0.113.1 port 25: pass
      reason   monitored
      rule     pool residential (198.51.100.0/24), /etc/op25b/policy.yaml:32:5
      mode     monitor (paused until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812: メールが届かない)
      from     the enforced program
    ");
    let json = serde_json::to_value(&monitored).unwrap();
    assert_eq!(json["pause"]["user"], "花子");

    let pause = Pause::fake(None);
    let unlisted = Explained {
        reason: "not_pooled".into(),
        rule: None,
        until: pause.until,
        pause: Some(pause),
        phase: None,
        ..Explained::fake("192.0.2.1", "pass", "not_pooled")
    };
    insta::assert_snapshot!(text(unlisted, false), @r"
    192.0.2.1 -> 203.0.113.1 port 25: pass
      reason   not_pooled
      mode     pass, not `unlisted: drop` (paused until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812: メールが届かない)
      from     the enforced program
    ");
}

#[test]
fn exemptions_that_do_not_hold_are_notes_in_the_text_and_a_list_in_json() {
    let removed = NotInForce {
        id: "01KAXQ3T5BH6Z8W2N4R7C9D1EF".into(),
        customer: "Example KK".into(),
        ticket: None,
        state: NotInForceState::Removed,
        at: Some("2026-11-28T17:11:00Z".parse().unwrap()),
        expires_at: None,
        by: Some(Actor {
            uid: 1000,
            name: "tanaka".into(),
        }),
        reason: Some("contract ended".into()),
        destinations: Vec::new(),
        place: None,
    };
    let blocked = Explained {
        not_in_force: vec![removed],
        more_not_in_force: 2,
        store_error: Some("the exemption store is damaged".into()),
        ..blocked()
    };
    let shown = shown(blocked, false);
    insta::assert_snapshot!(shown.text(&japan(), None), @r"
    198.51.100.10 -> 203.0.113.1 port 25: drop
      reason   blocked
      rule     pool residential (198.51.100.0/24), /etc/op25b/policy.yaml:32:5
      note     exemption 01KAXQ3T5BH6Z8W2N4R7C9D1EF of Example KK was removed 02:11 today (2026-11-29 02:11:00 +09:00) by tanaka: contract ended
      note     2 more exemptions of this source not in force
      note     stored exemptions are not known: the exemption store is damaged
      from     the enforced program
    ");
    let json = serde_json::to_value(&shown).unwrap();
    let found = &json["not_in_force"][0];
    assert_eq!(found["state"], "removed");
    assert_eq!(found["at"], "2026-11-28T17:11:00Z");
    assert_eq!(found["by"]["name"], "tanaka");
    assert_eq!(json["more_not_in_force"], 2);
}

#[test]
fn the_text_reports_a_difference_from_the_reference() {
    let mut wrong = shown(blocked(), false);
    wrong.model = Some(ShownDecision {
        verdict: "pass".into(),
        reason: "not_pooled".into(),
        rule: None,
        until: None,
        pause: None,
        phase: None,
    });
    let text = wrong.text(&japan(), None);
    assert!(
        text.contains("WRONG    the reference decides pass, not_pooled"),
        "{text}"
    );
}
