//! Addresses of both IP versions as numbers.

use op25b_common::keys::{AddressV4, AddressV6};

use super::Bytes;

/// The bits of an address, at the left of 128 bits in two halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct AddressBits {
    /// The first 64 bits.
    pub high: u64,
    /// The last 64 bits.
    pub low: u64,
}

impl AddressBits {
    /// An IPv4 address.
    #[must_use]
    #[inline(always)]
    pub fn v4(address: u32) -> Self {
        Self {
            high: u64::from(address) << 32,
            low: 0,
        }
    }

    /// Reads the address at `offset`. It was in the frame when its header was parsed; zero stands for one that is not any
    /// more.
    #[inline(always)]
    pub fn read<B: Bytes>(bytes: &B, offset: u32, is_v6: bool) -> Self {
        if is_v6 {
            let [high, low] = bytes.halves(offset).unwrap_or_default();
            Self {
                high: u64::from_be(high),
                low: u64::from_be(low),
            }
        } else {
            let address: AddressV4 = bytes.bytes(offset).unwrap_or_default();
            Self::v4(u32::from_be_bytes(address))
        }
    }
}

/// An address of either IP version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The first 64 bits.
    pub high: u64,
    /// The last 64 bits.
    pub low: u64,
    /// Whether it is IPv6.
    pub is_v6: bool,
}

impl Address {
    /// These bits as an address.
    #[must_use]
    #[inline(always)]
    pub fn new(bits: AddressBits, is_v6: bool) -> Self {
        Self {
            high: bits.high,
            low: bits.low,
            is_v6,
        }
    }

    /// An IPv4 address as a number.
    #[must_use]
    #[inline(always)]
    pub fn v4(&self) -> u32 {
        (self.high >> 32) as u32
    }

    /// An IPv4 address as a trie's key.
    #[must_use]
    #[inline(always)]
    pub fn v4_key(&self) -> AddressV4 {
        self.v4().to_be_bytes()
    }

    /// An IPv6 address as a trie's key.
    #[must_use]
    #[inline(always)]
    pub fn v6_key(&self) -> AddressV6 {
        let mut key = [0; 16];
        let (high, low) = key.split_at_mut(8);
        high.copy_from_slice(&self.high.to_be_bytes());
        low.copy_from_slice(&self.low.to_be_bytes());
        key
    }

    /// As IPv6: IPv4 as IPv4-mapped (RFC 4291 section 2.5.5.2).
    #[must_use]
    #[inline(always)]
    pub fn mapped(&self) -> AddressV6 {
        const PREFIX: u64 = 0xffff << 32;
        let halves = if self.is_v6 {
            [self.high, self.low]
        } else {
            [0, PREFIX | u64::from(self.v4())]
        };
        // SAFETY: both are 16 bytes without padding, and any bits are bytes.
        unsafe { core::mem::transmute::<[u64; 2], AddressV6>(halves.map(u64::to_be)) }
    }
}

impl Address {
    /// Whether it can be one host's: of IPv4, neither multicast, reserved or broadcast (224.0.0.0/3) nor "this network"
    /// (0.0.0.0/8); of IPv6, neither multicast nor unspecified.
    #[must_use]
    #[inline(always)]
    pub fn is_host(&self) -> bool {
        let first = self.high >> 56;
        if self.is_v6 {
            first != 0xff && self.high | self.low != 0
        } else {
            first < 224 && first != 0
        }
    }

    /// Whether it is the host's own (127.0.0.0/8, `::1`).
    #[must_use]
    #[inline(always)]
    pub fn is_loopback(&self) -> bool {
        if self.is_v6 {
            self.high == 0 && self.low == 1
        } else {
            self.high >> 56 == 127
        }
    }

    /// An IPv4 address as a word of network byte order.
    #[must_use]
    #[inline(always)]
    pub fn v4_word(&self) -> u32 {
        self.v4().to_be()
    }

    /// An IPv6 address as words of network byte order.
    #[must_use]
    #[inline(always)]
    pub fn v6_words(&self) -> [u32; 4] {
        let halves = [self.high.to_be(), self.low.to_be()];
        // SAFETY: both are 16 bytes without padding, and any bits are numbers.
        unsafe { core::mem::transmute::<[u64; 2], [u32; 4]>(halves) }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6);

    #[test]
    fn an_ipv4_address_is_read_and_written_as_it_stands_in_a_packet() {
        let frame = [0, 192, 0, 2, 25];
        let address = Address::new(AddressBits::read(&&frame[..], 1, false), false);
        assert_eq!(address.v4(), Ipv4Addr::new(192, 0, 2, 25).to_bits());
        assert_eq!(address.v4_key(), [192, 0, 2, 25]);
    }

    #[test]
    fn an_ipv6_address_is_read_and_written_as_it_stands_in_a_packet() {
        let frame = [&[0; 3][..], &V6.octets()].concat();
        let address = Address::new(AddressBits::read(&&frame[..], 3, true), true);
        let number = u128::from(address.high) << 64 | u128::from(address.low);
        assert_eq!(number, V6.to_bits());
        assert_eq!(address.v6_key(), V6.octets());
    }

    fn v4(address: [u8; 4]) -> Address {
        Address::new(AddressBits::v4(u32::from_be_bytes(address)), false)
    }

    fn v6(address: u128) -> Address {
        let (high, low) = ((address >> 64) as u64, address as u64);
        Address::new(AddressBits { high, low }, true)
    }

    #[test]
    fn an_ipv4_address_is_ipv4_mapped_as_ipv6() {
        let mapped = Ipv4Addr::new(192, 0, 2, 25).to_ipv6_mapped();
        assert_eq!(v4([192, 0, 2, 25]).mapped(), mapped.octets());
        assert_eq!(v6(V6.to_bits()).mapped(), V6.octets());
    }

    #[test]
    fn words_are_in_network_byte_order() {
        assert_eq!(v4([192, 0, 2, 25]).v4_word().to_ne_bytes(), [192, 0, 2, 25]);
        let bytes = v6(V6.to_bits()).v6_words().map(u32::to_ne_bytes);
        assert_eq!(bytes.as_flattened(), V6.octets());
    }

    #[test]
    fn groups_reserved_and_unspecified_addresses_are_no_hosts() {
        for address in [
            [1, 0, 0, 0],
            [127, 0, 0, 1],
            [192, 0, 2, 25],
            [223, 255, 255, 255],
        ] {
            assert!(v4(address).is_host(), "{address:?}");
        }
        for address in [
            [0, 0, 0, 0],
            [0, 1, 2, 3],
            [224, 0, 0, 1],
            [240, 0, 0, 1],
            [255; 4],
        ] {
            assert!(!v4(address).is_host(), "{address:?}");
        }
        assert!(v6(1).is_host() && v6(V6.to_bits()).is_host());
        assert!(!v6(0).is_host() && !v6(0xff02 << 112 | 1).is_host());
    }

    #[test]
    fn loopback_addresses_are_recognized() {
        assert!(v4([127, 0, 0, 1]).is_loopback() && v6(1).is_loopback());
        assert!(!v4([128, 0, 0, 1]).is_loopback() && !v6(2).is_loopback() && !v6(1 << 64 | 1).is_loopback());
    }

    #[test]
    fn an_address_after_the_frames_end_is_zero() {
        assert_eq!(AddressBits::read(&&[1; 3][..], 0, false), AddressBits::default());
        assert_eq!(AddressBits::read(&&[1; 15][..], 0, true), AddressBits::default());
    }
}
