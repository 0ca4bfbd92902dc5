//! Exemptions to a file, such that reading it says the same again.

use std::io::{self, Write};

use anyhow::Context as _;
use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;
use serde_yaml::FlowSeq;

use super::{Format, csv::COLUMNS};
use crate::api::Exemption;

/// What a file says of an exemption.
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
}

#[derive(Serialize)]
struct Document<I> {
    exemptions: Vec<I>,
}

/// Writes exemptions, all of them or what went wrong.
///
/// # Errors
///
/// The writer's.
pub(in super::super) fn write(
    format: Format,
    exemptions: &[Exemption],
    out: &mut impl Write,
) -> anyhow::Result<()> {
    match format {
        Format::Csv => csv(exemptions, out).context("cannot write CSV"),
        Format::Json => {
            let items = document(exemptions, |nets| nets);
            serde_json::to_writer_pretty(&mut *out, &items)?;
            Ok(writeln!(out)?)
        }
        Format::Yaml => {
            let items = document(exemptions, FlowSeq);
            let options = serde_yaml::ser_options! {
                // One line for each key, however long: a note that is folded is a note that is hard to find.
                prefer_block_scalars: false,
                compact_list_indent: false,
            };
            let text = serde_yaml::to_string_with_options(&items, options)?;
            Ok(out.write_all(text.as_bytes())?)
        }
    }
}

fn document<'a, L>(exemptions: &'a [Exemption], list: impl Fn(&'a [IpNet]) -> L) -> Document<Item<'a, L>> {
    let item = |exemption: &'a Exemption| Item {
        customer: &exemption.customer,
        prefixes: list(&exemption.prefixes),
        destinations: (!exemption.destinations.is_empty()).then(|| list(&exemption.destinations)),
        ticket: exemption.ticket.as_deref(),
        note: exemption.note.as_deref(),
        expires: exemption.expires_at,
    };
    Document {
        exemptions: exemptions.iter().map(item).collect(),
    }
}

fn csv(exemptions: &[Exemption], out: &mut impl Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    writer.write_record(COLUMNS)?;
    for exemption in exemptions {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        writer.write_record([
            exemption.customer.clone(),
            list(&exemption.prefixes),
            list(&exemption.destinations),
            text(&exemption.ticket),
            text(&exemption.note),
            exemption.expires_at.map_or(String::new(), |end| end.to_string()),
        ])?;
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

    use super::*;
    use crate::{
        api::{ImportRow, NewExemption, Origin},
        cli::exempt::file,
        store::State,
    };

    fn exemption() -> impl Strategy<Value = Exemption> {
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
            Just("\u{feff}x"),
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
            .prop_map(
                |(customer, prefixes, destinations, ticket, note, end)| Exemption {
                    id: String::new(),
                    origin: Origin::Store,
                    customer,
                    prefixes,
                    destinations,
                    ticket,
                    note,
                    created_at: None,
                    created_by: None,
                    expires_at: end.map(|end| Timestamp::from_second(end).unwrap()),
                    removed_at: None,
                    state: State::Active,
                    revision: None,
                    place: None,
                },
            )
    }

    fn asked_for(exemption: &Exemption) -> NewExemption {
        let texts = |nets: &[IpNet]| nets.iter().map(ToString::to_string).collect();
        NewExemption {
            customer: exemption.customer.clone(),
            prefixes: texts(&exemption.prefixes),
            destinations: texts(&exemption.destinations),
            ticket: exemption.ticket.clone(),
            note: exemption.note.clone(),
            expires: exemption.expires_at.map(|end| end.to_string()),
            force: false,
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(exemptions in proptest::collection::vec(exemption(), 0..4)) {
            for format in [Format::Csv, Format::Yaml, Format::Json] {
                let mut bytes = Vec::new();
                write(format, &exemptions, &mut bytes).unwrap();
                let read = file::read(format, &bytes, &|_| {});
                let text = String::from_utf8_lossy(&bytes);
                let read: Vec<_> = read
                    .unwrap_or_else(|mistakes| panic!("{}\n{text}", mistakes.in_file("x")))
                    .into_iter()
                    .map(|ImportRow { exemption, .. }| exemption)
                    .collect();
                let asked: Vec<_> = exemptions.iter().map(asked_for).collect();
                prop_assert_eq!(read, asked, "{}", text);
            }
        }
    }

    #[test]
    fn files_are_as_people_write_them() {
        let exemption = Exemption {
            id: String::new(),
            origin: Origin::Store,
            customer: "Example KK".into(),
            prefixes: ["198.51.100.8/29", "2001:db8:100::/48"]
                .map(|net| net.parse().unwrap())
                .into(),
            destinations: Vec::new(),
            ticket: Some("OPS-1042".into()),
            note: Some("until they have moved\nto the new relay".into()),
            created_at: None,
            created_by: None,
            expires_at: Some("2028-03-31T15:00:00Z".parse().unwrap()),
            removed_at: None,
            state: State::Active,
            revision: Some(1),
            place: None,
        };
        let written = |format| {
            let mut bytes = Vec::new();
            write(format, std::slice::from_ref(&exemption), &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
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
