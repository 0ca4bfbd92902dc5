//! `op25b status --check`: the line and the state for a monitoring system.

use super::{
    super::check::{CheckState, check},
    examples::{LOADED, at, enforced, example, healthy, interface, paused, pool, sick, zone},
};
use crate::{
    fault::FaultKind,
    report::{
        ExemptionReport, FileReport, FileState, InterfaceState, PoolState, PoolWord, Status,
        UnconfirmedReload, WENT_BACK, WentBack,
    },
};

/// A change of a status that is as it should be.
type Change = fn(&mut Status);

/// Changes of a status that is as it should be, with the state and the words that they lead to.
const CONDITIONS: &[(Change, CheckState, &str)] = &[
    (|_| {}, CheckState::Ok, "enforcing on 2 interfaces"),
    (
        |status| {
            *status = example(vec![
                interface("eth1", InterfaceState::Enforced),
                interface("eth2", InterfaceState::Lost),
            ]);
        },
        CheckState::Critical,
        "PARTLY enforcing: eth2 has no filter",
    ),
    (
        |status| *status = example(vec![interface("eth1", InterfaceState::Missing)]),
        CheckState::Critical,
        "NOT enforcing: eth1 has no filter",
    ),
    (
        |status| *status = Status::nothing(),
        CheckState::Critical,
        "NOT enforcing: no op25b filter is running on the interfaces of this network namespace",
    ),
    (
        |status| {
            status.pools[0].actual = Some(PoolState {
                mode: PoolWord::Monitor,
                until: None,
            });
            status.pools.push(pool("mobile", enforced()));
        },
        CheckState::Critical,
        "enforcing on 2 interfaces; the kernel does not do with pool residential what the policy wants",
    ),
    (
        |status| status.daemon = None,
        CheckState::Warning,
        "enforcing on 2 interfaces, and no daemon runs",
    ),
    (
        // A pause of many pools is one.
        |status| *status = paused(),
        CheckState::Warning,
        "MONITORING only, on 2 interfaces: no pool is enforced; PAUSED everything until 2026-11-29 03:30:00 +09:00 by 花子: \
         OPS-812: メールが届かない",
    ),
    (
        |status| status.faults = sick().faults,
        CheckState::Warning,
        "enforcing on 2 interfaces; fault store_stalled",
    ),
    (
        |status| {
            status.exemptions = Some(ExemptionReport {
                kernel_is_behind: true,
                ..ExemptionReport::default()
            });
        },
        CheckState::Warning,
        "enforcing on 2 interfaces; the kernel lacks exemptions that are stored",
    ),
    (
        |status| {
            status.file = Some(FileReport {
                state: FileState::Differs,
                why: None,
            });
        },
        CheckState::Warning,
        "enforcing on 2 interfaces; the policy file differs from what is enforced",
    ),
    (
        |status| status.file = sick().file,
        CheckState::Warning,
        "enforcing on 2 interfaces; the policy file differs from what is enforced and would be refused",
    ),
    (
        |status| status.last_reload = sick().last_reload,
        CheckState::Warning,
        "enforcing on 2 interfaces; the last reload was refused",
    ),
    (
        |status| {
            status.unconfirmed_reload = Some(UnconfirmedReload {
                goes_back_at: at(LOADED),
                requested_at: at(LOADED),
                by: "alice".to_owned(),
                sha256: String::new(),
                previous_sha256: String::new(),
            });
        },
        CheckState::Warning,
        "enforcing on 2 interfaces; a reload waits for `op25b confirm`",
    ),
    (
        |status| {
            status.went_back = Some(WentBack {
                at: at(LOADED),
                by: "alice".to_owned(),
                sha256: String::new(),
            });
            // All of that is one event.
            let mut fault = sick().faults.remove(0);
            fault.kind = FaultKind::PolicyRefused;
            status.faults = vec![fault];
            let mut last = sick().last_reload.unwrap();
            last.asked_by = WENT_BACK.to_owned();
            status.last_reload = Some(last);
            status.file = Some(FileReport {
                state: FileState::Differs,
                why: None,
            });
        },
        CheckState::Warning,
        "enforcing on 2 interfaces; the reload by alice was not confirmed and was taken back",
    ),
    (
        |status| status.interfaces[1].native_refused = Some("too few queues".to_owned()),
        CheckState::Warning,
        "enforcing on 2 interfaces; eth2 runs in generic mode, as native mode was refused",
    ),
    (
        |status| {
            status.interfaces[0]
                .warnings
                .push("VLAN tags | are taken off\nby the NIC".to_owned());
        },
        CheckState::Warning,
        "enforcing on 2 interfaces; eth1: VLAN tags / are taken off by the NIC",
    ),
    (
        // A pool that the policy wants monitored is as it should be.
        |status| {
            status.pools = vec![pool(
                "mobile",
                PoolState {
                    mode: PoolWord::Monitor,
                    until: None,
                },
            )];
        },
        CheckState::Ok,
        "MONITORING only, on 2 interfaces: no pool is enforced",
    ),
];

#[test]
fn each_condition_has_its_state_and_its_words_for_a_monitoring_system() {
    for (change, state, words) in CONDITIONS {
        let mut status = healthy();
        change(&mut status);
        let checked = check(Ok(&status), &zone());
        let (text, data) = checked.line.split_once('|').unwrap();
        assert_eq!(
            (checked.state, text.split_once(" - ").unwrap().1),
            (*state, *words)
        );
        assert!(
            !data.contains('|') && !checked.line.contains('\n'),
            "{}",
            checked.line
        );
    }
}

#[test]
fn the_line_for_a_monitoring_system_has_the_worst_first_and_the_numbers_last() {
    let checked = check(Ok(&sick()), &zone());
    insta::assert_snapshot!(checked.line);
    let line = check(Ok(&healthy()), &zone()).line;
    assert!(
        line.starts_with("OP25B OK - enforcing on 2 interfaces|interfaces=2;;2:;0;2 pools_enforced=1;;;0;1 "),
        "{line}"
    );
    assert!(
        line.contains(" blocked=8123c ") && line.ends_with(" exemptions=2;;;0 faults=0;0;;0"),
        "{line}"
    );
    let refused = check(Err(&anyhow::anyhow!("not permitted")), &zone());
    assert_eq!(
        (refused.state, refused.line.as_str()),
        (CheckState::Unknown, "OP25B UNKNOWN - not permitted")
    );
    let codes = [
        CheckState::Ok,
        CheckState::Warning,
        CheckState::Critical,
        CheckState::Unknown,
    ];
    assert_eq!(codes.map(CheckState::exit_code), [0, 1, 2, 3]);
}
