//! Mutants of the frame before its IP header: tags, labels, PPP and what is not IP.

use super::{Mutant, mutant};

pub(super) const MUTANTS: &[Mutant] = &[
    mutant(
        "nothing after the fourth VLAN tag is read",
        "parse/ethernet.rs",
        "const MAX_VLAN_TAGS: u32 = 4;",
        "const MAX_VLAN_TAGS: u32 = 3;",
    ),
    mutant(
        "a fifth VLAN tag is no IP",
        "parse/ethernet.rs",
        "Err(NoNetwork::Hidden(ethertype)),",
        "Err(NoNetwork::Other(ethertype)),",
    ),
    mutant(
        "frames with five tags are dropped whatever the policy",
        "verdict/mod.rs",
        "    let decision = counted(ctx, decide::unaddressed(), NO_RULE, false);\n",
        "    let verdict = Verdict::Drop as u32;\n    let decision = counted(ctx, Decision { verdict, ..decide::unaddressed() }, NO_RULE, false);\n",
    ),
    mutant(
        "frames with five tags are dropped before any pool is enforced",
        "verdict/decide.rs",
        "|| is_any_pool_enforced());",
        "|| is_enforced(ALWAYS_PAST));",
    ),
    mutant(
        "frames with five tags are not counted",
        "verdict/mod.rs",
        "    let decision = counted(ctx, decide::unaddressed(), NO_RULE, false);\n",
        "    let decision = decide::unaddressed();\n",
    ),
    mutant(
        "uplinks treat frames with five tags as if subscribers sent them",
        "slow_path.rs",
        "            return not_ip::pass(ctx, ethertype);\n",
        "            return verdict::op25b_tags_verdict(ctx);\n",
    ),
    mutant(
        "nothing after LLC/SNAP is read",
        "parse/snap.rs",
        "    if length >= FIRST_ETHERTYPE {\n",
        "    if length < FIRST_ETHERTYPE {\n",
    ),
    mutant(
        "two LLC/SNAP headers are skipped",
        "parse/ethernet.rs",
        "            is_snap = true;\n",
        "            is_snap = length > 22;\n",
    ),
    mutant(
        "a segment after LLC/SNAP gets a reply",
        "parse/ethernet.rs",
        "        may_reply: !is_snap,\n",
        "        may_reply: true,\n",
    ),
    mutant(
        "only the first of the policy's tags is skipped",
        "framing.rs",
        "(maps::VLAN_TPIDS.iter()).any(",
        "(maps::VLAN_TPIDS.iter().take(1)).any(",
    ),
    mutant(
        "three labels are skipped",
        "parse/mpls.rs",
        "const MAX_LABELS: u32 = 4;",
        "const MAX_LABELS: u32 = 3;",
    ),
    mutant(
        "labels are skipped on every interface",
        "framing.rs",
        "is_none_or(|settings| settings & MPLS_HERE != 0)",
        "is_none_or(|settings| settings & MPLS_HERE < 1 << 9)",
    ),
    mutant(
        "a segment after labels gets a reply",
        "parse/ethernet.rs",
        "            let may_reply = false;\n",
        "            let may_reply = true;\n",
    ),
    mutant(
        "frames that are not IP share one slot",
        "stats/not_ip.rs",
        "        if frames.packets[slot] == 0 {\n",
        "        if slot == 0 {\n",
    ),
    mutant(
        "frames that are not IP are counted on the first interface only",
        "stats/not_ip.rs",
        "    let interface = unsafe { (*ctx).ingress_ifindex };\n",
        "    let interface = unsafe { (*ctx).ingress_ifindex }.min(1);\n",
    ),
    mutant(
        "a compressed PPP protocol takes two bytes",
        "parse/ppp.rs",
        "== 0 { 2 } else { 1 };",
        "== 0 { 2 } else { 2 };",
    ),
];
