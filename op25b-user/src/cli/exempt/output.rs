//! The output and exit codes for the responses of the daemon.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use jiff::{Timestamp, tz::TimeZone};

use super::{show, words};
use crate::{
    api::{Exemption, Explained, Problem},
    cli::problem,
    time::Reader,
};

/// Prints why a request was refused.
pub(super) fn refuse(problem: &Problem, json: bool, file: Option<&str>) -> anyhow::Result<ExitCode> {
    let file = file.unwrap_or("row");
    problem::refuse_rows(problem, json, |row| format!("{file}:{}", row.line))
}

/// Writes the whole of an exemption that was changed: its id in a line of its own, then what is stored, with its end in the local
/// time zone and the time until then.
pub(super) fn write_exemption(out: &mut impl Write, exemption: &Exemption) -> anyhow::Result<()> {
    writeln!(out, "{}", words::printable(&exemption.id))?;
    let fields = show::fields(exemption, Timestamp::now(), &TimeZone::system())?;
    Ok(write!(out, "{fields}")?)
}

/// An end as it is sent to the daemon: a text that depends on the time zone of this process becomes an instant. The daemon refuses
/// what cannot be read.
pub(super) fn sent_end(text: &str) -> String {
    let time_zone = TimeZone::system();
    let reader = Reader::new(Timestamp::now(), &time_zone);
    let sent = reader.end(text).and_then(|_| reader.in_utc(text));
    sent.unwrap_or_else(|_| text.to_owned())
}

/// Writes the line of a verdict, if there is one; a warning states why there is none.
pub(super) fn write_verdict(out: &mut impl Write, explained: Option<&Explained>) -> io::Result<()> {
    match explained {
        Some(explained) => writeln!(out, "  {}", verdict(explained)),
        None => Ok(()),
    }
}

/// `198.51.100.8 -> 203.0.113.1 port 25: pass (exempt)`
fn verdict(explained: &Explained) -> String {
    let Explained {
        source,
        destination,
        port,
        verdict,
        reason,
        ..
    } = explained;
    format!("{source} -> {destination} port {port}: {verdict} ({reason})")
}
