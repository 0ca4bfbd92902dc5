//! What is different between two policies, in the words of the file.

use std::{
    collections::{HashMap, VecDeque},
    fmt, slice,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::item::{DiffItem, Value};
use crate::policy::model::Policy;

/// A script can change a million exemptions: no one reads more than this many of each kind.
const KEPT: usize = 200;

/// What a reload changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// Of `interfaces`, by name.
    pub interfaces: Delta,
    /// Of `block`: one item, which is there always.
    pub block: Delta,
    /// Of `subscribers`: one item, which is there always.
    #[serde(default)]
    pub subscribers: Delta,
    /// Of `pools`, by name.
    pub pools: Delta,
    /// Of `relays`, by name.
    pub relays: Delta,
    /// Of `exemptions`, by id, or by customer and prefixes.
    pub exemptions: Delta,
    /// Of `exemption_max_age` and `exemption_widest`: one item, which is there always.
    #[serde(default)]
    pub exemption_limits: Delta,
}

/// What changes in one list of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Changes)]
pub struct Delta {
    /// What is only in the new one.
    pub added: Items,
    /// What is only in the old one.
    pub removed: Items,
    /// What is in both, and differs.
    pub changed: Items,
}

/// The first items of a kind, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Items {
    /// How many there are, whether listed or not.
    pub total: usize,
    /// The first of them.
    pub items: Vec<Item>,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// What it is called.
    pub name: String,
    /// What it fields, or what of that changes; a line each.
    pub details: Vec<String>,
}

impl Diff {
    /// From one policy to another. Comments, order and places in the file do not count.
    #[must_use]
    pub fn between(old: &Policy, new: &Policy) -> Self {
        Self {
            interfaces: changes(&old.interfaces, &new.interfaces),
            block: changes(slice::from_ref(&old.block), slice::from_ref(&new.block)),
            subscribers: changes(
                slice::from_ref(&old.subscribers),
                slice::from_ref(&new.subscribers),
            ),
            pools: changes(&old.pools, &new.pools),
            relays: changes(&old.relays, &new.relays),
            exemptions: changes(old.exemptions_in_file(), new.exemptions_in_file()),
            exemption_limits: changes(
                slice::from_ref(&old.exemption_limits),
                slice::from_ref(&new.exemption_limits),
            ),
        }
    }

    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists().into_iter().all(|(_, changes)| changes.is_empty())
    }

    fn lists(&self) -> [(&'static str, &Delta); 7] {
        [
            ("interfaces", &self.interfaces),
            ("block", &self.block),
            ("subscribers", &self.subscribers),
            ("pools", &self.pools),
            ("relays", &self.relays),
            ("exemptions", &self.exemptions),
            ("exemption limits", &self.exemption_limits),
        ]
    }
}

impl Delta {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.total + self.removed.total + self.changed.total == 0
    }

    fn kinds(&self) -> [(&'static str, char, &Items); 3] {
        [
            ("added", '+', &self.added),
            ("removed", '-', &self.removed),
            ("changed", '~', &self.changed),
        ]
    }
}

impl Items {
    fn add(&mut self, item: impl FnOnce() -> Item) {
        self.total += 1;
        if self.total <= KEPT {
            self.items.push(item());
        }
    }
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return writeln!(f, "nothing changes");
        }
        for (list, changes) in self.lists() {
            if changes.is_empty() {
                continue;
            }
            let counts = changes.kinds();
            let counts = counts
                .iter()
                .filter(|(.., items)| items.total > 0)
                .map(|(kind, _, items)| format!("{} {kind}", items.total));
            writeln!(f, "{list}: {}", counts.collect::<Vec<_>>().join(", "))?;
            for (_, sign, items) in changes.kinds() {
                for item in &items.items {
                    let details = match item.details.as_slice() {
                        [] => String::new(),
                        details => format!(": {}", details.join("; ")),
                    };
                    writeln!(f, "  {sign} {}{details}", item.name)?;
                }
                match items.total - items.items.len() {
                    0 => {}
                    more => writeln!(f, "  {sign} … and {more} more")?,
                }
            }
        }
        Ok(())
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
    // In the order of the file, which the map does not keep.
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

/// `prefixes + 203.0.113.0/24, - 198.51.100.0/24`, if anything is different.
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
    use super::*;
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
    fn of_very_many_changes_the_first_are_listed_and_all_are_counted() {
        let more = (0..250)
            .map(|index| format!("  - {{ id: n{index}, customer: C, prefixes: [198.51.100.{index}] }}\n"));
        let diff = diff(BASE, &format!("{BASE}{}", more.collect::<String>()));
        assert_eq!(diff.exemptions.added.total, 250);
        assert_eq!(diff.exemptions.added.items.len(), KEPT);
        assert!(diff.to_string().ends_with("  + … and 50 more\n"));
    }
}
