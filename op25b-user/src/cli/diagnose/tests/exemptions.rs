//! Tests of what a diagnosis says of exemptions that ended or were removed, and of what blocks an exempt customer.

use super::*;
use crate::{
    policy::Handling,
    report::{PoolState, PoolStatus, PoolWord},
};

#[test]
fn a_removed_exemption_that_has_ended_is_restored_with_another_end() {
    let actions = |removed: &str, end: &str| {
        let mut removed = not_in_force(NotInForceState::Removed, Some(at(removed)));
        removed.not_in_force[0].expires_at = Some(at(end));
        let target = target("198.51.100.10/32", &[on("eth1", None, &removed)]);
        let mut diagnosis = diagnosis("198.51.100.10", AskedKind::Address, vec![target]);
        diagnosis.add_actions(None);
        (first_line(&diagnosis), diagnosis.actions)
    };
    let with_end = format!("`op25b exempt restore {ID} --expires 1y --reason '...'`");
    let (line, found) = actions("2026-11-28T15:00:00Z", "2026-11-28T18:00:00Z");
    assert!(
        line.ends_with("was removed 00:00 today (2026-11-29 00:00:00 +09:00)"),
        "{line}"
    );
    assert_eq!(found, [with_end.as_str()]);
    // It had ended before it was removed.
    let (line, found) = actions("2026-11-28T17:00:00Z", "2026-11-28T16:00:00Z");
    assert!(
        line.ends_with(
            "ended 01:00 today (2026-11-29 01:00:00 +09:00), and was removed 02:00 today (2026-11-29 02:00:00 +09:00)"
        ),
        "{line}"
    );
    assert_eq!(found, [with_end.as_str()]);
    let (_, found) = actions("2026-11-28T17:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(found, [format!("`op25b exempt restore {ID} --reason '...'`")]);
}

#[test]
fn an_exemption_that_ended_and_was_removed_later_has_both_times_in_the_list() {
    let removed = Exemption {
        removed_at: Some(at("2026-11-28T18:10:00Z")),
        removal: Some(Removal {
            by: alice(),
            reason: Some("contract ended".into()),
        }),
        state: State::Removed,
        ..ended()
    };
    let diagnosis = Diagnosis {
        exemptions: vec![removed],
        ..diagnosis("198.51.100.10", AskedKind::Address, Vec::new())
    };
    let text = text(&diagnosis);
    let both = "ENDED 2026-11-29 03:00:00 +09:00 (20 minutes ago), and removed 2026-11-29 03:10:00 +09:00 by alice: \
                contract ended; ticket OPS-1042";
    assert!(text.contains(both), "{text}");
}

#[test]
fn what_blocks_an_exempt_customer_includes_its_pool() {
    let status = |mode| PoolStatus {
        name: "residential".into(),
        mode: "monitor".into(),
        prefixes: 1,
        remembered: true,
        enforce_from: None,
        phases: Vec::new(),
        wanted: None,
        actual: Some(PoolState { mode, until: None }),
    };
    let around = [net("198.51.100.0/24")];
    let pools = |mode| Pools::new(&[status(mode)], &[around.to_vec()], None);
    let rule = pool();
    let exempt = |place| Rule {
        kind: RuleKind::Exemption,
        name: "Example KK".into(),
        id: Some(ID.into()),
        place,
        ..rule.clone()
    };
    let remove = format!("to block it: `op25b exempt remove {ID} --reason '...'`");
    let enforce = "and `mode: enforce` and no later `enforce_from` for pool residential, then `op25b reload`";
    let pause = Pause::fake(None);
    let paused = PoolStatus {
        wanted: Some(PoolState {
            mode: PoolWord::Monitor,
            until: pause.until,
        }),
        ..status(PoolWord::Monitor)
    };
    let paused = Pools::new(&[paused], &[around.to_vec()], None);
    let no_pool = |unlisted| Pools::new(&[], &[], Some(unlisted));
    for (pools, place, action) in [
        (Pools::default(), None, remove.clone()),
        (pools(PoolWord::Enforce), None, remove.clone()),
        (pools(PoolWord::Monitor), None, format!("{remove}, {enforce}")),
        (
            pools(PoolWord::Monitor),
            Some(place(32)),
            format!("to block it: remove the exemption at /etc/op25b/policy.yaml:32, {enforce}"),
        ),
        (
            paused,
            None,
            format!("{remove}, and `op25b resume --pool residential`"),
        ),
        (no_pool(Handling::Drop), None, remove.clone()),
        (
            no_pool(Handling::Pass),
            None,
            format!("{remove}, and add its prefix to a pool of the policy, then `op25b reload`"),
        ),
    ] {
        let passes = explained("pass", "exempt", Some(exempt(place)));
        let target = target("198.51.100.10/32", &[on("eth1", None, &passes)]);
        let mut diagnosis = Diagnosis {
            pools,
            ..diagnosis("198.51.100.10", AskedKind::Address, vec![target])
        };
        diagnosis.add_actions(None);
        assert_eq!(diagnosis.actions, [action]);
    }
}
