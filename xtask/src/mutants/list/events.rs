//! Mutants of events.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "each packet of a subscriber is offered as an event",
        "stats/subscribers.rs",
        "            if last_seen != now {\n",
        "            if last_seen <= now {\n",
    ),
    mutant(
        "new subscribers have no reserve of events",
        "stats/events.rs",
        "Turn::First | Turn::AfterQuiet => Allowance::FreshV4,",
        "Turn::First | Turn::AfterQuiet => Allowance::Known,",
    ),
    mutant(
        "forged IPv6 sources take the reserve of IPv4 subscribers",
        "stats/events.rs",
        "allowance = Allowance::FreshV6 as u32;",
        "allowance = Allowance::FreshV4 as u32;",
    ),
    mutant(
        "each packet of a sender without a record is offered as an event",
        "stats/events/sample.rs",
        "        if *known == sender {\n",
        "        if *known == sender && second == 0 {\n",
    ),
    mutant(
        "events that find the ring buffer full are counted as shown",
        "stats/events.rs",
        "return count(Reason::COUNT as u32 + u32::from(facts.reason));",
        "return count(u32::from(facts.reason));",
    ),
    mutant(
        "packets of exemptions have events whatever the policy",
        "stats/events.rs",
        "== ShowEvents::FilteredAndExempt as u8,",
        "!= ShowEvents::None as u8,",
    ),
    mutant(
        "an event has the tunnels of the outermost level only",
        "stats/events.rs",
        "levels.into_iter().fold(",
        "levels.into_iter().take(1).fold(",
    ),
    mutant(
        "an event has the ports of a packet that hides them",
        "stats/events.rs",
        "let has_ports = !flow.has(Flow::HIDDEN);",
        "let has_ports = true;",
    ),
];
