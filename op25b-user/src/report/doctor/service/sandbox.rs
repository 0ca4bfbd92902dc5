//! What a unit forbids op25b that it needs: a drop-in that hardens all services of a machine does that.

use super::{Check, Line, systemctl::Unit};

/// The capabilities that the daemon needs.
const CAPABILITIES: [&str; 3] = ["cap_bpf", "cap_net_admin", "cap_perfmon"];
/// The descriptors that a policy with few interfaces needs.
const FEWEST_FILES: u64 = 1024;

/// Everything that is forbidden, or that nothing is. Metrics over TCP need more.
pub(super) fn lines(unit: &Unit, serves_metrics: bool) -> Vec<Line> {
    let mut found: Vec<_> = [
        capabilities(unit),
        file_systems(unit),
        namespaces(unit),
        address_families(unit),
        system_calls(unit),
        files(unit),
    ]
    .into_iter()
    .flatten()
    .map(|(message, wanted)| Line::fail(Check::Sandbox, message, unit.remedy(&wanted)))
    .collect();
    let metrics = serves_metrics.then(|| metrics_server(unit)).flatten();
    if let Some(message) = metrics {
        found.push(Line::warn(
            Check::Sandbox,
            message,
            "the drop-in metrics-server.conf, from deploy/metrics-server or /usr/share/doc/op25b/examples, in \
             /etc/systemd/system/op25b.service.d; then `systemctl daemon-reload && systemctl restart op25b`",
        ));
    }
    if found.is_empty() {
        vec![Line::ok(Check::Sandbox, "the unit permits what the filter needs")]
    } else {
        found
    }
}

fn capabilities(unit: &Unit) -> Option<(String, String)> {
    let is_root = matches!(unit.of("User"), "" | "root");
    let sets: &[&str] = if is_root {
        &["CapabilityBoundingSet"]
    } else {
        &["CapabilityBoundingSet", "AmbientCapabilities"]
    };
    sets.iter().find_map(|set| {
        // The kernel lets CAP_SYS_ADMIN stand for the others, but for CAP_NET_ADMIN.
        let has =
            |name: &str| unit.has(set, name) || (name != "cap_net_admin" && unit.has(set, "cap_sys_admin"));
        let missing: Vec<_> = CAPABILITIES
            .into_iter()
            .filter(|name| !has(name))
            .map(str::to_uppercase)
            .collect();
        (!missing.is_empty()).then(|| {
            (
                format!(
                    "`{set}=` lacks {}, so the daemon cannot load the filter",
                    missing.join(", ")
                ),
                format!("`{set}=CAP_BPF CAP_NET_ADMIN CAP_PERFMON`"),
            )
        })
    })
}

fn file_systems(unit: &Unit) -> Option<(String, String)> {
    if unit.of("ProtectKernelTunables") == "yes" {
        return Some((
            "`ProtectKernelTunables=yes` makes /sys read-only, and the BPF file system with it: nothing can be pinned".to_owned(),
            "`ProtectKernelTunables=no`".to_owned(),
        ));
    }
    ["ReadOnlyPaths", "InaccessiblePaths"]
        .into_iter()
        .find_map(|property| {
            let paths = ["/sys", "/sys/fs", "/sys/fs/bpf", "-/sys", "-/sys/fs/bpf"];
            let path = paths.into_iter().find(|path| unit.has(property, path))?;
            Some((
                format!(
                    "`{property}={path}` keeps the daemon from pinning the filter in the BPF file system"
                ),
                format!("no `{property}=` of {}", path.trim_start_matches('-')),
            ))
        })
}

fn namespaces(unit: &Unit) -> Option<(String, String)> {
    if unit.of("PrivateNetwork") == "yes" {
        return Some((
            "`PrivateNetwork=yes` gives the daemon a network of its own, without the router's interfaces"
                .to_owned(),
            "`PrivateNetwork=no`".to_owned(),
        ));
    }
    let namespace = unit.of("NetworkNamespacePath");
    if !namespace.is_empty() {
        return Some((
            format!(
                "the daemon runs in the network namespace {namespace}, and the interfaces of this one were examined"
            ),
            "`ip netns exec NAME op25b doctor` examines those, or no `NetworkNamespacePath=`".to_owned(),
        ));
    }
    let users = unit.of("PrivateUsers");
    if !matches!(users, "" | "no") {
        return Some((
            format!(
                "`PrivateUsers={users}` puts the daemon into a user namespace, whose capabilities do not count for BPF"
            ),
            "`PrivateUsers=no`".to_owned(),
        ));
    }
    None
}

/// Why metrics are not served over TCP, if they are not.
fn metrics_server(unit: &Unit) -> Option<String> {
    let why = if ["AF_INET", "AF_INET6"]
        .into_iter()
        .any(|family| denies(unit, "RestrictAddressFamilies", family))
    {
        "`RestrictAddressFamilies=` lacks AF_INET or AF_INET6"
    } else if denies(unit, "SystemCallFilter", "seccomp") {
        "`SystemCallFilter=` lacks seccomp"
    } else if !unit.of("IPAddressDeny").is_empty() && unit.of("IPAddressAllow").is_empty() {
        "`IPAddressDeny=` forbids every packet"
    } else {
        return None;
    };
    Some(format!(
        "the policy has `metrics`, and the unit forbids serving them over TCP: {why}"
    ))
}

/// Whether a list of what is permitted, or with `~` of what is not, forbids this. A unit without a restriction has the list `~`;
/// an empty one permits nothing (`none`).
fn denies(unit: &Unit, property: &str, wanted: &str) -> bool {
    match unit.of(property).strip_prefix('~') {
        Some(denied) => denied.split_whitespace().any(|word| word == wanted),
        None => unit.shows(property) && !unit.has(property, wanted),
    }
}

fn address_families(unit: &Unit) -> Option<(String, String)> {
    denies(unit, "RestrictAddressFamilies", "AF_NETLINK").then(|| {
        (
            "`RestrictAddressFamilies=` lacks AF_NETLINK, so the daemon cannot see interfaces".to_owned(),
            "`RestrictAddressFamilies=AF_UNIX AF_NETLINK`".to_owned(),
        )
    })
}

fn system_calls(unit: &Unit) -> Option<(String, String)> {
    let missing = ["bpf", "perf_event_open"]
        .into_iter()
        .find(|wanted| denies(unit, "SystemCallFilter", wanted))?;
    Some((
        format!("`SystemCallFilter=` forbids {missing}(2), which the daemon needs"),
        "`SystemCallFilter=@system-service bpf capset perf_event_open`".to_owned(),
    ))
}

fn files(unit: &Unit) -> Option<(String, String)> {
    let limit: u64 = unit.of("LimitNOFILE").parse().ok()?;
    (limit < FEWEST_FILES).then(|| {
        (
            format!("`LimitNOFILE={limit}`: each interface and each map takes a descriptor"),
            "`LimitNOFILE=65536`".to_owned(),
        )
    })
}
