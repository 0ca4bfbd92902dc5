//! Writes the report of `op25b status` as text.

use std::fmt;

use jiff::tz::TimeZone;
use op25b_common::Reason;

use super::types::{ExemptionStatus, FilterStatus, InterfaceStatus, State, UnreadableStatus};
use crate::time::show;

fn write_interfaces(f: &mut fmt::Formatter<'_>, interfaces: &[InterfaceStatus]) -> fmt::Result {
    let mut label = "interfaces";
    for interface in interfaces {
        writeln!(
            f,
            "  {label:<10}  {} ({}, {}, program {})",
            interface.name, interface.role, interface.xdp, interface.program_id
        )?;
        label = "";
    }
    Ok(())
}

/// The frames that are not IP, of each interface that has any: the kinds with the most frames.
fn write_not_ip(f: &mut fmt::Formatter<'_>, interfaces: &[InterfaceStatus]) -> fmt::Result {
    const MOST_KINDS: usize = 5;
    let mut label = "not IP";
    for interface in interfaces {
        let mut kinds: Vec<String> = interface
            .not_ip
            .iter()
            .take(MOST_KINDS)
            .map(|(kind, frames)| match kind.protocol() {
                Some(protocol) => format!("{kind} ({protocol}) {frames}"),
                None => format!("{kind} {frames}"),
            })
            .collect();
        let more: u64 = interface
            .not_ip
            .iter()
            .skip(MOST_KINDS)
            .map(|(_, frames)| frames)
            .sum();
        if more != 0 {
            kinds.push(format!("of other kinds {more}"));
        }
        if !kinds.is_empty() {
            writeln!(f, "  {label:<10}  {}: {}", interface.name, kinds.join(", "))?;
            label = "";
        }
    }
    Ok(())
}

impl fmt::Display for UnreadableStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "enforcing, loaded by another version of op25b than this one ({})",
            env!("CARGO_PKG_VERSION")
        )?;
        let daemon = match self.state {
            State::Enforcing => "runs",
            State::EnforcingAlone => "none",
            State::PinnedElsewhere | State::NotEnforcing => "in another pin directory",
        };
        writeln!(f, "  daemon      {daemon}")?;
        write_interfaces(f, &self.interfaces)?;
        writeln!(f, "  description not readable by this version: {}", self.why)
    }
}

impl fmt::Display for FilterStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = show::instant(self.policy.loaded_at, &TimeZone::system());
        let (alone, daemon) = match self.state {
            State::EnforcingAlone => (" alone", "none; last "),
            State::PinnedElsewhere => ("", "in another pin directory; "),
            State::Enforcing | State::NotEnforcing => ("", ""),
        };
        writeln!(f, "enforcing{alone} since {since}")?;
        writeln!(
            f,
            "  daemon      {daemon}process {} (op25b {})",
            self.pid, self.version
        )?;
        if let Some(reload) = &self.last_reload {
            writeln!(f, "  reload      {reload}")?;
        }
        writeln!(f, "  policy      {}", self.policy.file.display())?;
        write_interfaces(f, &self.interfaces)?;
        let mut label = "pools";
        for pool in &self.pools {
            writeln!(
                f,
                "  {label:<10}  {} ({}, prefixes: {}{})",
                pool.name,
                pool.mode,
                pool.prefixes,
                if pool.remembered { "" } else { ", not remembered" }
            )?;
            label = "";
        }
        writeln!(f, "  relays      {}", self.relays)?;
        let ExemptionStatus {
            total,
            active,
            expired,
            as_loaded,
        } = self.exemptions;
        let since = if as_loaded {
            " when the policy was loaded"
        } else {
            ""
        };
        writeln!(
            f,
            "  exemptions  {total} ({active} active, {expired} expired){since}"
        )?;
        writeln!(
            f,
            "  memory      {} MiB of kernel memory",
            self.map_bytes.div_ceil(1 << 20)
        )?;
        let width = Reason::NAME_WIDTH;
        match &self.uplink_counters {
            None => {
                writeln!(f, "  {:<width$} {:>15}", "reason", "packets")?;
                for (reason, packets) in self.counters.iter() {
                    writeln!(f, "  {:<width$} {packets:>15}", reason.name())?;
                }
            }
            Some(uplink) => {
                writeln!(f, "  {:<width$} {:>15} {:>15}", "reason", "subscriber", "uplink")?;
                for ((reason, packets), (_, from_uplink)) in self.counters.iter().zip(uplink.iter()) {
                    writeln!(f, "  {:<width$} {packets:>15} {from_uplink:>15}", reason.name())?;
                }
            }
        }
        write_not_ip(f, &self.interfaces)
    }
}
