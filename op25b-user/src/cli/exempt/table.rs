//! The columns of a list of exemptions.

use jiff::{Timestamp, tz::TimeZone};

use super::words;
use crate::{
    api::Exemption,
    cli::table::{Cell, Column, Rank, Value},
};

/// The most prefixes of an exemption that are listed; `show` lists all.
const NETS: usize = 4;

/// When and where the list is read.
pub(super) struct Reader {
    pub(super) now: Timestamp,
    pub(super) time_zone: TimeZone,
}

type Listed = Column<Exemption, Reader>;

/// The columns.
pub(super) const COLUMNS: [Listed; 11] = [
    Listed::new("id", |exemption, _| Cell::text(exemption.id.as_str())),
    Listed::new("customer", |exemption, _| {
        Cell::text(exemption.terms.customer.as_str())
    })
    .wrapped(8),
    Listed::new("prefixes", |exemption, _| {
        Cell::nets(&exemption.terms.prefixes, NETS)
    }),
    Listed::new("ends", |exemption, reader| {
        let end = exemption.terms.expires_at;
        Cell::time(words::end_from(reader.now, end, &reader.time_zone), end)
    })
    .wrapped(10),
    Listed::new("ticket", |exemption, _| {
        Cell::optional(exemption.terms.ticket.as_deref())
    })
    .rank(Rank::High)
    .unless_all(""),
    Listed::new("state", |exemption, _| {
        Cell::of(
            words::state(exemption.state),
            Value::Number(exemption.state as u64),
        )
    })
    .rank(Rank::High)
    .unless_all("active"),
    Listed::new("from", |exemption, _| Cell::text(words::origin(exemption))).rank(Rank::Middle),
    Listed::new("destinations", |exemption, _| {
        Cell::nets(&exemption.terms.destinations, NETS)
    })
    .rank(Rank::Low)
    .unless_all(""),
    Listed::new("created", |exemption, reader| {
        let at = exemption.created_at;
        let text = at.map_or_else(String::new, |at| words::instant(at, &reader.time_zone));
        Cell::time(text, at)
    })
    .rank(Rank::Wide),
    Listed::new("by", |exemption, _| {
        let by = exemption.created_by.as_ref().map(words::actor);
        Cell::optional(by.as_deref())
    })
    .rank(Rank::Wide),
    Listed::new("note", |exemption, _| {
        Cell::optional(exemption.terms.note.as_deref())
    })
    .rank(Rank::Wide)
    .wrapped(16),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FilePosition, Origin},
        cli::table::{Look, Sort, text},
        exemption::Terms,
        store::{Actor, State},
    };

    fn exemptions() -> Vec<Exemption> {
        let stored = Exemption {
            id: "01KAXQ3T5BH6Z8W2N4R7C9D1EF".into(),
            origin: Origin::Store,
            terms: Terms {
                expires_at: Some("2028-04-01T00:00:00Z".parse().unwrap()),
                ticket: Some("OPS-1042".into()),
                note: Some("until they have moved".into()),
                ..Terms::new(
                    "Example KK",
                    ["198.51.100.8/29", "2001:db8:100::/48"].map(|net| net.parse().unwrap()),
                )
            },
            created_at: Some("2027-03-31T00:00:00Z".parse().unwrap()),
            created_by: Some(Actor {
                uid: 1000,
                name: "alice".into(),
            }),
            removed_at: None,
            removal: None,
            batch: None,
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
            created_at: None,
            created_by: None,
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

    fn reader() -> Reader {
        Reader {
            now: "2028-03-01T00:00:00Z".parse().unwrap(),
            time_zone: TimeZone::UTC,
        }
    }

    fn shown(width: Option<u16>, is_wide: bool) -> String {
        let look = Look {
            width,
            is_wide,
            has_header: true,
        };
        let text = text(&COLUMNS, &exemptions(), &reader(), look);
        format!("{}\n{}left out: {:?}", text.header, text.rows, text.left_out)
    }

    #[test]
    fn on_a_terminal_it_is_as_wide_as_that() {
        insta::assert_snapshot!(shown(Some(80), false), @r#"
        ID                          CUSTOMER     PREFIXES           ENDS        TICKET
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK   198.51.100.8/29    2028-03-31  OPS-1042
                                                 2001:db8:100::/48  (in 31
                                                                    days)
        line-32                     株式会社さ   198.51.100.0/32    never
                                    くらメール   198.51.100.1/32
                                                 198.51.100.2/32
                                                 and 6 more
        left out: ["from"]
        "#);
        insta::assert_snapshot!(shown(Some(100), false), @r"
        ID                          CUSTOMER       PREFIXES           ENDS          TICKET    FROM
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK     198.51.100.8/29    2028-03-31    OPS-1042  store
                                                   2001:db8:100::/48  (in 31 days)
        line-32                     株式会社さく   198.51.100.0/32    never                   policy.yaml:32
                                    らメール       198.51.100.1/32
                                                   198.51.100.2/32
                                                   and 6 more
        left out: []
        ");
    }

    #[test]
    fn elsewhere_every_exemption_is_a_line() {
        insta::assert_snapshot!(shown(None, false), @r"
        ID                          CUSTOMER              PREFIXES                                                       ENDS                     TICKET    FROM
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK            198.51.100.8/29, 2001:db8:100::/48                             2028-03-31 (in 31 days)  OPS-1042  store
        line-32                     株式会社さくらメール  198.51.100.0/32, 198.51.100.1/32, 198.51.100.2/32, and 6 more  never                              policy.yaml:32
        left out: []
        ");
    }

    #[test]
    fn the_wide_list_has_everything() {
        insta::assert_snapshot!(shown(Some(80), true), @r"
        ID                          CUSTOMER              PREFIXES                                                       ENDS                     TICKET    STATE   FROM            DESTINATIONS  CREATED                     BY     NOTE
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK            198.51.100.8/29, 2001:db8:100::/48                             2028-03-31 (in 31 days)  OPS-1042  active  store                         2027-03-31 00:00:00 +00:00  alice  until they have moved
        line-32                     株式会社さくらメール  198.51.100.0/32, 198.51.100.1/32, 198.51.100.2/32, and 6 more  never                              active  policy.yaml:32
        left out: []
        ");
    }

    #[test]
    fn it_is_sorted_by_any_column() {
        for (sort, first) in [
            ("id", "01KAXQ3T5BH6Z8W2N4R7C9D1EF"),
            ("-id", "line-32"),
            // What never ends comes last.
            ("ends", "01KAXQ3T5BH6Z8W2N4R7C9D1EF"),
            ("-ends", "line-32"),
            ("state,-prefixes", "01KAXQ3T5BH6Z8W2N4R7C9D1EF"),
            ("from", "line-32"),
            ("created", "01KAXQ3T5BH6Z8W2N4R7C9D1EF"),
        ] {
            let mut exemptions = exemptions();
            Sort::parse(sort, &COLUMNS)
                .unwrap()
                .apply(&mut exemptions, &COLUMNS, &reader());
            assert_eq!(exemptions[0].id, first, "{sort}");
        }
        assert_eq!(
            Sort::parse("expiry", &COLUMNS).unwrap_err(),
            "there is no column \"expiry\"; the columns are id, customer, prefixes, ends, ticket, state, from, \
             destinations, created, by, note"
        );
    }
}
