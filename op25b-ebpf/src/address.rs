//! Addresses of both families as numbers, and where they stand in a frame.

use op25b_common::{
    keys::{AddressV4, AddressV6},
    lpm::KeyCursor,
};

use crate::parse::Bytes;

/// Where an address stands in the frame, and of which family it is.
#[derive(Clone, Copy)]
pub struct Place {
    pub offset: u32,
    pub is_v6: bool,
}

/// An address, at the left of 128 bits in two halves.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Halves {
    pub high: u64,
    pub low: u64,
}

impl Halves {
    /// An IPv4 address.
    #[inline(always)]
    pub fn v4(address: u32) -> Self {
        Self {
            high: u64::from(address) << 32,
            low: 0,
        }
    }

    /// The address there. It was in the frame when its header was read; zero stands for one that is not any more.
    #[inline(always)]
    pub fn read<B: Bytes>(frame: &B, place: Place) -> Self {
        if place.is_v6 {
            let [high, low] = frame.halves(place.offset).unwrap_or_default();
            Self {
                high: u64::from_be(high),
                low: u64::from_be(low),
            }
        } else {
            let address: AddressV4 = frame.bytes(place.offset).unwrap_or_default();
            Self::v4(u32::from_be_bytes(address))
        }
    }
}

/// An address of either family.
#[derive(Clone, Copy)]
pub struct Address {
    pub high: u64,
    pub low: u64,
    pub is_v6: bool,
}

impl Address {
    #[inline(always)]
    pub fn new(halves: Halves, is_v6: bool) -> Self {
        Self {
            high: halves.high,
            low: halves.low,
            is_v6,
        }
    }

    /// As the key of a look-up.
    #[inline(always)]
    pub fn key(&self) -> KeyCursor {
        KeyCursor::new(self.high, self.low)
    }

    /// An IPv4 address as a number.
    #[inline(always)]
    pub fn v4(&self) -> u32 {
        (self.high >> 32) as u32
    }

    /// An IPv4 address as a trie's key.
    #[inline(always)]
    pub fn v4_key(&self) -> AddressV4 {
        self.v4().to_be_bytes()
    }

    /// An IPv6 address as a trie's key.
    #[inline(always)]
    pub fn v6_key(&self) -> AddressV6 {
        let mut key = [0; 16];
        let (high, low) = key.split_at_mut(8);
        high.copy_from_slice(&self.high.to_be_bytes());
        low.copy_from_slice(&self.low.to_be_bytes());
        key
    }
}
