//! Compares the lists of two policies.

use std::{
    collections::{HashMap, VecDeque},
    slice,
};

use super::{
    delta::{Delta, Diff, Item},
    item::{DiffItem, Value},
};
use crate::policy::model::Policy;

impl Diff {
    /// Compares two policies. Comments, order and positions in the file make no difference.
    #[must_use]
    pub fn between(old: &Policy, new: &Policy) -> Self {
        // Without `..`, so that a new list does not compile until it is compared.
        let Policy {
            interfaces,
            block,
            subscribers,
            history,
            events,
            alerts,
            pools,
            relays,
            nat64,
            privacy,
            // Those of the store are not part of the file.
            exemptions: _,
            exemption_limits,
            metrics,
            // What is in them is compared.
            lists: _,
        } = new;
        Self {
            interfaces: changes(&old.interfaces, interfaces),
            block: changes(slice::from_ref(&old.block), slice::from_ref(block)),
            subscribers: changes(slice::from_ref(&old.subscribers), slice::from_ref(subscribers)),
            history: changes(slice::from_ref(&old.history), slice::from_ref(history)),
            events: changes(slice::from_ref(&old.events), slice::from_ref(events)),
            alerts: changes(slice::from_ref(&old.alerts), slice::from_ref(alerts)),
            pools: changes(&old.pools, pools),
            relays: changes(&old.relays, relays),
            nat64: changes(old.nat64.prefixes(), nat64.prefixes()),
            privacy: changes(slice::from_ref(&old.privacy), slice::from_ref(privacy)),
            exemptions: changes(old.exemptions_in_file(), new.exemptions_in_file()),
            exemption_limits: changes(
                slice::from_ref(&old.exemption_limits),
                slice::from_ref(exemption_limits),
            ),
            metrics: changes(slice::from_ref(&old.metrics), slice::from_ref(metrics)),
        }
    }
}

fn changes<T: DiffItem>(old: &[T], new: &[T]) -> Delta {
    let mut changes = Delta::default();
    // Several may have the same key, such as two exemptions of a customer for different destinations.
    let mut before: HashMap<T::Key<'_>, VecDeque<&T>> = HashMap::with_capacity(old.len());
    for item in old {
        before.entry(item.key()).or_default().push_back(item);
    }
    for item in new {
        match before.get_mut(&item.key()).and_then(VecDeque::pop_front) {
            None => changes.added.add(|| whole(item)),
            Some(was) if was.is_equal(item) => {}
            Some(was) => {
                let details = differences(was.fields(), item.fields());
                if !details.is_empty() {
                    changes.changed.add(|| Item {
                        name: item.label(),
                        details,
                    });
                }
            }
        }
    }
    // In the order of the file, which the map does not preserve.
    for item in old {
        if let Some(left) = before.get_mut(&item.key())
            && left.front().is_some_and(|left| std::ptr::eq(*left, item))
        {
            left.pop_front();
            changes.removed.add(|| whole(item));
        }
    }
    changes
}

fn whole(item: &impl DiffItem) -> Item {
    let fields = item.fields().into_iter().map(|(key, value)| match value {
        Value::One(value) => format!("{key} {value}"),
        Value::Many(values) => format!("{key} {}", values.join(", ")),
    });
    Item {
        name: item.label(),
        details: fields.collect(),
    }
}

fn differences(mut old: Vec<(&'static str, Value)>, new: Vec<(&'static str, Value)>) -> Vec<String> {
    let mut details = Vec::new();
    for (key, now) in new {
        let was = old.iter().position(|(old, _)| *old == key);
        let was = was.map(|index| old.swap_remove(index).1);
        match (was, now) {
            (Some(Value::One(was)), Value::One(now)) if was == now => {}
            (Some(Value::One(was)), Value::One(now)) => details.push(format!("{key} {was} -> {now}")),
            (None, Value::One(now)) => details.push(format!("{key} {now}")),
            (was, now) => details.extend(exchanged(key, was, Some(now))),
        }
    }
    for (key, was) in old {
        match was {
            Value::One(was) => details.push(format!("{key} {was} -> none")),
            was @ Value::Many(_) => details.extend(exchanged(key, Some(was), None)),
        }
    }
    details
}

/// `prefixes + 203.0.113.0/24, - 198.51.100.0/24`, if there is a difference.
fn exchanged(key: &str, was: Option<Value>, now: Option<Value>) -> Option<String> {
    let values = |value| match value {
        None => Vec::new(),
        Some(Value::One(value)) => vec![value],
        Some(Value::Many(mut values)) => {
            values.sort();
            values
        }
    };
    let (was, now) = (values(was), values(now));
    let gained = now.iter().filter(|value| was.binary_search(value).is_err());
    let lost = was.iter().filter(|value| now.binary_search(value).is_err());
    let signed: Vec<_> = gained
        .map(|value| format!("+ {value}"))
        .chain(lost.map(|value| format!("- {value}")))
        .collect();
    (!signed.is_empty()).then(|| format!("{key} {}", signed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::{super::delta::KEPT, *};
    use crate::policy::parse;

    const BASE: &str = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools:
  - { name: homes, prefixes: [198.51.100.0/24, 203.0.113.0/24] }
  - { name: flats, prefixes: [2001:db8:100::/40] }
relays: [{ name: post, prefixes: [192.0.2.25] }]
exemptions:
  - { customer: Example KK, prefixes: [198.51.100.8/29], ticket: OPS-1 }
  - { id: x7, customer: Sample GK, prefixes: [198.51.100.16/29] }
";

    fn diff(old: &str, new: &str) -> Diff {
        let read = |text| parse("policy.yaml", text).unwrap().policy;
        Diff::between(&read(old), &read(new))
    }

    #[test]
    fn what_is_remembered_is_compared_in_any_order() {
        let old = format!("{BASE}subscribers: {{ remember: [homes, flats] }}\n");
        assert!(diff(&old, &old.replace("homes, flats", "flats, homes")).is_empty());
        let difference = diff(&old, BASE).to_string();
        assert!(
            difference.contains("~ subscribers: remember flats, homes -> true\n"),
            "{difference}"
        );
    }

    #[test]
    fn alerts_are_compared_by_their_thresholds() {
        let on = format!("{BASE}alerts: {{ syns_per_minute: 600 }}\n");
        assert_eq!(
            diff(BASE, &on).to_string(),
            "alerts: 1 changed\n  ~ alerts: about nobody -> subscribers; syns_per_minute 600; destinations any number; \
             exempt_syns_per_minute any number\n"
        );
        let more = format!(
            "{BASE}alerts: {{ syns_per_minute: 300, destinations: 100, exempt_syns_per_minute: 900 }}\n"
        );
        assert_eq!(
            diff(&on, &more).to_string(),
            "alerts: 1 changed\n  ~ alerts: syns_per_minute 600 -> 300; destinations any number -> 100; \
             exempt_syns_per_minute any number -> 900\n"
        );
    }

    #[test]
    fn events_are_compared_with_what_is_shown_of_them() {
        let on = format!("{BASE}events: {{}}\n");
        assert_eq!(
            diff(BASE, &on).to_string(),
            "events: 1 changed\n  ~ events: shown false -> true; destination prefix; exempt false\n"
        );
        let more = format!("{BASE}events: {{ destination: full, exempt: true }}\n");
        assert_eq!(
            diff(&on, &more).to_string(),
            "events: 1 changed\n  ~ events: destination prefix -> full; exempt false -> true\n"
        );
    }

    #[test]
    fn order_comments_and_places_are_no_difference() {
        let new = "\
# The same.
version: 1
exemptions:
  - { id: x7, customer: Sample GK, prefixes: [198.51.100.16/29] }

  - { ticket: OPS-1, customer: Example KK, prefixes: [198.51.100.8/29] }
relays: [{ name: post, prefixes: [192.0.2.25] }]
pools:
  - { name: flats, prefixes: ['2001:db8:100::/40'] }
  - { name: homes, prefixes: [203.0.113.0/24, 198.51.100.0/24] }
interfaces: [{ name: eth1, role: subscriber }]
";
        assert_eq!(diff(BASE, new), Diff::default());
        assert_eq!(diff(BASE, new).to_string(), "nothing changes\n");
    }

    #[test]
    fn each_change_is_named_in_the_words_of_the_file() {
        let new = BASE
            .replace("eth1, role: subscriber", "eth1, role: subscriber, xdp: native")
            .replace("pools:", "block: { action: reset }\npools:")
            .replace("203.0.113.0/24] }", "192.0.2.128/25], mode: monitor }")
            .replace("  - { name: flats, prefixes: [2001:db8:100::/40] }\n", "")
            .replace(
                "ticket: OPS-1",
                "ticket: OPS-2, expires: 2099-03-31T00:00:00+00:00",
            )
            .replace("id: x7, customer: Sample GK", "customer: Sample GK");
        assert_eq!(
            diff(BASE, &new).to_string(),
            "\
interfaces: 1 changed
  ~ eth1: xdp auto -> native
block: 1 changed
  ~ block: action drop -> reset
pools: 1 removed, 1 changed
  - flats: prefixes 2001:db8:100::/40; mode enforce
  ~ homes: prefixes + 192.0.2.128/25, - 203.0.113.0/24; mode enforce -> monitor
exemptions: 1 added, 1 removed, 1 changed
  + Sample GK: prefixes 198.51.100.16/29
  - x7 (Sample GK): prefixes 198.51.100.16/29; customer Sample GK
  ~ Example KK: ticket OPS-1 -> OPS-2; expires 2099-03-31T00:00:00Z
"
        );
        let back = diff(&new, BASE).exemptions;
        assert_eq!(
            back.changed.items[0].details,
            ["ticket OPS-2 -> OPS-1", "expires 2099-03-31T00:00:00Z -> none"]
        );
    }

    #[test]
    fn phases_are_compared_by_their_dates_and_destinations() {
        let homes = |keys: &str| BASE.replace("203.0.113.0/24] }", &format!("203.0.113.0/24], {keys} }}"));
        let first = homes("only_to: [192.0.2.0/24]");
        let both = homes("phases: [{ only_to: [192.0.2.0/24] }, { from: '2027-07-01T00:00:00Z' }]");
        let later = homes("phases: [{ only_to: [192.0.2.0/24] }, { from: '2027-08-01T00:00:00Z' }]");
        assert_eq!(
            diff(BASE, &first).to_string(),
            "pools: 1 changed\n  ~ homes: only_to + 192.0.2.0/24\n"
        );
        assert_eq!(
            diff(&both, &later).to_string(),
            "pools: 1 changed\n  ~ homes: phases + from 2027-08-01T00:00:00Z, - from 2027-07-01T00:00:00Z\n"
        );
        assert_eq!(diff(&both, &both), Diff::default());
    }

    #[test]
    fn exemptions_of_one_customer_for_the_same_prefix_are_told_apart() {
        let twice = BASE.replace(
            "ticket: OPS-1 }\n",
            "ticket: OPS-1 }\n  - { customer: Example KK, prefixes: [198.51.100.8/29], destinations: [192.0.2.0/24] }\n",
        );
        let added = diff(BASE, &twice).exemptions;
        assert_eq!(
            (added.added.total, added.removed.total, added.changed.total),
            (1, 0, 0)
        );
        let removed = diff(&twice, BASE).exemptions;
        assert_eq!(
            (removed.added.total, removed.removed.total, removed.changed.total),
            (0, 1, 0)
        );
    }

    #[test]
    fn prefixes_of_translators_are_added_and_removed() {
        let with = |prefix: &str| format!("{BASE}nat64: ['{prefix}']\n");
        assert_eq!(
            diff(&with("64:ff9b::/96"), &with("2001:db8:122::/48")).to_string(),
            "nat64: 1 added, 1 removed\n  + 2001:db8:122::/48\n  - 64:ff9b::/96\n"
        );
    }

    #[test]
    fn of_very_many_changes_the_first_are_listed_and_all_are_counted() {
        let more = (0..250)
            .map(|index| format!("  - {{ id: n{index}, customer: C, prefixes: [198.51.100.{index}] }}\n"));
        let diff = diff(BASE, &format!("{BASE}{}", more.collect::<String>()));
        assert_eq!(diff.exemptions.added.total, 250);
        assert_eq!(diff.exemptions.added.items.len(), KEPT);
        assert!(diff.to_string().ends_with("  + … and 50 more\n"));
    }
}
