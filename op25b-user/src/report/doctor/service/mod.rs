//! The systemd units: whether op25b starts at a boot, early enough, and may do what it has to.

mod sandbox;
mod systemctl;

use std::path::Path;

use super::{Check, Line};
use systemctl::{SystemctlError, Unit, show};

/// The unit of the daemon.
const SERVICE: &str = "op25b.service";
/// The unit that writes metrics for the node exporter.
const TIMER: &str = "op25b-metrics.timer";
/// Where it writes them.
const METRICS: &str = "/var/lib/prometheus/node-exporter";

/// Examines them. `policy` is the file that was examined, with whether it has metrics served over TCP.
pub(super) fn lines(policy: Option<(&Path, bool)>) -> Vec<Line> {
    match show(&[SERVICE, TIMER]) {
        Ok(units) => {
            let mut lines = units.first().map_or_else(Vec::new, |unit| daemon(unit, policy));
            lines.extend(
                units
                    .get(1)
                    .map(|timer| metrics(timer, Path::new(METRICS).is_dir())),
            );
            lines
        }
        Err(SystemctlError::NotRunning) => vec![Line::unknown(
            Check::Unit,
            "systemd does not run here, so what starts op25b at a boot is not known",
        )],
        Err(error) => vec![Line::unknown(Check::Unit, error.to_string())],
    }
}

fn daemon(unit: &Unit, policy: Option<(&Path, bool)>) -> Vec<Line> {
    const NOTHING: &str = "nothing starts the daemon at a boot, and after one nothing is filtered";
    let absent = match unit.of("LoadState") {
        "loaded" => None,
        "not-found" => Some(Line::warn(
            Check::Unit,
            format!("there is no unit {SERVICE}: {NOTHING}"),
            "install op25b's package, or deploy/op25b.service in /etc/systemd/system; then `systemctl enable --now op25b`",
        )),
        "masked" => Some(Line::fail(
            Check::Unit,
            format!("the unit {SERVICE} is masked: {NOTHING}"),
            "`systemctl unmask op25b && systemctl enable --now op25b`",
        )),
        other => Some(Line::fail(
            Check::Unit,
            format!("systemd cannot load {SERVICE} ({other}): {NOTHING}"),
            "`systemd-analyze verify op25b.service` shows the mistake",
        )),
    };
    if let Some(line) = absent {
        return vec![line];
    }
    let mut lines = installation(unit, policy.map(|(path, _)| path));
    lines.push(boot_order(unit));
    lines.extend(sandbox::lines(unit, policy.is_some_and(|(_, serves)| serves)));
    lines
}

/// Whether systemd will start it, and what.
fn installation(unit: &Unit, policy: Option<&Path>) -> Vec<Line> {
    let mut lines = Vec::new();
    if !unit.of("UnitFileState").starts_with("enabled") {
        lines.push(Line::fail(
            Check::Unit,
            format!(
                "{SERVICE} is not enabled ({}): after a boot nothing is filtered",
                unit.of("UnitFileState")
            ),
            "`systemctl enable op25b`",
        ));
    }
    lines.extend(not_running(unit));
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

/// Why the daemon does not run, if it does not.
fn not_running(unit: &Unit) -> Option<Line> {
    const STAYS: &str =
        "a filter that is pinned goes on as it is, and nothing renews it or attaches it to new interfaces";
    let result = unit.of("Result");
    match (unit.of("ActiveState"), unit.of("SubState")) {
        ("failed", _) | (_, "auto-restart") => Some(Line::fail(
            Check::Unit,
            format!("{SERVICE} has ended with an error ({result}), and does not run: {STAYS}"),
            "`journalctl -u op25b -n 50` shows why; then `systemctl restart op25b`",
        )),
        // The start after one that failed shows the result of neither.
        ("activating", _) if !matches!(unit.of("NRestarts"), "" | "0") => Some(Line::fail(
            Check::Unit,
            format!(
                "{SERVICE} does not stay up: systemd starts it again, after {} times: {STAYS}",
                unit.of("NRestarts")
            ),
            "`journalctl -u op25b -n 50` shows why",
        )),
        ("inactive", _) => Some(Line::warn(
            Check::Unit,
            format!("{SERVICE} does not run: {STAYS}"),
            "`systemctl start op25b`",
        )),
        _ => None,
    }
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
