//! Reads times and durations.
//!
//! | text | as an end | as a beginning |
//! | --- | --- | --- |
//! | `90d`, `1mo`, `2h30m` | that long after now | that long before now |
//! | `2028-03-31`, `2028/3/31` | the end of that day | the beginning of that day |
//! | `06:00` | the next 06:00 | the last 06:00 |
//! | `2028-03-31 06:00` | that time | that time |
//! | `2028-03-31T06:00:00+09:00`, `…Z` | that instant | that instant |
//!
//! Without an offset, all are in the time zone of the reader. A duration has the units of the crate jiff, among them `s`,
//! `m` (minutes), `h`, `d`, `w`, `mo` (months) and `y`.

use jiff::{
    SignedDuration, Span, SpanRelativeTo, Timestamp,
    civil::{Date, DateTime, Time},
    tz::{AmbiguousOffset, TimeZone},
};
use op25b_common::values::NEVER;

use super::{
    error::{Problem, TimeError},
    other_forms::{self, DateHint},
    show,
};
use crate::policy::characters::narrow;

/// The end of the day that a date stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DayEnd {
    /// The beginning: something starts with the day.
    First,
    /// The end: something holds through the whole day.
    Last,
}

/// Reads texts as of an instant, in a time zone.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'z> {
    now: Timestamp,
    time_zone: &'z TimeZone,
}

/// What a text says, before it is applied to the instant at which it is read.
#[derive(Clone, Copy)]
enum Said {
    Instant(Timestamp),
    Date(Date),
    Local(DateTime),
    TimeOfDay(Time),
    Duration(Span),
}

impl<'z> Reader<'z> {
    /// Reads as of `now`. Dates and times without an offset are in `time_zone`.
    #[must_use]
    pub const fn new(now: Timestamp, time_zone: &'z TimeZone) -> Self {
        Self { now, time_zone }
    }

    /// Reads an end: the first instant at which something no longer holds. It is after now, and what the program can represent.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn end(&self, text: &str) -> Result<Timestamp, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let end = match self.said(text, DayEnd::Last, true)? {
            Said::Duration(span) if !span.is_positive() => return Err(error(Problem::NotPositive)),
            Said::Duration(span) => rounded_up(self.after(span).ok_or_else(|| error(Problem::TooLong))?),
            Said::TimeOfDay(time) => self.next(time).ok_or_else(|| error(Problem::TooLong))?,
            said => self.instant(text, said, DayEnd::Last)?,
        };
        if end <= self.now {
            return Err(error(Problem::Past(show::instant(end, self.time_zone))));
        }
        is_representable(end)
            .then_some(end)
            .ok_or_else(|| error(Problem::Late))
    }

    /// Reads an end that may be past, such as that of an exemption that is brought from elsewhere: one that does not depend on
    /// the instant at which it is read.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn written(&self, text: &str, day_end: DayEnd) -> Result<Timestamp, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let at = match self.said(text, day_end, false)? {
            Said::Duration(_) | Said::TimeOfDay(_) => return Err(error(Problem::Relative)),
            said => self.instant(text, said, day_end)?,
        };
        is_representable(at)
            .then_some(at)
            .ok_or_else(|| error(Problem::Late))
    }

    /// Reads an instant up to which something is looked at, such as the ends of exemptions.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn until(&self, text: &str) -> Result<Timestamp, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        match self.said(text, DayEnd::Last, true)? {
            Said::Duration(span) if span.is_negative() => Err(error(Problem::NotPositive)),
            Said::Duration(span) => self.after(span).ok_or_else(|| error(Problem::TooLong)),
            Said::TimeOfDay(time) => self.next(time).ok_or_else(|| error(Problem::TooLong)),
            said => self.instant(text, said, DayEnd::Last),
        }
    }

    /// Reads a beginning, from which on something is looked at. It is not after now.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn beginning(&self, text: &str) -> Result<Timestamp, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let at = match self.said(text, DayEnd::First, true)? {
            // `1h`, `1h ago` and `-1h` are the same here.
            Said::Duration(span) => self.after(-span.abs()).ok_or_else(|| error(Problem::TooLong))?,
            Said::TimeOfDay(time) => self.last(time).ok_or_else(|| error(Problem::TooLong))?,
            said => self.instant(text, said, DayEnd::First)?,
        };
        (at <= self.now)
            .then_some(at)
            .ok_or_else(|| error(Problem::Future))
    }

    /// Reads an end of a look back: the first instant that no longer counts. A duration is counted back from now, and a date is to the
    /// end of its day.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn back_until(&self, text: &str) -> Result<Timestamp, TimeError> {
        let too_long = || TimeError::new(text, Problem::TooLong);
        match self.said(text, DayEnd::Last, true)? {
            Said::Duration(span) => self.after(-span.abs()).ok_or_else(too_long),
            Said::TimeOfDay(time) => self.last(time).ok_or_else(too_long),
            said => self.instant(text, said, DayEnd::Last),
        }
    }

    /// Reads a duration from now on: how long something holds.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn duration(&self, text: &str) -> Result<SignedDuration, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let span = span(text)?;
        let end = self.after(span).ok_or_else(|| error(Problem::TooLong))?;
        if !is_representable(end) {
            return Err(error(Problem::TooLong));
        }
        Ok(end.duration_since(self.now))
    }

    /// The text of an end, such that it means the same in each time zone: a date, a time of day and a time without an offset
    /// become an instant, in UTC. Other texts stay as they are.
    ///
    /// # Errors
    ///
    /// What is wrong, and what to write.
    pub fn in_utc(&self, text: &str) -> Result<String, TimeError> {
        match self.said(text, DayEnd::Last, true)? {
            Said::Date(_) | Said::TimeOfDay(_) | Said::Local(_) => Ok(show::utc(self.until(text)?)),
            Said::Instant(_) | Said::Duration(_) => Ok(text.trim().to_owned()),
        }
    }

    fn said(&self, text: &str, day_end: DayEnd, with_durations: bool) -> Result<Said, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let trimmed = text.trim();
        if let Some(said) = said(trimmed) {
            return Ok(said);
        }
        let narrow: String = trimmed.chars().map(narrow).collect();
        if narrow != trimmed {
            let hint = match self.said(&narrow, day_end, with_durations) {
                Ok(_) => format!("write {narrow}"),
                Err(error) => error.hint(),
            };
            return Err(error(Problem::FullWidth(hint)));
        }
        if is_bare_number(trimmed) && with_durations {
            return Err(error(Problem::NoUnit));
        }
        Err(error(
            match (other_forms::hint(trimmed, self.time_zone), day_end) {
                (Some(DateHint::Never), DayEnd::Last) => Problem::NoEnd,
                // A beginning is not never, and not at the end of a month.
                (None | Some(DateHint::Never), _) | (Some(DateHint::Month(_)), DayEnd::First) => {
                    Problem::Unreadable {
                        with_durations,
                        hint: upper_case_month(trimmed),
                    }
                }
                (Some(hint), _) => Problem::OtherForm(hint.to_string()),
            },
        ))
    }

    /// The instant of what does not depend on now, in whole seconds, as the kernel counts them.
    fn instant(&self, text: &str, said: Said, day_end: DayEnd) -> Result<Timestamp, TimeError> {
        let late = || TimeError::new(text, Problem::Late);
        let instant = match said {
            Said::Instant(instant) => instant,
            Said::Local(local) => self.local(text, local, day_end)?,
            Said::Date(date) => {
                let first = match day_end {
                    DayEnd::First => date,
                    DayEnd::Last => date.tomorrow().map_err(|_| late())?,
                };
                first
                    .to_zoned_datetime(self.time_zone.clone())
                    .map_err(|_| late())?
                    .timestamp()
            }
            Said::TimeOfDay(_) | Said::Duration(_) => return Err(TimeError::new(text, Problem::Relative)),
        };
        Timestamp::from_second(instant.as_second()).map_err(|_| late())
    }

    /// A time without an offset.
    fn local(&self, text: &str, local: DateTime, day_end: DayEnd) -> Result<Timestamp, TimeError> {
        let error = |problem| TimeError::new(text, problem);
        let ambiguous = self.time_zone.to_ambiguous_timestamp(local);
        let written = |offset: jiff::tz::Offset| {
            let at = offset.to_timestamp(local).ok()?;
            Some(show::rfc3339(at, &TimeZone::fixed(offset)))
        };
        match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => {}
            AmbiguousOffset::Fold { before, after } => {
                if let (Some(first), Some(second)) = (written(before), written(after)) {
                    return Err(error(Problem::Twice(first, second)));
                }
            }
            AmbiguousOffset::Gap { before, .. } => {
                let at = before.to_timestamp(local).map_err(|_| error(Problem::Late))?;
                return Err(error(Problem::Skipped(show::rfc3339(at, self.time_zone))));
            }
        }
        let at = ambiguous.compatible().map_err(|_| error(Problem::Late))?;
        // A spreadsheet writes a day as its first instant.
        if day_end == DayEnd::Last && local.time() == Time::midnight() {
            let instant = show::rfc3339(at, self.time_zone);
            let either = format!("{} for the whole day, or {instant}", local.date());
            return Err(error(Problem::Midnight(either)));
        }
        Ok(at)
    }

    fn after(&self, span: Span) -> Option<Timestamp> {
        let now = self.now.to_zoned_datetime(self.time_zone.clone());
        now.checked_add(span).ok().map(|end| end.timestamp())
    }

    /// The first instant after now with this time of day.
    fn next(&self, time: Time) -> Option<Timestamp> {
        let today = self.now.to_zoned_datetime(self.time_zone.clone()).date();
        let mut instants = [Some(today), today.tomorrow().ok()].into_iter().flatten();
        instants.find_map(|day| self.at(day, time).filter(|at| *at > self.now))
    }

    /// The last instant up to now with this time of day.
    fn last(&self, time: Time) -> Option<Timestamp> {
        let today = self.now.to_zoned_datetime(self.time_zone.clone()).date();
        let mut instants = [Some(today), today.yesterday().ok()].into_iter().flatten();
        instants.find_map(|day| self.at(day, time).filter(|at| *at <= self.now))
    }

    fn at(&self, day: Date, time: Time) -> Option<Timestamp> {
        let local = DateTime::from_parts(day, time);
        let zoned = local.to_zoned_datetime(self.time_zone.clone()).ok()?;
        Some(zoned.timestamp())
    }
}

/// Reads a duration that is a limit, as the longest that it can be: a month has 31 days, and a year 366.
///
/// # Errors
///
/// What is wrong, and what to write.
pub fn longest(text: &str) -> Result<SignedDuration, TimeError> {
    let span = span(text)?;
    let too_long = || TimeError::new(text, Problem::TooLong);
    let days = i64::from(span.get_years()) * 366 + i64::from(span.get_months()) * 31;
    let rest = span.try_years(0).and_then(|span| span.try_months(0));
    let rest = rest
        .and_then(|rest| rest.to_duration(SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| too_long())?;
    let days = SignedDuration::try_from_hours(days * 24).ok_or_else(too_long)?;
    rest.checked_add(days).ok_or_else(too_long)
}

/// The question whether months are meant, for a text that is a number of minutes, such as `6m`.
#[must_use]
pub fn minutes_or_months(text: &str) -> Option<String> {
    let count: u8 = text.trim().strip_suffix('m')?.trim_end().parse().ok()?;
    let plural = if count == 1 { "" } else { "s" };
    (1..60)
        .contains(&count)
        .then(|| format!("{count}m is {count} minute{plural}: for {count} month{plural} write {count}mo"))
}

/// A positive duration.
fn span(text: &str) -> Result<Span, TimeError> {
    let error = |problem| TimeError::new(text, problem);
    let trimmed = text.trim();
    if let Ok(span) = trimmed.parse::<Span>() {
        return if span.is_positive() {
            Ok(span)
        } else {
            let hint = "write a duration that is longer than nothing, such as 30m or 90d".to_owned();
            Err(error(Problem::NotDuration(Some(hint))))
        };
    }
    let narrow: String = trimmed.chars().map(narrow).collect();
    Err(error(if narrow != trimmed {
        let hint = match span(&narrow) {
            Ok(_) => format!("write {narrow}"),
            Err(error) => error.hint(),
        };
        Problem::FullWidth(hint)
    } else if is_bare_number(trimmed) {
        Problem::NoUnit
    } else {
        Problem::NotDuration(upper_case_month(trimmed))
    }))
}

fn said(text: &str) -> Option<Said> {
    // Dates first: lists have hundreds of thousands of them.
    let date = date(text);
    if let Some((date, "")) = date {
        return Some(Said::Date(date));
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(Said::Instant(instant));
    }
    match (date, time_of_day(text)) {
        (Some((date, rest)), _) => local(date, rest.trim_start_matches(['T', 't']).trim()),
        (None, Some(time)) => Some(Said::TimeOfDay(time)),
        (None, None) => text.parse().ok().map(Said::Duration),
    }
}

/// The date at the beginning of a text, such as `2028-03-31` or `2028/3/31`, and what follows it after a blank or a `T`.
fn date(text: &str) -> Option<(Date, &str)> {
    let is_end = |byte| matches!(byte, b' ' | b'T' | b't');
    let end = text.bytes().position(is_end).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    let mut parts = date.split(if date.contains('/') { '/' } else { '-' });
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let is_date = parts.next().is_none()
        && year.len() == 4
        && [month, day].iter().all(|part| part.len() <= 2)
        && [year, month, day].iter().all(|part| is_digits(part));
    let date = is_date.then(|| Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok());
    Some((date.flatten()?, rest))
}

/// A time after a date: with an offset, which a blank may precede, an instant.
fn local(date: Date, text: &str) -> Option<Said> {
    let end = text.find(['+', '-', 'Z', 'z']).unwrap_or(text.len());
    let (time, offset) = text.split_at(end);
    let time = time_of_day(time.trim_end())?;
    let local = DateTime::from_parts(date, time);
    if offset.is_empty() {
        return Some(Said::Local(local));
    }
    format!("{local}{offset}").parse().ok().map(Said::Instant)
}

/// `6:00`, `06:00`, `06:00:00`.
fn time_of_day(text: &str) -> Option<Time> {
    let mut parts = text.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next().unwrap_or("00"));
    let second = match second.split_once('.') {
        // A fraction is cut off, as the kernel counts whole seconds.
        Some((second, fraction)) if is_digits(fraction) => second,
        _ => second,
    };
    let is_time = parts.next().is_none()
        && (1..=2).contains(&hour.len())
        && minute.len() == 2
        && second.len() == 2
        && [hour, minute, second].iter().all(|part| is_digits(part));
    is_time.then(|| Time::new(hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?, 0).ok())?
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text is a number that is neither a year nor a date.
fn is_bare_number(text: &str) -> bool {
    text.len() <= 3 && is_digits(text)
}

/// What to write for `6M`, which is a month in other programs and a minute in some.
fn upper_case_month(text: &str) -> Option<String> {
    let count = text.strip_suffix('M').filter(|count| is_digits(count))?;
    Some(format!("write {count}mo for months, or {count}m for minutes"))
}

/// Rounded up to whole seconds: a duration of two seconds is never shorter.
fn rounded_up(at: Timestamp) -> Timestamp {
    let second = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
}

/// Whether an instant is before the number that stands for no end in the program's maps.
fn is_representable(at: Timestamp) -> bool {
    at.as_second() < i64::from(NEVER)
}
