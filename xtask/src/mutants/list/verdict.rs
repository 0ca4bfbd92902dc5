//! Mutants of classes, dates and decisions.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "an unlisted source may hide its ports",
        "verdict/decide.rs",
        "&& is_unlisted_dropped(from_uplink)\n",
        "&& is_unlisted_dropped(true)\n",
    ),
    mutant(
        "an exemption with destinations lets an unlisted source hide its ports",
        "verdict/decide.rs",
        "&& !class.is_some_and(|class| holds(class.until));",
        "&& class.is_none();",
    ),
    mutant(
        "a phase applies before it begins",
        "verdict/decide.rs",
        ".is_some_and(|phase| is_enforced(phase.until))",
        ".is_some()",
    ),
    mutant(
        "a pool with phases is enforced towards every destination",
        "verdict/decide.rs",
        "begun_phases(class).is_some_and(|phases| {",
        "begun_phases(class).is_some() || begun_phases(class).is_some_and(|phases| {",
    ),
    mutant(
        "phases apply during a pause",
        "verdict/decide.rs",
        ".filter(|phases| is_enforced(current(&phases.from)))",
        "",
    ),
    mutant(
        "what hides its ports passes until its pool is enforced towards every destination",
        "verdict/decide.rs",
        "(is_enforced(current(&class.enforce_from)) || begun_phases(class).is_some())",
        "is_enforced(current(&class.enforce_from))",
    ),
    mutant(
        "a packet without a source is no unlisted one's",
        "verdict/decide.rs",
        "(is_unlisted_dropped(false) || is_any_pool_enforced())",
        "is_any_pool_enforced()",
    ),
    mutant(
        "what unlisted addresses receive from the Internet is dropped",
        "verdict/decide.rs",
        "    !from_uplink\n        && maps::DROP_UNLISTED",
        "    (from_uplink || !from_uplink)\n        && maps::DROP_UNLISTED",
    ),
    mutant(
        "an exemption holds once it has expired",
        "verdict/decide.rs",
        "clock::op25b_unix_seconds() < u64::from(until)",
        "clock::op25b_unix_seconds() >= u64::from(until)",
    ),
    mutant(
        "exemptions are not looked up",
        "verdict/decide.rs",
        "let exemption = granted(class, remote);",
        "let exemption = granted(class, remote).filter(|rule| *rule == NO_RULE);",
    ),
    mutant(
        "relays are not looked up",
        "verdict/decide.rs",
        "= classify::relay(remote) {",
        "= classify::relay(remote).filter(|rule| *rule == NO_RULE) {",
    ),
    mutant(
        "a pool with a date is enforced until then",
        "verdict/decide.rs",
        "    !holds(from)\n",
        "    holds(from)\n",
    ),
    mutant(
        "a server's answer opens no connection",
        "verdict/mod.rs",
        "let opens = syn && (is_answer || !ack);",
        "let opens = syn && !ack && (is_answer || !ack);",
    ),
    mutant(
        "uplinks look at the destination port for answers",
        "verdict/decide.rs",
        "is_blocked_port(source) || maps::BLOCK_INBOUND",
        "is_blocked_port(destination) || source == u32::MAX || maps::BLOCK_INBOUND",
    ),
    mutant(
        "inbound connections are filtered though the policy does not enable it",
        "verdict/decide.rs",
        "maps::BLOCK_INBOUND.load() == 1 && ",
        "",
    ),
    mutant(
        "what comes from the Internet is answered",
        "verdict/mod.rs",
        " && !from_uplink && maps::ACTION",
        " && maps::ACTION",
    ),
];
