//! Groups the places where the same happens to packets, and says what and why.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    api::{Explained, Rule, RuleKind},
    policy::characters::printable,
    report::{Observed, PlaceVerdict, paused_until},
    time::show,
};

/// The verdict that lets packets pass.
const PASS: &str = "pass";

/// The time in which a text is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock<'a> {
    pub(super) now: Timestamp,
    pub(super) time_zone: &'a TimeZone,
}

/// What happens at a place, in a word; what matters most comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Word {
    /// The packets are dropped, or rejected.
    Blocked,
    /// The program lets them pass.
    Passes,
    /// No filter runs there.
    Unfiltered,
    /// The interface does not exist.
    Missing,
    /// Nothing is known.
    Unknown,
}

impl Word {
    pub(super) fn of(observed: &Observed) -> Self {
        match observed {
            Observed::Decided { explained } if explained.verdict == PASS => Self::Passes,
            Observed::Decided { .. } => Self::Blocked,
            Observed::Unfiltered { .. } => Self::Unfiltered,
            Observed::Missing => Self::Missing,
            Observed::Unknown { .. } => Self::Unknown,
        }
    }
}

/// Places where the same happens.
pub(super) struct Group<'a> {
    pub(super) observed: &'a Observed,
    places: Vec<(&'a str, Option<&'a str>)>,
}

impl<'a> Group<'a> {
    /// The groups of places, what matters most first.
    pub(super) fn all(verdicts: &'a [PlaceVerdict]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for place in verdicts {
            let at = (place.interface.as_str(), place.tunnel.as_deref());
            let mut found = groups.iter_mut();
            match found.find(|group| group.observed.is_alike(&place.observed)) {
                Some(group) => group.places.push(at),
                None => groups.push(Self {
                    observed: &place.observed,
                    places: vec![at],
                }),
            }
        }
        groups.sort_by_key(|group| Word::of(group.observed));
        groups
    }

    /// `is BLOCKED on eth1: exemption 01KAX… of Example KK ended 03:00 today (…)`
    pub(super) fn clause(&self, clock: Clock<'_>) -> String {
        let places = self.places();
        let why = self.why(clock).map_or_else(String::new, |why| format!(": {why}"));
        match Word::of(self.observed) {
            Word::Blocked => format!("is BLOCKED {places}{why}"),
            Word::Passes => format!("PASSES {places}{why}"),
            Word::Unfiltered => format!("PASSES {places}: no filter runs there"),
            Word::Missing => format!("cannot arrive {places}: there is no such interface"),
            Word::Unknown => format!("has no known verdict {places}{why}"),
        }
    }

    /// Why the packets meet their verdict, in short.
    pub(super) fn why(&self, clock: Clock<'_>) -> Option<String> {
        match self.observed {
            Observed::Decided { explained } => Some(why(explained, clock)),
            Observed::Unknown { why } => Some(printable(why).into_owned()),
            Observed::Unfiltered { .. } | Observed::Missing => None,
        }
    }

    /// `drop (blocked) to 203.0.113.1 port 25 on eth1`, and the rule that decided.
    pub(super) fn lines(&self) -> (String, Option<String>) {
        let places = self.places();
        let line = match self.observed {
            Observed::Decided { explained } => {
                let Explained {
                    destination,
                    port,
                    verdict,
                    reason,
                    ..
                } = &**explained;
                format!("{verdict} ({reason}) to {destination} port {port} {places}")
            }
            Observed::Unfiltered { why } => {
                let why = why
                    .as_deref()
                    .map_or_else(String::new, |why| format!(": {}", printable(why)));
                format!("no filter {places}{why}")
            }
            Observed::Missing => format!("missing: {}", places.trim_start_matches("on ")),
            Observed::Unknown { why } => format!("not known {places}: {}", printable(why)),
        };
        let rule = match self.observed {
            Observed::Decided { explained } => explained.rule.as_ref().map(rule_text),
            Observed::Unfiltered { .. } | Observed::Missing | Observed::Unknown { .. } => None,
        };
        (line, rule)
    }

    /// `on eth1 and eth2, and in 4in6 on eth2`
    fn places(&self) -> String {
        let mut texts = Vec::new();
        let plain = self.places.iter().filter(|(_, tunnel)| tunnel.is_none());
        let plain: Vec<String> = plain
            .map(|(interface, _)| printable(interface).into_owned())
            .collect();
        if !plain.is_empty() {
            texts.push(format!("on {}", listed(&plain)));
        }
        let mut tunnels: Vec<(String, Vec<String>)> = Vec::new();
        for (interface, tunnel) in &self.places {
            let Some(tunnel) = tunnel else { continue };
            match tunnels.iter_mut().find(|(name, _)| name == tunnel) {
                Some((_, interfaces)) => interfaces.push(printable(interface).into_owned()),
                None => tunnels.push(((*tunnel).to_owned(), vec![printable(interface).into_owned()])),
            }
        }
        texts.extend(
            tunnels
                .iter()
                .map(|(tunnel, interfaces)| format!("in {tunnel} on {}", listed(interfaces))),
        );
        texts.join(", and ")
    }
}

/// Why a connection meets its verdict.
fn why(explained: &Explained, clock: Clock<'_>) -> String {
    let Clock { now, time_zone } = clock;
    // What passes by a pool that is only monitored does not pass for want of an exemption.
    if explained.verdict != PASS
        && let Some(missing) = explained.not_in_force.first()
    {
        return missing.text(explained.destination, now, time_zone);
    }
    if let Some(pause) = &explained.pause {
        let what = match &explained.rule {
            Some(rule) => format!("{} is", rule_name(rule)),
            None => "it is in no pool, and `unlisted: drop` is".to_owned(),
        };
        return format!("{what} paused {}", paused_until(pause, time_zone));
    }
    match (&explained.rule, &*explained.reason) {
        (Some(rule), "blocked") => format!("{}, and no exemption", rule_name(rule)),
        (Some(rule), "monitored") => {
            let until = explained
                .until
                .map(|until| format!(" until {}", show::instant(until, time_zone)));
            let phase = explained.phase.map(|phase| format!(": {phase}"));
            format!(
                "{} is only monitored{}{}",
                rule_name(rule),
                until.unwrap_or_default(),
                phase.unwrap_or_default()
            )
        }
        (Some(rule), _) => rule_name(rule),
        (None, "not_pooled") => "it is in no pool".to_owned(),
        (None, "other_port") => format!("the policy does not block port {}", explained.port),
        (None, reason) => reason.to_owned(),
    }
}

/// `pool residential`, `exemption 01KAX… of Example KK`
fn rule_name(rule: &Rule) -> String {
    let name = printable(&rule.name);
    match (&rule.kind, &rule.id) {
        (RuleKind::Exemption, Some(id)) => format!("exemption {} of {name}", printable(id)),
        _ => format!("{} {name}", kind(rule)),
    }
}

/// `pool residential (198.51.100.0/24), /etc/op25b/policy.yaml:17:9`
fn rule_text(rule: &Rule) -> String {
    let prefix = rule.prefix.as_ref().map(|prefix| format!(" ({prefix})"));
    let ticket = rule.ticket.as_deref();
    let ticket = ticket.map(|ticket| format!(", ticket {}", printable(ticket)));
    let kept = match (&rule.place, &rule.id) {
        (Some(place), _) => Some(format!(
            ", {}:{}:{}",
            place.file.display(),
            place.line,
            place.column
        )),
        (None, Some(id)) => Some(format!(", {}", printable(id))),
        (None, None) => None,
    };
    let texts = [prefix, ticket, kept].into_iter().flatten();
    format!(
        "{} {}{}",
        kind(rule),
        printable(&rule.name),
        texts.collect::<String>()
    )
}

const fn kind(rule: &Rule) -> &'static str {
    match rule.kind {
        RuleKind::Pool => "pool",
        RuleKind::Relay => "relay",
        RuleKind::Exemption => "exemption",
    }
}

/// `eth1`, `eth1 and eth2`, `eth1, eth2 and eth3`
pub(super) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
