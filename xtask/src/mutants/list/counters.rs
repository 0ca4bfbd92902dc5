//! Mutants of the counters by interface and by pool.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "uplinks' packets are counted as subscribers'",
        "stats/counters.rs",
        "= owner(interface, from_uplink);",
        "= owner(interface, from_uplink && interface == 0);",
    ),
    mutant(
        "interfaces whose place another one has are counted as that one",
        "stats/counters.rs",
        "if *taken_by == owner {",
        "if *taken_by != 0 {",
    ),
    mutant(
        "uplinks without a place of their own are counted as subscriber interfaces",
        "stats/counters.rs",
        "rest.add(usize::from(from_uplink))",
        "rest.add(usize::from(from_uplink && interface == 0))",
    ),
    mutant(
        "pools are counted by their place in the policy",
        "stats/counters.rs",
        "maps::SLOT_OF_POOL[place].load()",
        "place as u16",
    ),
    mutant(
        "pools beyond those with a slot are counted as the first ones",
        "stats/counters.rs",
        "let slot = if has_slot(pool) {",
        "let slot = if has_slot(pool & (POOL_SLOTS as u32 - 1)) && pool != NO_RULE {",
    ),
    mutant(
        "packets of no pool are counted as those of other pools",
        "stats/counters.rs",
        "        NO_POOL\n",
        "        OTHER_POOLS\n",
    ),
    mutant(
        "exempt packets are not counted for their pool",
        "verdict/mod.rs",
        "            (decision, class.map_or(NO_RULE, |class| class.pool))\n",
        "            (decision, class.map_or(NO_RULE, |class| class.pool | 0u32.wrapping_sub(u32::from(decision.reason == Reason::Exempt as u32))))\n",
    ),
    mutant(
        "the bytes of packets that pass are counted",
        "stats/counters.rs",
        "let bytes = if has_bytes(cell) {",
        "let bytes = if has_bytes(cell) || cell != 0 {",
    ),
    mutant(
        "no bytes are counted",
        "stats/counters.rs",
        "(CELLS - 1)) += bytes;",
        "(CELLS - 1)) += bytes.min(1) - bytes.min(1);",
    ),
    mutant(
        "rejected packets are counted as dropped",
        "verdict/mod.rs",
        "    counters::count(ctx, &decision, pool, from_uplink);",
        "    counters::count(ctx, &Decision { verdict: decision.verdict.min(1), ..decision }, pool, from_uplink);",
    ),
    mutant(
        "answers that the rate forbids are counted as of packets that get none",
        "reject/rate.rs",
        "    if !may {\n",
        "    if !may && interval == 0 {\n",
    ),
    mutant(
        "packets without an answer are counted as answered",
        "reject/mod.rs",
        "    count(Answer::None);\n",
        "    count(Answer::Sent);\n",
    ),
];
