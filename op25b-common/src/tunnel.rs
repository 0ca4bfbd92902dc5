//! The kinds of tunnels inside which packets are filtered.

use core::fmt;

/// A kind of tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Tunnel {
    /// IPv4 in IPv6 (RFC 2473; DS-Lite, RFC 6333; MAP-E, RFC 7597).
    V4InV6 = 0,
    /// IPv6 in IPv4 (RFC 4213; 6rd, RFC 5969).
    V6InV4 = 1,
    /// IPv4 in IPv4 (RFC 2003).
    V4InV4 = 2,
    /// IPv6 in IPv6 (RFC 2473).
    V6InV6 = 3,
    /// IP in GRE (RFC 2784, RFC 2890).
    Gre = 4,
    /// Ethernet in GRE, as in "`SoftGRE`" (RFC 1701, protocol type 0x6558).
    EthernetInGre = 5,
    /// IP in PPP in `L2TPv2` in UDP (RFC 2661).
    L2tp = 6,
}

impl Tunnel {
    /// Every kind, by number.
    pub const ALL: [Self; 7] = [
        Self::V4InV6,
        Self::V6InV4,
        Self::V4InV4,
        Self::V6InV6,
        Self::Gre,
        Self::EthernetInGre,
        Self::L2tp,
    ];

    /// The word in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4InV6 => "4in6",
            Self::V6InV4 => "6in4",
            Self::V4InV4 => "4in4",
            Self::V6InV6 => "6in6",
            Self::Gre => "gre",
            Self::EthernetInGre => "eogre",
            Self::L2tp => "l2tp",
        }
    }

    /// Its bit in a set of tunnels, such as the global [`crate::names::TUNNELS`].
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

const _: () = {
    let mut number = 0;
    while number < Tunnel::ALL.len() {
        assert!(Tunnel::ALL[number] as usize == number, "Tunnel::ALL is by number");
        number += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::Tunnel;

    #[test]
    fn each_tunnel_has_a_bit_of_its_own() {
        let all = Tunnel::ALL.iter().fold(0, |all, tunnel| all | tunnel.bit());
        assert_eq!(all.count_ones() as usize, Tunnel::ALL.len());
    }
}
