//! How many packets had an event, and how many of these were shown: over all generations of this daemon.
//!
//! The counters of packets outlive a generation, those of its events do not.

use std::{collections::HashMap, mem};

use aya::maps::Map;
use op25b_common::Reason;
use tracing::warn;

use crate::{
    datapath::{Counters, EventCounts, Filter, LoadError},
    policy::{Role, Word as _},
    report::EventCount,
};

/// Packets of each reason.
type ByReason = HashMap<Reason, u64>;

/// The counters of events of one generation, which can be read after it was replaced.
pub(super) struct GenerationCounts {
    map: Map,
    /// Which packets have events.
    which: Vec<(Role, Reason)>,
}

/// The packets that had an event by their reason.
#[derive(Default)]
struct Offered {
    /// What the counter of each showed when packets with it began to have events.
    begun: Vec<((Role, Reason), u64)>,
    /// Those of times that are over.
    before: ByReason,
}

/// The packets so far.
#[derive(Default)]
pub(super) struct Tally {
    offered: Offered,
    /// The generation that runs, and the one before, which some processor may still have run when it was replaced.
    generations: [Option<GenerationCounts>; 2],
    /// The events of those before: shown and lost.
    before: [ByReason; 2],
}

impl GenerationCounts {
    pub(super) fn of(filter: &Filter) -> Result<Self, LoadError> {
        let all = Role::ALL
            .iter()
            .flat_map(|role| Reason::ALL.map(|reason| (*role, reason)));
        Ok(Self {
            map: filter.event_counts_map()?,
            which: all
                .filter(|(role, reason)| filter.has_events(*role, *reason))
                .collect(),
        })
    }

    /// Adds its events to those that were shown and lost.
    fn add_to(&self, [shown, lost]: &mut [ByReason; 2]) {
        let counts = match EventCounts::read(&self.map) {
            Ok(counts) => counts,
            Err(error) => {
                warn!(
                    "events are missing in the metrics: {:#}",
                    anyhow::Error::from(error)
                );
                return;
            }
        };
        for (reason, count) in counts.iter() {
            *shown.entry(reason).or_default() += count.shown;
            *lost.entry(reason).or_default() += count.lost;
        }
    }
}

impl Offered {
    /// From now on packets with these reasons have events.
    fn follow(&mut self, which: &[(Role, Reason)], counters: &[(Role, Counters)]) {
        let begun = mem::take(&mut self.begun);
        let stays = |(key, _): &((Role, Reason), u64)| which.contains(key);
        let (stays, ends): (Vec<_>, Vec<_>) = begun.into_iter().partition(stays);
        for ((role, reason), begun) in ends {
            let counted = packets(counters, role, reason).saturating_sub(begun);
            *self.before.entry(reason).or_default() += counted;
        }
        let known = |key| stays.iter().any(|(known, _)| *known == key);
        let new = which.iter().copied().filter(|key| !known(*key));
        let new: Vec<_> = new
            .map(|(role, reason)| ((role, reason), packets(counters, role, reason)))
            .collect();
        self.begun = stays;
        self.begun.extend(new);
    }

    /// The packets so far.
    fn packets(&self, counters: &[(Role, Counters)]) -> ByReason {
        let mut all = self.before.clone();
        for ((role, reason), begun) in &self.begun {
            let counted = packets(counters, *role, *reason).saturating_sub(*begun);
            *all.entry(*reason).or_default() += counted;
        }
        all
    }
}

impl Tally {
    /// Follows a generation that has replaced the one before; `None` has no events.
    pub(super) fn follow(&mut self, next: Option<GenerationCounts>, counters: &[(Role, Counters)]) {
        let which = next.as_ref().map_or(&[][..], |next| &next.which[..]);
        self.offered.follow(which, counters);
        let [running, replaced] = &mut self.generations;
        if let Some(ended) = mem::replace(replaced, mem::replace(running, next)) {
            ended.add_to(&mut self.before);
        }
    }

    /// Whether the generation that runs has events.
    pub(super) fn is_on(&self) -> bool {
        self.generations[0].is_some()
    }

    /// All of them, by what the counters show now.
    pub(super) fn read(&self, counters: &[(Role, Counters)]) -> Vec<EventCount> {
        let mut events = self.before.clone();
        for generation in self.generations.iter().flatten() {
            generation.add_to(&mut events);
        }
        let [shown, lost] = events;
        let of = |events: &ByReason, reason| events.get(&reason).copied().unwrap_or_default();
        let packets = self.offered.packets(counters);
        let reasons = Reason::ALL.into_iter();
        let counted = reasons.filter_map(|reason| Some((reason, *packets.get(&reason)?)));
        let counts = counted.map(|(reason, packets)| {
            let (shown, lost) = (of(&shown, reason), of(&lost, reason));
            EventCount {
                reason: reason.name().to_owned(),
                shown,
                sampled_out: packets.saturating_sub(shown + lost),
                lost,
            }
        });
        counts.collect()
    }
}

/// What the counter of packets with a reason shows on interfaces with a role.
fn packets(counters: &[(Role, Counters)], role: Role, reason: Reason) -> u64 {
    let of_role = counters.iter().filter(|(of, _)| *of == role);
    of_role.map(|(_, counters)| counters.packets(reason)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(blocked: u64, exempt: u64) -> Vec<(Role, Counters)> {
        let counters = serde_json::json!({ "blocked": blocked, "exempt": exempt });
        vec![(Role::Subscriber, serde_json::from_value(counters).unwrap())]
    }

    #[test]
    fn packets_count_from_when_those_with_their_reason_have_events_until_they_do_not() {
        const BLOCKED: (Role, Reason) = (Role::Subscriber, Reason::Blocked);
        const EXEMPT: (Role, Reason) = (Role::Subscriber, Reason::Exempt);
        let mut offered = Offered::default();
        offered.follow(&[BLOCKED], &counters(100, 10));
        assert_eq!(
            offered.packets(&counters(130, 20)),
            [(Reason::Blocked, 30)].into()
        );
        // A reload that changes nothing, and one with exemptions.
        offered.follow(&[BLOCKED], &counters(140, 20));
        offered.follow(&[BLOCKED, EXEMPT], &counters(150, 20));
        let both = [(Reason::Exempt, 5), (Reason::Blocked, 60)].into();
        assert_eq!(offered.packets(&counters(160, 25)), both);
        offered.follow(&[], &counters(160, 25));
        assert_eq!(offered.packets(&counters(500, 500)), both);
        offered.follow(&[BLOCKED], &counters(500, 500));
        let later = [(Reason::Exempt, 5), (Reason::Blocked, 61)].into();
        assert_eq!(offered.packets(&counters(501, 500)), later);
    }
}
