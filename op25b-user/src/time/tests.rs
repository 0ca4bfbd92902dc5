//! Tables of what people write as times and durations, and of what they are told.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use proptest::prelude::*;

use super::{DayEnd, Problem, Reader, TimeError, longest, minutes_or_months, other_forms, show};

fn tokyo() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(9))
}

/// A zone with daylight saving time, by its rule: the tests need no time zone database.
fn berlin() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

/// 2027-01-31 19:00:00.5 in Tokyo.
fn now() -> Timestamp {
    at("2027-01-31T10:00:00.5Z")
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(read: impl FnOnce(&Reader<'_>) -> Result<Timestamp, TimeError>) -> Result<String, String> {
    let zone = tokyo();
    let instant = read(&Reader::new(now(), &zone)).map_err(|error| error.to_string())?;
    Ok(instant.to_string())
}

#[test]
fn an_end_is_a_duration_a_day_a_time_of_day_or_an_instant() {
    for (text, expected) in [
        ("90d", "2027-05-01T10:00:01Z"),
        ("2w", "2027-02-14T10:00:01Z"),
        ("30m", "2027-01-31T10:30:01Z"),
        ("2h30m", "2027-01-31T12:30:01Z"),
        ("1mo", "2027-02-28T10:00:01Z"),
        ("6mo", "2027-07-31T10:00:01Z"),
        ("1y", "2028-01-31T10:00:01Z"),
        ("1 month", "2027-02-28T10:00:01Z"),
        ("2s", "2027-01-31T10:00:03Z"),
        ("P1D", "2027-02-01T10:00:01Z"),
        (" 90d ", "2027-05-01T10:00:01Z"),
        ("2027-01-31", "2027-01-31T15:00:00Z"),
        ("2028-03-31", "2028-03-31T15:00:00Z"),
        ("2028/3/31", "2028-03-31T15:00:00Z"),
        ("2028/03/31", "2028-03-31T15:00:00Z"),
        ("2028-3-31", "2028-03-31T15:00:00Z"),
        ("2027-12-31", "2027-12-31T15:00:00Z"),
        ("06:00", "2027-01-31T21:00:00Z"),
        ("6:00", "2027-01-31T21:00:00Z"),
        ("06:00:30", "2027-01-31T21:00:30Z"),
        ("19:00", "2027-02-01T10:00:00Z"),
        ("19:01", "2027-01-31T10:01:00Z"),
        ("2028-03-31 06:00", "2028-03-30T21:00:00Z"),
        ("2028/3/31 6:00", "2028-03-30T21:00:00Z"),
        ("2028-03-31T06:00:00", "2028-03-30T21:00:00Z"),
        ("2028-03-31T12:00:00+09:00", "2028-03-31T03:00:00Z"),
        ("2028-03-31T12:00:00Z", "2028-03-31T12:00:00Z"),
        ("2028-03-31 12:00:00.9Z", "2028-03-31T12:00:00Z"),
        ("2028-03-31 12:00:00 +09:00", "2028-03-31T03:00:00Z"),
        ("2028-03-31 12:00 -05:00", "2028-03-31T17:00:00Z"),
        ("2028/3/31 12:00Z", "2028-03-31T12:00:00Z"),
    ] {
        assert_eq!(read(|reader| reader.end(text)), Ok(expected.into()), "{text}");
    }
}

#[test]
fn a_beginning_is_before_now() {
    for (text, expected) in [
        ("1h", "2027-01-31T09:00:00.5Z"),
        ("1h ago", "2027-01-31T09:00:00.5Z"),
        ("-1h", "2027-01-31T09:00:00.5Z"),
        ("1mo", "2026-12-31T10:00:00.5Z"),
        ("0s", "2027-01-31T10:00:00.5Z"),
        ("2027-01-31", "2027-01-30T15:00:00Z"),
        ("2027/1/30", "2027-01-29T15:00:00Z"),
        ("06:00", "2027-01-30T21:00:00Z"),
        ("19:00", "2027-01-31T10:00:00Z"),
        ("19:01", "2027-01-30T10:01:00Z"),
        ("2027-01-30 00:00", "2027-01-29T15:00:00Z"),
        ("2027-01-31T09:00:00Z", "2027-01-31T09:00:00Z"),
    ] {
        assert_eq!(
            read(|reader| reader.beginning(text)),
            Ok(expected.into()),
            "{text}"
        );
    }
    for (text, expected) in [
        (
            "2027-02-01",
            "`2027-02-01` is in the future; write one that is past, such as 1h, 06:00 or 2026-11-28",
        ),
        (
            "never",
            "`never` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
        (
            "90000y",
            "`90000y` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
        ("19000y", "`19000y` is too long; write a shorter one"),
    ] {
        assert_eq!(
            read(|reader| reader.beginning(text)),
            Err(expected.into()),
            "{text}"
        );
    }
}

#[test]
fn a_look_back_ends_before_now_or_with_a_day() {
    for (text, expected) in [
        ("14d", "2027-01-17T10:00:00.5Z"),
        ("-1h", "2027-01-31T09:00:00.5Z"),
        ("2027-01-30", "2027-01-30T15:00:00Z"),
        ("2027-02-01", "2027-02-01T15:00:00Z"),
        ("06:00", "2027-01-30T21:00:00Z"),
    ] {
        assert_eq!(
            read(|reader| reader.back_until(text)),
            Ok(expected.into()),
            "{text}"
        );
    }
}

#[test]
fn ends_are_looked_at_up_to_an_instant_that_may_be_now_past_or_far_ahead() {
    for (text, expected) in [
        ("14d", "2027-02-14T10:00:00.5Z"),
        ("1mo", "2027-02-28T10:00:00.5Z"),
        ("0d", "2027-01-31T10:00:00.5Z"),
        ("2027-01-01", "2027-01-01T15:00:00Z"),
        ("2027-02-01", "2027-02-01T15:00:00Z"),
        ("06:00", "2027-01-31T21:00:00Z"),
        ("99999w", "3943-08-08T10:00:00.5Z"),
    ] {
        assert_eq!(read(|reader| reader.until(text)), Ok(expected.into()), "{text}");
    }
    let negative = read(|reader| reader.until("-1d"));
    assert_eq!(
        negative,
        Err("`-1d` is not in the future; write a duration such as 90d".into())
    );
}

#[test]
fn what_is_no_end_is_refused_with_what_to_write() {
    for (text, expected) in [
        (
            "2027-01-30",
            "`2027-01-30` is not in the future: it was 2027-01-31 00:00:00 +09:00; write a later one, such as 90d",
        ),
        ("-1d", "`-1d` is not in the future; write a duration such as 90d"),
        ("0d", "`0d` is not in the future; write a duration such as 90d"),
        (
            "2107-01-01",
            "`2107-01-01` is too late: the last date that the program can represent is 2106-02-07; write an earlier end, or `never`",
        ),
        (
            "200y",
            "`200y` is too late: the last date that the program can represent is 2106-02-07; write an earlier end, or `never`",
        ),
        ("19000y", "`19000y` is too long; write a shorter one"),
        (
            "soon",
            "`soon` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
        (
            "",
            "`` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
        (
            "90",
            "`90` has no unit; write 90m for minutes, 90h for hours or 90d for days",
        ),
        (
            "6M",
            "`6M` is not a date, time or duration; write 6mo for months, or 6m for minutes",
        ),
        (
            "24:00",
            "`24:00` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
        (
            "2027-02-30",
            "`2027-02-30` is not a date or time; there is no such day",
        ),
        (
            "31.03.2028",
            "`31.03.2028` is not a date or time; write 2028-03-31",
        ),
        ("20280331", "`20280331` is not a date or time; write 2028-03-31"),
        (
            "無期限",
            "`無期限` is not a date or time; write `never`, or leave it out",
        ),
        (
            "2028-03",
            "`2028-03` is not a date or time; write 2028-03-31 for the last day of the month",
        ),
        (
            "2028-03-31 00:00",
            "`2028-03-31 00:00` may be a whole day or its first instant; write 2028-03-31 for the whole day, or \
             2028-03-31T00:00:00+09:00",
        ),
        (
            "a\u{1b}[2J",
            "`a<U+001B>[2J` is not a date, time or duration; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
    ] {
        assert_eq!(read(|reader| reader.end(text)), Err(expected.into()), "{text}");
    }
}

#[test]
fn full_width_digits_are_named_as_such_with_the_ascii_ones() {
    for (text, expected) in [
        (
            "２０２８-０３-３１",
            "`２０２８-０３-３１` has full-width digits; write 2028-03-31",
        ),
        (
            "２０２８／３／３１",
            "`２０２８／３／３１` has full-width digits; write 2028/3/31",
        ),
        (
            "２０２８年３月３１日",
            "`２０２８年３月３１日` has full-width digits; write 2028-03-31",
        ),
        ("９０ｄ", "`９０ｄ` has full-width digits; write 90d"),
        ("０６：００", "`０６：００` has full-width digits; write 06:00"),
        ("90ｄ", "`90ｄ` has full-width characters; write 90d"),
        (
            "２０２８",
            "`２０２８` has full-width digits; write one such as 90d, 2028-03-31, 06:00 or 2028-03-31T18:00:00+09:00",
        ),
    ] {
        assert_eq!(read(|reader| reader.end(text)), Err(expected.into()), "{text}");
    }
    assert_eq!(
        longest("９０ｄ").unwrap_err().problem(),
        &Problem::FullWidth("write 90d".into())
    );
}

#[test]
fn a_file_has_no_times_that_move_with_the_reader() {
    for (text, day_end, expected) in [
        ("2028-03-31", DayEnd::Last, "2028-03-31T15:00:00Z"),
        ("2028-03-31", DayEnd::First, "2028-03-30T15:00:00Z"),
        ("2020-03-31", DayEnd::Last, "2020-03-31T15:00:00Z"),
        ("2027-04-01T00:00:00+09:00", DayEnd::Last, "2027-03-31T15:00:00Z"),
        ("2027-04-01 00:00", DayEnd::First, "2027-03-31T15:00:00Z"),
    ] {
        assert_eq!(
            read(|reader| reader.written(text, day_end)),
            Ok(expected.into()),
            "{text}"
        );
    }
    for text in ["90d", "06:00", "1mo"] {
        assert_eq!(
            read(|reader| reader.written(text, DayEnd::Last)),
            Err(format!(
                "`{text}` would mean another instant each time that the file is read; write a date or a time with its date"
            ))
        );
    }
    let soon = read(|reader| reader.written("soon", DayEnd::First));
    assert_eq!(
        soon,
        Err("`soon` is not a date or time; write a date such as 2028-03-31, or a time such as 2028-03-31T18:00:00+09:00".into())
    );
}

#[test]
fn a_local_time_that_comes_twice_or_never_is_refused_with_the_instants() {
    let zone = berlin();
    let reader = Reader::new(now(), &zone);
    for (text, expected) in [
        (
            "2027-10-31 02:30",
            "`2027-10-31 02:30` comes twice, because the clocks are set back; write 2027-10-31T02:30:00+02:00 or \
             2027-10-31T02:30:00+01:00",
        ),
        (
            "2027-03-28 02:30",
            "`2027-03-28 02:30` does not come, because the clocks are set forward; write 2027-03-28T03:30:00+02:00, if that \
             is meant",
        ),
    ] {
        assert_eq!(reader.end(text).unwrap_err().to_string(), expected, "{text}");
    }
    assert_eq!(reader.end("2027-10-31").unwrap(), at("2027-10-31T23:00:00Z"));
}

#[test]
fn a_duration_is_positive_and_has_a_unit() {
    let zone = tokyo();
    let reader = Reader::new(now(), &zone);
    for (text, hours) in [
        ("90m", 1.5),
        ("12h", 12.0),
        ("7d", 168.0),
        ("2w", 336.0),
        ("1mo", 672.0),
    ] {
        let expected = SignedDuration::from_secs_f64(hours * 3600.0);
        assert_eq!(reader.duration(text).unwrap(), expected, "{text}");
    }
    for (text, expected) in [
        (
            "-1h",
            "`-1h` is not a duration; write a duration that is longer than nothing, such as 30m or 90d",
        ),
        (
            "0s",
            "`0s` is not a duration; write a duration that is longer than nothing, such as 30m or 90d",
        ),
        (
            "soon",
            "`soon` is not a duration; write one such as 30m, 12h, 90d or 1mo",
        ),
        (
            "06:00",
            "`06:00` is not a duration; write one such as 30m, 12h, 90d or 1mo",
        ),
        (
            "2028-03-31",
            "`2028-03-31` is not a duration; write one such as 30m, 12h, 90d or 1mo",
        ),
        (
            "30",
            "`30` has no unit; write 30m for minutes, 30h for hours or 30d for days",
        ),
        ("200y", "`200y` is too long; write a shorter one"),
    ] {
        assert_eq!(reader.duration(text).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_limit_is_the_longest_that_the_duration_can_be() {
    for (text, days) in [
        ("365d", 365),
        ("1y", 366),
        ("1mo", 31),
        ("2w", 14),
        ("1y1mo1d", 398),
    ] {
        assert_eq!(
            longest(text).unwrap(),
            SignedDuration::from_hours(24 * days),
            "{text}"
        );
    }
    assert_eq!(longest("06:00:00").unwrap(), SignedDuration::from_hours(6));
}

#[test]
fn minutes_that_may_be_months_are_asked_about() {
    let asked = |text| minutes_or_months(text);
    assert_eq!(
        asked("6m").as_deref(),
        Some("6m is 6 minutes: for 6 months write 6mo")
    );
    assert_eq!(
        asked("1m").as_deref(),
        Some("1m is 1 minute: for 1 month write 1mo")
    );
    for text in ["60m", "0m", "6mo", "6min", "1h6m", "m", "6"] {
        assert_eq!(asked(text), None, "{text}");
    }
}

#[test]
fn a_text_that_depends_on_the_time_zone_is_sent_as_an_instant() {
    let zone = tokyo();
    let reader = Reader::new(now(), &zone);
    for (text, sent) in [
        ("2028-03-31", "2028-03-31T15:00:00Z"),
        ("06:00", "2027-01-31T21:00:00Z"),
        ("2028-03-31 06:00", "2028-03-30T21:00:00Z"),
        ("90d", "90d"),
        ("6m", "6m"),
        ("2028-03-31T12:00:00+09:00", "2028-03-31T12:00:00+09:00"),
    ] {
        assert_eq!(reader.in_utc(text).unwrap(), sent, "{text}");
    }
}

#[test]
fn an_end_reads_as_it_would_be_written() {
    let tokyo = tokyo();
    let now = at("2028-03-01T00:00:00Z");
    for (end, text) in [
        (None, "never"),
        (Some(at("2028-03-31T15:00:00Z")), "2028-03-31 (in 31 days)"),
        (
            Some(at("2028-03-02T00:00:00Z")),
            "2028-03-02 09:00:00 +09:00 (in 24 hours)",
        ),
        (
            Some(at("2028-03-01T00:00:01Z")),
            "2028-03-01 09:00:01 +09:00 (in 1 second)",
        ),
        (
            Some(at("2028-03-01T00:01:59Z")),
            "2028-03-01 09:01:59 +09:00 (in 119 seconds)",
        ),
        (
            Some(at("2028-03-01T00:02:00Z")),
            "2028-03-01 09:02:00 +09:00 (in 2 minutes)",
        ),
        (Some(at("2028-02-28T15:00:00Z")), "2028-02-28 (33 hours ago)"),
        (
            Some(at("2028-03-01T00:00:00Z")),
            "2028-03-01 09:00:00 +09:00 (0 seconds ago)",
        ),
    ] {
        assert_eq!(show::end_from(now, end, &tokyo), text);
    }
}

#[test]
fn programs_get_utc_and_people_the_offset() {
    let instant = at("2026-11-28T18:00:00.75Z");
    assert_eq!(show::utc(instant), "2026-11-28T18:00:00Z");
    assert_eq!(show::instant(instant, &tokyo()), "2026-11-29 03:00:00 +09:00");
    assert_eq!(show::minute(instant, &tokyo()), "2026-11-29 03:00 +09:00");
    assert_eq!(show::rfc3339(instant, &berlin()), "2026-11-28T19:00:00+01:00");
}

#[test]
fn a_date_in_another_form_is_answered_with_the_form_that_is_read() {
    let tokyo = tokyo();
    for (text, hint) in [
        ("2028/3/31", "write 2028-03-31"),
        ("2028/03/31", "write 2028-03-31"),
        ("2028-3-31", "write 2028-03-31"),
        ("2028.3.31", "write 2028-03-31"),
        ("20280331", "write 2028-03-31"),
        ("31.03.2028", "write 2028-03-31"),
        ("31.3.2028", "write 2028-03-31"),
        ("4.3.2028", "write 2028-03-04"),
        ("31/03/2028", "write 2028-03-31"),
        ("03/31/2028", "write 2028-03-31"),
        ("03/04/2028", "write 2028-04-03 or 2028-03-04"),
        ("4/4/2028", "write 2028-04-04"),
        ("2028年3月31日", "write 2028-03-31"),
        ("２０２８年３月３１日", "write 2028-03-31"),
        ("令和10年3月31日", "write 2028-03-31"),
        ("令和元年5月1日", "write 2019-05-01"),
        ("R10.3.31", "write 2028-03-31"),
        ("平成40年3月31日", "write 2028-03-31"),
        ("31 March 2028", "write 2028-03-31"),
        ("March 31st, 2028", "write 2028-03-31"),
        ("31-Mar-2028", "write 2028-03-31"),
        ("2028/3/31 18:00", "write 2028-03-31T18:00:00+09:00"),
        (
            "2028/3/31 0:00:00",
            "write 2028-03-31 for the whole day, or 2028-03-31T00:00:00+09:00",
        ),
        ("2028-03", "write 2028-03-31 for the last day of the month"),
        ("2028年2月", "write 2028-02-29 for the last day of the month"),
        (
            "46843",
            "if it is the number by which a spreadsheet stores a date, it is 2028-03-31: format the column as text",
        ),
        ("2028-02-30", "there is no such day"),
        ("31.02.2028", "there is no such day"),
        ("9999-12-31", "write `never`, or leave it out"),
        ("無期限", "write `never`, or leave it out"),
        ("None", "write `never`, or leave it out"),
    ] {
        let found = other_forms::hint(text, &tokyo).map(|hint| hint.to_string());
        assert_eq!(found.as_deref(), Some(hint), "{text}");
    }
    for text in [
        "",
        "soon",
        "90",
        "28/3/31",
        "R10",
        "1/2/3/4",
        "2028",
        "31 Mar 28",
        "99999",
        "月火水",
        "3/2028/31",
    ] {
        assert_eq!(other_forms::hint(text, &tokyo), None, "{text}");
    }
}

fn zones() -> impl Strategy<Value = TimeZone> {
    prop_oneof![
        Just(berlin()),
        (-12 * 60..=14 * 60_i32)
            .prop_map(|minutes| TimeZone::fixed(jiff::tz::Offset::from_seconds(minutes * 60).unwrap())),
    ]
}

proptest! {
    #[test]
    fn what_is_written_for_people_and_programs_is_read_as_the_same_instant(
        second in 0..4_200_000_000_i64,
        zone in zones(),
    ) {
        let instant = Timestamp::from_second(second).unwrap();
        let reader = Reader::new(Timestamp::UNIX_EPOCH, &zone);
        for text in [
            show::instant(instant, &zone),
            show::rfc3339(instant, &zone),
            show::utc(instant),
            show::end(Some(instant), &zone),
        ] {
            let read = reader.written(&text, DayEnd::Last);
            prop_assert_eq!(read, Ok(instant), "{}", text);
        }
    }

    #[test]
    fn a_duration_ends_as_far_ahead_as_a_beginning_is_behind(
        count in 1..1000_i64,
        unit in prop_oneof![Just(("s", 1)), Just(("m", 60)), Just(("h", 3600)), Just(("d", 86_400)), Just(("w", 604_800))],
    ) {
        let zone = tokyo();
        let now = at("2027-01-31T10:00:00Z");
        let reader = Reader::new(now, &zone);
        let text = format!("{count}{}", unit.0);
        let length = SignedDuration::from_secs(count * unit.1);
        prop_assert_eq!(reader.end(&text).unwrap().duration_since(now), length);
        prop_assert_eq!(now.duration_since(reader.beginning(&text).unwrap()), length);
        prop_assert_eq!(reader.duration(&text).unwrap(), length);
        prop_assert_eq!(longest(&text).unwrap(), length);
    }

    #[test]
    fn no_text_is_read_by_a_panic(text in "\\PC{0,24}") {
        let zone = berlin();
        let reader = Reader::new(now(), &zone);
        let _ = (reader.end(&text), reader.beginning(&text), reader.duration(&text), longest(&text));
        let _ = reader.written(&text, DayEnd::First);
    }
}
