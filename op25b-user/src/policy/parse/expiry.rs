//! Reads the expiry of an exemption that is added at run time.

use jiff::{Span, Timestamp, tz::TimeZone};

use super::{
    hints::date_hint,
    time::{self, DayEnd, TimeError},
};
use crate::policy::characters;

/// The last second that the program can represent, in 2106.
const LAST: i64 = u32::MAX as i64 - 1;

/// Parses the first instant at which an exemption no longer holds: a duration from now such as `90d`, a date, after whose
/// last second it ends, an instant, or `never`. The error is a message with what to write instead.
pub fn parse_expiry(text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Option<Timestamp>, String> {
    if text == "never" {
        return Ok(None);
    }
    let end = match text.parse::<Span>() {
        Ok(span) if !span.is_positive() => Err(format!(
            "`{text}` is not in the future; write a duration such as 90d"
        )),
        Ok(span) => after(span, now, time_zone),
        Err(_) => match time::parse(text, DayEnd::Last, time_zone) {
            Ok(end) => Ok(end),
            Err(TimeError::NoOffset(with)) => Err(format!(
                "`{text}` has no time zone offset; with this system's it is {with}"
            )),
            Err(TimeError::Unreadable) => Err(unreadable(text, time_zone)),
        },
    }?;
    if end <= now {
        return Err(format!("`{text}` is not in the future: it ended at {end}"));
    }
    if end.as_second() > LAST {
        return Err(format!("`{text}` is after 2106; write `never`"));
    }
    Ok(Some(end))
}

fn unreadable(text: &str, time_zone: &TimeZone) -> String {
    let shown = characters::printable(text);
    match date_hint(text, time_zone) {
        Some(hint) => format!("`{shown}` is not a date in the form that is read here; {hint}"),
        None => format!(
            "`{shown}` is not a date, time or duration; write one such as 90d, 2028-03-31, 2028-03-31T12:00:00+09:00 or never"
        ),
    }
}

fn after(span: Span, now: Timestamp, time_zone: &TimeZone) -> Result<Timestamp, String> {
    let end = now
        .to_zoned_datetime(time_zone.clone())
        .checked_add(span)
        .map_err(|error| format!("the duration is too long: {error}"))?
        .timestamp();
    // Rounded up: a duration of two seconds is never shorter.
    let seconds = end.as_second() + i64::from(end.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds).map_err(|error| format!("the duration is too long: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(text: &str) -> Result<Option<String>, String> {
        let now: Timestamp = "2027-01-31T10:00:00.5Z".parse().unwrap();
        parse_expiry(text, now, &TimeZone::UTC).map(|end| end.map(|end| end.to_string()))
    }

    #[test]
    fn times_from_now_dates_and_instants_are_read() {
        for (text, expected) in [
            ("90d", "2027-05-01T10:00:01Z"),
            ("2w", "2027-02-14T10:00:01Z"),
            ("1 month", "2027-02-28T10:00:01Z"),
            ("2s", "2027-01-31T10:00:03Z"),
            ("2027-01-31", "2027-02-01T00:00:00Z"),
            ("2028-03-31T12:00:00+09:00", "2028-03-31T03:00:00Z"),
        ] {
            assert_eq!(ended(text), Ok(Some(expected.into())), "{text}");
        }
        assert_eq!(ended("never"), Ok(None));
    }

    #[test]
    fn what_is_over_too_far_away_or_no_time_is_refused() {
        for (text, why) in [
            ("2027-01-30", "not in the future"),
            ("-1d", "not in the future"),
            ("0d", "not in the future"),
            ("2107-01-01", "after 2106"),
            ("200y", "after 2106"),
            ("9000y", "too long"),
            ("2028-03-31T12:00:00", "2028-03-31T12:00:00+00:00"),
            ("soon", "not a date, time or duration"),
            ("", "not a date, time or duration"),
            ("90", "not a date, time or duration"),
        ] {
            let error = ended(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
