//! When a record was made: by its Event-Timestamp, or else when it was received less the delay of its transfer.
//!
//! FreeRADIUS writes an attribute of a time as `Mar 31 2028 01:00:00 JST`, in the time zone of the server. The abbreviation says
//! which of two offsets holds when clocks are set back; it does not say which time zone it is of.

use jiff::{
    SignedDuration, Timestamp,
    civil::DateTime,
    fmt::strtime,
    tz::{Offset, TimeZone},
};

use super::{
    super::Options,
    record::{Written, seconds},
};

/// When a record was made.
pub(super) fn of(record: &Written, options: &Options) -> Result<Timestamp, String> {
    if let Some(text) = record.get("Event-Timestamp") {
        return event(text, &options.time_zone).map_err(|wrong| format!("Event-Timestamp: {wrong}"));
    }
    let received = match record.get("Timestamp") {
        Some(text) => text
            .parse()
            .ok()
            .and_then(|second| Timestamp::from_second(second).ok())
            .ok_or_else(|| format!("Timestamp: `{text}` is not a number of seconds"))?,
        None => head(record.head(), &options.time_zone)?,
    };
    let delay = match record.get("Acct-Delay-Time") {
        Some(text) => SignedDuration::from_secs(seconds("Acct-Delay-Time", text)?),
        None => SignedDuration::ZERO,
    };
    received
        .checked_sub(delay)
        .map_err(|_| "Acct-Delay-Time is too long".to_owned())
}

/// `Mar 31 2028 01:00:00 JST`, or seconds since 1970.
fn event(text: &str, time_zone: &TimeZone) -> Result<Timestamp, String> {
    if let Ok(second) = text.parse() {
        return Timestamp::from_second(second).map_err(|_| format!("`{text}` is no time"));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let (local, zone) = text.rsplit_once(' ').unwrap_or((text, ""));
    let parsed = strtime::parse("%b %d %Y %H:%M:%S", local).and_then(|parsed| parsed.to_datetime());
    let Ok(local) = parsed else {
        return Err(format!("`{text}` is no time such as `Mar 31 2028 01:00:00 UTC`"));
    };
    match zone {
        "UTC" | "GMT" | "Z" => at_offset(local, Offset::UTC),
        zone => in_zone(local, zone, time_zone),
    }
    .ok_or_else(|| {
        format!(
            "`{text}` is not in the time zone {}; give that of the RADIUS server with `--time-zone`",
            time_zone.iana_name().unwrap_or("of this machine")
        )
    })
}

/// A time in a zone, at the offset that has this abbreviation then.
fn in_zone(local: DateTime, abbreviation: &str, time_zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = time_zone.to_ambiguous_timestamp(local);
    let either = [ambiguous.earlier().ok(), ambiguous.later().ok()];
    either
        .into_iter()
        .flatten()
        .find(|at| time_zone.to_offset_info(*at).abbreviation() == abbreviation)
}

fn at_offset(local: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(local).ok()
}

/// The head line: `Fri Mar 31 01:00:00 2028`, in the time zone of the server.
fn head(line: &str, time_zone: &TimeZone) -> Result<Timestamp, String> {
    let parsed = strtime::parse("%a %b %d %H:%M:%S %Y", line.trim()).and_then(|parsed| parsed.to_datetime());
    let Ok(local) = parsed else {
        return Err(
            "the record has no time: neither Event-Timestamp nor Timestamp, nor a first line such as `Fri Mar 31 01:00:00 2028`"
                .to_owned(),
        );
    };
    time_zone
        .to_ambiguous_timestamp(local)
        .unambiguous()
        .map_err(|_| format!("`{}` comes twice or never, because the clocks are set then; the record has no Event-Timestamp", line.trim()))
}
