//! The filters of `op25b status`: what each has counted, and those besides the one of the pin directory.

use op25b_common::Reason;

use super::{lines::Lines, tables::pools};
use crate::report::{ExemptionStatus, FilterStatus, InterfaceStatus, State, UnreadableStatus};

/// What a filter has counted, and how large it is; with the state of the history, if a daemon records for this filter.
pub(super) fn counted(lines: &mut Lines<'_>, filter: &FilterStatus, history: Option<String>) {
    lines.labelled("relays", filter.relays);
    let ExemptionStatus {
        total,
        active,
        expired,
        as_loaded,
    } = filter.exemptions;
    let since = if as_loaded {
        " when the policy was loaded"
    } else {
        ""
    };
    lines.labelled(
        "exemptions",
        format_args!("{total} ({active} active, {expired} expired){since}"),
    );
    lines.labelled(
        "memory",
        format_args!("{} MiB of kernel memory", filter.map_bytes.div_ceil(1 << 20)),
    );
    if let Some(history) = history {
        lines.labelled("history", history);
    }
    let width = Reason::NAME_WIDTH;
    match &filter.uplink_counters {
        None => {
            lines.line(format_args!("  {:<width$} {:>15}", "reason", "packets"));
            for (reason, packets) in filter.counters.iter() {
                lines.line(format_args!("  {:<width$} {packets:>15}", reason.name()));
            }
        }
        Some(uplink) => {
            lines.line(format_args!(
                "  {:<width$} {:>15} {:>15}",
                "reason", "subscriber", "uplink"
            ));
            for ((reason, packets), (_, from_uplink)) in filter.counters.iter().zip(uplink.iter()) {
                lines.line(format_args!(
                    "  {:<width$} {packets:>15} {from_uplink:>15}",
                    reason.name()
                ));
            }
        }
    }
    not_ip(lines, &filter.interfaces);
}

/// The frames that are not IP, of each interface that has any: the kinds with the most frames.
fn not_ip(lines: &mut Lines<'_>, interfaces: &[InterfaceStatus]) {
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
            lines.labelled(label, format_args!("{}: {}", interface.name, kinds.join(", ")));
            label = "";
        }
    }
}

/// A filter besides the one of the pin directory.
pub(super) fn other_filter(lines: &mut Lines<'_>, filter: &FilterStatus) {
    let names: Vec<_> = filter
        .interfaces
        .iter()
        .map(|interface| {
            format!(
                "{} ({}, {}, program {})",
                interface.name, interface.role, interface.xdp, interface.program_id
            )
        })
        .collect();
    let place = match filter.state {
        State::PinnedElsewhere => ", pinned in another directory",
        _ => "",
    };
    lines.line("");
    lines.line(format_args!(
        "another filter{place}, runs on {}",
        names.join(", ")
    ));
    lines.labelled(
        "loaded by",
        format_args!("process {} (op25b {})", filter.pid, filter.version),
    );
    lines.labelled("policy", filter.policy.file.display());
    let loaded = lines.shown(filter.policy.loaded_at);
    lines.labelled("loaded", loaded);
    pools(lines, &filter.pools);
    counted(lines, filter, None);
}

/// A filter whose description this version cannot read.
pub(super) fn unreadable(lines: &mut Lines<'_>, filter: &UnreadableStatus) {
    lines.line("");
    lines.line(concat!(
        "enforcing, loaded by another version of op25b than this one (",
        env!("CARGO_PKG_VERSION"),
        ")"
    ));
    let daemon = match filter.state {
        State::Enforcing => "runs",
        State::EnforcingAlone => "none",
        State::PinnedElsewhere | State::NotEnforcing => "in another pin directory",
    };
    lines.labelled("daemon", daemon);
    let mut label = "interfaces";
    for interface in &filter.interfaces {
        let InterfaceStatus {
            name,
            role,
            xdp,
            program_id,
            ..
        } = interface;
        lines.labelled(
            label,
            format_args!("{name} ({role}, {xdp}, program {program_id})"),
        );
        label = "";
    }
    lines.line(format_args!(
        "  description not readable by this version: {}",
        filter.why
    ));
}
