//! Frames that are not IP, as the program counts them: for each interface by their last `EtherType`.

/// How many `EtherType`s each CPU tells apart on an interface. Who sends ever new ones takes no more room than this.
pub const ETHERTYPE_SLOTS: usize = 16;

/// How many interfaces frames are counted for; ports that a driver hands the program to are interfaces of their own.
pub const NOT_IP_INTERFACES: usize = 128;

/// What stands for the `EtherType` of a frame that has none: one with a length field (IEEE 802.3), whose LLC header is not
/// SNAP's, or one that ends before it.
pub const NO_ETHERTYPE: u16 = 0;

/// Lower numbers in the place of an `EtherType` are lengths (IEEE 802.3, section 3.2.6).
pub const FIRST_ETHERTYPE: u16 = 0x0600;

/// The frames of one interface on one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct NotIpFrames {
    /// How many there were of each `EtherType`; 0 in a slot that is free.
    pub packets: [u64; ETHERTYPE_SLOTS],
    /// How many there were that found no slot.
    pub others: u64,
    /// The `EtherType` that each slot is for.
    pub ethertypes: [u16; ETHERTYPE_SLOTS],
}

impl NotIpFrames {
    /// None yet.
    pub const NONE: Self = Self {
        packets: [0; ETHERTYPE_SLOTS],
        others: 0,
        ethertypes: [0; ETHERTYPE_SLOTS],
    };
}

const _: () = {
    assert!(size_of::<NotIpFrames>() == 168);
    assert!(align_of::<NotIpFrames>() == 8);
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: numbers in `repr(C)`, without padding (asserted above); any bit pattern is valid.
    unsafe impl aya::Pod for super::NotIpFrames {}
}
