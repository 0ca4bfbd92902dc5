//! Units as systemd shows them, whole and broken by drop-ins.

use std::path::Path;

use super::*;
use crate::report::doctor::Grade;

/// As `systemctl show` prints op25b's own unit, once it is enabled and has started.
const WHOLE: &str = "\
User=op25b
ExecStart={ path=/usr/bin/op25b ; argv[]=/usr/bin/op25b run --policy /etc/op25b/policy.yaml ; ignore_errors=no ; start_time=[n/a] }
Restart=on-failure
LimitNOFILE=65536
MemoryMax=infinity
CapabilityBoundingSet=cap_net_admin cap_perfmon cap_bpf
AmbientCapabilities=cap_net_admin cap_perfmon cap_bpf
ProtectKernelTunables=no
PrivateNetwork=no
PrivateUsers=no
RestrictAddressFamilies=AF_NETLINK AF_UNIX
IPAddressDeny=::/0 0.0.0.0/0
IPAddressAllow=
SystemCallFilter=accept bpf capset openat perf_event_open read
Before=shutdown.target network-pre.target multi-user.target
After=local-fs.target systemd-journald.socket systemd-sysusers.service
DefaultDependencies=no
LoadState=loaded
ActiveState=active
SubState=running
Result=success
FragmentPath=/lib/systemd/system/op25b.service
UnitFileState=enabled
NeedDaemonReload=no
DropInPaths=
";

/// The lines about the unit with some properties changed, that are not as they should be.
fn broken(changes: &[(&str, &str)]) -> Vec<Line> {
    let mut text = WHOLE.to_owned();
    for (property, value) in changes {
        // The last one counts.
        text = format!("{text}{property}={value}\n");
    }
    let lines = daemon(
        &Unit::parse(&text),
        Some((Path::new("/etc/op25b/policy.yaml"), None)),
    );
    lines
        .into_iter()
        .filter(|line| line.result != Grade::Ok)
        .collect()
}

#[track_caller]
fn assert_only(changes: &[(&str, &str)], grade: Grade, message: &str, remedy: &str) {
    let found = broken(changes);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].result, grade, "{found:?}");
    assert!(found[0].message.contains(message), "{found:?}");
    assert!(found[0].remedy.as_deref().unwrap().contains(remedy), "{found:?}");
}

#[test]
fn op25bs_own_unit_is_as_it_should_be() {
    assert_eq!(broken(&[]), []);
    let lines = daemon(&Unit::parse(WHOLE), None);
    assert_eq!(lines[0].message, "op25b.service is enabled and active");
}

#[test]
fn a_unit_that_does_not_run_or_start_at_a_boot_is_named_with_the_command_that_mends_it() {
    assert_only(
        &[("LoadState", "not-found")],
        Grade::Warn,
        "there is no unit",
        "systemctl enable --now op25b",
    );
    assert_only(
        &[("LoadState", "masked")],
        Grade::Fail,
        "is masked",
        "systemctl unmask op25b",
    );
    assert_only(
        &[("LoadState", "bad-setting")],
        Grade::Fail,
        "(bad-setting)",
        "systemd-analyze verify",
    );
    assert_only(
        &[("UnitFileState", "disabled")],
        Grade::Fail,
        "is not enabled (disabled)",
        "systemctl enable op25b",
    );
    let ended = ("Result", "exit-code");
    for (active, sub) in [("failed", "failed"), ("activating", "auto-restart")] {
        assert_only(
            &[("ActiveState", active), ("SubState", sub), ended],
            Grade::Fail,
            "has ended with an error (exit-code)",
            "journalctl -u op25b",
        );
    }
    let starting = [("ActiveState", "activating"), ("SubState", "start")];
    assert_eq!(broken(&starting), []);
    assert_only(
        &[starting[0], starting[1], ("NRestarts", "3")],
        Grade::Fail,
        "does not stay up: systemd starts it again, after 3 times",
        "journalctl -u op25b",
    );
    // That it was started again some time ago is no fault.
    assert_eq!(broken(&[("NRestarts", "3")]), []);
    assert_only(
        &[("ActiveState", "inactive"), ("SubState", "dead")],
        Grade::Warn,
        "does not run",
        "systemctl start op25b",
    );
    assert_only(
        &[("NeedDaemonReload", "yes")],
        Grade::Warn,
        "has changed",
        "systemctl daemon-reload",
    );
    assert_only(
        &[("Restart", "no")],
        Grade::Warn,
        "`Restart=no`",
        "`Restart=on-failure`",
    );
    let other = "{ argv[]=/usr/bin/op25b run --policy /etc/other.yaml ; }";
    assert_only(
        &[("ExecStart", other)],
        Grade::Warn,
        "enforces /etc/other.yaml",
        "op25b doctor --policy /etc/other.yaml",
    );
}

#[test]
fn a_start_after_the_network_is_warned_of() {
    assert_only(
        &[("Before", "shutdown.target")],
        Grade::Warn,
        "not ordered before network-pre.target",
        "`DefaultDependencies=no`",
    );
    let drop_in = "/etc/systemd/system/op25b.service.d/late.conf";
    assert_only(
        &[("After", "network-online.target"), ("DropInPaths", drop_in)],
        Grade::Warn,
        "starts after network-online.target",
        drop_in,
    );
    for target in ["sysinit.target", "multi-user.target"] {
        assert_only(
            &[("After", &format!("local-fs.target {target}"))],
            Grade::Warn,
            &format!("starts after {target}"),
            "without an `After=` of the network",
        );
    }
    assert_only(
        &[
            ("LogNamespace", "filters"),
            ("After", "sysinit.target systemd-journald@filters.service"),
        ],
        Grade::Warn,
        "`LogNamespace=filters`",
        "no `LogNamespace=`",
    );
    assert_only(
        &[("DefaultDependencies", "yes")],
        Grade::Warn,
        "after basic.target",
        "`DefaultDependencies=no`",
    );
}

#[test]
fn a_drop_in_that_forbids_what_the_filter_needs_is_named() {
    let drop_in = ("DropInPaths", "/etc/systemd/system/service.d/hardening.conf");
    for (property, value, message, remedy) in [
        (
            "ProtectKernelTunables",
            "yes",
            "makes /sys read-only",
            "`ProtectKernelTunables=no`",
        ),
        (
            "CapabilityBoundingSet",
            "cap_net_admin",
            "lacks CAP_BPF, CAP_PERFMON",
            "`CapabilityBoundingSet=CAP_BPF",
        ),
        (
            "AmbientCapabilities",
            "",
            "`AmbientCapabilities=` lacks",
            "`AmbientCapabilities=CAP_BPF",
        ),
        (
            "RestrictAddressFamilies",
            "AF_UNIX AF_INET",
            "lacks AF_NETLINK",
            "AF_NETLINK",
        ),
        ("RestrictAddressFamilies", "", "lacks AF_NETLINK", "AF_NETLINK"),
        (
            "RestrictAddressFamilies",
            "~AF_NETLINK",
            "lacks AF_NETLINK",
            "AF_NETLINK",
        ),
        (
            "SystemCallFilter",
            "accept read",
            "forbids bpf(2)",
            "@system-service bpf",
        ),
        (
            "SystemCallFilter",
            "~bpf mount",
            "forbids bpf(2)",
            "@system-service bpf",
        ),
        (
            "PrivateNetwork",
            "yes",
            "without the router's interfaces",
            "`PrivateNetwork=no`",
        ),
        ("PrivateUsers", "yes", "user namespace", "`PrivateUsers=no`"),
        (
            "NetworkNamespacePath",
            "/run/netns/blue",
            "network namespace /run/netns/blue",
            "ip netns exec",
        ),
        (
            "ReadOnlyPaths",
            "/etc /sys",
            "`ReadOnlyPaths=/sys`",
            "no `ReadOnlyPaths=` of /sys",
        ),
        ("LimitNOFILE", "256", "`LimitNOFILE=256`", "`LimitNOFILE=65536`"),
    ] {
        assert_only(&[(property, value), drop_in], Grade::Fail, message, remedy);
        assert_only(
            &[(property, value), drop_in],
            Grade::Fail,
            message,
            "hardening.conf",
        );
    }
    // As systemd shows lists that restrict nothing.
    assert_eq!(
        broken(&[("RestrictAddressFamilies", "~"), ("SystemCallFilter", "~")]),
        []
    );
    // Root has what the bounding set leaves it.
    assert_eq!(broken(&[("User", "root"), ("AmbientCapabilities", "")]), []);
}

#[test]
fn a_unit_that_forbids_metrics_over_tcp_is_named_with_the_drop_in_for_it() {
    let found = |changes: &str| sandbox::lines(&Unit::parse(&format!("{WHOLE}{changes}")), true);
    let with_families = "RestrictAddressFamilies=AF_NETLINK AF_UNIX AF_INET AF_INET6\n";
    let with_call = format!("{with_families}SystemCallFilter=accept bpf perf_event_open seccomp\n");
    for (changes, why) in [
        ("", "lacks AF_INET or AF_INET6"),
        (with_families, "lacks seccomp"),
        (&with_call, "forbids every packet"),
    ] {
        let [line] = &found(changes)[..] else { panic!() };
        assert_eq!(line.result, Grade::Warn);
        assert!(line.message.contains(why), "{line:?}");
        assert!(
            line.remedy.as_deref().unwrap().contains("metrics-server.conf"),
            "{line:?}"
        );
    }
    let permitted = format!("{with_call}IPAddressAllow=127.0.0.0/8 ::1/128\n");
    assert_eq!(found(&permitted)[0].result, Grade::Ok);
    assert_eq!(sandbox::lines(&Unit::parse(WHOLE), false)[0].result, Grade::Ok);
}

#[test]
fn metrics_that_go_nowhere_are_warned_of() {
    let timer = |state: &str| Unit::parse(&format!("LoadState=loaded\nUnitFileState={state}\n"));
    assert_eq!(metrics(&timer("disabled"), true).result, Grade::Ok);
    assert_eq!(metrics(&timer("enabled"), true).result, Grade::Ok);
    assert_eq!(metrics(&timer("enabled"), false).result, Grade::Warn);
}
