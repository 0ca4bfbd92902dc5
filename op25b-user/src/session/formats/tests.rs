//! Logs as the servers write them, and as people export them.

use std::{fmt::Write as _, path::Path};

use jiff::{Timestamp, tz::TimeZone};

use super::{Format, Options, Outcome, read};
use crate::session::Session;

/// As FreeRADIUS 3.2 writes it in its default configuration.
const DETAIL: &str = include_str!("testdata/detail");
/// As Kea 2.2 writes them: leases, renewals, a release and an expiry.
const KEA_4: &str = include_str!("testdata/kea-leases4.csv");
const KEA_6: &str = include_str!("testdata/kea-leases6.csv");

fn options(format: Format, map: &[(&str, &str)], zone: &str, as_of: Option<&str>) -> Options {
    let map: Vec<_> = map
        .iter()
        .map(|(field, name)| ((*field).to_owned(), (*name).to_owned()))
        .collect();
    let as_of = as_of.map(|at| at.parse::<Timestamp>().unwrap());
    Options::new(format, &map, TimeZone::get(zone).unwrap(), as_of).unwrap()
}

/// A session as `customer prefix start..end`, with `+` after the time at which one without an end was seen last.
fn shown(session: &Session) -> String {
    let Session {
        customer,
        prefix,
        start,
        end,
        seen,
    } = session;
    let mark = if end.is_some() { "" } else { "+" };
    format!("{customer} {prefix} {start}..{seen}{mark}")
}

fn read_with(format: Format, log: &str, options: &Options) -> (Vec<String>, Outcome) {
    let mut sessions = Vec::new();
    let outcome = read(format, &mut log.as_bytes(), options, &mut |session| {
        sessions.push(shown(&session));
        Ok(())
    })
    .unwrap();
    sessions.sort();
    (sessions, outcome)
}

/// The sessions of a log without a mistake.
#[track_caller]
fn sessions(format: Format, log: &str) -> Vec<String> {
    let (sessions, outcome) = read_with(format, log, &options(format, &[], "UTC", None));
    assert_eq!(outcome.mistakes.first(), []);
    sessions
}

/// The mistakes of a log, each with its line.
fn mistakes(format: Format, log: &str) -> Vec<(u32, String)> {
    let (_, outcome) = read_with(format, log, &options(format, &[], "UTC", None));
    outcome.mistakes.first().to_vec()
}

/// Why records were left out, how many and from which line on.
fn left_out(format: Format, log: &str) -> Vec<(&'static str, usize, u32)> {
    let (_, outcome) = read_with(format, log, &options(format, &[], "UTC", None));
    outcome
        .left_out()
        .map(|(why, records, line)| (why.why(), records, line))
        .collect()
}

#[test]
fn the_name_of_a_file_says_its_format() {
    for (name, format) in [
        ("detail-20260331", Some(Format::Detail)),
        ("radacct/192.0.2.1/detail", Some(Format::Detail)),
        ("kea-leases4.csv", Some(Format::Kea)),
        ("kea-leases6.csv.2", Some(Format::Kea)),
        ("bras.CSV", Some(Format::Csv)),
        ("bras.txt", None),
        ("-", None),
    ] {
        assert_eq!(Format::of(Path::new(name)), format, "{name}");
    }
}

#[test]
fn a_detail_file_of_freeradius_is_read_as_it_is_written() {
    let (sessions, outcome) = read_with(Format::Detail, DETAIL, &options(Format::Detail, &[], "UTC", None));
    assert_eq!(outcome.records, 5);
    assert_eq!(
        sessions,
        [
            "alice@example.net 198.51.100.7/32 2028-03-31T01:00:00Z..2028-03-31T01:25:00Z",
            "alice@example.net 2001:db8:100:7::/64 2028-03-31T01:00:00Z..2028-03-31T01:25:00Z",
            "alice@example.net 2001:db8:200:700::/56 2028-03-31T01:00:00Z..2028-03-31T01:25:00Z",
        ]
    );
    // A line break in a name.
    let [(line, what)] = outcome.mistakes.first() else {
        panic!("{outcome:?}");
    };
    assert_eq!(*line, 53);
    assert!(
        what.contains("User-Name: the customer's name has a line break"),
        "{what}"
    );

    let by_line = options(Format::Detail, &[("customer", "Calling-Station-Id")], "UTC", None);
    let (sessions, _) = read_with(Format::Detail, DETAIL, &by_line);
    assert_eq!(
        sessions[0],
        "02:00:5e:00:53:07 198.51.100.7/32 2028-03-31T01:00:00Z..2028-03-31T01:00:00Z+"
    );
}

/// A record of accounting at a time of 2028-03-31.
fn record(status: &str, time: &str, attributes: &str) -> String {
    let lines = format!("\t{}\n", attributes.replace(", ", "\n\t"));
    format!(
        "Fri Mar 31 {time} 2028\n\tAcct-Status-Type = {status}\n\tAcct-Session-Id = \"A1\"\n\tNAS-IP-Address = 192.0.2.1\n\
         \tEvent-Timestamp = \"Mar 31 2028 {time} UTC\"\n{lines}\n"
    )
}

const ALICE: &str = "User-Name = \"alice\", Framed-IP-Address = 198.51.100.7";

#[test]
fn a_session_without_a_stop_is_known_until_its_last_record_and_one_without_a_start_as_long_as_it_lasted() {
    let begins = record("Start", "01:00:00", ALICE);
    let goes_on = record(
        "Interim-Update",
        "02:00:00",
        &format!("{ALICE}, Acct-Session-Time = 3600"),
    );
    let ends = record("Stop", "03:00:00", &format!("{ALICE}, Acct-Session-Time = 7200"));
    for (log, expected) in [
        (begins.clone(), "01:00:00Z..2028-03-31T01:00:00Z+"),
        (format!("{begins}{goes_on}"), "01:00:00Z..2028-03-31T02:00:00Z+"),
        (goes_on.clone(), "01:00:00Z..2028-03-31T02:00:00Z+"),
        (ends.clone(), "01:00:00Z..2028-03-31T03:00:00Z"),
        (
            format!("{goes_on}{begins}{ends}"),
            "01:00:00Z..2028-03-31T03:00:00Z",
        ),
    ] {
        assert_eq!(
            sessions(Format::Detail, &log),
            [format!("alice 198.51.100.7/32 2028-03-31T{expected}")],
            "{log}"
        );
    }
    // After its Stop, a record that was sent again is about the same session: the store joins them.
    let again = sessions(Format::Detail, &format!("{begins}{ends}{begins}"));
    assert_eq!(again.len(), 2);
    assert!(
        again[0].ends_with("01:00:00Z..2028-03-31T01:00:00Z+"),
        "{again:?}"
    );
}

#[test]
fn an_address_that_a_session_got_later_is_its_own_from_then_on_and_one_that_it_gave_up_until_it_was_seen() {
    let log = [
        record(
            "Start",
            "01:00:00",
            "User-Name = \"alice\", Delegated-IPv6-Prefix = 2001:db8:0:100::/56",
        ),
        record(
            "Interim-Update",
            "02:00:00",
            &format!("{ALICE}, Delegated-IPv6-Prefix = 2001:db8:0:100::/56, Acct-Session-Time = 3600"),
        ),
        record(
            "Stop",
            "03:00:00",
            "User-Name = \"alice\", Delegated-IPv6-Prefix = 2001:db8:0:100::/56",
        ),
    ]
    .concat();
    assert_eq!(
        sessions(Format::Detail, &log),
        [
            "alice 198.51.100.7/32 2028-03-31T02:00:00Z..2028-03-31T02:00:00Z+",
            "alice 2001:db8:0:100::/56 2028-03-31T01:00:00Z..2028-03-31T03:00:00Z",
        ]
    );
}

#[test]
fn sessions_of_a_device_that_began_anew_are_known_until_their_last_record() {
    let other = record(
        "Start",
        "01:30:00",
        "User-Name = \"bob\", Framed-IP-Address = 198.51.100.8",
    );
    let other = other.replace("192.0.2.1", "192.0.2.2");
    let log = [
        record("Start", "01:00:00", ALICE),
        other,
        record("Accounting-On", "02:00:00", "NAS-Identifier = \"bng1\""),
        // The number of the session is given out again.
        record("Start", "02:10:00", ALICE),
        record("Stop", "03:00:00", ALICE),
    ]
    .concat();
    assert_eq!(
        sessions(Format::Detail, &log),
        [
            "alice 198.51.100.7/32 2028-03-31T01:00:00Z..2028-03-31T01:00:00Z+",
            "alice 198.51.100.7/32 2028-03-31T02:10:00Z..2028-03-31T03:00:00Z",
            "bob 198.51.100.8/32 2028-03-31T01:30:00Z..2028-03-31T01:30:00Z+",
        ]
    );
}

#[test]
fn records_that_say_nothing_about_a_session_are_counted_and_what_is_wrong_is_named() {
    let log = [
        record("Stop", "01:00:00", ALICE),
        record("Start", "01:00:00", "User-Name = \"alice\""),
        record("Start", "01:00:00", "Framed-IP-Address = 198.51.100.7"),
        record("Tunnel-Start", "01:00:00", ALICE),
        record(
            "Stop",
            "01:00:00",
            "User-Name = \"alice\", Framed-IP-Address = 255.255.255.254",
        ),
    ]
    .concat();
    assert_eq!(
        left_out(Format::Detail, &log),
        [
            ("without an address", 2, 9),
            ("without a customer", 1, 16),
            ("of an end whose beginning is not known", 1, 1),
            ("about something else than a session", 1, 23),
        ]
    );
    for (attributes, expected) in [
        (
            "User-Name = \"alice\", Framed-IP-Address = 198.51.100",
            "Framed-IP-Address: ",
        ),
        (
            "User-Name = \"alice\", Framed-IP-Address = 198.51.100.7, Acct-Session-Time = long",
            "Acct-Session-Time: ",
        ),
    ] {
        let log = format!(
            "{}{}",
            record("Start", "01:00:00", ALICE),
            record("Stop", "01:00:00", attributes)
        );
        let found = mistakes(Format::Detail, &log);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, 9);
        assert!(found[0].1.starts_with(expected), "{found:?}");
    }
    let found = mistakes(
        Format::Detail,
        "Fri Mar 31 01:00:00 2028\n\tUser-Name = \"alice\"\n\n",
    );
    assert!(found[0].1.contains("no Acct-Status-Type"), "{found:?}");
    assert_eq!(mistakes(Format::Detail, ""), []);
}

#[test]
fn a_time_of_a_record_is_in_the_time_zone_of_the_server() {
    let log = |event: &str| {
        format!(
            "Sun Oct 29 02:30:00 2028\n\tAcct-Status-Type = Start\n\tAcct-Session-Id = \"A1\"\n\
             \tUser-Name = \"alice\"\n\tFramed-IP-Address = 198.51.100.7\n{event}\n"
        )
    };
    let in_zone = |zone: &str, event: &str| {
        let (sessions, outcome) = read_with(
            Format::Detail,
            &log(event),
            &options(Format::Detail, &[], zone, None),
        );
        match outcome.mistakes.first() {
            [] => sessions[0].clone(),
            [(_, what), ..] => what.clone(),
        }
    };
    for (zone, event, expected) in [
        // The hour comes twice, and the abbreviation says which of the two it is.
        (
            "Europe/Berlin",
            "\tEvent-Timestamp = \"Oct 29 2028 02:30:00 CEST\"\n",
            "2028-10-29T00:30:00Z",
        ),
        (
            "Europe/Berlin",
            "\tEvent-Timestamp = \"Oct 29 2028 02:30:00 CET\"\n",
            "2028-10-29T01:30:00Z",
        ),
        (
            "Asia/Tokyo",
            "\tEvent-Timestamp = \"Oct 29 2028 02:30:00 JST\"\n",
            "2028-10-28T17:30:00Z",
        ),
        (
            "Asia/Tokyo",
            "\tEvent-Timestamp = \"Oct 29 2028 02:30:00 UTC\"\n",
            "2028-10-29T02:30:00Z",
        ),
        (
            "Asia/Tokyo",
            "\tEvent-Timestamp = 1856390400\n",
            "2028-10-29T00:00:00Z",
        ),
        (
            "Asia/Tokyo",
            "\tEvent-Timestamp = \"Oct 29 2028 02:30:00 CEST\"\n",
            "`--time-zone`",
        ),
        // When it was received, less the time that it took.
        (
            "Asia/Tokyo",
            "\tTimestamp = 1856390400\n\tAcct-Delay-Time = 5\n",
            "2028-10-28T23:59:55Z",
        ),
        ("Asia/Tokyo", "", "2028-10-28T17:30:00Z"),
        ("Europe/Berlin", "", "comes twice or never"),
    ] {
        let found = in_zone(zone, event);
        assert!(found.contains(expected), "{zone} {event}: {found}");
    }
}

#[test]
fn a_lease_file_of_kea_is_read_as_it_is_written() {
    assert_eq!(
        sessions(Format::Kea, KEA_4),
        [
            // Renewed, and expired.
            "02:00:5e:00:53:01 198.51.100.10/32 2026-11-29T06:14:01Z..2026-11-29T06:14:23Z",
            "02:00:5e:00:53:02 198.51.100.11/32 2026-11-29T06:14:05Z..2026-11-29T06:14:31Z",
            // Released at a time that the file does not have.
            "02:00:5e:00:53:03 198.51.100.12/32 2026-11-29T06:17:20Z..2026-11-29T06:17:20Z",
        ]
    );
    let duid = "00:01:00:01:32:9e:7f:f5:02:00:5e:00:53:03";
    assert_eq!(
        sessions(Format::Kea, KEA_6),
        [
            format!("{duid} 2001:db8:100::10/128 2026-11-29T06:19:16Z..2026-11-29T06:19:24Z"),
            format!("{duid} 2001:db8:200::/56 2026-11-29T06:19:16Z..2026-11-29T06:19:24Z"),
        ]
    );
    let by_address = options(Format::Kea, &[("customer", "hwaddr")], "UTC", None);
    let (by_address, _) = read_with(Format::Kea, KEA_6, &by_address);
    assert!(by_address[0].starts_with("02:00:5e:00:53:03 "), "{by_address:?}");
}

/// A lease file with rows of an address, a client, the length of the lease, its end after 1,000,000, and its state.
fn leases(rows: &[(&str, u8, i64, i64, u8)]) -> String {
    let mut log = "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context\n".to_owned();
    for (address, client, lifetime, expire, state) in rows {
        let expire = 1_000_000_000 + expire;
        writeln!(
            log,
            "{address},02:00:5e:00:53:0{client},,{lifetime},{expire},1,0,0,,{state},"
        )
        .unwrap();
    }
    log
}

/// The sessions of a lease file, as the client, and the seconds of the start and the end.
fn leased(rows: &[(&str, u8, i64, i64, u8)]) -> Vec<String> {
    let mut found = Vec::new();
    let options = options(Format::Kea, &[], "UTC", None);
    read(
        Format::Kea,
        &mut leases(rows).as_bytes(),
        &options,
        &mut |session| {
            let [start, seen] = [session.start, session.seen].map(|at| at.as_second() - 1_000_000_000);
            let mark = if session.end.is_some() { "" } else { "+" };
            found.push(format!("{} {start}..{seen}{mark}", &session.customer[16..]));
            Ok(())
        },
    )
    .unwrap();
    found.sort();
    found
}

#[test]
fn a_lease_lasts_until_what_ended_it_and_no_longer_than_is_known() {
    const A: &str = "198.51.100.7";
    const B: &str = "198.51.100.8";
    // Until the newest row of the file: it could have been given up since.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (B, 2, 600, 700, 0)]),
        ["1 0..100+", "2 100..100+"]
    );
    // It expired before the newest row.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (B, 2, 600, 1300, 0)])[0],
        "1 0..600"
    );
    // Another client has it: the file does not say since when it was free.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (A, 1, 600, 900, 0), (A, 2, 600, 1000, 0)]),
        ["1 0..300", "2 400..400+"]
    );
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (A, 2, 600, 1400, 0)])[0],
        "1 0..600"
    );
    // The same client after an interruption has another session.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (A, 1, 600, 1400, 0)]),
        ["1 0..600", "1 800..800+"]
    );
    // Removed, not before the row of another address that was written before.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (B, 2, 600, 850, 0), (A, 1, 0, 0, 0)])[0],
        "1 0..250"
    );
    // Given up at a time that the row has (Kea keeps released leases for a while).
    assert_eq!(leased(&[(A, 1, 600, 600, 0), (A, 1, 0, 480, 3)]), ["1 0..480"]);
    // A client declined it: it is nobody's.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (A, 1, 86400, 86410, 1)]),
        ["1 0..0"]
    );
    // It was renewed before it expired: the row has the end of the last lease.
    assert_eq!(
        leased(&[(A, 1, 600, 600, 0), (A, 1, 600, 1000, 2)]),
        ["1 0..1000"]
    );
    assert_eq!(leased(&[(A, 1, 600, 600, 0), (A, 2, 600, 1000, 2)]), ["1 0..0"]);
    // A row of the cleanup of the file, in any order.
    assert_eq!(leased(&[(A, 1, 600, 600, 2)]), [""; 0]);
    // An endless lease.
    assert_eq!(
        leased(&[(A, 1, 0xffff_ffff, 0xffff_ffff, 0), (B, 2, 600, 700, 0)])[0],
        "1 0..100+"
    );
}

#[test]
fn what_is_no_lease_file_is_refused() {
    assert!(
        mistakes(Format::Kea, "a,b\n")[0]
            .1
            .contains("no lease file of Kea")
    );
    let found = mistakes(Format::Kea, &leases(&[]).replace("hwaddr", "mac"));
    assert!(found[0].1.contains("no column `hwaddr`"), "{found:?}");
    let found = mistakes(Format::Kea, &format!("{}198.51.100.7,02\n", leases(&[])));
    assert_eq!(found, [(2, "the row has only 2 columns".to_owned())]);
    let log = leases(&[("198.51.100.7", 1, 600, 600, 0)]).replace("02:00:5e:00:53:01", "");
    assert_eq!(left_out(Format::Kea, &log), [("without a customer", 1, 2)]);
}

#[test]
fn a_table_is_read_by_the_names_of_its_columns() {
    let log = "\u{feff}Login;x,IP,From,To,Bytes\r\n\
               alice,198.51.100.7,2028-03-31 10:00:00,2028-03-31 12:30,17\r\n\
               \"Carol, KK\",198.51.100.8/29 2001:db8:100::/56,1837995000,,0\r\n\
               # a comment\r\n\
               ,,,,\r\n\
               dave,198.51.100.9,2028-03-31,2028-03-31,0\r\n";
    let map = [
        ("customer", "login;x"),
        ("prefixes", "ip"),
        ("start", "from"),
        ("end", "to"),
    ];
    let options = options(Format::Csv, &map, "Asia/Tokyo", Some("2028-04-01T00:00:00Z"));
    let (sessions, outcome) = read_with(Format::Csv, log, &options);
    assert_eq!((outcome.records, outcome.mistakes.first()), (3, &[][..]));
    assert_eq!(
        sessions,
        [
            "Carol, KK 198.51.100.8/29 2028-03-30T02:10:00Z..2028-04-01T00:00:00Z+",
            "Carol, KK 2001:db8:100::/56 2028-03-30T02:10:00Z..2028-04-01T00:00:00Z+",
            "alice 198.51.100.7/32 2028-03-31T01:00:00Z..2028-03-31T03:30:00Z",
            // The whole day.
            "dave 198.51.100.9/32 2028-03-30T15:00:00Z..2028-03-31T15:00:00Z",
        ]
    );
}

#[test]
fn the_column_of_prefixes_may_be_called_prefix_or_address_but_only_one_is_read() {
    let row = "alice,198.51.100.7,2028-03-31T01:00:00Z,2028-03-31T02:00:00Z\n";
    for name in ["prefixes", "prefix", "Address"] {
        let log = format!("customer,{name},start,end\n{row}");
        let options = options(Format::Csv, &[], "UTC", None);
        let (sessions, outcome) = read_with(Format::Csv, &log, &options);
        assert_eq!((sessions.len(), outcome.mistakes.first()), (1, &[][..]), "{name}");
    }
    let both = mistakes(Format::Csv, "customer,address,prefix,start,end\n");
    assert_eq!(
        both[0].1,
        "the columns `address` and `prefix` are both there: `--map prefixes=address` reads the first"
    );
}

#[test]
fn every_mistake_of_a_table_is_named_with_its_line() {
    let log = "customer,prefixes,start,end\n\
               alice,198.51.100,2028-03-31T01:00:00Z,\n\
               alice,198.51.100.7,soon,\n\
               ,198.51.100.7,2028-03-31T01:00:00Z,\n\
               alice,198.51.100.7,2028-03-31T02:00:00Z,2028-03-31T01:00:00Z\n\
               alice,198.51.100.7,2028-03-31T02:00:00Z\n\
               alice,,2028-03-31T02:00:00Z,\n";
    let found = mistakes(Format::Csv, log);
    let lines: Vec<_> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6]);
    assert!(
        found[1].1.starts_with("`start`: `soon` is not a date or time"),
        "{found:?}"
    );
    assert_eq!(
        found[3].1,
        "it ends before it begins: at 2028-03-31T01:00:00Z, after 2028-03-31T02:00:00Z"
    );
    assert_eq!(left_out(Format::Csv, log), [("without an address", 1, 7)]);
    let found = mistakes(Format::Csv, "customer,ip,start\n");
    assert_eq!(found.len(), 2);
    assert!(found[0].1.contains(
        "there is no column `prefixes`; the columns are customer, ip, start; `--map prefixes=COLUMN`"
    ));
    assert!(mistakes(Format::Csv, "")[0].1.contains("the file is empty"));
    assert!(
        mistakes(Format::Csv, "customer;prefixes;start;end\n")[0]
            .1
            .contains("separated by commas")
    );
}

#[test]
fn a_quote_that_is_never_closed_does_not_fill_the_memory() {
    let log = format!("customer,prefixes,start,end\n\"alice{}", ",".repeat(3 << 20));
    let options = options(Format::Csv, &[], "UTC", None);
    let error = read(Format::Csv, &mut log.as_bytes(), &options, &mut |_| Ok(())).unwrap_err();
    assert!(
        error.to_string().contains("a quote (\") in it is never closed"),
        "{error}"
    );
    let log = format!("{}{}", leases(&[]), "1".repeat(3 << 20));
    let error = read(Format::Kea, &mut log.as_bytes(), &options, &mut |_| Ok(())).unwrap_err();
    assert!(error.to_string().contains("line 2 is longer than"), "{error}");
}

#[test]
fn a_field_that_a_format_does_not_have_cannot_be_mapped() {
    let error = |format, map: &[(&str, &str)]| {
        let map: Vec<_> = map
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        Options::new(format, &map, TimeZone::UTC, None)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        error(Format::Detail, &[("start", "Event-Timestamp")]),
        "`--map start=…`: there is no field `start`; the fields are customer"
    );
    assert_eq!(
        error(Format::Csv, &[("start", "a"), ("Start", "b")]),
        "`--map start=…` is given twice: a field has one name"
    );
}
