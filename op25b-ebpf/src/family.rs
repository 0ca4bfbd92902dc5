//! What differs between IPv4 and IPv6: addresses, parsers and tries. Everything else is written once.

use aya_ebpf::btf_maps::lpm_trie::Key;
use aya_log_ebpf::macro_support::{Argument, IpFormatter};
use op25b_common::{
    keys::{AddressV4, AddressV6, DestinationKey},
    values::{DestinationEntry, ExemptionEntry, PoolEntry, RelayEntry},
};

use crate::{
    maps,
    packet::{Bytes, ipv4, ipv6},
};

/// An address family, as the program's steps need it.
pub trait Family {
    type Address: Copy + IpFormatter + Argument;

    /// Where the addresses stand in the IP header.
    const SOURCE_OFFSET: u32;
    const DESTINATION_OFFSET: u32;

    /// The address at `offset`.
    fn address<B: Bytes>(bytes: &B, offset: u32) -> Option<Self::Address>;

    fn pool(source: Self::Address) -> Option<&'static PoolEntry>;
    fn relay(destination: Self::Address) -> Option<&'static RelayEntry>;
    fn exemption(source: Self::Address) -> Option<&'static ExemptionEntry>;
    fn destination(set: u32, destination: Self::Address) -> Option<&'static DestinationEntry>;
}

/// Where an address stands in the frame, and of which family it is.
#[derive(Clone, Copy)]
pub struct Place {
    pub offset: u32,
    pub is_v6: bool,
}

pub struct V4;
pub struct V6;

macro_rules! family {
    ($family:ident, $address:ty, $parser:ident, $pools:ident, $relays:ident, $exemptions:ident, $destinations:ident) => {
        impl Family for $family {
            type Address = $address;

            const SOURCE_OFFSET: u32 = $parser::SOURCE_OFFSET;
            const DESTINATION_OFFSET: u32 = $parser::DESTINATION_OFFSET;

            #[inline(always)]
            fn address<B: Bytes>(bytes: &B, offset: u32) -> Option<Self::Address> {
                bytes.bytes(offset)
            }

            #[inline(always)]
            fn pool(source: Self::Address) -> Option<&'static PoolEntry> {
                maps::$pools.get(&Key::new(bits::<$address>(), source))
            }

            #[inline(always)]
            fn relay(destination: Self::Address) -> Option<&'static RelayEntry> {
                maps::$relays.get(&Key::new(bits::<$address>(), destination))
            }

            #[inline(always)]
            fn exemption(source: Self::Address) -> Option<&'static ExemptionEntry> {
                maps::$exemptions.get(&Key::new(bits::<$address>(), source))
            }

            #[inline(always)]
            fn destination(set: u32, destination: Self::Address) -> Option<&'static DestinationEntry> {
                let key = DestinationKey::new(set, destination);
                maps::$destinations.get(&Key::new(bits::<DestinationKey<$address>>(), key))
            }
        }
    };
}

family!(
    V4,
    AddressV4,
    ipv4,
    POOLS_V4,
    RELAYS_V4,
    EXEMPTIONS_V4,
    DESTINATIONS_V4
);
family!(
    V6,
    AddressV6,
    ipv6,
    POOLS_V6,
    RELAYS_V6,
    EXEMPTIONS_V6,
    DESTINATIONS_V6
);

/// How many bits of key data there are: a look-up asks with all of them.
const fn bits<T>() -> u32 {
    size_of::<T>() as u32 * 8
}
