//! Reads what the cells of a log have in common: customers, prefixes and times.

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use crate::{
    exemption::limits,
    policy::{self, characters},
    time::{DayEnd, Reader},
};

/// A customer's name, which is shown to people.
pub(crate) fn customer(text: &str) -> Result<String, String> {
    limits::text("customer", text, limits::NAME).map_err(|error| error.to_string())?;
    match characters::first_refused(text, &[]) {
        Some(refused) => Err(format!("the customer's name has {refused}")),
        None => Ok(text.to_owned()),
    }
}

/// An address or a prefix. The bits after its length do not matter: logs have the address of the customer with the length.
pub(crate) fn prefix(text: &str) -> Result<IpNet, String> {
    match text.parse::<IpNet>() {
        Ok(prefix) => Ok(prefix.trunc()),
        Err(_) => policy::parse_prefix(text),
    }
}

/// A beginning.
pub(super) fn start(text: &str, time_zone: &TimeZone) -> Result<Timestamp, String> {
    time(text, time_zone, DayEnd::First)
}

/// An end; of a date alone, the end of that day.
pub(super) fn end(text: &str, time_zone: &TimeZone) -> Result<Timestamp, String> {
    let day_end = if text.contains(':') {
        DayEnd::First
    } else {
        DayEnd::Last
    };
    time(text, time_zone, day_end)
}

fn time(text: &str, time_zone: &TimeZone, day_end: DayEnd) -> Result<Timestamp, String> {
    if let Some(at) = epoch(text) {
        return Ok(at);
    }
    // What is written does not depend on now.
    Reader::new(Timestamp::UNIX_EPOCH, time_zone)
        .written(text, day_end)
        .map_err(|error| error.to_string())
}

/// Seconds since 1970, or milliseconds if there are so many digits.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    match whole.len() {
        9 | 10 => Timestamp::from_second(whole.parse().ok()?).ok(),
        13 => Timestamp::from_second(whole.parse::<i64>().ok()? / 1000).ok(),
        _ => None,
    }
}
