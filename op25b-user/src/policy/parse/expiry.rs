//! When does an exemption end that somebody adds now?

use jiff::{Span, Timestamp, tz::TimeZone};

use super::time::{self, DayEnd, TimeError};

/// The last second that the kernel can count to, in 2106.
const LAST: i64 = u32::MAX as i64 - 1;

/// The first instant at which an exemption no longer holds: after a time such as `90d` from now, after the last second of a
/// date, at an instant, or `never`.
///
/// # Errors
///
/// What is wrong, and what to write instead.
pub fn parse_expiry(text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Option<Timestamp>, String> {
    if text == "never" {
        return Ok(None);
    }
    let end = match text.parse::<Span>() {
        Ok(span) if !span.is_positive() => Err(format!("`{text}` is over already; write a time such as 90d")),
        Ok(span) => after(span, now, time_zone),
        Err(_) => match time::parse(text, DayEnd::Last, time_zone) {
            Ok(end) => Ok(end),
            Err(TimeError::NoOffset(with)) => Err(format!(
                "`{text}` does not say in which time zone; with this system's it is {with}"
            )),
            Err(TimeError::Unreadable) => Err(format!(
                "`{text}` is no time; write one such as 90d, 2028-03-31, 2028-03-31T12:00:00+09:00 or never"
            )),
        },
    }?;
    if end <= now {
        return Err(format!("`{text}` is over already: it was until {end}"));
    }
    if end.as_second() > LAST {
        return Err(format!("`{text}` is after 2106; write `never`"));
    }
    Ok(Some(end))
}

fn after(span: Span, now: Timestamp, time_zone: &TimeZone) -> Result<Timestamp, String> {
    let end = now
        .to_zoned_datetime(time_zone.clone())
        .checked_add(span)
        .map_err(|error| format!("that is too long: {error}"))?
        .timestamp();
    // Rounded up: who is promised two seconds has them.
    let seconds = end.as_second() + i64::from(end.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds).map_err(|error| format!("that is too long: {error}"))
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
            ("2027-01-30", "over already"),
            ("-1d", "over already"),
            ("0d", "over already"),
            ("2107-01-01", "after 2106"),
            ("200y", "after 2106"),
            ("9000y", "too long"),
            ("2028-03-31T12:00:00", "2028-03-31T12:00:00+00:00"),
            ("soon", "no time"),
            ("", "no time"),
            ("90", "no time"),
        ] {
            let error = ended(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
