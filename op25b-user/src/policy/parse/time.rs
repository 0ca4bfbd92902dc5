//! Parses dates and times.

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

/// The end of the day that a date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DayEnd {
    /// The beginning: something starts with the day.
    First,
    /// The end: something holds through the whole day.
    Last,
}

/// Why a text is not an instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TimeError {
    /// It is not a date or time.
    Unreadable,
    /// It has no time zone offset; this is the text with the system's.
    NoOffset(String),
}

/// Parses an instant, in whole seconds.
pub(crate) fn parse(text: &str, day_end: DayEnd, time_zone: &TimeZone) -> Result<Timestamp, TimeError> {
    let instant = if is_date(text) {
        let date: Date = text.parse().map_err(|_| TimeError::Unreadable)?;
        let date = match day_end {
            DayEnd::First => date,
            DayEnd::Last => date.tomorrow().map_err(|_| TimeError::Unreadable)?,
        };
        date.to_zoned_datetime(time_zone.clone())
            .map_err(|_| TimeError::Unreadable)?
            .timestamp()
    } else {
        text.parse::<Timestamp>()
            .map_err(|_| match text.parse::<DateTime>() {
                Ok(local) if text.contains(':') => without_offset(local, time_zone),
                _ => TimeError::Unreadable,
            })?
    };
    // Truncated, as the kernel counts whole seconds.
    Timestamp::from_second(instant.as_second()).map_err(|_| TimeError::Unreadable)
}

/// Whether a text has the form of a date. The date library accepts others, such as 20280331; policies have one form.
fn is_date(text: &str) -> bool {
    text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn without_offset(local: DateTime, time_zone: &TimeZone) -> TimeError {
    match local.to_zoned_datetime(time_zone.clone()) {
        Ok(zoned) => TimeError::NoOffset(zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()),
        Err(_) => TimeError::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokyo() -> TimeZone {
        TimeZone::fixed(jiff::tz::offset(9))
    }

    fn parsed(text: &str, day_end: DayEnd) -> Result<String, TimeError> {
        parse(text, day_end, &tokyo()).map(|instant| instant.to_string())
    }

    #[test]
    fn a_date_holds_through_its_last_second() {
        assert_eq!(
            parsed("2028-03-31", DayEnd::Last),
            Ok("2028-03-31T15:00:00Z".into())
        );
        assert_eq!(
            parsed("2028-03-31", DayEnd::First),
            Ok("2028-03-30T15:00:00Z".into())
        );
        assert_eq!(
            parsed("2027-12-31", DayEnd::Last),
            Ok("2027-12-31T15:00:00Z".into())
        );
    }

    #[test]
    fn a_time_with_an_offset_is_that_instant_without_fractions() {
        for (text, instant) in [
            ("2027-04-01T00:00:00+09:00", "2027-03-31T15:00:00Z"),
            ("2027-04-01T00:00:00Z", "2027-04-01T00:00:00Z"),
            ("2027-04-01 00:00:00.9Z", "2027-04-01T00:00:00Z"),
        ] {
            assert_eq!(parsed(text, DayEnd::Last), Ok(instant.into()), "{text}");
        }
    }

    #[test]
    fn a_time_without_an_offset_is_refused_with_the_likely_one() {
        let hint = TimeError::NoOffset("2027-04-01T09:30:00+09:00".into());
        assert_eq!(parsed("2027-04-01T09:30:00", DayEnd::Last), Err(hint.clone()));
        assert_eq!(parsed("2027-04-01 09:30", DayEnd::Last), Err(hint));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "soon",
            "2027-02-30",
            "20270401",
            "31.03.2028",
            "2028-3-31",
            "2027-04-01T25:00:00Z",
            "9999-12-31",
        ] {
            assert_eq!(parsed(text, DayEnd::Last), Err(TimeError::Unreadable), "{text}");
        }
    }
}
