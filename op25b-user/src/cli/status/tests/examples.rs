//! Status reports to make texts of: of a router that is as it should be, of one that is not, and of a paused one.

use jiff::{
    Timestamp,
    tz::{self, TimeZone},
};
use serde_json::{Value, json};

use crate::{
    datapath::LoadedBy,
    fault::{Fault, FaultKind},
    policy::Pause,
    recent_warnings::RecentWarning,
    report::{
        Enforcement, EnforcementStatus, ExemptionReport, FileReport, FileState, FilterStatus, HistoryReport,
        InterfaceReport, InterfaceState, LastReload, PoolState, PoolStatus, PoolWord, Status,
    },
};

pub(super) const LOADED: &str = "2026-11-28T14:09:35Z";

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Japan's.
pub(super) fn zone() -> TimeZone {
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

pub(super) fn pool(name: &str, state: PoolState) -> PoolStatus {
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

pub(super) fn enforced() -> PoolState {
    PoolState {
        mode: PoolWord::Enforce,
        until: None,
    }
}

pub(super) fn filter(interfaces: &[InterfaceReport], pools: &[PoolStatus]) -> FilterStatus {
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
pub(super) fn recorded() -> HistoryReport {
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

pub(super) fn healthy() -> Status {
    example(vec![
        interface("eth1", InterfaceState::Enforced),
        interface("eth2", InterfaceState::Enforced),
    ])
}

/// Much that can be out of order at once.
pub(super) fn sick() -> Status {
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
pub(super) fn paused() -> Status {
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
