//! Writes exemptions so that reading the file yields the same terms.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use anyhow::Context as _;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use serde_yaml::FlowSeq;

use super::{
    columns::{COLUMNS, SOURCE},
    csv::COMMENT,
    format::Format,
    spreadsheet,
};
use crate::{
    exemption::Terms,
    schema::{self, Schema},
};

/// An exemption in a file.
#[derive(Serialize)]
struct Item<'a, L> {
    customer: &'a str,
    prefixes: L,
    #[serde(skip_serializing_if = "Option::is_none")]
    destinations: Option<L>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<Timestamp>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    force: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// An exemption to write.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) terms: Terms,
    /// Whether the checks of the policy refuse it without `force`.
    pub(crate) needs_force: bool,
    /// Where it is kept, if the file says so.
    pub(crate) source: Option<String>,
}

/// How CSV is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CsvOptions {
    /// A byte order mark comes first: without it, Excel reads the file in the encoding of the country.
    pub(crate) has_mark: bool,
    /// No cell is one that a spreadsheet would compute.
    pub(crate) is_guarded: bool,
}

#[derive(Serialize)]
struct Document<I> {
    exemptions: Vec<I>,
}

/// Writes exemptions; `options` are of CSV.
pub(crate) fn write(
    format: Format,
    exemptions: &[Row],
    options: CsvOptions,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Csv => csv(exemptions, options, out).context("cannot write CSV"),
        Format::Json => {
            let items = document(exemptions, |nets| nets);
            serde_json::to_writer_pretty(&mut *out, &schema::Document::new(Schema::ExemptExport, &items))?;
            Ok(writeln!(out)?)
        }
        Format::Yaml => {
            let items = document(exemptions, FlowSeq);
            let options = serde_yaml::ser_options! {
                // One line for each key, however long: a folded note is hard to search.
                prefer_block_scalars: false,
                compact_list_indent: false,
            };
            let text = serde_yaml::to_string_with_options(&items, options)?;
            Ok(out.write_all(text.as_bytes())?)
        }
    }
}

fn document<'a, L>(exemptions: &'a [Row], list: impl Fn(&'a [IpNet]) -> L) -> Document<Item<'a, L>> {
    let item = |row: &'a Row| {
        let Row {
            terms,
            needs_force,
            source,
        } = row;
        Item {
            customer: &terms.customer,
            prefixes: list(&terms.prefixes),
            destinations: (!terms.destinations.is_empty()).then(|| list(&terms.destinations)),
            ticket: terms.ticket.as_deref(),
            note: terms.note.as_deref(),
            expires: terms.expires_at,
            force: *needs_force,
            source: source.as_deref(),
        }
    };
    Document {
        exemptions: exemptions.iter().map(item).collect(),
    }
}

fn csv(exemptions: &[Row], options: CsvOptions, out: &mut impl Write) -> io::Result<()> {
    let text: fn(&str) -> Cow<'_, str> = if options.is_guarded {
        spreadsheet::guarded
    } else {
        spreadsheet::escaped
    };
    if options.has_mark {
        out.write_all("\u{feff}".as_bytes())?;
    }
    // A first cell like a comment is quoted.
    let mut writer = csv::WriterBuilder::new().comment(Some(COMMENT)).from_writer(out);
    // The last column is `force`, which few files need.
    let columns = if exemptions.iter().any(|row| row.needs_force) {
        COLUMNS.len()
    } else {
        COLUMNS.len() - 1
    };
    let has_source = exemptions.iter().any(|row| row.source.is_some());
    writer.write_record(
        COLUMNS[..columns]
            .iter()
            .copied()
            .chain(has_source.then_some(SOURCE)),
    )?;
    for Row {
        terms,
        needs_force,
        source,
    } in exemptions
    {
        let cells = [
            &*text(&terms.customer),
            &list(&terms.prefixes),
            &list(&terms.destinations),
            &*text(terms.ticket.as_deref().unwrap_or_default()),
            &*text(terms.note.as_deref().unwrap_or_default()),
            &terms.expires_at.map_or(String::new(), |end| end.to_string()),
            if *needs_force { "true" } else { "" },
        ];
        let source = has_source.then(|| source.as_deref().unwrap_or_default());
        writer.write_record(cells[..columns].iter().copied().chain(source))?;
    }
    writer.flush()
}

fn list(nets: &[IpNet]) -> String {
    let nets: Vec<_> = nets.iter().map(ToString::to_string).collect();
    nets.join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        exemption::{ImportRow, NewExemption, formats},
        time::Reader,
    };

    const FOR_SPREADSHEET: CsvOptions = CsvOptions {
        has_mark: true,
        is_guarded: true,
    };

    fn terms() -> impl Strategy<Value = Terms> {
        // What the store takes: no control characters, no blanks around.
        let line = r"[ -~£Ωあ客🙂]{0,12}"
            .prop_map(|text| text.trim().to_owned())
            .prop_filter("a text", |text| !text.is_empty());
        let words = prop_oneof![
            Just("null"),
            Just("~"),
            Just("true"),
            Just("No"),
            Just("1042"),
            Just("1e3"),
            Just("0x1F"),
            Just(".5"),
            Just("- a"),
            Just("a: b"),
            Just("#1"),
            Just("a #b"),
            Just("'"),
            Just("\""),
            Just("=1+1"),
            Just("2028-03-31"),
            Just("*x"),
            Just("&x"),
            Just("!x"),
            Just("%"),
            Just("@"),
            Just("[a]"),
            Just("{a}"),
            Just("a,b;c"),
            Just("---"),
            Just("|"),
            Just(">"),
            Just("\\n"),
            Just("<<"),
            Just("?"),
            Just(".inf"),
            Just("1:30"),
            Just("'=1+1"),
            Just("=1+1"),
            Just("''-"),
            Just("@x"),
            Just("+"),
            Just("'x'"),
            Just("＝1"),
            Just("# x"),
            Just("a,b"),
        ]
        .prop_map(String::from);
        let text = prop_oneof![line, words].boxed();
        let note = proptest::collection::vec(text.clone(), 1..3).prop_map(|lines| lines.join("\n"));
        let v4 = (any::<u32>(), 0..=32u8).prop_map(|(address, length)| {
            IpNet::new(std::net::Ipv4Addr::from(address).into(), length)
                .unwrap()
                .trunc()
        });
        let v6 = (any::<u128>(), 0..=128u8).prop_map(|(address, length)| {
            IpNet::new(std::net::Ipv6Addr::from(address).into(), length)
                .unwrap()
                .trunc()
        });
        let net = prop_oneof![v4, v6].boxed();
        (
            text.clone(),
            proptest::collection::vec(net.clone(), 1..4),
            proptest::collection::vec(net, 0..3),
            proptest::option::of(text),
            proptest::option::of(note),
            proptest::option::of(0..4_294_967_294_i64),
        )
            .prop_map(|(customer, mut prefixes, mut destinations, ticket, note, end)| {
                // None is given twice.
                for nets in [&mut prefixes, &mut destinations] {
                    nets.sort_unstable();
                    nets.dedup();
                }
                Terms {
                    customer: customer.into(),
                    prefixes: prefixes.into(),
                    destinations: destinations.into(),
                    ticket: ticket.map(Into::into),
                    note: note.map(Into::into),
                    expires_at: end.map(|end| Timestamp::from_second(end).unwrap()),
                }
            })
    }

    fn row() -> impl Strategy<Value = Row> {
        (terms(), any::<bool>()).prop_map(|(terms, needs_force)| Row {
            terms,
            needs_force,
            source: None,
        })
    }

    fn as_text(
        Row {
            terms, needs_force, ..
        }: &Row,
    ) -> NewExemption {
        let texts = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect();
        NewExemption {
            customer: terms.customer.to_string(),
            prefixes: texts(&terms.prefixes),
            destinations: texts(&terms.destinations),
            ticket: terms.ticket.as_deref().map(str::to_owned),
            note: terms.note.as_deref().map(str::to_owned),
            expires: terms.expires_at.map(|end| end.to_string()),
            force: *needs_force,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(exemptions in proptest::collection::vec(row(), 0..4)) {
            for (format, is_for_spreadsheet) in [
                (Format::Csv, false),
                (Format::Csv, true),
                (Format::Yaml, false),
                (Format::Json, false),
            ] {
                let mut bytes = Vec::new();
                let options = if is_for_spreadsheet { FOR_SPREADSHEET } else { CsvOptions::default() };
                write(format, &exemptions, options, &mut bytes).unwrap();
                let time_zone = TimeZone::UTC;
                let reader = Reader::new(Timestamp::UNIX_EPOCH, &time_zone);
                let read = formats::read(format, &formats::Columns::default(), &bytes, &reader, &|_| {});
                let text = String::from_utf8_lossy(&bytes);
                let read: Vec<_> = read
                    .unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.in_file("x")))
                    .rows
                    .into_iter()
                    .map(|ImportRow { exemption, .. }| exemption)
                    .collect();
                let expected: Vec<_> = exemptions.iter().map(as_text).collect();
                prop_assert_eq!(read, expected, "{}", text);
            }
        }

        #[test]
        fn no_cell_for_a_spreadsheet_begins_a_formula(exemptions in proptest::collection::vec(row(), 0..4)) {
            let mut bytes = Vec::new();
            write(Format::Csv, &exemptions, FOR_SPREADSHEET, &mut bytes).unwrap();
            let text = str::from_utf8(&bytes).unwrap().strip_prefix('\u{feff}').unwrap();
            let mut reader = csv::ReaderBuilder::new().comment(Some(COMMENT)).from_reader(text.as_bytes());
            for record in reader.records() {
                for cell in &record.unwrap() {
                    prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝']), "{}", text);
                }
            }
        }
    }

    #[test]
    fn files_are_as_people_write_them() {
        let exemption = Terms {
            ticket: Some("OPS-1042".into()),
            note: Some("until they have moved\nto the new relay".into()),
            expires_at: Some("2028-03-31T15:00:00Z".parse().unwrap()),
            ..Terms::new(
                "Example KK",
                ["198.51.100.8/29", "2001:db8:100::/48"].map(|net| net.parse().unwrap()),
            )
        };
        let written_with = |format, source: Option<&str>| {
            let mut bytes = Vec::new();
            let row = Row {
                terms: exemption.clone(),
                needs_force: false,
                source: source.map(str::to_owned),
            };
            write(format, &[row], CsvOptions::default(), &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let written = |format| written_with(format, None);
        insta::assert_snapshot!(written_with(Format::Csv, Some("/etc/op25b/policy.yaml:31")), @r#"
        customer,prefixes,destinations,ticket,note,expires,source
        Example KK,198.51.100.8/29 2001:db8:100::/48,,OPS-1042,"until they have moved
        to the new relay",2028-03-31T15:00:00Z,/etc/op25b/policy.yaml:31
        "#);
        insta::assert_snapshot!(written(Format::Csv), @r#"
        customer,prefixes,destinations,ticket,note,expires
        Example KK,198.51.100.8/29 2001:db8:100::/48,,OPS-1042,"until they have moved
        to the new relay",2028-03-31T15:00:00Z
        "#);
        insta::assert_snapshot!(written(Format::Yaml), @r#"
        exemptions:
          - customer: Example KK
            prefixes: [198.51.100.8/29, 2001:db8:100::/48]
            ticket: OPS-1042
            note: "until they have moved\nto the new relay"
            expires: "2028-03-31T15:00:00Z"
        "#);
    }
}
