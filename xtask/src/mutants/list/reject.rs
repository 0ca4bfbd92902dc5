//! Mutants of replies.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "resets are answered with resets",
        "reject/mod.rs",
        "if !has_header || flags & RST != 0 ||",
        "if !has_header ||",
    ),
    mutant(
        "multicast and broadcast addresses are answered",
        "parse/address.rs",
        "first < 224 && first != 0",
        "first != 0",
    ),
    mutant(
        "a reset's checksum leaves the length out",
        "reject/reset.rs",
        "(TCP << 16 | TCP_HEADER_LENGTH).to_be()",
        "(TCP << 16).to_be()",
    ),
    mutant(
        "a reset does not count the SYN",
        "reject/reset.rs",
        "u32::from(flags & SYN != 0) + ",
        "",
    ),
    mutant(
        "an ICMP error's checksum leaves the quote out",
        "reject/prohibit.rs",
        "sum = sum.add(chunk.words());",
        "let _ = sum.add(chunk.words());",
    ),
    mutant(
        "replies know no rate",
        "reject/rate.rs",
        "maps::ANSWER_BURST.load()",
        "u64::MAX",
    ),
    mutant(
        "resets know no rate",
        "reject/reset.rs",
        "if !may_reply() {",
        "if !may_reply() && segment.source_network == 0 {",
    ),
];
