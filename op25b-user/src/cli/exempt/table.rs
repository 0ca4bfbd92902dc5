//! A table of exemptions, as wide as the terminal.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use jiff::{Timestamp, tz::TimeZone};

use super::words;
use crate::{api::Exemption, store::State};

const HEADER: [&str; 6] = ["ID", "CUSTOMER", "PREFIXES", "ENDS", "FROM", "STATE"];
/// The least width of a column. `None`: its texts are never broken, so that they can be copied.
const NARROWEST: [Option<u16>; 6] = [None, Some(8), None, Some(10), Some(7), None];
/// The space between columns.
const GAP: u16 = 2;
/// The most prefixes of an exemption that are listed; `show` lists all.
const PREFIXES: usize = 4;

/// The table, its header first. With a width every prefix has a line of its own; without one every exemption has. The
/// states are shown if not all exemptions are active.
pub(super) fn table(
    exemptions: &[Exemption],
    now: Timestamp,
    time_zone: &TimeZone,
    width: Option<u16>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width),
        None => table.set_content_arrangement(ContentArrangement::Disabled),
    };
    let has_states = exemptions
        .iter()
        .any(|exemption| exemption.state != State::Active);
    let columns = if has_states {
        HEADER.len()
    } else {
        HEADER.len() - 1
    };
    table.set_header(&HEADER[..columns]);
    let separator = if width.is_some() { "\n" } else { ", " };
    for exemption in exemptions {
        let row = [
            words::printable(&exemption.id),
            words::printable(&exemption.terms.customer),
            prefixes(exemption, separator),
            words::end_from(now, exemption.terms.expires_at, time_zone),
            words::origin(exemption),
            words::state(exemption.state).to_owned(),
        ];
        table.add_row(&row[..columns]);
    }
    let widths = table.column_max_content_widths();
    let narrow = NARROWEST.iter().zip(&widths);
    let needed: u16 = narrow
        .map(|(narrowest, width)| narrowest.unwrap_or(*width) + GAP)
        .sum();
    // On a very narrow terminal every column may be broken.
    let is_roomy = width.is_some_and(|width| needed <= width);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, GAP));
        if is_roomy {
            column.set_constraint(match NARROWEST[index] {
                None => ColumnConstraint::ContentWidth,
                Some(narrowest) => ColumnConstraint::LowerBoundary(Width::Fixed(narrowest + GAP)),
            });
        }
    }
    let mut text = table.trim_fmt();
    text.push('\n');
    text
}

fn prefixes(exemption: &Exemption, separator: &str) -> String {
    let nets = &exemption.terms.prefixes;
    if nets.len() <= PREFIXES {
        return words::nets(nets, separator);
    }
    let (first, more) = nets.split_at(PREFIXES - 1);
    format!(
        "{}{separator}and {} more",
        words::nets(first, separator),
        more.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FilePosition, Origin},
        exemption::Terms,
    };

    fn exemptions() -> Vec<Exemption> {
        let stored = Exemption {
            id: "01KAXQ3T5BH6Z8W2N4R7C9D1EF".into(),
            origin: Origin::Store,
            terms: Terms {
                expires_at: Some("2028-04-01T00:00:00Z".parse().unwrap()),
                ..Terms::new(
                    "Example KK",
                    ["198.51.100.8/29", "2001:db8:100::/48"].map(|net| net.parse().unwrap()),
                )
            },
            created_at: None,
            created_by: None,
            removed_at: None,
            state: State::Active,
            revision: Some(7),
            place: None,
            needs_force: false,
        };
        let filed = Exemption {
            id: "line-32".into(),
            origin: Origin::Policy,
            terms: Terms::new(
                "株式会社さくらメール",
                (0..9)
                    .map(|i| format!("198.51.100.{i}/32").parse().unwrap())
                    .collect::<Vec<_>>(),
            ),
            place: Some(FilePosition {
                file: "/etc/op25b/policy.yaml".into(),
                line: 32,
                column: 5,
            }),
            revision: None,
            ..stored.clone()
        };
        vec![stored, filed]
    }

    fn shown(width: Option<u16>) -> String {
        let now = "2028-03-01T00:00:00Z".parse().unwrap();
        table(&exemptions(), now, &TimeZone::UTC, width)
    }

    #[test]
    fn on_a_terminal_it_is_as_wide_as_that() {
        insta::assert_snapshot!(shown(Some(80)), @r"
        ID                          CUSTOMER  PREFIXES           ENDS        FROM
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example   198.51.100.8/29    2028-03-31  store
                                    KK        2001:db8:100::/48  (in 31
                                                                 days)
        line-32                     株式会社  198.51.100.0/32    never       policy.ya
                                    さくらメ  198.51.100.1/32                ml:32
                                    ール      198.51.100.2/32
                                              and 6 more
        ");
        for width in [60, 80, 100, 200] {
            for line in shown(Some(width)).lines() {
                let columns = unicode_width::UnicodeWidthStr::width(line);
                assert!(columns <= usize::from(width), "{columns} > {width}: {line}");
            }
        }
    }

    #[test]
    fn elsewhere_every_exemption_is_a_line() {
        insta::assert_snapshot!(shown(None), @r"
        ID                          CUSTOMER              PREFIXES                                                       ENDS                     FROM
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK            198.51.100.8/29, 2001:db8:100::/48                             2028-03-31 (in 31 days)  store
        line-32                     株式会社さくらメール  198.51.100.0/32, 198.51.100.1/32, 198.51.100.2/32, and 6 more  never                    policy.yaml:32
        ");
        assert_eq!(shown(None).lines().count(), 3);
    }

    #[test]
    fn states_are_shown_if_they_differ() {
        let mut exemptions = exemptions();
        exemptions[0].state = State::Expired;
        let now = "2028-03-01T00:00:00Z".parse().unwrap();
        let text = table(&exemptions, now, &TimeZone::UTC, None);
        let last: Vec<_> = text
            .lines()
            .map(|line| line.rsplit(' ').next().unwrap())
            .collect();
        assert_eq!(last, ["STATE", "expired", "active"]);
    }
}
