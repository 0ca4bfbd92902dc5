//! What was probably meant by a text that is not a date: the forms of other countries and of spreadsheets.

use jiff::{
    civil::{Date, DateTime, Time},
    tz::TimeZone,
};

use super::show;
use crate::policy::characters::narrow;

/// A hint about a text that is not a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DateHint {
    /// The dates or times that it may stand for, as they are written here; one if it is clear.
    Write(Vec<String>),
    /// A month without a day; this is its last one.
    Month(String),
    /// The number by which a spreadsheet stores this date.
    Serial(String),
    /// There is no such day.
    NoSuchDay,
    /// It says that there is no end.
    Never,
}

/// Displays as the second half of a message, after `is not a date`.
impl std::fmt::Display for DateHint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Write(dates) => write!(f, "write {}", dates.join(" or ")),
            Self::Month(date) => write!(f, "write {date} for the last day of the month"),
            Self::Serial(date) => write!(
                f,
                "if it is the number by which a spreadsheet stores a date, it is {date}: format the column as text"
            ),
            Self::NoSuchDay => f.write_str("there is no such day"),
            Self::Never => f.write_str("write `never`, or leave it out"),
        }
    }
}

/// What a text that is not a date was probably meant to be.
pub(super) fn hint(text: &str, time_zone: &TimeZone) -> Option<DateHint> {
    let text: String = text.trim().chars().map(narrow).collect();
    if is_never(&text) {
        return Some(DateHint::Never);
    }
    let (date, time) = split_time(&text);
    let dates = match dates(date)? {
        Found::Dates(dates) => dates,
        Found::Hint(hint) => return Some(hint),
    };
    // A year that databases write for "no end".
    if dates.iter().all(|date| date.year() == 9999) {
        return Some(DateHint::Never);
    }
    let written = dates.into_iter().filter_map(|date| match time {
        None => Some(date.to_string()),
        Some(time) => with_offset(date, time, time_zone),
    });
    Some(DateHint::Write(written.collect()))
}

enum Found {
    Dates(Vec<Date>),
    Hint(DateHint),
}

impl Found {
    /// The only date that it can be, if there is such a day.
    fn one(date: Option<Date>) -> Self {
        date.map_or(Self::Hint(DateHint::NoSuchDay), |date| Self::Dates(vec![date]))
    }
}

fn dates(text: &str) -> Option<Found> {
    if let Some(found) = japanese_era(text).or_else(|| named_month(text)) {
        return Some(found);
    }
    let text = text.trim_end_matches(['日', '.']);
    let parts: Vec<&str> = text
        .split(['/', '-', '.', '年', '月', ' '])
        .filter(|part| !part.is_empty())
        .collect();
    if let [digits] = parts[..] {
        return digits_alone(digits);
    }
    let numbers: Vec<i16> = parts.iter().map(|part| number(part)).collect::<Option<_>>()?;
    match (&parts[..], &numbers[..]) {
        ([year, ..], &[y, m, d]) if year.len() == 4 => Some(Found::one(day(y, m, d))),
        ([_, _, year], &[first, second, y]) if year.len() == 4 => {
            let day_first = day(y, second, first);
            // With points the day is first everywhere; with others it depends on the country.
            let month_first = if text.contains('.') {
                None
            } else {
                day(y, first, second)
            };
            let mut dates: Vec<Date> = [day_first, month_first].into_iter().flatten().collect();
            dates.dedup();
            Some(if dates.is_empty() {
                Found::Hint(DateHint::NoSuchDay)
            } else {
                Found::Dates(dates)
            })
        }
        ([year, month], &[y, m]) if year.len() == 4 && month.len() <= 2 => {
            let last = day(y, m, 1)?.last_of_month();
            Some(Found::Hint(DateHint::Month(last.to_string())))
        }
        _ => None,
    }
}

/// `20280331`, or the number of days since the last day of 1899, as spreadsheets count.
fn digits_alone(digits: &str) -> Option<Found> {
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match digits.len() {
        8 => Some(Found::one(day(
            number(digits.get(..4)?)?,
            number(digits.get(4..6)?)?,
            number(digits.get(6..)?)?,
        ))),
        5 => {
            // From 2020 to 2106: what is before is no expiry, and other numbers mean other things.
            let days: i32 = digits.parse().ok()?;
            let date = (43_831..=75_443).contains(&days).then(|| {
                jiff::civil::date(1899, 12, 30)
                    .checked_add(jiff::Span::new().try_days(days).ok()?)
                    .ok()
            })??;
            Some(Found::Hint(DateHint::Serial(date.to_string())))
        }
        _ => None,
    }
}

/// `令和10年3月31日`, `R10.3.31`: the year of an emperor's reign.
fn japanese_era(text: &str) -> Option<Found> {
    // Heisei ended in 2019; forms that were printed before count on.
    const ERAS: [(&str, i16); 4] = [("令和", 2018), ("平成", 1988), ("R", 2018), ("H", 1988)];
    let upper = text.to_uppercase();
    let (rest, before) = ERAS
        .iter()
        .find_map(|(name, before)| Some((upper.strip_prefix(name)?.trim(), *before)))?;
    let parts: Vec<&str> = rest
        .trim_end_matches('日')
        .split(['/', '-', '.', '年', '月'])
        .map(str::trim)
        .collect();
    let [year, month, day_of_month] = parts[..] else {
        return None;
    };
    let year = if year == "元" { 1 } else { number(year)? };
    Some(Found::one(day(
        before + year,
        number(month)?,
        number(day_of_month)?,
    )))
}

/// `31 March 2028`, `Mar 31, 2028`, `31-Mar-2028`.
fn named_month(text: &str) -> Option<Found> {
    const MONTHS: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let lower = text.to_lowercase();
    let parts: Vec<&str> = lower
        .split([' ', '-', '.', ',', '/'])
        .filter(|part| !part.is_empty())
        .collect();
    let month_at = parts
        .iter()
        .position(|part| part.len() >= 3 && part.bytes().all(|byte| byte.is_ascii_lowercase()))?;
    let month = MONTHS
        .iter()
        .position(|month| month.starts_with(parts[month_at]))?;
    let numbers: Vec<&str> = parts
        .iter()
        .enumerate()
        .filter(|(index, _)| *index != month_at)
        .map(|(_, part)| part.trim_end_matches(|c: char| c.is_ascii_lowercase()))
        .collect();
    let (year, day_of_month) = match numbers[..] {
        [one, year] if year.len() == 4 => (year, one),
        [year, one] if year.len() == 4 => (year, one),
        _ => return None,
    };
    Some(Found::one(day(
        number(year)?,
        i16::try_from(month + 1).ok()?,
        number(day_of_month)?,
    )))
}

fn number(text: &str) -> Option<i16> {
    let is_number = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn day(year: i16, month: i16, day: i16) -> Option<Date> {
    Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
}

/// The time after a date, as spreadsheets write it: `2028/3/31 18:00`, `2028/3/31 0:00:00`.
fn split_time(text: &str) -> (&str, Option<Time>) {
    let read = |text: &str| {
        let mut parts = text.split(':').map(|part| i8::try_from(number(part)?).ok());
        let (hour, minute) = (parts.next()??, parts.next()??);
        let second = parts.next().map_or(Some(0), |second| second)?;
        parts
            .next()
            .is_none()
            .then(|| Time::new(hour, minute, second, 0).ok())?
    };
    match text.rsplit_once([' ', 'T']) {
        Some((date, time)) => match read(time.trim_end_matches('Z')) {
            Some(time) => (date.trim_end(), Some(time)),
            None => (text, None),
        },
        None => (text, None),
    }
}

fn with_offset(date: Date, time: Time, time_zone: &TimeZone) -> Option<String> {
    let local = DateTime::from_parts(date, time)
        .to_zoned_datetime(time_zone.clone())
        .ok()?;
    // A spreadsheet writes a day as its first instant.
    let of_day = if time == Time::midnight() {
        format!("{date} for the whole day, or ")
    } else {
        String::new()
    };
    Some(format!("{of_day}{}", show::rfc3339(local.timestamp(), time_zone)))
}

/// Whether a text says that there is no end.
fn is_never(text: &str) -> bool {
    const WORDS: [&str; 18] = [
        "never",
        "none",
        "no",
        "no end",
        "unlimited",
        "forever",
        "indefinite",
        "indefinitely",
        "infinite",
        "infinity",
        "permanent",
        "n/a",
        "-",
        "--",
        "∞",
        "無期限",
        "なし",
        "無制限",
    ];
    WORDS.contains(&text.to_lowercase().as_str())
}
