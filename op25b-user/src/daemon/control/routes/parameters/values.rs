//! The values of parameters that several requests have.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use super::super::{
    super::{limits::LONGEST_WAIT, openapi::SEARCHED},
    newest::Page,
};
use crate::{
    api::Problem,
    exemption::{Invalid, limits, search::Pattern},
    time::{Reader, TimeError},
};

/// The most items of a page.
pub(super) const MOST: u32 = 1000;

pub(super) fn default_limit() -> u32 {
    100
}

pub(super) fn default_top() -> u32 {
    20
}

pub(super) fn limit(limit: u32) -> Result<usize, Problem> {
    number("limit", limit, MOST)
}

/// How many items are wanted.
pub(in super::super) fn number(name: &str, number: u32, most: u32) -> Result<usize, Problem> {
    if !(1..=most).contains(&number) {
        return Err(Problem::bad_request(format!("`{name}` must be 1 to {most}")));
    }
    usize::try_from(number).map_err(|error| Problem::internal(error.to_string()))
}

/// Which page of items is asked for.
pub(super) fn page(after: Option<u64>, wait: Option<&str>, most: u32) -> Result<Page, Problem> {
    let wait = match wait {
        None => Duration::ZERO,
        Some(text) => {
            let read = Reader::new(Timestamp::now(), &TimeZone::UTC).duration(text);
            let wait = read.map_err(|error| Problem::invalid(format!("`wait`: {error}")))?;
            wait.unsigned_abs()
        }
    };
    if wait > LONGEST_WAIT {
        return Err(Problem::invalid(format!(
            "`wait` must be at most {}s",
            LONGEST_WAIT.as_secs()
        )));
    }
    Ok(Page {
        after,
        wait,
        limit: limit(most)?,
    })
}

/// What is searched for.
pub(in super::super) fn pattern(name: &str, text: Option<&str>) -> Result<Option<Pattern>, Problem> {
    let Some(text) = text else {
        return Ok(None);
    };
    limits::text(name, text, SEARCHED).map_err(|invalid| bad_request(&invalid))?;
    let pattern = Pattern::new(text);
    pattern
        .map(Some)
        .ok_or_else(|| Problem::bad_request(format!("`{name}` is empty")))
}

/// Refuses a reason that could not be recorded, in the parameter of this name.
pub(in super::super) fn check_reason(name: &str, reason: Option<&str>) -> Result<(), Problem> {
    check_text(name, reason, limits::PROSE)
}

/// Refuses a text that is empty or too long, in the parameter of this name.
pub(super) fn check_text(name: &str, text: Option<&str>, most: usize) -> Result<(), Problem> {
    let checked = text.map_or(Ok(()), |text| limits::text(name, text, most));
    checked.map_err(|invalid| bad_request(&invalid))
}

/// Reads a time, or a length of time from now, of a parameter.
pub(in super::super) fn read_time(
    name: &str,
    text: &str,
    read: impl FnOnce(&str) -> Result<Timestamp, TimeError>,
) -> Result<Timestamp, Problem> {
    limits::text(name, text, limits::EXPIRY).map_err(|invalid| bad_request(&invalid))?;
    read(text).map_err(|error| Problem::invalid(format!("`{name}`: {error}")))
}

/// Parses a prefix; an address is a prefix of full length.
pub(in super::super) fn prefix(text: &str) -> Result<IpNet, Problem> {
    let net = text
        .parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
    net.ok_or_else(|| {
        Problem::invalid("`in` must be a prefix or an address, such as 198.51.100.0/24 or 2001:db8::1")
    })
}

fn bad_request(invalid: &Invalid) -> Problem {
    Problem::bad_request(invalid.to_string())
}
