//! `op25b status -br`: one line for each interface.

use std::fmt::Write as _;

use jiff::tz::TimeZone;

use super::{headline::headline, tables::why_not};
use crate::report::{InterfaceReport, InterfaceState, Status, pause_end};

/// One line for each interface of the policy: its name, its state, its role, its XDP mode and program with the pauses that are in
/// force, or why it has none. Without any interface, the headline.
pub(super) fn text(status: &Status, zone: &TimeZone) -> String {
    if status.interfaces.is_empty() {
        return headline(status) + "\n";
    }
    let names = status.interfaces.iter().map(|interface| interface.name.len());
    // As `ip -br link` does, which leaves room for the longest name.
    let width = names.max().unwrap_or_default().max(16);
    let pauses = status.pauses.iter();
    let pauses: String = pauses
        .flat_map(|pause| {
            let end = pause_end(pause, zone);
            ["; PAUSED ".to_owned(), pause.what(), " ".to_owned(), end]
        })
        .collect();
    let mut text = String::new();
    for interface in &status.interfaces {
        // Writing to a String does not fail.
        let _ = writeln!(
            text,
            "{:<width$} {:<10} {:<10} {}",
            interface.name,
            interface.state.name().to_uppercase(),
            interface.role.as_deref().unwrap_or("-"),
            details(interface, &pauses)
        );
    }
    text
}

fn details(interface: &InterfaceReport, pauses: &str) -> String {
    if interface.state == InterfaceState::Enforced {
        let mode = interface.xdp.as_deref().unwrap_or("-");
        return match interface.program_id {
            Some(program) => format!("{mode:<10} program {program}{pauses}"),
            None => format!("{mode}{pauses}"),
        };
    }
    format!("{:<10} {}", "-", why_not(interface))
}
