//! `op25b status --check`: one line and a code for a monitoring system, as plugins of Nagios and its successors have them.

use jiff::tz::TimeZone;

use super::headline::headline;
use crate::{
    fault::FaultKind,
    report::{Enforcement, FileState, InterfaceState, PoolWord, Status, paused},
};

/// A state of monitoring plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum CheckState {
    /// The policy is enforced, and nothing is to be done.
    Ok,
    /// It is enforced, and something is to be done.
    Warning,
    /// It is not enforced as it should be.
    Critical,
    /// Nobody knows.
    Unknown,
}

impl CheckState {
    /// Its exit code.
    pub(super) fn exit_code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a monitoring system gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    /// The state.
    pub(super) state: CheckState,
    /// The line.
    pub(super) line: String,
}

/// Judges a status, or why there is none.
pub(super) fn check(status: Result<&Status, &anyhow::Error>, zone: &TimeZone) -> Checked {
    let status = match status {
        Ok(status) => status,
        Err(error) => {
            return Checked {
                state: CheckState::Unknown,
                line: format!("OP25B UNKNOWN - {}", plain(&format!("{error:#}"))),
            };
        }
    };
    let findings = findings(status, zone);
    let worst = findings.iter().map(|(state, _)| *state).max();
    let state = worst.unwrap_or(CheckState::Ok);
    let mut texts = vec![headline(status)];
    // The worst first.
    for wanted in [CheckState::Critical, CheckState::Warning] {
        let found = findings.iter().filter(|(state, _)| *state == wanted);
        texts.extend(
            found
                .map(|(_, text)| text.clone())
                .filter(|text| !text.is_empty()),
        );
    }
    Checked {
        state,
        line: format!(
            "OP25B {} - {}|{}",
            state.name(),
            plain(&texts.join("; ")),
            performance_data(status)
        ),
    }
}

/// What is not as it should be. A text is empty if the headline says it.
fn findings(status: &Status, zone: &TimeZone) -> Vec<(CheckState, String)> {
    let mut findings = Vec::new();
    let mut critical = |text: String| findings.push((CheckState::Critical, text));
    if status.state != Enforcement::Enforced {
        critical(String::new());
    }
    for pool in status.pools.iter().filter(|pool| pool.differs()) {
        critical(format!(
            "the kernel does not do with pool {} what the policy wants",
            pool.name
        ));
    }
    let mut warning = |text: String| findings.push((CheckState::Warning, text));
    if status.daemon.is_none() {
        warning(String::new());
    }
    for pause in &status.pauses {
        warning(format!("PAUSED {}", paused(pause, zone)));
    }
    for filter in &status.unreadable {
        warning(format!(
            "another version of op25b loaded the filter: {}",
            filter.why
        ));
    }
    // A reload that was taken back is one event: it refuses the file, which differs then.
    let went_back = status.went_back.is_some();
    for fault in &status.faults {
        if went_back && fault.kind == FaultKind::PolicyRefused {
            continue;
        }
        warning(format!("fault {}", fault.kind.name()));
    }
    if status
        .exemptions
        .is_some_and(|exemptions| exemptions.kernel_is_behind)
    {
        warning("the kernel lacks exemptions that are stored".to_owned());
    }
    match status.file.as_ref().map(|file| file.state) {
        None | Some(FileState::Same) => {}
        Some(FileState::Differs) if went_back => {}
        Some(FileState::Differs) => warning("the policy file differs from what is enforced".to_owned()),
        Some(FileState::Invalid) => {
            warning("the policy file differs from what is enforced and would be refused".to_owned());
        }
        Some(FileState::Unreadable) => warning("the policy file cannot be read".to_owned()),
        Some(FileState::Unknown) => {
            warning("the policy file was not compared with what is enforced".to_owned());
        }
    }
    if status
        .last_reload
        .as_ref()
        .is_some_and(|last| last.refused.is_some() && !last.was_taken_back())
    {
        warning("the last reload was refused".to_owned());
    }
    if status.unconfirmed_reload.is_some() {
        warning("a reload waits for `op25b confirm`".to_owned());
    }
    if let Some(back) = &status.went_back {
        warning(format!(
            "the reload by {} was not confirmed and was taken back",
            back.by
        ));
    }
    for interface in &status.interfaces {
        if interface.native_refused.is_some() {
            warning(format!(
                "{} runs in generic mode, as native mode was refused",
                interface.name
            ));
        }
        for text in &interface.warnings {
            warning(format!("{}: {text}", interface.name));
        }
    }
    findings
}

/// The numbers, with the limits at which they are no longer as they should be.
fn performance_data(status: &Status) -> String {
    let all = status.interfaces.len();
    let enforced = status.interfaces.iter();
    let enforced = enforced.filter(|interface| interface.state == InterfaceState::Enforced);
    let enforced = enforced.count();
    let mut data = vec![format!("interfaces={enforced};;{all}:;0;{all}")];
    if !status.pools.is_empty() {
        let pools = status.pools.iter().map(|pool| pool.actual.or(pool.wanted));
        let enforced = pools.filter(|state| state.is_some_and(|state| state.mode == PoolWord::Enforce));
        data.push(format!(
            "pools_enforced={};;;0;{}",
            enforced.count(),
            status.pools.len()
        ));
    }
    if let Some(filter) = status.filters.first() {
        for (reason, packets) in filter.counters.iter() {
            data.push(format!("{}={packets}c", reason.name()));
        }
        data.push(format!("exemptions={};;;0", filter.exemptions.active));
    }
    data.push(format!("faults={};0;;0", status.faults.len()));
    data.join(" ")
}

/// A text without what ends it for a monitoring system.
fn plain(text: &str) -> String {
    text.replace('|', "/").replace(['\r', '\n'], " ")
}
