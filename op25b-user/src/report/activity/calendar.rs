//! The days of a time zone.

use std::ops::Range;

use jiff::{Timestamp, civil::Date, tz::TimeZone};

/// Finds the day of an instant. Most instants are of the day of the one before.
#[derive(Debug)]
pub(crate) struct Calendar {
    time_zone: TimeZone,
    day: Date,
    /// The seconds of that day.
    seconds: Range<i64>,
}

impl Calendar {
    pub(crate) fn new(time_zone: TimeZone) -> Self {
        Self {
            time_zone,
            day: Date::ZERO,
            seconds: 0..0,
        }
    }

    /// The day of an instant.
    pub(crate) fn day(&mut self, at: Timestamp) -> Date {
        if !self.seconds.contains(&at.as_second()) {
            let local = at.to_zoned_datetime(self.time_zone.clone());
            self.day = local.date();
            let first = local.start_of_day();
            let next = first.as_ref().ok().and_then(|first| first.tomorrow().ok());
            self.seconds = match (first, next) {
                (Ok(first), Some(next)) => first.timestamp().as_second()..next.timestamp().as_second(),
                // The last day that there is.
                _ => 0..0,
            };
        }
        self.day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_of_the_time_zone_and_may_have_23_hours() {
        let mut calendar = Calendar::new(TimeZone::get("Europe/Berlin").unwrap());
        for (at, day) in [
            ("2026-03-28T22:59:59Z", "2026-03-28"),
            ("2026-03-28T23:00:00Z", "2026-03-29"),
            ("2026-03-29T21:59:59Z", "2026-03-29"),
            ("2026-03-29T22:00:00Z", "2026-03-30"),
            ("2026-03-28T23:00:00Z", "2026-03-29"),
        ] {
            assert_eq!(calendar.day(at.parse().unwrap()).to_string(), day, "{at}");
        }
    }
}
