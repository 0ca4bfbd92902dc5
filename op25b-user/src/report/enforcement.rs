//! Whether a policy is enforced: on which of its interfaces its program runs, asked of the kernel at the time of the report.
//!
//! Every reader shows what [`interface_reports`] and [`Enforcement::of`] return: metrics, `GET /v1/status`, `op25b status` and
//! the service manager.

use std::{fmt, io, path::Path};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    counted::counted,
    datapath::{Interface, Interfaces, pinned_since},
};

/// Whether a policy is enforced on its interfaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// On every one.
    Enforced,
    /// Not on every one.
    Degraded,
    /// On none.
    #[default]
    Open,
}

impl Enforcement {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Enforced, Self::Degraded, Self::Open];

    /// Whether a policy is enforced that has these interfaces.
    #[must_use]
    pub fn of(interfaces: &[InterfaceReport]) -> Self {
        let enforced = interfaces
            .iter()
            .filter(|interface| interface.state == InterfaceState::Enforced);
        match enforced.count() {
            0 => Self::Open,
            count if count == interfaces.len() => Self::Enforced,
            _ => Self::Degraded,
        }
    }

    /// Where a policy is enforced that has these interfaces, and where not, in one line.
    #[must_use]
    pub fn in_words(interfaces: &[InterfaceReport]) -> String {
        let not: Vec<String> = interfaces
            .iter()
            .filter(|interface| interface.state != InterfaceState::Enforced)
            .map(|interface| format!("{} ({})", interface.name, interface.state.name()))
            .collect();
        let enforced = interfaces.len() - not.len();
        let all = counted(interfaces.len(), "interface");
        let not = not.join(", ");
        match Self::of(interfaces) {
            Self::Enforced => format!("enforcing on {enforced} of {all}"),
            Self::Degraded => format!("DEGRADED: enforcing on {enforced} of {all}, not on {not}"),
            Self::Open => format!("OPEN: enforcing on none of {all}: {not}"),
        }
    }

    /// Its name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Degraded => "degraded",
            Self::Open => "open",
        }
    }
}

impl fmt::Display for Enforcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The state of one interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InterfaceReport {
    /// Its name in the policy.
    pub name: String,
    /// Whether the filter runs there.
    pub state: InterfaceState,
    /// Its role in the policy; none if an earlier version loaded the filter.
    #[serde(default)]
    pub role: Option<String>,
    /// The XDP mode that the policy wants: `auto`, `native` or `generic`; none if an earlier version loaded the filter.
    #[serde(default)]
    pub wanted_xdp: Option<String>,
    /// Whether the policy lets it be missing (`wait: true`); none if an earlier version loaded the filter.
    #[serde(default)]
    pub wait: Option<bool>,
    /// Since when the link that the filter runs on is attached; none if the filter does not run there, or its pin is not to be seen.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// The index of the interface that bears the name now.
    #[serde(default)]
    pub ifindex: Option<u32>,
    /// The XDP program that runs there, whoever attached it.
    #[serde(default)]
    pub program_id: Option<u32>,
    /// Why the filter does not run there, as far as that is known.
    #[serde(default)]
    pub why: Option<String>,
    /// The mode in which the filter runs there: `native` or `generic`; none if it does not.
    #[serde(default)]
    pub xdp: Option<String>,
    /// Why the filter runs in generic mode although native mode was tried first; none if it does not.
    #[serde(default)]
    pub native_refused: Option<String>,
    /// Which settings of the interface disagree with the filter, each with what to do about it.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How often another process detached or replaced the filter.
    pub interferences: u64,
}

/// Whether the filter runs on an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceState {
    /// The filter runs.
    Enforced,
    /// No interface bears the name; the daemon waits for one.
    Missing,
    /// Another process detached or replaced the filter.
    Lost,
    /// The interface exists, and the filter is not attached: another program runs there, or the kernel refuses the filter.
    Unfiltered,
    /// The kernel could not be asked.
    Unknown,
}

impl InterfaceState {
    /// All of them.
    pub(super) const ALL: [Self; 5] = [
        Self::Enforced,
        Self::Missing,
        Self::Lost,
        Self::Unfiltered,
        Self::Unknown,
    ];

    /// Its name in output.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Missing => "missing",
            Self::Lost => "lost",
            Self::Unfiltered => "unfiltered",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of an interface of the policy besides what the kernel reports.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownInterface {
    /// Its name in the policy.
    pub name: String,
    /// Its role in the policy.
    pub role: Option<String>,
    /// The XDP mode that the policy wants.
    pub wanted_xdp: Option<String>,
    /// Whether the policy lets it be missing.
    pub wait: Option<bool>,
    /// The program that is to run there; none if no filter is loaded.
    pub program_id: Option<u32>,
    /// Whether another process has detached or replaced the filter.
    pub is_lost: bool,
    /// How often another process has.
    pub interferences: u64,
    /// Why the filter did not run there when that was examined last.
    pub trouble: Option<String>,
    /// Why the filter runs in generic mode although native mode was tried first, if it does.
    pub native_refused: Option<String>,
    /// Which settings of the interface disagree with the filter.
    pub warnings: Vec<String>,
}

/// Asks the kernel which of these interfaces their program runs on, and since when their links are pinned in a directory.
#[must_use]
pub fn interface_reports(known: &[KnownInterface], pins: &Path) -> Vec<InterfaceReport> {
    let interfaces = Interfaces::of(known.iter().map(|known| known.name.as_str()));
    let reports = known.iter().map(|known| match &interfaces {
        Ok(interfaces) => {
            let mut report = known.report(interfaces.named(&known.name));
            if report.state == InterfaceState::Enforced {
                report.since = pinned_since(pins, &known.name);
            }
            report
        }
        Err(error) => known.unknown(error),
    });
    reports.collect()
}

impl KnownInterface {
    /// The report, if this interface bears the name.
    fn report(&self, found: Option<&Interface>) -> InterfaceReport {
        let mut programs = found.into_iter().flat_map(|found| &found.xdp);
        let running = programs.find(|xdp| self.program_id == Some(xdp.program_id));
        let other = found.and_then(|found| Some(found.xdp.first()?.program_id));
        let state = match found {
            None => InterfaceState::Missing,
            Some(_) if running.is_some() => InterfaceState::Enforced,
            Some(_) if self.is_lost => InterfaceState::Lost,
            Some(_) => InterfaceState::Unfiltered,
        };
        let why = || {
            self.trouble.clone().or_else(|| match (state, other) {
                (InterfaceState::Missing, _) => Some("there is no interface of this name".to_owned()),
                (_, Some(other)) => Some(format!("another XDP program runs there (id {other})")),
                (_, None) => Some("no XDP program runs there".to_owned()),
            })
        };
        InterfaceReport {
            name: self.name.clone(),
            state,
            role: self.role.clone(),
            wanted_xdp: self.wanted_xdp.clone(),
            wait: self.wait,
            since: None,
            ifindex: found.map(|found| found.index),
            program_id: running.map(|xdp| xdp.program_id).or(other),
            why: (state != InterfaceState::Enforced).then(why).flatten(),
            xdp: running.map(|xdp| xdp.mode.to_owned()),
            native_refused: running
                .filter(|xdp| xdp.mode == "generic")
                .and_then(|_| self.native_refused.clone()),
            warnings: if running.is_some() {
                self.warnings.clone()
            } else {
                Vec::new()
            },
            interferences: self.interferences,
        }
    }

    fn unknown(&self, error: &io::Error) -> InterfaceReport {
        InterfaceReport {
            name: self.name.clone(),
            state: InterfaceState::Unknown,
            role: self.role.clone(),
            wanted_xdp: self.wanted_xdp.clone(),
            wait: self.wait,
            since: None,
            ifindex: None,
            program_id: None,
            why: Some(format!("cannot examine the network interfaces: {error}")),
            xdp: None,
            native_refused: None,
            warnings: Vec::new(),
            interferences: self.interferences,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::XdpAttachment;

    fn found(programs: &[u32]) -> Interface {
        let mut found = Interfaces::of(["lo"]).unwrap().named("lo").unwrap().clone();
        found.index = 7;
        found.xdp = programs
            .iter()
            .map(|program_id| XdpAttachment {
                mode: "native",
                program_id: *program_id,
            })
            .collect();
        found
    }

    fn known() -> KnownInterface {
        KnownInterface {
            name: "sub0".to_owned(),
            program_id: Some(42),
            ..KnownInterface::default()
        }
    }

    #[test]
    fn an_interface_is_enforced_only_if_the_one_that_bears_the_name_runs_the_program() {
        let report = known().report(Some(&found(&[42])));
        assert_eq!(report.state, InterfaceState::Enforced);
        assert_eq!(
            (report.ifindex, report.program_id, report.why),
            (Some(7), Some(42), None)
        );

        let report = known().report(None);
        assert_eq!((report.state, report.ifindex), (InterfaceState::Missing, None));
        assert_eq!(report.why.as_deref(), Some("there is no interface of this name"));

        let report = known().report(Some(&found(&[])));
        assert_eq!(
            (report.state, report.program_id, report.why.as_deref()),
            (
                InterfaceState::Unfiltered,
                None,
                Some("no XDP program runs there")
            )
        );

        let report = known().report(Some(&found(&[41])));
        assert_eq!(
            (report.state, report.program_id),
            (InterfaceState::Unfiltered, Some(41))
        );
        assert_eq!(
            report.why.as_deref(),
            Some("another XDP program runs there (id 41)")
        );

        let lost = KnownInterface {
            is_lost: true,
            ..known()
        };
        assert_eq!(lost.report(Some(&found(&[41]))).state, InterfaceState::Lost);

        let nothing = KnownInterface {
            program_id: None,
            ..known()
        };
        assert_eq!(
            nothing.report(Some(&found(&[42]))).state,
            InterfaceState::Unfiltered
        );
    }

    #[test]
    fn trouble_of_the_past_explains_only_what_is_not_enforced_now() {
        let troubled = KnownInterface {
            trouble: Some("cannot attach: no".to_owned()),
            ..known()
        };
        assert_eq!(troubled.report(Some(&found(&[42]))).why, None);
        let report = troubled.report(Some(&found(&[])));
        assert_eq!(report.why.as_deref(), Some("cannot attach: no"));
    }

    #[test]
    fn a_policy_is_enforced_on_every_interface_degraded_on_some_and_open_on_none() {
        let [enforced, missing] = [Some(&found(&[42])), None].map(|found| known().report(found));
        let of = |interfaces: &[&InterfaceReport]| {
            let interfaces: Vec<_> = interfaces.iter().map(|interface| (*interface).clone()).collect();
            Enforcement::of(&interfaces)
        };
        assert_eq!(of(&[&enforced, &enforced]), Enforcement::Enforced);
        assert_eq!(of(&[&enforced, &missing]), Enforcement::Degraded);
        assert_eq!(of(&[&missing, &missing]), Enforcement::Open);
        assert_eq!(of(&[]), Enforcement::Open);
        let words = |interfaces: [&InterfaceReport; 2]| Enforcement::in_words(&interfaces.map(Clone::clone));
        assert_eq!(words([&enforced, &enforced]), "enforcing on 2 of 2 interfaces");
        assert_eq!(
            words([&enforced, &missing]),
            "DEGRADED: enforcing on 1 of 2 interfaces, not on sub0 (missing)"
        );
        assert_eq!(
            words([&missing, &missing]),
            "OPEN: enforcing on none of 2 interfaces: sub0 (missing), sub0 (missing)"
        );
    }
}
