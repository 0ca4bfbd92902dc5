//! Whether a unit is there, will be started and runs.

use super::{Check, Line, systemctl::Unit};

/// A unit that should run.
pub(super) struct Wanted<'a> {
    /// Its name.
    pub(super) unit: &'a str,
    pub(super) check: Check,
    /// What happens without it.
    pub(super) never: &'a str,
    /// What happens if it is not started at a boot.
    pub(super) not_at_a_boot: &'a str,
    /// What happens as long as it does not run.
    pub(super) not_now: &'a str,
}

impl Wanted<'_> {
    /// Why systemd does not know it, if it does not.
    pub(super) fn not_loaded(&self, unit: &Unit) -> Option<Line> {
        let Self {
            unit: name,
            check,
            never,
            ..
        } = *self;
        let command = self.command();
        match unit.of("LoadState") {
            "loaded" => None,
            "not-found" => Some(Line::warn(
                check,
                format!("there is no unit {name}: {never}"),
                format!(
                    "install op25b's package, or deploy/{} in /etc/systemd/system; then `systemctl enable --now {command}`",
                    template(name)
                ),
            )),
            "masked" => Some(Line::fail(
                check,
                format!("the unit {name} is masked: {never}"),
                format!("`systemctl unmask {command} && systemctl enable --now {command}`"),
            )),
            other => Some(Line::fail(
                check,
                format!("systemd cannot load {name} ({other}): {never}"),
                format!("`systemd-analyze verify {name}` shows the mistake"),
            )),
        }
    }

    /// That it is not started at a boot, if it is not.
    pub(super) fn not_enabled(&self, unit: &Unit) -> Option<Line> {
        let state = unit.of("UnitFileState");
        (!state.starts_with("enabled")).then(|| {
            Line::fail(
                self.check,
                format!("{} is not enabled ({state}): {}", self.unit, self.not_at_a_boot),
                format!("`systemctl enable {}`", self.command()),
            )
        })
    }

    /// Why it does not run, if it does not.
    pub(super) fn not_running(&self, unit: &Unit) -> Option<Line> {
        let Self {
            unit: name,
            check,
            not_now,
            ..
        } = *self;
        let command = self.command();
        let result = unit.of("Result");
        match (unit.of("ActiveState"), unit.of("SubState")) {
            ("failed", _) | (_, "auto-restart") => Some(Line::fail(
                check,
                format!("{name} has ended with an error ({result}), and does not run: {not_now}"),
                format!("`journalctl -u {command} -n 50` shows why; then `systemctl restart {command}`"),
            )),
            // The start after one that failed shows the result of neither.
            ("activating", _) if !matches!(unit.of("NRestarts"), "" | "0") => Some(Line::fail(
                check,
                format!(
                    "{name} does not stay up: systemd starts it again, after {} times: {not_now}",
                    unit.of("NRestarts")
                ),
                format!("`journalctl -u {command} -n 50` shows why"),
            )),
            ("inactive", _) => Some(Line::warn(
                check,
                format!("{name} does not run: {not_now}"),
                format!("`systemctl start {command}`"),
            )),
            _ => None,
        }
    }

    /// Its name in commands.
    fn command(&self) -> &str {
        self.unit.trim_end_matches(".service")
    }
}

/// The file of a unit: that of its template, if it is an instance of one.
fn template(unit: &str) -> String {
    match unit.split_once('@') {
        Some((template, _)) => format!("{template}@.service"),
        None => unit.to_owned(),
    }
}
