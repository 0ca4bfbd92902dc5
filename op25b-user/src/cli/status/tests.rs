//! The texts of `op25b status`, without a kernel.

use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::{
    brief,
    check::{CheckState, check},
    text::text,
};
use crate::{
    datapath::LoadedBy,
    fault::{Fault, FaultKind},
    policy::Pause,
    recent_warnings::RecentWarning,
    report::{
        Enforcement, EnforcementStatus, ExemptionReport, FileReport, FileState, FilterStatus, HistoryReport,
        InterfaceReport, InterfaceState, LastReload, PoolState, PoolStatus, PoolWord, Status,
        UnconfirmedReload, WENT_BACK, WentBack,
    },
};

const LOADED: &str = "2026-11-28T14:09:35Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Japan's.
fn zone() -> TimeZone {
    TimeZone::fixed(tz::offset(9))
}

/// An interface of the policy, with or without the filter.
pub(in crate::cli) fn interface(name: &str, state: InterfaceState) -> InterfaceReport {
    let is_enforced = state == InterfaceState::Enforced;
    InterfaceReport {
        name: name.to_owned(),
        state,
        role: Some("subscriber".to_owned()),
        wanted_xdp: Some("auto".to_owned()),
        wait: Some(false),
        since: is_enforced.then(|| at("2026-11-25T04:39:47Z")),
        ifindex: Some(7),
        program_id: is_enforced.then_some(217),
        why: (!is_enforced).then(|| "there is no interface of this name".to_owned()),
        xdp: is_enforced.then(|| "native".to_owned()),
        native_refused: None,
        warnings: Vec::new(),
        interferences: 0,
    }
}

fn pool(name: &str, state: PoolState) -> PoolStatus {
    PoolStatus {
        name: name.to_owned(),
        mode: "enforce".to_owned(),
        prefixes: 2,
        remembered: true,
        enforce_from: state.until,
        phases: Vec::new(),
        wanted: Some(state),
        actual: Some(state),
    }
}

fn enforced() -> PoolState {
    PoolState {
        mode: PoolWord::Enforce,
        until: None,
    }
}

fn filter(interfaces: &[InterfaceReport], pools: &[PoolStatus]) -> FilterStatus {
    let attached = interfaces.iter();
    let attached = attached.filter(|interface| interface.state == InterfaceState::Enforced);
    let attached: Vec<Value> = attached
        .map(|interface| {
            json!({
                "name": interface.name, "ifindex": 7, "role": "subscriber", "xdp": "native", "program_id": 217,
                "not_ip": { "0x0806": 8204 }
            })
        })
        .collect();
    let filter = json!({
        "state": "enforcing", "pid": 24797, "version": "0.1.0", "last_reload": null,
        "policy": { "file": "/etc/op25b/policy.yaml", "sha256": "00", "loaded_at": LOADED },
        "interfaces": attached, "pools": pools, "relays": 2,
        "exemptions": { "total": 3, "active": 2, "expired": 1 },
        "map_bytes": 34 << 20, "counters": { "blocked": 8123, "monitored": 96 }, "uplink_counters": null,
    });
    serde_json::from_value(filter).unwrap()
}

/// A history of a day.
fn recorded() -> HistoryReport {
    HistoryReport {
        bucket_seconds: 600,
        keep_seconds: 90 * 86_400,
        max_bytes: 2 << 30,
        bytes: Some(3_041_280),
        rows: Some(61_203),
        oldest: Some(at("2026-11-27T14:10:00Z")),
        newest: Some(at(LOADED)),
        is_full: false,
    }
}

/// A status with nothing out of order but what these interfaces are.
pub(in crate::cli) fn example(interfaces: Vec<InterfaceReport>) -> Status {
    let pools = vec![pool("residential", enforced())];
    let filter = filter(&interfaces, &pools);
    let state = Enforcement::of(&interfaces);
    Status {
        state,
        pid: Some(24797),
        daemon: Some(24797),
        version: Some("0.1.0".to_owned()),
        policy_file: Some("/etc/op25b/policy.yaml".into()),
        policy_sha256: Some("00".to_owned()),
        loaded_at: Some(at(LOADED)),
        loaded_by: Some(LoadedBy {
            at: at(LOADED),
            what: "reload".to_owned(),
            uid: Some(1000),
            user: Some("alice".to_owned()),
        }),
        file: Some(FileReport {
            state: FileState::Same,
            why: None,
        }),
        exemptions: Some(ExemptionReport::default()),
        history: Some(recorded()),
        enforcement: Some(EnforcementStatus {
            state,
            interfaces: interfaces.clone(),
        }),
        interfaces,
        pools,
        filter: Some(filter.clone()),
        filters: vec![filter],
        ..Status::nothing()
    }
}

fn healthy() -> Status {
    example(vec![
        interface("eth1", InterfaceState::Enforced),
        interface("eth2", InterfaceState::Enforced),
    ])
}

/// Much that can be out of order at once.
fn sick() -> Status {
    let mut interfaces = vec![
        interface("eth1", InterfaceState::Enforced),
        interface("ppp-access12345", InterfaceState::Missing),
        interface("eth3", InterfaceState::Unfiltered),
    ];
    interfaces[0].xdp = Some("generic".to_owned());
    interfaces[0].native_refused = Some("the driver has too few queues".to_owned());
    interfaces[1].wait = Some(true);
    interfaces[2].why = Some("another XDP program runs there (id 41)".to_owned());
    let mut status = example(interfaces);
    let until = PoolState {
        mode: PoolWord::Monitor,
        until: Some(at("2026-12-31T15:00:00Z")),
    };
    status.pools.push(pool("モバイル", until));
    let mut torn = pool("fibre", enforced());
    torn.actual = Some(until);
    torn.remembered = false;
    status.pools.push(torn);
    status.lists = vec!["/etc/op25b/homes.txt".into(), "/etc/op25b/customers.csv".into()];
    status.file = Some(FileReport {
        state: FileState::Invalid,
        why: Some("/etc/op25b/policy.yaml: line 12".to_owned()),
    });
    status.last_reload = Some(LastReload {
        at: at("2026-11-28T14:10:00Z"),
        asked_by: "reload".to_owned(),
        uid: Some(0),
        user: Some("root".to_owned()),
        refused: Some("eth9: there is no interface of this name".to_owned()),
    });
    status.faults = vec![Fault {
        kind: FaultKind::StoreStalled,
        message: "the disk of the exemption store does not answer".to_owned(),
        since: at("2026-11-28T14:11:00Z"),
    }];
    let warning = |seconds: i64, message: &str, times| RecentWarning {
        at: Timestamp::from_second(at(LOADED).as_second() + seconds).unwrap(),
        level: "warning".to_owned(),
        message: message.to_owned(),
        times,
    };
    status.warnings = vec![
        warning(9, "not reloaded: eth9: there is no interface of this name", 1),
        warning(8, "interface eth1 changes its XDP mode", 3),
    ];
    status.warnings.extend(
        (0..9)
            .rev()
            .map(|number| warning(number, &format!("older {number}"), 1)),
    );
    status
}

/// A pause of everything, and one of a pool that has a date besides.
fn paused() -> Status {
    let mut status = healthy();
    let pause = Pause::fake(None);
    let until = PoolState {
        mode: PoolWord::Monitor,
        until: pause.until,
    };
    let mut mobile = pool("モバイル", until);
    mobile.enforce_from = None;
    let date = PoolState {
        mode: PoolWord::Monitor,
        until: Some(at("2026-12-31T15:00:00Z")),
    };
    status.pools = vec![mobile, pool("fibre", date)];
    status.pauses = vec![pause];
    status
}

#[test]
fn a_pause_is_shown_where_it_holds_and_with_what_ends_it() {
    let text = text(&paused(), &zone(), Some(80));
    insta::assert_snapshot!(text.lines().take(13).collect::<Vec<_>>().join("\n"), @r"
    MONITORING only, on 2 interfaces: no pool is enforced
      daemon      process 24797 (op25b 0.1.0)
      policy      /etc/op25b/policy.yaml
      loaded      2026-11-28 23:09:35 +09:00 (reload by alice (uid 1000))
      file        is what is enforced
      paused      everything until 2026-11-29 03:30:00 +09:00 by 花子: OPS-812:
                  メールが届かない; `op25b resume` ends it before
      interface  role        wanted  actual  program  since
      eth1       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
      eth2       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
      pool      wanted                                             actual   prefixes
      モバイル  monitor until 2026-11-29 03:30:00 +09:00 (paused)  monitor  2
      fibre     monitor until 2027-01-01 00:00:00 +09:00           monitor  2
    ");
    insta::assert_snapshot!(brief::text(&paused(), &zone()), @r"
    eth1             ENFORCED   subscriber native     program 217; PAUSED everything until 2026-11-29 03:30:00 +09:00
    eth2             ENFORCED   subscriber native     program 217; PAUSED everything until 2026-11-29 03:30:00 +09:00
    ");
}

#[test]
fn a_pause_without_an_end_is_shown_with_its_beginning_and_with_what_ends_it() {
    let mut status = paused();
    status.pauses[0].until = None;
    status.pools.truncate(1);
    status.pools[0].wanted = Some(PoolState {
        mode: PoolWord::Monitor,
        until: None,
    });
    status.pools[0].actual = status.pools[0].wanted;
    let text = text(&status, &zone(), Some(80));
    let lines: Vec<_> = text.lines().skip(5).take(7).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    paused      everything until it is resumed, since 2026-11-29 03:00:00 +09:00
                by 花子: OPS-812: メールが届かない; `op25b resume` ends it
    interface  role        wanted  actual  program  since
    eth1       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
    eth2       subscriber  auto    native  217      2026-11-25 13:39:47 +09:00
    pool      wanted            actual   prefixes
    モバイル  monitor (paused)  monitor  2
    ");
    let brief = brief::text(&status, &zone());
    let end = "; PAUSED everything until it is resumed, since 2026-11-29 03:00:00 +09:00";
    assert!(brief.contains(end), "{brief}");
}

#[test]
fn a_terminal_too_narrow_for_the_dates_of_pools_has_them_below() {
    let mut status = paused();
    status.pools[0].actual = Some(PoolState {
        mode: PoolWord::Enforce,
        until: None,
    });
    for width in [80, 200] {
        let text = text(&status, &zone(), Some(width));
        assert!(
            text.lines().all(|line| line.width() <= usize::from(width)),
            "{text}"
        );
    }
    insta::assert_snapshot!(
        text(&status, &zone(), Some(60))
            .lines()
            .skip(12)
            .take(5)
            .collect::<Vec<_>>()
            .join("\n")
    );
}

#[test]
fn one_screen_says_all_of_a_router_that_is_as_it_should_be() {
    insta::assert_snapshot!(text(&healthy(), &zone(), None));
}

#[test]
fn one_screen_says_what_is_wanted_and_what_is_there_and_what_to_do() {
    let text = text(&sick(), &zone(), None);
    assert!(text.lines().count() <= 40, "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn words_are_folded_to_the_terminal_and_ids_and_tables_are_not_broken() {
    insta::assert_snapshot!(text(&sick(), &zone(), Some(80)));
    insta::assert_snapshot!("at_200_columns", text(&sick(), &zone(), Some(200)));
}

#[test]
fn the_usual_lines_fit_80_columns() {
    let text = text(&healthy(), &zone(), None);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn without_a_daemon_and_a_filter_the_policy_is_shown_all_the_same() {
    let mut status = example(vec![interface("eth1", InterfaceState::Unfiltered)]);
    (status.pid, status.daemon, status.filter) = (None, None, None);
    status.filters.clear();
    status.pools[0].actual = None;
    insta::assert_snapshot!(text(&status, &zone(), None));
}

#[test]
fn brief_is_one_line_for_each_interface() {
    insta::assert_snapshot!(brief::text(&sick(), &zone()));
    assert_eq!(
        brief::text(&Status::nothing(), &zone()),
        "NOT enforcing: no op25b filter is running on the interfaces of this network namespace\n"
    );
}

#[test]
fn an_earlier_daemon_s_answer_is_read_as_far_as_it_goes() {
    let answer = json!({
        "pid": 7, "version": "0.1.0", "policy_file": "/etc/op25b/policy.yaml", "policy_sha256": "00",
        "loaded_at": LOADED, "reloads": 0, "refused_reloads": 0, "last_reload": null, "state": "enforced",
        "interfaces": [{ "name": "eth1", "state": "enforced", "interferences": 0 }], "faults": [], "filter": null,
    });
    let status: Status = serde_json::from_value(answer).unwrap();
    assert_eq!((status.pid, status.state), (Some(7), Enforcement::Enforced));
    assert_eq!(status.interfaces[0].role, None);
    assert!(text(&status, &zone(), None).starts_with("enforcing on 1 interface"));
}

#[test]
fn json_has_every_member_with_and_without_a_daemon() {
    let members = |status: &Status| {
        let document = serde_json::to_value(status).unwrap();
        let members = document.as_object().unwrap().keys().cloned();
        members.collect::<Vec<_>>()
    };
    let nothing = serde_json::to_string(&Status::nothing()).unwrap();
    assert!(
        nothing.starts_with(r#"{"schema":"op25b.status/1","state":"open","#),
        "{nothing}"
    );
    assert_eq!(members(&Status::nothing()), members(&sick()));
    let document = serde_json::to_value(sick()).unwrap();
    assert_eq!(document["filters"][0]["counters"]["blocked"], 8123);
    assert_eq!(document["enforcement"]["interfaces"], document["interfaces"]);
    assert_eq!(document["filter"], document["filters"][0]);
}

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

#[test]
fn the_history_is_off_or_shown_with_its_size_and_whether_it_is_written() {
    let line = |history: Option<HistoryReport>, fault: Option<FaultKind>| {
        let mut status = healthy();
        status.history = history;
        status.faults.extend(fault.map(|kind| Fault {
            kind,
            message: "the history of what subscribers did is not written: no space left".to_owned(),
            since: at(LOADED),
        }));
        let text = text(&status, &zone(), None);
        let line = text.lines().find_map(|line| line.strip_prefix("  history     "));
        line.map(str::to_owned)
    };
    let shown = |history, fault| line(history, fault).unwrap();
    assert_eq!(
        shown(Some(recorded()), None),
        "since 2026-11-27 23:10:00 +09:00, 61203 rows, 2.9MiB of 2GiB"
    );
    assert_eq!(shown(None, None), "off: the policy has none");
    let begins = HistoryReport {
        bytes: None,
        rows: None,
        oldest: None,
        newest: None,
        ..recorded()
    };
    assert_eq!(shown(Some(begins), None), "no bucket yet");
    let full = HistoryReport {
        is_full: true,
        ..recorded()
    };
    let full = shown(Some(full), Some(FaultKind::HistoryNotRecorded));
    assert!(
        full.starts_with("NOT RECORDED, see below: since ")
            && full.ends_with("; FULL: older buckets had no room"),
        "{full}"
    );
    // Without a daemon nobody knows.
    let mut alone = healthy();
    alone.daemon = None;
    assert!(!text(&alone, &zone(), None).contains("  history "));
}
