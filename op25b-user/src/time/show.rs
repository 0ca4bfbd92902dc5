//! Writes instants and lengths of time.
//!
//! People get the system's time zone with its offset, so that a text means the same wherever it is pasted; documents, tables
//! and logs get UTC. What is written for people is read back by [`super::Reader`].

use jiff::{
    SignedDuration, Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

/// `2026-11-29 03:00:00 +09:00`: an instant for people.
#[must_use]
pub fn instant(at: Timestamp, time_zone: &TimeZone) -> String {
    at.to_zoned_datetime(time_zone.clone())
        .strftime("%Y-%m-%d %H:%M:%S %:z")
        .to_string()
}

/// `2026-11-29 03:00 +09:00`: an instant for people, where seconds do not matter.
#[must_use]
pub fn minute(at: Timestamp, time_zone: &TimeZone) -> String {
    at.to_zoned_datetime(time_zone.clone())
        .strftime("%Y-%m-%d %H:%M %:z")
        .to_string()
}

/// `2026-11-29T03:00:00+09:00`: an instant that is to be copied into a file.
#[must_use]
pub fn rfc3339(at: Timestamp, time_zone: &TimeZone) -> String {
    at.to_zoned_datetime(time_zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

/// `2026-11-28T18:00:00Z`: an instant for programs, in whole seconds.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// An end as it would be written: a day, if something holds through the whole of it.
#[must_use]
pub fn end(end: Option<Timestamp>, time_zone: &TimeZone) -> String {
    let Some(end) = end else {
        return "never".into();
    };
    last_day(end, time_zone).map_or_else(|| instant(end, time_zone), |day| day.to_string())
}

/// The last day, if an end is that of a day.
#[must_use]
pub fn last_day(end: Timestamp, time_zone: &TimeZone) -> Option<Date> {
    let local = end.to_zoned_datetime(time_zone.clone());
    let is_midnight = local.time() == Time::midnight();
    local.date().yesterday().ok().filter(|_| is_midnight)
}

/// An end, with the time until then or since.
#[must_use]
pub fn end_from(now: Timestamp, at: Option<Timestamp>, time_zone: &TimeZone) -> String {
    let text = end(at, time_zone);
    match at {
        None => text,
        Some(at) => format!("{text} ({})", distance(now, at)),
    }
}

/// `in 31 days`, `33 hours ago`.
#[must_use]
pub fn distance(now: Timestamp, at: Timestamp) -> String {
    let seconds = at.as_second() - now.as_second();
    let length = length(SignedDuration::from_secs(seconds.saturating_abs()));
    if at <= now {
        format!("{length} ago")
    } else {
        format!("in {length}")
    }
}

/// A rough length of time, in the largest unit of which there are at least two.
#[must_use]
pub fn length(length: SignedDuration) -> String {
    const UNITS: [(i64, &str); 3] = [(86_400, "days"), (3_600, "hours"), (60, "minutes")];
    let seconds = length.as_secs();
    for (length, unit) in UNITS {
        if seconds >= 2 * length {
            // Rounded: 90 days are still 90 days a second later.
            return format!("{} {unit}", (seconds + length / 2) / length);
        }
    }
    match seconds {
        1 => "1 second".into(),
        seconds => format!("{seconds} seconds"),
    }
}
