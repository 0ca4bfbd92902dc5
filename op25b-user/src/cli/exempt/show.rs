//! `op25b exempt show`: show one exemption in detail.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
    process::ExitCode,
};

use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};

use super::{offline::Offline, output::refuse, words};
use crate::{
    api::{Exemption, Problem},
    cli::{
        EXIT_NO,
        daemon::{Response, ask},
        json,
        paths::Paths,
        problem,
    },
    schema::Schema,
    store::ids::Found,
};

/// Show one exemption in detail.
///
/// Without a daemon the store's file is read and, as root, the file of the policy that is enforced.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b exempt show 01KAXQ3T5BH6Z8W2N4R7C9D1EF
  op25b exempt show line-32                     one of the policy file without an id
  op25b exempt show 01KAXQ3T5BH6Z8W2N4R7C9D1EF --json | jq -r .ticket

Exit codes: 0 shown; 1 no exemption has this id; 2 failed.")]
pub struct Args {
    /// The exemption's id, as `op25b exempt list` shows it, or a unique beginning of it of at least 4 characters.
    id: String,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let exemption = match ask(&args.paths, async |client| client.show(&args.id).await)? {
        Response::Done(exemption) => exemption,
        Response::Refused(problem) => return refuse(&problem, args.json, None),
        Response::NoDaemon => {
            let offline = Offline::open(&args.paths)?;
            offline.say_so();
            match offline.show(&args.id)? {
                Found::One(exemption) => exemption,
                Found::None => {
                    let id = words::printable(&args.id);
                    let problem = Problem::not_found(format!("there is no exemption {id}"));
                    return problem::refuse(&problem, args.json, EXIT_NO);
                }
                Found::Ambiguous(ambiguous) => {
                    let problem = Problem::invalid(ambiguous.to_string());
                    return problem::refuse(&problem, args.json, EXIT_NO);
                }
            }
        }
    };
    if args.json {
        json::print(Schema::ExemptShow, &exemption)?;
    } else {
        let text = text(&exemption, Timestamp::now(), &TimeZone::system())?;
        write!(anstream::stdout().lock(), "{text}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn text(exemption: &Exemption, now: Timestamp, time_zone: &TimeZone) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "exemption {}", words::printable(&exemption.id))?;
    text.push_str(&fields(exemption, now, time_zone)?);
    Ok(text)
}

/// What is known of an exemption besides its id, a line for each part.
pub(super) fn fields(
    exemption: &Exemption,
    now: Timestamp,
    time_zone: &TimeZone,
) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let mut field = |label: &str, value: &str| writeln!(text, "  {label:<12}  {value}");
    let terms = &exemption.terms;
    field("customer", &words::printable(&terms.customer))?;
    let mut label = "prefixes";
    for net in &terms.prefixes {
        field(label, &net.to_string())?;
        label = "";
    }
    label = "destinations";
    if terms.destinations.is_empty() {
        field(label, "everywhere")?;
    }
    for net in &terms.destinations {
        field(label, &net.to_string())?;
        label = "";
    }
    if let Some(ticket) = &terms.ticket {
        field("ticket", &words::printable(ticket))?;
    }
    label = "note";
    for line in terms.note.iter().flat_map(|note| note.lines()) {
        field(label, &words::printable(line))?;
        label = "";
    }
    if let Some(at) = exemption.created_at {
        let by = exemption.created_by.as_ref();
        let by = by.map_or(String::new(), |actor| format!(" by {}", words::actor(actor)));
        field("added", &format!("{}{by}", words::instant(at, time_zone)))?;
    }
    field("ends", &words::end_from(now, terms.expires_at, time_zone))?;
    if let Some(at) = exemption.removed_at {
        let removal = exemption.removal.as_ref();
        let by = removal.map_or(String::new(), |removal| {
            format!(" by {}", words::actor(&removal.by))
        });
        field("removed", &format!("{}{by}", words::instant(at, time_zone)))?;
        label = "reason";
        for line in removal
            .and_then(|removal| removal.reason.as_deref())
            .iter()
            .flat_map(|reason| reason.lines())
        {
            field(label, &words::printable(line))?;
            label = "";
        }
    }
    if let Some(batch) = &exemption.batch {
        field("batch", &words::printable(batch))?;
    }
    field("state", words::state(exemption.state))?;
    field(
        "from",
        &match &exemption.place {
            Some(place) => format!(
                "{}:{}:{}",
                words::printable(&place.file.to_string_lossy()),
                place.line,
                place.column
            ),
            None => words::origin(exemption),
        },
    )?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::{FilePosition, Origin, Removal},
        exemption::Terms,
        store::{Actor, State},
    };

    #[test]
    fn everything_is_shown_that_is_known() {
        let exemption = Exemption {
            id: "01KAXQ3T5BH6Z8W2N4R7C9D1EF".into(),
            origin: Origin::Store,
            terms: Terms {
                destinations: Box::new(["192.0.2.25/32".parse().unwrap()]),
                ticket: Some("OPS-1042".into()),
                note: Some("until they have moved\nto the new relay".into()),
                expires_at: Some("2028-04-01T00:00:00Z".parse().unwrap()),
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
            removed_at: Some("2027-04-30T12:00:00Z".parse().unwrap()),
            removal: Some(Removal {
                by: Actor {
                    uid: 1001,
                    name: "tanaka".into(),
                },
                reason: Some("moved to\nthe new relay".into()),
            }),
            state: State::Removed,
            batch: Some("01KAXQ3T000000000000000000".into()),
            revision: Some(7),
            place: None,
            needs_force: false,
        };
        let now = "2028-03-01T00:00:00Z".parse().unwrap();
        insta::assert_snapshot!(text(&exemption, now, &TimeZone::UTC).unwrap(), @r"
        exemption 01KAXQ3T5BH6Z8W2N4R7C9D1EF
          customer      Example KK
          prefixes      198.51.100.8/29
                        2001:db8:100::/48
          destinations  192.0.2.25/32
          ticket        OPS-1042
          note          until they have moved
                        to the new relay
          added         2027-03-31 00:00:00 +00:00 by alice
          ends          2028-03-31 (in 31 days)
          removed       2027-04-30 12:00:00 +00:00 by tanaka
          reason        moved to
                        the new relay
          batch         01KAXQ3T000000000000000000
          state         removed
          from          store
        ");
        let in_file = Exemption {
            id: "line-32".into(),
            origin: Origin::Policy,
            terms: Terms::new("A\u{1b}[31m", exemption.terms.prefixes),
            created_at: None,
            created_by: None,
            removed_at: None,
            removal: None,
            state: State::Active,
            batch: None,
            revision: None,
            place: Some(FilePosition {
                file: "/etc/op25b/policy.yaml".into(),
                line: 32,
                column: 5,
            }),
            needs_force: false,
        };
        insta::assert_snapshot!(text(&in_file, now, &TimeZone::UTC).unwrap(), @r"
        exemption line-32
          customer      A<U+001B>[31m
          prefixes      198.51.100.8/29
                        2001:db8:100::/48
          destinations  everywhere
          ends          never
          state         active
          from          /etc/op25b/policy.yaml:32:5
        ");
    }
}
