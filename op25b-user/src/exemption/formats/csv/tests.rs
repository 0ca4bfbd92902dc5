//! That files are read row by row, and each mistake is found with its line.

use jiff::{Timestamp, tz::TimeZone};

use super::*;
use crate::{
    exemption::formats::{self, Format},
    time::Reader,
};

fn read(text: &str) -> Result<Vec<ImportRow>, Mistakes> {
    read_columns(text, &Columns::default()).map(|contents| contents.rows)
}

fn read_columns(text: &str, columns: &Columns) -> Result<Contents, Mistakes> {
    let time_zone = TimeZone::UTC;
    let reader = Reader::new(Timestamp::UNIX_EPOCH, &time_zone);
    formats::read(Format::Csv, columns, text.as_bytes(), &reader, &|_| {})
}

fn lines(text: &str) -> Vec<u32> {
    read(text).unwrap().iter().map(|row| row.line).collect()
}

#[test]
fn a_row_is_read_with_its_columns_in_any_order() {
    let text = "ticket,Prefixes,customer,note,expires,destinations\r\n\
        OPS-1,\"198.51.100.8/29;2001:db8::/48, 192.0.2.1\",\"Example, KK\",\"said \"\"yes\"\"\ntwice\",2028-03-31,\r\n";
    assert_eq!(
        read(text).unwrap(),
        [ImportRow {
            line: 2,
            exemption: NewExemption {
                customer: "Example, KK".into(),
                prefixes: ["198.51.100.8/29", "2001:db8::/48", "192.0.2.1"]
                    .map(String::from)
                    .into(),
                destinations: Vec::new(),
                ticket: Some("OPS-1".into()),
                note: Some("said \"yes\"\ntwice".into()),
                expires: Some("2028-03-31".into()),
                force: false,
            },
        }]
    );
}

#[test]
fn rows_have_the_lines_that_an_editor_shows() {
    for newline in ["\n", "\r\n"] {
        let text = [
            "customer,prefixes,note",
            "A,192.0.2.1,",
            "",
            "B,192.0.2.2,\"two",
            "lines\"",
            ",,",
            "C,192.0.2.3,",
        ]
        .join(newline);
        assert_eq!(lines(&text), [2, 4, 7], "{newline:?}");
        assert_eq!(
            lines(&format!("{newline}{text}{newline}")),
            [3, 5, 8],
            "{newline:?}"
        );
    }
}

#[test]
fn every_bad_row_is_reported_with_its_line() {
    let text = "customer,prefixes\nA,192.0.2.1\n,192.0.2.2\nB\nC,192.0.2.3,x\nD, \nE\u{1b}[2J,192.0.2.4\n";
    let mistakes = read(text).unwrap_err();
    insta::assert_snapshot!(mistakes.in_file("x.csv").to_string(), @r#"
    x.csv:3: `customer` is empty
    x.csv:4: the header has 2 columns, but this row has 1; quote a cell that contains a comma, as in "a, b"
    x.csv:5: the header has 2 columns, but this row has 3; quote a cell that contains a comma, as in "a, b"
    x.csv:6: `prefixes` is empty: an exemption needs at least one prefix
    x.csv:7: `customer` contains a control character (U+001B) at character 2; remove it
    "#);
}

#[test]
fn every_mistake_of_a_row_is_reported_at_once() {
    let text = "customer,prefixes,destinations,ticket,expires,force\n\
                ,198.51.100.9/29 198.51.100.8/33,mail,\u{1b},90d,maybe\nA,192.0.2.1,,,,\n";
    insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @r"
    x.csv:2: `force` must be true, false or empty, not `maybe`
    x.csv:2: `customer` is empty
    x.csv:2: `prefixes`: `198.51.100.9/29` has host bits set; write 198.51.100.8/29 for the prefix, or 198.51.100.9/32 for this one address
    x.csv:2: `prefixes`: `198.51.100.8/33` has an invalid prefix length: it must be from 0 to 32; /32 is one address, and a smaller number is a larger prefix
    x.csv:2: `destinations`: `mail` is not an IP prefix; write an address and a prefix length, such as 198.51.100.8/29 or 2001:db8::/48
    x.csv:2: `ticket` contains a control character (U+001B) at character 1; remove it
    x.csv:2: `expires`: `90d` would mean another instant each time that the file is read; write a date or a time with its date
    ");
}

#[test]
fn rows_of_another_source_than_the_store_are_left_out() {
    let text = "customer,prefixes,Source\nA,192.0.2.1,store\nB,192.0.2.2,\nC,192.0.2.300,/etc/op25b/policy.yaml:31\n";
    let columns = Columns::of_import(&[], false).unwrap();
    let contents = read_columns(text, &columns).unwrap();
    let customers: Vec<_> = contents.rows.iter().map(|row| &*row.exemption.customer).collect();
    assert_eq!((customers, contents.elsewhere), (vec!["A", "B"], 1));
    // A list of a policy has no such column.
    assert!(
        read(text)
            .unwrap_err()
            .in_file("x.csv")
            .to_string()
            .contains("there is no column `Source`")
    );
}

#[test]
fn a_header_with_other_columns_is_refused() {
    let text = "customer,prefix,Ticket,ticket\nA,192.0.2.1,,\n";
    insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @r"
    x.csv:1: there is no column `prefix`; the columns are customer, prefixes, destinations, ticket, note, expires, force
    x.csv:1: the column `ticket` is given twice
    x.csv:1: the column `prefixes` is missing
    ");
    let text = "customer;prefixes\n";
    insta::assert_snapshot!(read(text).unwrap_err().in_file("x.csv").to_string(), @"x.csv:1: columns must be separated by commas, and these are by semicolons: export the table with commas");
    insta::assert_snapshot!(read("").unwrap_err().in_file("x.csv").to_string(), @"x.csv: the file is empty; it must begin with the line customer,prefixes,destinations,ticket,note,expires,force");
}

#[test]
fn a_quote_that_is_never_closed_swallows_nothing() {
    let text = "customer,prefixes,note\nA,192.0.2.1,\"never\nB,192.0.2.2,\nC,192.0.2.3,\n";
    let mistakes = read(text).unwrap_err();
    assert_eq!(mistakes.count(), 1);
    assert_eq!(mistakes.first()[0].0, 2);
}

#[test]
fn of_very_many_mistakes_the_first_are_listed_and_the_others_counted() {
    let text = format!("customer,prefixes\n{}", "x\n".repeat(50));
    let mistakes = read(&text).unwrap_err();
    assert_eq!((mistakes.count(), mistakes.first().len()), (50, 20));
    assert!(mistakes.in_file("x").to_string().ends_with("… and 30 more\n"));
}

fn read_with(text: &str, map: &[(&str, &str)], ignore_unknown: bool) -> Result<Vec<ImportRow>, String> {
    let map: Vec<_> = map
        .iter()
        .map(|(field, name)| ((*field).into(), (*name).into()))
        .collect();
    let columns = Columns::of_import(&map, ignore_unknown).map_err(|error| error.to_string())?;
    let contents = read_columns(text, &columns);
    contents
        .map(|contents| contents.rows)
        .map_err(|mistakes| mistakes.in_file("x.csv").to_string())
}

#[test]
fn a_note_has_line_feeds_whatever_line_breaks_the_file_has() {
    let text = "customer,prefixes,note\r\nA,192.0.2.1,\"one\r\ntwo\"\r\nB,192.0.2.2,\"one\rtwo\"\r\n";
    let rows = read(text).unwrap();
    let notes: Vec<_> = rows.iter().map(|row| row.exemption.note.as_deref()).collect();
    assert_eq!(notes, [Some("one\ntwo"); 2]);
    assert_eq!(lines(text), [2, 4]);
}

#[test]
fn comment_lines_are_skipped_and_counted_as_lines() {
    for newline in ["\n", "\r\n"] {
        let text = [
            "# exported by \"the IPAM",
            "",
            "customer,prefixes,note",
            "# A,192.0.2.9,",
            "A,192.0.2.1,# of no comment",
            "#",
            "\"#B\",192.0.2.2,\"two",
            "# lines\"",
            "# the end: \"",
        ]
        .join(newline);
        let rows = read(&text).unwrap();
        let found: Vec<_> = rows
            .iter()
            .map(|row| (row.line, &*row.exemption.customer))
            .collect();
        assert_eq!(found, [(5, "A"), (7, "#B")], "{newline:?}");
        assert_eq!(rows[1].exemption.note.as_deref(), Some("two\n# lines"));
    }
    assert!(
        read("# nothing\n")
            .unwrap_err()
            .in_file("x")
            .to_string()
            .contains("the file is empty")
    );
}

#[test]
fn a_field_is_read_from_the_column_that_is_mapped_to_it() {
    let text = "Circuit Name,customer,CIDR\nExample KK,C-1042,192.0.2.1\n";
    let map = [("customer", "Circuit Name"), ("prefixes", "cidr")];
    let rows = read_with(text, &map, true).unwrap();
    assert_eq!(rows[0].exemption.customer, "Example KK");
    assert_eq!(rows[0].exemption.prefixes, ["192.0.2.1"]);
    insta::assert_snapshot!(read_with(text, &map, false).unwrap_err(), @"x.csv:1: the column `customer` is not read, as `--map` gives `Circuit Name` for `customer`; `--map FIELD=COLUMN` reads it as a field, `--ignore-unknown-columns` skips it");
    insta::assert_snapshot!(read_with(text, &[("customer", "Kreis")], true).unwrap_err(), @r"
    x.csv:1: there is no column `Kreis`, which `--map` gives for `customer`; the columns are Circuit Name, customer, CIDR
    x.csv:1: the column `prefixes` is missing
    ");
    insta::assert_snapshot!(read_with("A,A\n", &[("customer", "A")], true).unwrap_err(), @r"
    x.csv:1: the column `A` is given twice
    x.csv:1: the column `prefixes` is missing
    ");
}

#[test]
fn a_map_that_is_wrong_is_refused() {
    for (map, why) in [
        (
            &[("client", "A")][..],
            "there is no field `client`; the fields are customer, prefixes",
        ),
        (
            &[("ticket", "A"), ("ticket", "B")],
            "`--map ticket=…` is given twice",
        ),
        (&[("ticket", "A"), ("note", "a")], "`--map …='a'` is given twice"),
    ] {
        let error = read_with("customer,prefixes\n", map, false).unwrap_err();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn unknown_columns_are_skipped_on_request_and_required_ones_are_not() {
    let text = "id,customer,prefixes,,rack\n7,A,192.0.2.1,x,\"R, 2\"\n";
    assert_eq!(read_with(text, &[], true).unwrap()[0].exemption.customer, "A");
    insta::assert_snapshot!(read_with("id,prefixes\n", &[], true).unwrap_err(), @"x.csv:1: the column `customer` is missing");
    let refused = read_with(text, &[], false).unwrap_err();
    assert!(
        refused.contains("there is no column `id`") && refused.contains("a column has no name"),
        "{refused}"
    );
}

#[test]
fn what_spreadsheets_write_is_read() {
    let text = "customer,prefixes,ticket,force\n'=HYPERLINK(1),192.0.2.1,'-5,TRUE\n'x',192.0.2.2,,FALSE\n";
    let rows = read(text).unwrap();
    let found: Vec<_> = rows
        .iter()
        .map(|row| {
            (
                &*row.exemption.customer,
                row.exemption.ticket.as_deref(),
                row.exemption.force,
            )
        })
        .collect();
    assert_eq!(found, [("=HYPERLINK(1)", Some("-5"), true), ("'x'", None, false)]);
}
