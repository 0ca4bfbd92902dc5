//! Framing that a policy adds to what is always parsed: further VLAN tags, and MPLS labels on some interfaces.

/// How many `EtherType`s of VLAN tags a policy can add.
pub const MAX_VLAN_TPIDS: usize = 4;

/// A customer's tag (IEEE 802.1Q).
pub const ETHERTYPE_VLAN: u16 = 0x8100;
/// A service provider's tag (IEEE 802.1ad, "`QinQ`").
pub const ETHERTYPE_QINQ: u16 = 0x88a8;
/// A second tag as equipment older than 802.1ad writes it.
pub const ETHERTYPE_QINQ_OLD: u16 = 0x9100;

/// What frames of an `EtherType` usually carry, if that is well known.
#[must_use]
pub const fn protocol_name(ethertype: u16) -> Option<&'static str> {
    Some(match ethertype {
        0x0800 => "IPv4",
        0x0806 => "ARP",
        0x8035 => "RARP",
        ETHERTYPE_VLAN => "VLAN tag",
        0x86dd => "IPv6",
        0x8808 => "flow control",
        0x8809 => "LACP",
        0x8847 => "MPLS",
        0x8848 => "MPLS multicast",
        0x8863 => "PPPoE discovery",
        0x8864 => "PPPoE session",
        0x886f => "cluster heartbeat",
        0x888e => "EAPOL",
        ETHERTYPE_QINQ => "service VLAN tag",
        0x88cc => "LLDP",
        0x88e5 => "MACsec",
        0x88e7 => "backbone service tag",
        0x88f5 => "MVRP",
        0x88f7 => "PTP",
        0x8902 => "connectivity fault management",
        0x894f => "network service header",
        0x9000 => "loopback test",
        ETHERTYPE_QINQ_OLD => "old VLAN tag",
        _ => return None,
    })
}

/// The tags that are always skipped.
pub const VLAN_TPIDS: [u16; 3] = [ETHERTYPE_VLAN, ETHERTYPE_QINQ, ETHERTYPE_QINQ_OLD];

/// The bit of an interface's settings that says that MPLS labels are skipped there; those below it are of
/// [`crate::Tunnel`]s.
pub const MPLS_HERE: u32 = 1 << 8;
