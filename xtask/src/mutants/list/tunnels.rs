//! Mutants of what is inside a tunnel, and of whose source counts then.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "DS-Lite is filtered by the inner source",
        "parse/segment.rs",
        "if !inner.is_its_outer_sources() {",
        "if inner.kinds != 0 {",
    ),
    mutant(
        "fragments without the inner source go by the outer one",
        "parse/tunnel/mod.rs",
        "let is_unaddressed = upper.is_fragment != 0",
        "let is_unaddressed = upper.is_fragment > 1",
    ),
    mutant(
        "an early fragment of UDP is dropped whoever sends it",
        "parse/tunnel/mod.rs",
        "kinds & (OUTER_DECIDES | Tunnel::L2tp.bit()) == 0",
        "kinds & OUTER_DECIDES == 0",
    ),
    mutant(
        "an Ethernet frame in GRE is no IP",
        "parse/tunnel/gre.rs",
        "        ETHERNET => Ok(Some(Tunnel::EthernetInGre)),\n",
        "",
    ),
    mutant(
        "an Ethernet frame in GRE with five tags goes by the outer source",
        "parse/tunnel/mod.rs",
        "return Ok(hidden(kind.bit(), true))",
        "return Ok(hidden(kind.bit(), is_unaddressed))",
    ),
    mutant(
        "a GRE key is not skipped",
        "parse/tunnel/gre.rs",
        "[CHECKSUM, KEY, SEQUENCE]",
        "[CHECKSUM, SEQUENCE]",
    ),
    mutant(
        "a tunnel in a tunnel is no TCP",
        "parse/segment.rs",
        "            return Ok(true);",
        "            return Err(Reason::NotTcp);",
    ),
    mutant(
        "a tunnel in two tunnels is no TCP",
        "parse/segment.rs",
        "        self.flow.tunnels |= u32::from(kinds) << 16;\n        self.flow.flags |= Flow::HIDDEN;\n        Ok(false)",
        "        Err(if kinds == 0 { Reason::NotIp } else { Reason::NotTcp })",
    ),
    mutant(
        "outer sources are not asked",
        "slow_path.rs",
        "        sources::op25b_choose_source(segment);\n",
        "",
    ),
    mutant(
        "an outer source in no pool is asked",
        "verdict/sources.rs",
        "if number != INNER && class",
        "if number == INNER - 1 && class",
    ),
    mutant(
        "an outer source in a monitored pool is not asked",
        "verdict/sources.rs",
        "strictness >= strictest && strictness != strictness::PASS",
        "strictness >= strictest && strictness == strictness::DROP",
    ),
    mutant(
        "of two outer sources the outermost is not asked",
        "verdict/sources.rs",
        "segment.outer_sources[0].address()",
        "segment.outer_sources[1].address()",
    ),
    mutant(
        "the outer source decides, however strict the inner one's decision is",
        "verdict/sources.rs",
        "op25b_strictness(segment, INNER) < strictest",
        "op25b_strictness(segment, INNER) <= strictest",
    ),
    mutant(
        "an early fragment of a tunnel passes",
        "parse/tunnel/mod.rs",
        "upper.fragment_offset >= FIRST_HARMLESS_FRAGMENT {\n        return Err(Reason::LaterFragment);\n    }\n    if ",
        "upper.fragment_offset >= 2 {\n        return Err(Reason::LaterFragment);\n    }\n    if ",
    ),
    mutant(
        "tunnels are filtered inside on every interface",
        "verdict/mod.rs",
        "flow.tunnels != 0 && !are_enabled_here(ctx, flow)",
        "flow.tunnels == u32::MAX && !are_enabled_here(ctx, flow)",
    ),
    mutant(
        "tunnels are not filtered inside on an interface without an entry",
        "verdict/mod.rs",
        ".is_none_or(|enabled| levels",
        ".is_some_and(|enabled| levels",
    ),
];
