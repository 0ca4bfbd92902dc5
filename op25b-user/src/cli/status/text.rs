//! The text of `op25b status`: one screen that leaves nothing out.

use jiff::tz::TimeZone;

use super::{
    filters::{counted, other_filter, unreadable},
    headline::headline,
    lines::Lines,
    tables::{interfaces, pools},
};
use crate::{
    byte_size::ByteSize,
    counted,
    datapath::LoadedBy,
    fault::FaultKind,
    report::{
        FileReport, FileState, HistoryReport, InterfaceReport, LastReload, Status, how_to_resume, paused,
    },
    time::show,
};

/// How many of the daemon's newest warnings are shown.
const WARNINGS: usize = 5;

/// The whole text, with times in a time zone, and lines of words folded to a width if there is one.
pub(super) fn text(status: &Status, zone: &TimeZone, width: Option<u16>) -> String {
    let mut lines = Lines::new(zone, width);
    lines.words(headline(status));
    if status.policy_file.is_some() {
        policy(&mut lines, status);
        interfaces(&mut lines, &status.interfaces);
        pools(&mut lines, &status.pools);
        if let Some(filter) = status.filters.first() {
            let history = history(status, zone);
            counted(&mut lines, filter, history);
        }
    }
    // Those of other pin directories.
    for filter in status
        .filters
        .iter()
        .skip(usize::from(status.policy_file.is_some()))
    {
        other_filter(&mut lines, filter);
    }
    for filter in &status.unreadable {
        unreadable(&mut lines, filter);
    }
    interface_warnings(&mut lines, &status.interfaces);
    faults(&mut lines, status);
    newest_warnings(&mut lines, status);
    lines.finish()
}

/// Who enforces which policy, since when.
fn policy(lines: &mut Lines<'_>, status: &Status) {
    let version = status.version.as_deref().unwrap_or("of an unknown version");
    let loader = status.filters.first().map(|filter| filter.pid);
    match (status.daemon, loader) {
        (Some(pid), _) => lines.labelled("daemon", format_args!("process {pid} (op25b {version})")),
        (None, Some(pid)) => lines.labelled(
            "daemon",
            format_args!("none; last process {pid} (op25b {version})"),
        ),
        (None, None) => lines.labelled("daemon", "none"),
    }
    if let Some(file) = &status.policy_file {
        lines.labelled("policy", file.display());
    }
    let mut label = "lists";
    for list in &status.lists {
        lines.labelled(label, list.display());
        label = "";
    }
    match (&status.loaded_by, status.loaded_at) {
        (Some(by), _) => {
            let at = lines.shown(by.at);
            lines.labelled("loaded", format_args!("{at} ({by})"));
        }
        (None, Some(at)) => {
            let at = lines.shown(at);
            lines.labelled("loaded", at);
        }
        (None, None) => {}
    }
    if let Some(report) = &status.file {
        file(lines, report);
    }
    // What was taken back has a line of its own as long as it matters.
    if let Some(last) = status.last_reload.as_ref().filter(|last| !last.was_taken_back()) {
        reload(lines, last);
    }
    if let Some(waiting) = &status.unconfirmed_reload {
        let at = lines.shown(waiting.goes_back_at);
        lines.labelled(
            "confirm",
            format_args!(
                "GOES BACK at {at} unless `op25b confirm` comes (reload by {})",
                waiting.by
            ),
        );
    }
    for pause in &status.pauses {
        let paused = paused(pause, lines.zone());
        lines.labelled("paused", format_args!("{paused}; {}", how_to_resume(pause)));
    }
    if let Some(back) = &status.went_back {
        let at = lines.shown(back.at);
        lines.labelled(
            "confirm",
            format_args!("WENT BACK at {at}: the reload by {} was not confirmed", back.by),
        );
    }
}

/// The state of the history, if a daemon runs, which records it.
fn history(status: &Status, zone: &TimeZone) -> Option<String> {
    status.daemon?;
    let Some(history) = status.history else {
        return Some("off: the policy has none".to_owned());
    };
    let fails = status
        .faults
        .iter()
        .any(|fault| fault.kind == FaultKind::HistoryNotRecorded);
    let HistoryReport {
        max_bytes,
        bytes,
        rows,
        oldest,
        is_full,
        ..
    } = history;
    let state = match (oldest, bytes, rows) {
        (Some(oldest), Some(bytes), Some(rows)) => {
            let (bytes, most) = (ByteSize(bytes), ByteSize(max_bytes));
            let oldest = show::instant(oldest, zone);
            let rows = counted::counted(usize::try_from(rows).unwrap_or(usize::MAX), "row");
            format!("since {oldest}, {rows}, {bytes} of {most}")
        }
        _ => "no bucket yet".to_owned(),
    };
    let full = if is_full {
        "; FULL: older buckets had no room"
    } else {
        ""
    };
    let fails = if fails { "NOT RECORDED, see below: " } else { "" };
    Some(format!("{fails}{state}{full}"))
}

/// How the policy file compares with what is enforced.
fn file(lines: &mut Lines<'_>, file: &FileReport) {
    let why = file.why.as_deref().unwrap_or_default();
    match file.state {
        FileState::Same => lines.labelled("file", "is what is enforced"),
        FileState::Differs => lines.labelled(
            "file",
            "DIFFERS from what is enforced: see `op25b reload --dry-run`",
        ),
        FileState::Invalid => lines.labelled(
            "file",
            format_args!("DIFFERS from what is enforced, and would be REFUSED: {why}"),
        ),
        FileState::Unreadable => lines.labelled("file", format_args!("UNREADABLE: {why}")),
        FileState::Unknown => lines.labelled("file", format_args!("not compared: {why}")),
    }
}

/// What became of the last reload.
fn reload(lines: &mut Lines<'_>, last: &LastReload) {
    let LastReload {
        at,
        asked_by,
        uid,
        user,
        refused,
    } = last.clone();
    let shown = lines.shown(at);
    let by = LoadedBy {
        at,
        what: asked_by,
        uid,
        user,
    };
    match refused {
        None => lines.labelled("reload", format_args!("done at {shown} ({by})")),
        Some(why) => lines.labelled("reload", format_args!("REFUSED at {shown} ({by}): {why}")),
    }
}

/// What an operator should change on the interfaces on which the filter runs, each in a line of its own.
fn interface_warnings(lines: &mut Lines<'_>, interfaces: &[InterfaceReport]) {
    for interface in interfaces {
        let refused = interface.native_refused.iter().map(|why| {
            format!("runs in generic mode, which is several times slower, as native mode was refused: {why}")
        });
        for warning in refused.chain(interface.warnings.iter().cloned()) {
            lines.words(format_args!("WARNING {}: {warning}", interface.name));
        }
    }
}

/// The faults that the daemon reports, each in a line of its own.
fn faults(lines: &mut Lines<'_>, status: &Status) {
    for fault in &status.faults {
        let since = lines.shown(fault.since);
        let kind = fault.kind.name();
        lines.words(format_args!("FAULT {kind} since {since}: {}", fault.message));
    }
}

/// The daemon's newest warnings that do not stand above.
fn newest_warnings(lines: &mut Lines<'_>, status: &Status) {
    let interfaces = status.interfaces.iter();
    let reload = status.last_reload.iter();
    let above: Vec<&String> = interfaces
        .flat_map(|interface| {
            let why = interface.why.iter().chain(&interface.native_refused);
            why.chain(&interface.warnings)
        })
        .chain(reload.filter_map(|reload| reload.refused.as_ref()))
        .collect();
    let newest = status.warnings.iter();
    let newest = newest.filter(|warning| !above.iter().any(|shown| warning.message.contains(*shown)));
    for warning in newest.take(WARNINGS) {
        let at = lines.shown(warning.at);
        let times = match warning.times {
            1 => String::new(),
            times => format!(", {times} times"),
        };
        let level = &warning.level;
        lines.words(format_args!("LOG {at} {level}{times}: {}", warning.message));
    }
}
