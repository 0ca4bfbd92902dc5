//! The demo's result as a table.

use std::net::IpAddr;

use anstream::println;
use anstyle::{AnsiColor, Style};

use super::date::Crossed;
use crate::{
    filter::FilterStatus,
    lab::Family,
    mail::Outcome,
    traffic::{Path, Verdict},
};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const HEAD: Style = Style::new().bold();

/// One line of the table.
pub(super) struct Row {
    pub path: Path,
    pub family: Family,
    pub verdict: Verdict,
    pub before: Outcome,
    pub after: Outcome,
}

impl Row {
    /// Whether it worked without the filter, and with it met its verdict.
    pub fn is_as_expected(&self) -> bool {
        self.before == Outcome::Works && self.after == self.wanted()
    }

    fn wanted(&self) -> Outcome {
        match self.verdict {
            Verdict::Works => Outcome::Works,
            Verdict::Blocked => Outcome::Silence,
        }
    }
}

/// The table, and what op25b counted meanwhile.
pub(super) fn print(rows: &[Row], status: &FilterStatus) {
    println!(
        "{HEAD}{:<43} {:<7} {:<10} {:<11} with op25b{HEAD:#}",
        "path", "family", "expected", "without"
    );
    for row in rows {
        let expected = match row.verdict {
            Verdict::Works => "works",
            Verdict::Blocked => "blocked",
        };
        let without = cell(&row.before.to_string(), 11, row.before == Outcome::Works);
        let after = match (&row.after, row.verdict) {
            (Outcome::Silence, Verdict::Blocked) => "blocked".into(),
            (outcome, _) => outcome.to_string(),
        };
        let with = cell(&after, 0, row.after == row.wanted());
        println!(
            "{:<43} {:<7} {expected:<10} {without} {with}",
            row.path.to_string(),
            row.family.name()
        );
    }
    let interfaces = status
        .interfaces
        .iter()
        .map(|interface| format!("{} ({})", interface.name, interface.xdp));
    println!(
        "\nop25b on {} counted, in packets to port 25:",
        interfaces.collect::<Vec<_>>().join(", ")
    );
    let counters = status
        .counters
        .iter()
        .map(|(reason, packets)| format!("{reason} {packets}"));
    println!("  {}", counters.collect::<Vec<_>>().join(", "));
}

/// What became of the blocked path.
pub(super) fn print_exempted(path: Path, addresses: &[IpAddr], outcomes: &[Outcome]) {
    let addresses = addresses
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" and ");
    println!("\nWith an exemption for {addresses}, after a reload:");
    for (family, outcome) in Family::BOTH.iter().zip(outcomes) {
        let with = cell(&outcome.to_string(), 0, *outcome == Outcome::Works);
        println!(
            "{:<43} {:<7} {:<10} {:<11} {with}",
            path.to_string(),
            family.name(),
            "works",
            ""
        );
    }
}

/// What became of the blocked path before and after the date, and what was counted.
pub(super) fn print_crossed(path: Path, crossed: &Crossed) {
    println!("\nWith enforce_from: {}, after a reload:", crossed.date);
    println!(
        "{HEAD}{:<43} {:<7} {:<10} {:<11} after it{HEAD:#}",
        "path", "family", "expected", "before"
    );
    for (family, [(before, before_good), (after, after_good)]) in crossed.outcomes() {
        let before = cell(&before.to_string(), 11, before_good);
        let after = match after {
            Outcome::Silence => "blocked".into(),
            outcome => outcome.to_string(),
        };
        println!(
            "{:<43} {:<7} {:<10} {before} {}",
            path.to_string(),
            family.name(),
            "blocked",
            cell(&after, 0, after_good)
        );
    }
    let [[monitored, blocked], [monitored_after, blocked_after]] = crossed.counted;
    println!(
        "  counted before it: monitored {monitored}, blocked {blocked}; after it: monitored {monitored_after}, blocked {blocked_after}"
    );
}

/// The packets of these seconds, as events show them.
pub(super) fn print_events(crossed: &Crossed) {
    println!(
        "\nWith events: {{}}, the same seconds in `op25b events`:\n{}",
        crossed.events.trim_end()
    );
}

/// The last line.
pub(super) fn print_verdict(all: usize, wrong: usize) {
    if wrong == 0 {
        println!("\n{GOOD}All {all} are as expected.{GOOD:#}");
    } else {
        println!("\n{BAD}{wrong} of {all} are not as expected.{BAD:#}");
    }
}

/// A word in its column, in its colour; the colour must not count for the width.
fn cell(text: &str, width: usize, good: bool) -> String {
    let style = if good { GOOD } else { BAD };
    format!(
        "{style}{text}{style:#}{}",
        " ".repeat(width.saturating_sub(text.chars().count()))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(verdict: Verdict, before: Outcome, after: Outcome) -> Row {
        Row {
            path: Path::DIRECT,
            family: Family::V4,
            verdict,
            before,
            after,
        }
    }

    #[test]
    fn a_blocked_path_is_as_expected_only_if_it_worked_before() {
        assert!(row(Verdict::Blocked, Outcome::Works, Outcome::Silence).is_as_expected());
        assert!(!row(Verdict::Blocked, Outcome::Silence, Outcome::Silence).is_as_expected());
    }

    #[test]
    fn a_path_that_fails_for_another_reason_than_silence_is_not_blocked() {
        let refused = Outcome::Fails("connection refused".into());
        assert!(!row(Verdict::Blocked, Outcome::Works, refused).is_as_expected());
        assert!(!row(Verdict::Blocked, Outcome::Works, Outcome::Works).is_as_expected());
    }
}
