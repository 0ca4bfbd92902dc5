//! The lines of a history.

use anstyle::{AnsiColor, Style};
use jiff::tz::TimeZone;

use super::super::words;
use crate::{
    api::{Exemption, HistoryEntry, HistoryExpiry},
    store::ChangeKind,
};

/// The label of an end.
const ENDS: &str = "ends";

/// `2027-03-31 09:00:00 +09:00  alice  added  01KAX…  Example KK: 198.51.100.8/29, ends 2028-03-31`
pub(super) fn change(entry: &HistoryEntry, time_zone: &TimeZone) -> String {
    let (word, colour) = match entry.action {
        ChangeKind::Add => ("added", AnsiColor::Green),
        ChangeKind::Extend => ("extended", AnsiColor::Yellow),
        ChangeKind::Remove => ("removed", AnsiColor::Red),
        ChangeKind::Restore => ("restored", AnsiColor::Green),
        ChangeKind::Recover => return recovery(entry, time_zone),
    };
    let style: Style = colour.on_default();
    let what = match &entry.before {
        Some(before) if entry.action == ChangeKind::Extend => changes(before, &entry.after, time_zone),
        _ => whole(&entry.after, time_zone),
    };
    let reason = entry.reason.as_deref();
    let reason = reason.map_or(String::new(), |reason| {
        format!("; reason: {}", words::printable(reason))
    });
    format!(
        "{}  {}  {style}{word}{style:#}  {}  {}: {what}{reason}",
        words::instant(entry.at, time_zone),
        words::actor(&entry.by),
        words::printable(&entry.after.id),
        words::printable(&entry.after.terms.customer),
    )
}

/// `2027-03-31 09:00:00 +09:00  op25b  recovered  the exemption store /var/lib/op25b/exemptions.db was damaged (…); …`
fn recovery(entry: &HistoryEntry, time_zone: &TimeZone) -> String {
    let style: Style = AnsiColor::Red.on_default();
    format!(
        "{}  {}  {style}recovered{style:#}  {}",
        words::instant(entry.at, time_zone),
        words::actor(&entry.by),
        words::printable(entry.reason.as_deref().unwrap_or_default()),
    )
}

/// `2028-04-01 00:00:00 +09:00  op25b  ended  01KAX…  Example KK: 198.51.100.8/29, ticket OPS-1042`
pub(super) fn expiry(expiry: &HistoryExpiry, time_zone: &TimeZone) -> String {
    let HistoryExpiry { at, exemption } = expiry;
    let style: Style = AnsiColor::Red.on_default();
    let terms = labelled(exemption, time_zone).into_iter();
    format!(
        "{}  op25b  {style}ended{style:#}  {}  {}: {}",
        words::instant(*at, time_zone),
        words::printable(&exemption.id),
        words::printable(&exemption.terms.customer),
        joined(terms.filter(|(label, _)| *label != ENDS)),
    )
}

/// The terms of an exemption besides its customer, each with a label.
fn labelled(exemption: &Exemption, time_zone: &TimeZone) -> [(&'static str, Option<String>); 5] {
    let text = |text: Option<&str>| text.map(words::printable);
    let terms = &exemption.terms;
    let destinations = &terms.destinations;
    [
        ("", Some(words::nets(&terms.prefixes, " "))),
        (
            "to",
            (!destinations.is_empty()).then(|| words::nets(destinations, " ")),
        ),
        (ENDS, Some(words::end(terms.expires_at, time_zone))),
        ("ticket", text(terms.ticket.as_deref())),
        ("note", text(terms.note.as_deref())),
    ]
}

/// `198.51.100.8/29, ends 2028-03-31, ticket OPS-1042`
fn whole(exemption: &Exemption, time_zone: &TimeZone) -> String {
    joined(labelled(exemption, time_zone).into_iter())
}

/// Those terms that there are, with commas between them.
fn joined(terms: impl Iterator<Item = (&'static str, Option<String>)>) -> String {
    let texts = terms.filter_map(|(label, text)| {
        let text = text?;
        Some(if label.is_empty() {
            text
        } else {
            format!("{label} {text}")
        })
    });
    texts.collect::<Vec<_>>().join(", ")
}

/// `ends 2028-03-31 -> 2029-03-31`
fn changes(before: &Exemption, after: &Exemption, time_zone: &TimeZone) -> String {
    let both = labelled(before, time_zone)
        .into_iter()
        .zip(labelled(after, time_zone));
    let changes: Vec<_> = both
        .filter(|((_, before), (_, after))| before != after)
        .map(|((label, before), (_, after))| {
            let text = |text: Option<String>| text.unwrap_or_else(|| "none".into());
            let label = if label.is_empty() { "prefixes" } else { label };
            format!("{label} {} -> {}", text(before), text(after))
        })
        .collect();
    if changes.is_empty() {
        "nothing".into()
    } else {
        changes.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api::Origin,
        exemption::Terms,
        store::{Actor, State},
    };

    fn plain(entry: &HistoryEntry) -> String {
        anstream::adapter::strip_str(&change(entry, &TimeZone::UTC)).to_string()
    }

    #[test]
    fn an_entry_is_a_line_with_what_changed() {
        let exemption = Exemption {
            id: "01KAXQ3T5BH6Z8W2N4R7C9D1EF".into(),
            origin: Origin::Store,
            terms: Terms {
                ticket: Some("OPS-1042".into()),
                expires_at: Some("2028-04-01T00:00:00Z".parse().unwrap()),
                ..Terms::new("Example KK", ["198.51.100.8/29".parse().unwrap()])
            },
            created_at: None,
            created_by: None,
            removed_at: None,
            removal: None,
            batch: None,
            state: State::Active,
            revision: Some(1),
            place: None,
            needs_force: false,
        };
        let added = HistoryEntry {
            revision: 1,
            at: "2027-03-31T00:00:00Z".parse().unwrap(),
            by: Actor {
                uid: 1000,
                name: "alice".into(),
            },
            action: ChangeKind::Add,
            reason: None,
            before: None,
            after: exemption.clone(),
        };
        insta::assert_snapshot!(plain(&added), @"2027-03-31 00:00:00 +00:00  alice  added  01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK: 198.51.100.8/29, ends 2028-03-31, ticket OPS-1042");
        let extended = HistoryEntry {
            action: ChangeKind::Extend,
            reason: Some("contract\nrenewed".into()),
            before: Some(exemption.clone()),
            after: Exemption {
                terms: Terms {
                    expires_at: None,
                    ..exemption.terms.clone()
                },
                ..exemption.clone()
            },
            ..added.clone()
        };
        insta::assert_snapshot!(plain(&extended), @"2027-03-31 00:00:00 +00:00  alice  extended  01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK: ends 2028-03-31 -> never; reason: contract renewed");
        let removed = HistoryEntry {
            action: ChangeKind::Remove,
            reason: Some("moved away".into()),
            before: Some(exemption),
            by: Actor {
                uid: 0,
                name: "0".into(),
            },
            ..added.clone()
        };
        insta::assert_snapshot!(plain(&removed), @"2027-03-31 00:00:00 +00:00  uid 0  removed  01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK: 198.51.100.8/29, ends 2028-03-31, ticket OPS-1042; reason: moved away");
        let ended = HistoryExpiry {
            at: "2028-04-01T00:00:00Z".parse().unwrap(),
            exemption: added.after,
        };
        let ended = anstream::adapter::strip_str(&expiry(&ended, &TimeZone::UTC)).to_string();
        insta::assert_snapshot!(ended, @"2028-04-01 00:00:00 +00:00  op25b  ended  01KAXQ3T5BH6Z8W2N4R7C9D1EF  Example KK: 198.51.100.8/29, ticket OPS-1042");
    }
}
