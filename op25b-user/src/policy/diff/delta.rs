//! The difference between two policies, and its text.

use std::fmt;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::policy::characters::printable;

/// How many items of each kind are listed: a script can change a million exemptions.
pub(super) const KEPT: usize = 200;

/// The difference between the policy before and after a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diff {
    /// Changes of `interfaces`, by name.
    pub interfaces: Delta,
    /// Changes of `block`, which is one item.
    pub block: Delta,
    /// Changes of `subscribers`, which is one item.
    #[serde(default)]
    pub subscribers: Delta,
    /// Changes of `history`, which is one item.
    #[serde(default)]
    pub history: Delta,
    /// Changes of `events`, which is one item.
    #[serde(default)]
    pub events: Delta,
    /// Changes of `alerts`, which is one item.
    #[serde(default)]
    pub alerts: Delta,
    /// Changes of `pools`, by name.
    pub pools: Delta,
    /// Changes of `relays`, by name.
    pub relays: Delta,
    /// Changes of `nat64`, by prefix.
    #[serde(default)]
    pub nat64: Delta,
    /// Changes of `privacy`, which is one item.
    #[serde(default)]
    pub privacy: Delta,
    /// Changes of `exemptions`, by id, or by customer and prefixes.
    pub exemptions: Delta,
    /// Changes of `exemption_max_age` and `exemption_widest`, which are one item.
    #[serde(default)]
    pub exemption_limits: Delta,
    /// Changes of `metrics`, which is one item.
    #[serde(default)]
    pub metrics: Delta,
}

/// The changes of one list of a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Changes)]
pub struct Delta {
    /// The items that only the new policy has.
    pub added: Items,
    /// The items that only the old policy has.
    pub removed: Items,
    /// The items that both policies have, with differences.
    pub changed: Items,
}

/// The first items of one kind of change, and their number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Items {
    /// The number of items, including those that are not listed.
    pub total: usize,
    /// The first items.
    pub items: Vec<Item>,
}

/// An item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its values, or the changes of its values, one per line.
    pub details: Vec<String>,
}

impl Diff {
    /// Whether there is no difference.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lists().into_iter().all(|(_, changes)| changes.is_empty())
    }

    /// The number of changes.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lists().into_iter().map(|(_, changes)| changes.count()).sum()
    }

    fn lists(&self) -> [(&'static str, &Delta); 13] {
        let Self {
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
            exemptions,
            exemption_limits,
            metrics,
        } = self;
        [
            ("interfaces", interfaces),
            ("block", block),
            ("subscribers", subscribers),
            ("history", history),
            ("events", events),
            ("alerts", alerts),
            ("pools", pools),
            ("relays", relays),
            ("nat64", nat64),
            ("privacy", privacy),
            ("exemptions", exemptions),
            ("exemption limits", exemption_limits),
            ("metrics", metrics),
        ]
    }
}

impl Delta {
    /// Whether there are no changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    fn count(&self) -> usize {
        self.added.total + self.removed.total + self.changed.total
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
    pub(super) fn add(&mut self, item: impl FnOnce() -> Item) {
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
                    writeln!(f, "  {sign} {}", printable(&format!("{}{details}", item.name)))?;
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
