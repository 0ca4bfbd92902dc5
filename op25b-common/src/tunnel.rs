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
    /// IP in GRE (RFC 2784, RFC 2890).
    Gre = 3,
    /// IP in PPP in `L2TPv2` in UDP (RFC 2661).
    L2tp = 4,
}

impl Tunnel {
    /// Every kind, by number.
    pub const ALL: [Self; 5] = [Self::V4InV6, Self::V6InV4, Self::V4InV4, Self::Gre, Self::L2tp];

    /// The word in the policy file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4InV6 => "4in6",
            Self::V6InV4 => "6in4",
            Self::V4InV4 => "4in4",
            Self::Gre => "gre",
            Self::L2tp => "l2tp",
        }
    }

    /// Its bit in a set of tunnels, such as the global [`crate::names::TUNNELS`].
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The kind with this bit; `None` for no bit, several bits or an unknown one.
    #[must_use]
    pub const fn from_bit(bit: u8) -> Option<Self> {
        let mut number = 0;
        while number < Self::ALL.len() {
            if Self::ALL[number].bit() == bit {
                return Some(Self::ALL[number]);
            }
            number += 1;
        }
        None
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
        for tunnel in Tunnel::ALL {
            assert_eq!(Tunnel::from_bit(tunnel.bit()), Some(tunnel));
        }
        assert_eq!(Tunnel::from_bit(0), None);
        assert_eq!(Tunnel::from_bit(all), None);
    }
}
