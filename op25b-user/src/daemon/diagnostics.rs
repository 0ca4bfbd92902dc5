//! Logs the errors and warnings of a policy file, one line each.

use tracing::{error, warn};

use crate::policy::{Position, Report, Severity};

/// Logs a report.
pub(crate) fn log(report: &Report) {
    for diagnostic in report.diagnostics() {
        let position = diagnostic.location.as_ref().map(|location| location.position);
        let position = position.map(|Position { line, column, .. }| format!("{line}:{column}:"));
        let position = position.unwrap_or_default();
        let more = [&diagnostic.note, &diagnostic.hint].into_iter().flatten();
        let line = more.fold(diagnostic.message.clone(), |line, text| line + "; " + text);
        let line = format!("{}:{position} {line}", report.file_of(diagnostic));
        match diagnostic.severity() {
            Severity::Error => error!("{line}"),
            Severity::Warning => warn!("{line}"),
        }
    }
    if report.omitted() > 0 {
        let more = match report.omitted() {
            1 => "1 more error or warning".to_owned(),
            many => format!("{many} more errors and warnings"),
        };
        warn!("{}: {more}", report.file());
    }
}
