//! The systemd units: whether op25b starts at a boot, early enough, and may do what it has to.

mod alerts;
mod events;
mod instances;
mod sandbox;
mod state;
mod systemctl;

use std::path::Path;

use super::{Check, Line};
use crate::policy::Policy;
use alerts::Senders;
use events::Forwarders;
use state::Wanted;
use systemctl::{SystemctlError, Unit, show};

/// The unit of the daemon.
const SERVICE: &str = "op25b.service";
/// What it is wanted for.
const DAEMON: Wanted<'_> = Wanted {
    unit: SERVICE,
    check: Check::Unit,
    never: "nothing starts the daemon at a boot, and after one nothing is filtered",
    not_at_a_boot: "after a boot nothing is filtered",
    not_now: "a filter that is pinned goes on as it is, and nothing renews it or attaches it to new interfaces",
};
/// The unit that writes metrics for the node exporter.
const TIMER: &str = "op25b-metrics.timer";
/// Where it writes them.
const METRICS: &str = "/var/lib/prometheus/node-exporter";
/// Where services are configured.
const CONFIGURATION: &str = "/etc/op25b";
/// Where systemd has which units are enabled, for good and until the next boot.
const ENABLED: [&str; 2] = ["/etc/systemd/system", "/run/systemd/system"];

/// Examines them. `policy` is the file that was examined, with what it says if it has no errors.
pub(super) fn lines(policy: Option<(&Path, Option<&Policy>)>) -> Vec<Line> {
    let (configuration, enabled) = (Path::new(CONFIGURATION), ENABLED.map(Path::new));
    let senders = Senders::of(configuration, &enabled);
    let forwarders = Forwarders::of(configuration, &enabled);
    let (sending, forwarding) = (senders.units(), forwarders.units());
    let instances = sending.iter().chain(&forwarding).map(String::as_str);
    let names: Vec<_> = [SERVICE, TIMER].into_iter().chain(instances).collect();
    let (mut lines, units) = match show(&names) {
        Ok(units) => {
            let mut lines = units.first().map_or_else(Vec::new, |unit| daemon(unit, policy));
            lines.extend(
                units
                    .get(1)
                    .map(|timer| metrics(timer, Path::new(METRICS).is_dir())),
            );
            (lines, units)
        }
        Err(SystemctlError::NotRunning) => {
            let message = "systemd does not run here, so what starts op25b at a boot is not known";
            (vec![Line::unknown(Check::Unit, message)], Vec::new())
        }
        Err(error) => (vec![Line::unknown(Check::Unit, error.to_string())], Vec::new()),
    };
    let instances = units.get(2..).unwrap_or_default();
    let (of_senders, of_forwarders) = instances.split_at_checked(sending.len()).unwrap_or_default();
    let policy = policy.and_then(|(_, policy)| policy);
    lines.extend(senders.lines(policy.map(|policy| policy.alerts.is_some()), of_senders));
    lines.extend(forwarders.lines(policy.map(|policy| policy.events.is_some()), of_forwarders));
    lines
}

fn daemon(unit: &Unit, policy: Option<(&Path, Option<&Policy>)>) -> Vec<Line> {
    if let Some(line) = DAEMON.not_loaded(unit) {
        return vec![line];
    }
    let mut lines = installation(unit, policy.map(|(path, _)| path));
    lines.push(boot_order(unit));
    let serves = policy.is_some_and(|(_, policy)| policy.is_some_and(|policy| policy.metrics.is_some()));
    lines.extend(sandbox::lines(unit, serves));
    lines
}

/// Whether systemd will start it, and what.
fn installation(unit: &Unit, policy: Option<&Path>) -> Vec<Line> {
    let mut lines: Vec<_> = [DAEMON.not_enabled(unit), DAEMON.not_running(unit)]
        .into_iter()
        .flatten()
        .collect();
    if unit.of("NeedDaemonReload") == "yes" {
        lines.push(Line::warn(
            Check::Unit,
            format!("the file of {SERVICE} has changed since systemd has read it"),
            "`systemctl daemon-reload`",
        ));
    }
    if unit.of("Restart") == "no" {
        lines.push(Line::warn(
            Check::Unit,
            "systemd does not start the daemon again after a crash (`Restart=no`): the filter stays, and nothing keeps it up to date",
            unit.remedy("`Restart=on-failure`"),
        ));
    }
    if let (Some(examined), Some(started)) = (policy, unit.policy())
        && examined != Path::new(started)
    {
        lines.push(Line::warn(
            Check::Unit,
            format!(
                "{SERVICE} enforces {started}, and {} was examined",
                examined.display()
            ),
            format!("`op25b doctor --policy {started}`"),
        ));
    }
    if lines.is_empty() {
        let drop_ins = unit.of("DropInPaths");
        let remark = if drop_ins.is_empty() {
            String::new()
        } else {
            format!(", with {drop_ins}")
        };
        let message = format!("{SERVICE} is enabled and {}{remark}", unit.of("ActiveState"));
        lines.push(Line::ok(Check::Unit, message));
    }
    lines
}

/// Whether the filter is there before the first packet.
fn boot_order(unit: &Unit) -> Line {
    let late = [
        "network.target",
        "network-online.target",
        "networking.service",
        "sysinit.target",
        "basic.target",
        "multi-user.target",
        "graphical.target",
    ];
    let namespace = unit.of("LogNamespace");
    if !namespace.is_empty() {
        // systemd.exec(5): the unit is ordered after the namespace's journald, which starts after sysinit.target.
        return Line::warn(
            Check::BootOrder,
            format!(
                "{SERVICE} waits for a journal of its own (`LogNamespace={namespace}`): links may be up before the filter is there, and packets pass until then"
            ),
            unit.remedy("no `LogNamespace=`"),
        );
    }
    let waits = late.into_iter().find(|target| unit.has("After", target));
    let message = if let Some(target) = waits {
        format!(
            "{SERVICE} starts after {target}: links are up before the filter is there, and packets pass until then"
        )
    } else if !unit.has("Before", "network-pre.target") {
        format!(
            "{SERVICE} is not ordered before network-pre.target: links may be up before the filter is there, and packets pass until then"
        )
    } else if unit.of("DefaultDependencies") == "yes" {
        format!(
            "{SERVICE} has the default dependencies, so that it starts after basic.target: links may be up before the filter is there"
        )
    } else {
        return Line::ok(
            Check::BootOrder,
            "it starts before network-pre.target: the filter is there before links are up",
        );
    };
    let wanted =
        "`DefaultDependencies=no` and `Before=network-pre.target` without an `After=` of the network";
    Line::warn(Check::BootOrder, message, unit.remedy(wanted))
}

fn metrics(timer: &Unit, has_directory: bool) -> Line {
    if timer.of("LoadState") != "loaded" || !timer.of("UnitFileState").starts_with("enabled") {
        let message = format!(
            "{TIMER} is not enabled: nothing writes metrics for the node exporter, and `op25b metrics` prints them"
        );
        return Line::ok(Check::Metrics, message);
    }
    if !has_directory {
        return Line::warn(
            Check::Metrics,
            format!(
                "{TIMER} is enabled, and {METRICS} does not exist: no metrics are written, and no alert comes"
            ),
            "prometheus-node-exporter's package, or `systemctl edit op25b-metrics.service` with the directory of its textfile collector",
        );
    }
    Line::ok(Check::Metrics, format!("{TIMER} writes metrics to {METRICS}"))
}

#[cfg(test)]
mod tests;
