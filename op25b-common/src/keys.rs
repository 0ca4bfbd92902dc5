//! Keys of the kernel's longest-prefix-match tries.

/// An IPv4 address in network byte order.
pub type AddressV4 = [u8; 4];

/// An IPv6 address in network byte order.
pub type AddressV6 = [u8; 16];

/// Key data of the destination tries: which set of destinations, then the address.
///
/// The set's number comes first and in network byte order, so that a prefix length of 32 plus the prefix's own
/// selects one set exactly and one prefix inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(C)]
pub struct DestinationKey<A> {
    /// [`crate::values::Class::destinations`] or [`crate::values::Phases::destinations`], big-endian.
    pub set: [u8; 4],
    /// The destination's address.
    pub address: A,
}

impl<A> DestinationKey<A> {
    /// Bits that the set's number takes at the front of the key.
    pub const SET_BITS: u32 = 32;

    /// The key for `address` in destination set `set`.
    pub const fn new(set: u32, address: A) -> Self {
        Self {
            set: set.to_be_bytes(),
            address,
        }
    }
}

const _: () = {
    assert!(size_of::<DestinationKey<AddressV4>>() == 8);
    assert!(size_of::<DestinationKey<AddressV6>>() == 20);
    assert!(align_of::<DestinationKey<AddressV6>>() == 1);
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: arrays of bytes in `repr(C)`, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for super::DestinationKey<super::AddressV4> {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::DestinationKey<super::AddressV6> {}
}
