//! Mutants of the fast path.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "on the fast path fragments are whole packets",
        "fast_path/mod.rs",
        "const FRAGMENT: u16 = 0x3fff_u16.to_be();",
        "const FRAGMENT: u16 = 0;",
    ),
    mutant(
        "the fast path takes IPv4 options for a TCP header",
        "fast_path/mod.rs",
        "const PLAIN: u8 = 0x45;",
        "const PLAIN: u8 = 0x46;",
    ),
    mutant(
        "the fast path accepts headers after the IPv4 packet's end",
        "fast_path/mod.rs",
        "length() < HEADER + TCP_HEADER ||",
        "length() < HEADER ||",
    ),
    mutant(
        "the fast path accepts headers after the IPv6 packet's end",
        "fast_path/mod.rs",
        "if length() < TCP_HEADER ||",
        "if",
    ),
    mutant(
        "the fast path reads IPv4's ports at a wrong offset",
        "fast_path/mod.rs",
        "let destination = u16::from_be(frame.u16::<IP, 22>());",
        "let destination = u16::from_be(frame.u16::<IP, 24>());",
    ),
    mutant(
        "on the fast path L2TP is only UDP",
        "fast_path/mod.rs",
        "frame.u16::<IP, 22>() == L2TP_PORT.to_be()",
        "frame.u16::<IP, 22>() == L2TP_PORT",
    ),
    mutant(
        "on the fast path the other tunnels are not TCP",
        "fast_path/mod.rs",
        "kinds(network, protocol) & tunnels != 0",
        "kinds(network, protocol) & tunnels & 0x40 != 0",
    ),
    mutant(
        "on the fast path a fragment of UDP shows its port",
        "fast_path/mod.rs",
        "|| !is_fragment() && is_whole()",
        "|| is_whole()",
    ),
    mutant(
        "no UDP takes the fast path where L2TP is enabled",
        "fast_path/mod.rs",
        "protocol != UDP || !is_other_udp()",
        "protocol != UDP || tunnels != 0 || !is_other_udp()",
    ),
    mutant(
        "on the fast path the source is read from the destination's offset",
        "fast_path/descriptor.rs",
        "source: AddressBits::v4((addresses >> 32) as u32),",
        "source: AddressBits::v4(addresses as u32),",
    ),
];
