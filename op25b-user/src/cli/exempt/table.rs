//! The columns of a list of exemptions.

use jiff::{Timestamp, tz::TimeZone};

use super::words;
use crate::{
    api::Exemption,
    cli::table::{Cell, Column, Rank, UNBROKEN, Value},
    store::State,
};

/// The most prefixes of an exemption that are listed; `show` lists all.
const NETS: usize = 4;

/// When and where the list is read.
pub(in crate::cli) struct Reader {
    pub(in crate::cli) now: Timestamp,
    pub(in crate::cli) time_zone: TimeZone,
}

/// The state that is shown only beside others.
const ACTIVE: &str = words::state(State::Active);

type Listed = Column<Exemption, Reader>;

/// The columns.
pub(in crate::cli) const COLUMNS: [Listed; 11] = [
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
        let text = words::end_from(reader.now, end, &reader.time_zone);
        let text = match text.split_once(" (") {
            Some((at, distance)) => {
                format!(
                    "{at} ({}",
                    distance.replace(' ', UNBROKEN.encode_utf8(&mut [0; 4]))
                )
            }
            None => text,
        };
        Cell::time(text, end).or_short(short_end(exemption, &reader.time_zone))
    })
    .words(),
    Listed::new("state", |exemption, _| {
        Cell::of(
            words::state(exemption.state),
            Value::Number(exemption.state as u64),
        )
        // The short end says it: the column is left out.
        .or_short(ACTIVE)
    })
    .rank(Rank::High)
    .unless_all(ACTIVE),
    Listed::new("ticket", |exemption, _| {
        Cell::optional(exemption.terms.ticket.as_deref())
    })
    .rank(Rank::High)
    .unless_all(""),
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

/// An end for a narrow terminal, where there may be no room for the state: without the time until then, and with what has become of an
/// exemption that is not in force.
fn short_end(exemption: &Exemption, time_zone: &TimeZone) -> String {
    let state = words::state(exemption.state);
    match (exemption.state, exemption.removed_at) {
        (State::Active, _) => words::end(exemption.terms.expires_at, time_zone),
        (State::Removed, Some(at)) => {
            let at = words::instant(at, time_zone);
            format!("{state} {}", at.split(' ').next().unwrap_or_default())
        }
        (State::Removed | State::Expired, _) => {
            format!("{state} {}", words::end(exemption.terms.expires_at, time_zone))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FilePosition, Origin},
        cli::table::{Look, Sort, text},
        exemption::Terms,
        store::Actor,
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
        ID                          CUSTOMER  PREFIXES           ENDS          TICKET
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example   198.51.100.8/29    2028-03-31    OPS-1042
                                    KK        2001:db8:100::/48  (in 31 days)
        line-32                     株式会社  198.51.100.0/32    never
                                    さくらメ  198.51.100.1/32
                                    ール      198.51.100.2/32
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
        ID                          CUSTOMER              PREFIXES                                                       ENDS                     STATE   TICKET    FROM            DESTINATIONS  CREATED                     BY     NOTE
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK            198.51.100.8/29, 2001:db8:100::/48                             2028-03-31 (in 31 days)  active  OPS-1042  store                         2027-03-31 00:00:00 +00:00  alice  until they have moved
        line-32                     株式会社さくらメール  198.51.100.0/32, 198.51.100.1/32, 198.51.100.2/32, and 6 more  never                    active            policy.yaml:32
        left out: []
        ");
    }

    #[test]
    fn at_80_columns_it_is_seen_what_is_not_in_force_whatever_the_prefixes() {
        let shown = |prefix: &str| {
            let mut exemptions = exemptions();
            exemptions[0].state = State::Expired;
            exemptions[1].terms.prefixes = Box::new([prefix.parse().unwrap()]);
            exemptions[1].terms.expires_at = None;
            exemptions[1].state = State::Removed;
            exemptions[1].removed_at = Some("2028-02-12T14:11:02Z".parse().unwrap());
            let look = Look {
                width: Some(80),
                is_wide: false,
                has_header: true,
            };
            let text = text(&COLUMNS, &exemptions, &reader(), look);
            format!("{}\n{}left out: {:?}", text.header, text.rows, text.left_out)
        };
        insta::assert_snapshot!(shown("2001:db8:100:8::/64"), @r#"
        ID                          CUSTOMER  PREFIXES             ENDS        TICKET
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example   198.51.100.8/29      expired     OPS-1042
                                    KK        2001:db8:100::/48    2028-03-31
        line-32                     株式会社  2001:db8:100:8::/64  removed
                                    さくらメ                       2028-02-12
                                    ール
        left out: ["from"]
        "#);
        insta::assert_snapshot!(shown("2001:db8:1234:5678::/64"), @r#"
        ID                          CUSTOMER       PREFIXES                 ENDS
        01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK     198.51.100.8/29          expired
                                                   2001:db8:100::/48        2028-03-31
        line-32                     株式会社さく   2001:db8:1234:5678::/64  removed
                                    らメール                                2028-02-12
        left out: ["ticket", "from"]
        "#);
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
            "there is no column \"expiry\"; the columns are id, customer, prefixes, ends, state, ticket, from, \
             destinations, created, by, note"
        );
    }
}
