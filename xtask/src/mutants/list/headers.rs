//! Mutants of IP headers, fragments and ports.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "IPv4 options are not skipped",
        "parse/ipv4.rs",
        "offset: offset + header_length,",
        "offset: offset + HEADER_LENGTH,",
    ),
    mutant(
        "an IPv4 header length below 20 bytes is accepted",
        "parse/ipv4.rs",
        "is_hidden: u32::from(header_length < HEADER_LENGTH),",
        "is_hidden: 0,",
    ),
    mutant(
        "a fragment at offset 1 is a later one",
        "parse/tcp.rs",
        "Network::V4 => 2,",
        "Network::V4 => 1,",
    ),
    mutant(
        "an early IPv6 fragment passes",
        "parse/tcp.rs",
        "Network::V6 => FIRST_HARMLESS_FRAGMENT,",
        "Network::V6 => 2,",
    ),
    mutant(
        "a later IPv6 fragment goes by its own next header",
        "parse/extensions.rs",
        "        upper.protocol = TCP;\n        return false;\n",
        "        return false;\n",
    ),
    mutant(
        "later fragments may overlap a first IPv6 fragment's headers",
        "parse/extensions.rs",
        "FIRST_HARMLESS_FRAGMENT * 8 - tcp::HEADER_LENGTH;",
        "FIRST_HARMLESS_FRAGMENT * 16;",
    ),
    mutant(
        "ports are read from padding",
        "parse/tcp.rs",
        " || upper.offset + PORTS_LENGTH > upper.end {",
        " {",
    ),
    mutant(
        "AH's length counts like other extension headers'",
        "parse/extensions.rs",
        "(u32::from(length) + 2) * 4",
        "(u32::from(length) + 1) * 8",
    ),
    mutant(
        "extension headers are read from padding",
        "parse/extensions.rs",
        " || upper.offset + SHORTEST_EXTENSION > upper.end {",
        " {",
    ),
    mutant(
        "a ninth extension header ends the walk as no TCP",
        "parse/extensions.rs",
        "if proto_is_extension(upper.protocol) || upper.offset > limit {",
        "if upper.offset > limit {",
    ),
];
