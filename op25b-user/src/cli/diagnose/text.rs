//! Writes a diagnosis as text: a line that answers, then what it rests on, then what to do.

use std::{collections::BTreeSet, fmt::Write as _};

use ipnet::IpNet;
use jiff::tz::TimeZone;

use super::places::{Clock, Group, Word, listed};
use crate::{
    api::{Exemption, Explained, RuleKind},
    cli::{subscribers::text::about, table::fold_below},
    counted::counted,
    policy::characters::printable,
    report::{AskedKind, Diagnosis, Observed, Part, SubscriberRow, Target, address_or_prefix as net},
    store::{Actor, Operation, State},
    time::show,
};

/// The most items of each kind; the JSON document has all.
const MOST: usize = 6;
/// The most prefixes in a line.
const NETS: usize = 3;

impl Diagnosis {
    /// The text for people, in their time zone, folded to a width if there is one.
    pub(super) fn text(&self, time_zone: &TimeZone, width: Option<u16>) -> String {
        let clock = Clock {
            now: self.at,
            time_zone,
        };
        let mut text = fold_below(&self.answer(clock), 2, width) + "\n";
        let mut section = |label: &str, lines: Vec<String>| {
            let mut label = label;
            for line in lines {
                // Writing to a string cannot fail.
                let deeper = line.len() - line.trim_start().len();
                let line = format!("  {label:<10}  {line}");
                let _ = writeln!(text, "{}", fold_below(&line, 16 + deeper, width));
                label = "";
            }
        };
        section("verdict", self.verdicts());
        section("exemptions", self.exemption_lines(clock));
        section("attempts", self.attempt_lines(clock));
        section("last day", self.operation_lines(clock));
        section("faults", self.fault_lines(clock));
        section("left out", self.left_out.clone());
        section("to do", self.actions.clone());
        text
    }

    /// The line that answers.
    fn answer(&self, clock: Clock<'_>) -> String {
        let subject = self.subject();
        match &self.targets[..] {
            [target] => {
                let of = net(target.prefix);
                let subject = if subject == of {
                    of
                } else {
                    format!("{subject} ({of})")
                };
                target.sentence(&subject, clock)
            }
            targets => {
                let count = targets.len();
                let mut blocked = targets.iter().filter(|target| target.is_blocked());
                match blocked.next() {
                    None => format!("{subject}: none of {count} prefixes is blocked"),
                    Some(first) => format!(
                        "{subject}: {} of {count} prefixes BLOCKED: {}",
                        blocked.count() + 1,
                        first.sentence(&net(first.prefix), clock)
                    ),
                }
            }
        }
    }

    /// What was asked about, as people name it.
    fn subject(&self) -> String {
        let asked = printable(&self.asked).into_owned();
        match self.kind {
            AskedKind::Address | AskedKind::Prefix => {
                self.targets.first().map_or(asked, |target| net(target.prefix))
            }
            AskedKind::Exemption => format!("exemption {asked}"),
            AskedKind::Ticket => format!("ticket {asked}"),
            AskedKind::Customer => {
                let names = self.exemptions.iter().map(|one| &one.terms.customer);
                let mut names: Vec<_> = names.collect();
                names.sort_unstable();
                names.dedup();
                match names[..] {
                    [name] => printable(name).into_owned(),
                    _ => format!("{} with `{asked}`", counted(names.len(), "customer")),
                }
            }
        }
    }

    fn verdicts(&self) -> Vec<String> {
        let parts = self.targets.iter().flat_map(|target| &target.parts);
        let is_one = parts.clone().count() == 1;
        let lines = parts.flat_map(|part| {
            let of = if is_one {
                String::new()
            } else {
                nets(&part.prefixes) + ": "
            };
            let groups = Group::all(&part.verdicts).into_iter();
            groups.map(move |group| {
                let (line, rule) = group.lines();
                let rule = rule.map(|rule| format!("  by {rule}"));
                std::iter::once(of.clone() + &line).chain(rule).collect()
            })
        });
        first(lines.collect())
    }

    fn exemption_lines(&self, clock: Clock<'_>) -> Vec<String> {
        if self.exemptions.is_empty() {
            return vec!["none, neither in force nor ended".to_owned()];
        }
        first(
            self.exemptions
                .iter()
                .map(|one| exemption(one, clock).into())
                .collect(),
        )
    }

    fn attempt_lines(&self, clock: Clock<'_>) -> Vec<String> {
        let rows = &self.attempts.subscribers;
        let mut lines: Vec<String> = rows
            .iter()
            .take(MOST)
            .flat_map(|row| attempts(row, clock))
            .collect();
        let more = self.attempts.matching.saturating_sub(rows.len().min(MOST));
        let pools = self.pools();
        let unseen = self.attempts.pools_not_remembered.iter();
        let is_of_these = |pool: &&String| pools.is_empty() || pools.contains(pool.as_str());
        let unseen: Vec<String> = unseen.filter(is_of_these).cloned().collect();
        if lines.is_empty() && self.is_outside_pools() {
            lines.push("not recorded: it is in no pool".to_owned());
        } else if lines.is_empty() {
            let is_unseen =
                !pools.is_empty() && pools.iter().all(|pool| unseen.iter().any(|name| name == pool));
            lines.extend((!is_unseen).then(|| "none counted".to_owned()));
        } else if more > 0 {
            lines.push(format!(
                "and of {}: `op25b subscribers`",
                counted(more, "other subscriber")
            ));
        }
        if !unseen.is_empty() {
            lines.push(format!(
                "not recorded in pool {}, by `subscribers: {{ remember: ... }}` of the policy",
                listed(&unseen)
            ));
        }
        lines
    }

    /// The verdicts of the program.
    fn decisions(&self) -> impl Iterator<Item = &Explained> {
        let places = self.targets.iter().flat_map(|target| &target.parts);
        let places = places.flat_map(|part| &part.verdicts);
        places.filter_map(|place| match &place.observed {
            Observed::Decided { explained } => Some(&**explained),
            Observed::Unfiltered { .. } | Observed::Missing | Observed::Unknown { .. } => None,
        })
    }

    /// The pools that decide.
    fn pools(&self) -> BTreeSet<&str> {
        let rules = self.decisions().filter_map(|explained| explained.rule.as_ref());
        let pools = rules.filter(|rule| rule.kind == RuleKind::Pool);
        pools.map(|rule| rule.name.as_str()).collect()
    }

    /// Whether the program decides, and finds no pool.
    fn is_outside_pools(&self) -> bool {
        let mut decisions = self.decisions().peekable();
        decisions.peek().is_some() && decisions.all(|explained| explained.reason == "not_pooled")
    }

    fn operation_lines(&self, clock: Clock<'_>) -> Vec<String> {
        let mut lines = first(
            self.operations
                .iter()
                .map(|one| vec![operation(one, clock)])
                .collect(),
        );
        if lines.is_empty() {
            lines.push("no start, stop, reload or pause".to_owned());
        }
        lines
    }

    fn fault_lines(&self, clock: Clock<'_>) -> Vec<String> {
        if !self.daemon {
            return vec!["not known: no daemon answers".to_owned()];
        }
        let faults = self.faults.iter().map(|fault| {
            let since = show::instant(fault.since, clock.time_zone);
            format!(
                "{} since {since}: {}",
                fault.kind.name(),
                printable(&fault.message)
            )
        });
        let mut lines: Vec<_> = faults.collect();
        if lines.is_empty() {
            lines.push("none".to_owned());
        }
        lines
    }
}

/// The lines of the first items, and how many items are left out.
fn first(items: Vec<Vec<String>>) -> Vec<String> {
    let more = items.len().saturating_sub(MOST);
    let lines = items.into_iter().take(MOST).flatten();
    lines
        .chain((more > 0).then(|| format!("{more} more: `--json` has all")))
        .collect()
}

/// What an exemption is, and whether it is in force.
fn exemption(one: &Exemption, clock: Clock<'_>) -> [String; 2] {
    let terms = &one.terms;
    let what = format!(
        "{}  {}  {}",
        printable(&one.id),
        printable(&terms.customer),
        nets(&terms.prefixes)
    );
    let moment = |at| {
        format!(
            "{} ({})",
            show::instant(at, clock.time_zone),
            show::distance(clock.now, at)
        )
    };
    // As `exempt list` has it.
    let ends = |end| show::end_from(clock.now, end, clock.time_zone);
    let mut details = vec![match (one.state, terms.expires_at, one.removed_at) {
        (State::Active, None, _) => "in force, without an end".to_owned(),
        (State::Active, end @ Some(_), _) => format!("in force until {}", ends(end)),
        (_, _, Some(removed)) if one.was_removed_in_force() => {
            format!("REMOVED {}{}", moment(removed), removal(one))
        }
        (_, end @ Some(_), Some(removed)) => {
            format!(
                "ENDED {}, and removed {}{}",
                ends(end),
                show::instant(removed, clock.time_zone),
                removal(one)
            )
        }
        (_, end @ Some(_), None) => format!("ENDED {}", ends(end)),
        (_, None, _) => "REMOVED".to_owned(),
    }];
    if !terms.destinations.is_empty() {
        details.push(format!("to {} only", nets(&terms.destinations)));
    }
    let ticket = terms.ticket.as_deref();
    details.extend(ticket.map(|ticket| format!("ticket {}", printable(ticket))));
    details.extend(
        one.created_by
            .as_ref()
            .map(|by| format!("added by {}", actor(by))),
    );
    let place = one.place.as_ref();
    details.extend(place.map(|place| format!("{}:{}", place.file.display(), place.line)));
    [what, format!("  {}", details.join("; "))]
}

/// ` by alice: contract ended`
fn removal(one: &Exemption) -> String {
    let Some(removal) = &one.removal else {
        return String::new();
    };
    let why = removal.reason.as_deref();
    let why = why.map_or_else(String::new, |why| format!(": {}", printable(why)));
    format!(" by {}{why}", actor(&removal.by))
}

/// What the kernel has counted of a subscriber.
fn attempts(row: &SubscriberRow, clock: Clock<'_>) -> [String; 2] {
    let sum = |one: u32, other: u32| u64::from(one) + u64::from(other);
    let syns = sum(row.blocked_syns, row.monitored_syns);
    let others = sum(row.blocked_others, row.monitored_others);
    let minute = |at| show::minute(at, clock.time_zone);
    [
        format!(
            "{}: {} and {others} other packets to {} {}, {} hidden",
            row.subscriber,
            counted(usize::try_from(syns).unwrap_or(usize::MAX), "SYN"),
            about(row.destinations),
            if row.destinations == 1 {
                "destination"
            } else {
                "destinations"
            },
            row.hidden
        ),
        format!(
            "  since first seen {}; last seen {} ({})",
            minute(row.first_seen),
            minute(row.last_seen),
            show::distance(clock.now, row.last_seen)
        ),
    ]
}

/// `2026-11-29 03:00:00 +09:00  pause by alice: corporate mail fails; pool residential; until …`
fn operation(one: &Operation, clock: Clock<'_>) -> String {
    let Operation {
        at,
        by,
        what,
        pool,
        reason,
        detail,
        until,
    } = one;
    let more = [
        reason.as_deref().map(|reason| format!(": {}", printable(reason))),
        pool.as_deref().map(|pool| format!("; pool {}", printable(pool))),
        until.map(|until| format!("; until {}", show::instant(until, clock.time_zone))),
        detail.as_deref().map(|detail| format!("; {}", printable(detail))),
    ];
    // What nobody asked for by name, as with a signal, is by no user.
    let user = if *by == Actor::op25b() {
        String::new()
    } else {
        format!(" by {}", actor(by))
    };
    format!(
        "{}  {}{user}{}",
        show::instant(*at, clock.time_zone),
        what.name().replace('_', " "),
        more.into_iter().flatten().collect::<String>()
    )
}

/// A user: by name, or by number if the system has no name.
fn actor(actor: &Actor) -> String {
    if actor.name == actor.uid.to_string() {
        format!("uid {}", actor.uid)
    } else {
        printable(&actor.name).into_owned()
    }
}

impl Target {
    fn is_blocked(&self) -> bool {
        self.parts.iter().any(Part::is_blocked)
    }

    /// `198.51.100.10 is BLOCKED on eth1: exemption 01KAX… of Example KK ended 03:00 today (…)`
    fn sentence(&self, subject: &str, clock: Clock<'_>) -> String {
        let [part] = &self.parts[..] else {
            return self.sentence_of_parts(subject, clock);
        };
        let groups = Group::all(&part.verdicts);
        if groups.is_empty() {
            return format!("{subject} PASSES: no filter runs here");
        }
        let clauses = groups.iter().map(|group| group.clause(clock));
        format!("{subject} {}", clauses.collect::<Vec<_>>().join("; it "))
    }

    /// `198.51.100.0/24 is BLOCKED, but for 198.51.100.8/29 (exemption 01KAX… of Example KK)`
    fn sentence_of_parts(&self, subject: &str, clock: Clock<'_>) -> String {
        let (blocked, others): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| part.is_blocked());
        let named = |parts: &[&Part]| {
            let all = parts.iter().flat_map(|part| part.prefixes.iter().copied());
            let first = parts.first().map(|part| Group::all(&part.verdicts));
            let why = first.and_then(|groups| groups.first()?.why(clock));
            let why = why.filter(|_| parts.len() == 1);
            let why = why.map_or_else(String::new, |why| format!(" ({why})"));
            nets(&all.collect::<Vec<_>>()) + &why
        };
        let count = |parts: &[&Part]| parts.iter().map(|part| part.prefixes.len()).sum::<usize>();
        if blocked.is_empty() {
            format!("{subject} PASSES, by different rules")
        } else if others.is_empty() {
            format!("{subject} is BLOCKED, by different rules")
        } else if count(&others) <= count(&blocked) {
            format!("{subject} is BLOCKED, but for {}", named(&others))
        } else {
            format!("{subject} PASSES, but for {}, which is BLOCKED", named(&blocked))
        }
    }
}

impl Part {
    fn is_blocked(&self) -> bool {
        self.verdicts
            .iter()
            .any(|place| Word::of(&place.observed) == Word::Blocked)
    }
}

/// A list of prefixes, of which only the first are written.
fn nets(nets: &[IpNet]) -> String {
    let mut text: Vec<String> = nets.iter().take(NETS).map(|one| net(*one)).collect();
    match nets.len().saturating_sub(NETS) {
        0 => {}
        more => text.push(format!("{more} more")),
    }
    listed(&text)
}
