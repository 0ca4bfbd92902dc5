//! The ways of breaking the program that tests have to detect.

use super::Mutant;

const fn mutant(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { name, file, from, to }
}

/// All of them, from the frame's first byte to what is sent back.
pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "nothing after the fourth VLAN tag is read",
        "parse/ethernet.rs",
        "const MAX_VLAN_TAGS: usize = 4;",
        "const MAX_VLAN_TAGS: usize = 3;",
    ),
    mutant(
        "a fifth VLAN tag is no IP",
        "parse/ethernet.rs",
        "_ if proto_is_vlan(ethertype) => Err(Reason::Uninspectable),",
        "_ if proto_is_vlan(ethertype) => Err(Reason::NotIp),",
    ),
    mutant(
        "frames with five tags are dropped whatever the policy",
        "verdict/mod.rs",
        "    if decision.verdict == Verdict::Drop as u32 {\n",
        "    if decision.verdict <= Verdict::Drop as u32 {\n",
    ),
    mutant(
        "frames with five tags are dropped before any pool is enforced",
        "verdict/decide.rs",
        "is_enforced(maps::ENFORCED_FROM.load())",
        "is_enforced(ALWAYS_PAST)",
    ),
    mutant(
        "frames with five tags are not counted",
        "verdict/mod.rs",
        "    counters::count(&decision, false);\n",
        "",
    ),
    mutant(
        "uplinks treat frames with five tags as if subscribers sent them",
        "slow_path.rs",
        "else {\n        return pass(Reason::NotIp);",
        "else {\n        return verdict::op25b_tags_verdict();",
    ),
    mutant(
        "a compressed PPP protocol takes two bytes",
        "parse/ppp.rs",
        "== 0 { 2 } else { 1 };",
        "== 0 { 2 } else { 2 };",
    ),
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
        "1 => return Ok(Ports::Hidden),",
        "1 => return Err(Reason::LaterFragment),",
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
        "    if proto_is_extension(upper.protocol) {\n        hide(upper);\n    }\n",
        "",
    ),
    mutant(
        "DS-Lite is filtered by the inner source",
        "parse/segment.rs",
        "if !is_ds_lite {",
        "if inner.kind.bit() != 0 {",
    ),
    mutant(
        "fragments without the inner source go by the outer one",
        "parse/segment.rs",
        "self.flow.flags |= Flow::UNADDRESSED;",
        "",
    ),
    mutant(
        "a GRE key is not skipped",
        "parse/tunnel/gre.rs",
        "[CHECKSUM, KEY, SEQUENCE]",
        "[CHECKSUM, SEQUENCE]",
    ),
    mutant(
        "a tunnel in a tunnel is no TCP",
        "parse/tunnel/mod.rs",
        "let nested = nested(bytes, network, &inner).filter(|kind| kind.bit() & enabled != 0);",
        "let nested = nested(bytes, network, &inner).filter(|kind| kind.bit() & enabled == 0);",
    ),
    mutant(
        "an early fragment of a tunnel passes",
        "parse/tunnel/mod.rs",
        "const FIRST_HARMLESS_FRAGMENT: u32 = 16;",
        "const FIRST_HARMLESS_FRAGMENT: u32 = 2;",
    ),
    mutant(
        "tunnels are filtered inside on every interface",
        "verdict/mod.rs",
        "flow.tunnels != 0 && !are_enabled_here(ctx, flow.tunnels)",
        "flow.tunnels == u32::MAX && !are_enabled_here(ctx, flow.tunnels)",
    ),
    mutant(
        "tunnels are not filtered inside on an interface without an entry",
        "verdict/mod.rs",
        "is_none_or(|enabled| tunnels & !enabled == 0)",
        "is_some_and(|enabled| tunnels & !enabled == 0)",
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
    mutant(
        "uplinks' packets are counted as subscribers'",
        "stats/counters.rs",
        "if from_uplink { Reason::COUNT as u32 } else { 0 }",
        "if from_uplink { 0 } else { 0 }",
    ),
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
        "ICMP errors know no rate",
        "reject/prohibit.rs",
        "let may = next - now <= burst;",
        "let may = next - now <= burst || burst != 0;",
    ),
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
        "length < HEADER + TCP_HEADER ||",
        "length < HEADER ||",
    ),
    mutant(
        "the fast path accepts headers after the IPv6 packet's end",
        "fast_path/mod.rs",
        "if length < TCP_HEADER ||",
        "if",
    ),
    mutant(
        "the fast path reads IPv4's ports at a wrong offset",
        "fast_path/mod.rs",
        "frame.u32::<IP, 20>()",
        "frame.u32::<IP, 24>()",
    ),
    mutant(
        "on the fast path L2TP is only UDP",
        "fast_path/mod.rs",
        "proto_may_be_tunnel(protocol, maps::TUNNELS.load())",
        "proto_may_be_tunnel(protocol, maps::TUNNELS.load() & 0x0f)",
    ),
    mutant(
        "on the fast path the other tunnels are not TCP",
        "fast_path/mod.rs",
        "proto_may_be_tunnel(protocol, maps::TUNNELS.load())",
        "proto_may_be_tunnel(protocol, maps::TUNNELS.load() & 0x10)",
    ),
    mutant(
        "on the fast path the source is read from the destination's offset",
        "fast_path/descriptor.rs",
        "source: AddressBits::v4((addresses >> 32) as u32),",
        "source: AddressBits::v4(addresses as u32),",
    ),
    mutant(
        "a table's lists are read one entry too far",
        "../../op25b-common/src/lpm/node.rs",
        " + count_ones(below))",
        " + count_ones(below) + 1)",
    ),
    mutant(
        "a table's paths are taken whatever the address",
        "../../op25b-common/src/lpm/lookup.rs",
        ">> (u64::BITS - path.bits) != 0 {",
        ">> (u64::BITS - path.bits) == 1 {",
    ),
    mutant(
        "every segment is counted for its subscriber as one that opens a connection",
        "stats/subscribers.rs",
        "match (reason == Reason::Blocked as u32, is_syn) {",
        "match (reason == Reason::Blocked as u32, is_syn || reason != u32::MAX) {",
    ),
    mutant(
        "subscribers' records are shared by neighbours",
        "stats/subscribers.rs",
        "local.v4().wrapping_add(class.subscribers)",
        "(local.v4() & !1).wrapping_add(class.subscribers)",
    ),
];
