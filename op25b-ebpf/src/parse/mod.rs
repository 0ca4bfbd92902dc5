//! Parsers: from the bytes of a frame to the TCP segment in it.
//!
//! `parse_*` reads a header, `skip_*` goes past headers whose contents do not matter, `proto_is_*` classifies a protocol
//! number. All read through [`Bytes`], so they run on plain memory as well as on a frame in the kernel.

pub mod address;
pub mod ethernet;
pub mod extensions;
pub mod flow;
pub mod ipv4;
pub mod ipv6;
pub mod line;
pub mod mpls;
pub mod ppp;
pub mod segment;
pub mod snap;
pub mod tcp;
pub mod tunnel;

/// No header that is parsed starts at a higher offset; it also keeps offsets inside what the verifier accepts for packet
/// pointers (`MAX_PACKET_OFF`, 65535).
pub const MAX_OFFSET: u32 = 0x3fff;

/// Fragments that start before this, in units of 8 bytes, could overwrite headers while the packet is reassembled; real ones
/// start hundreds of bytes in (RFC 8200 section 5: every link carries packets of 1280 bytes).
pub const FIRST_HARMLESS_FRAGMENT: u32 = 16;

/// The end of a packet whose length field leaves it open.
pub const OPEN_END: u32 = u32::MAX;

/// A frame to be read, with a bounds check at every access.
pub trait Bytes {
    /// The `N` bytes at `offset`, or `None` if the frame ends before them.
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    /// The byte at `offset`.
    #[inline(always)]
    fn byte(&self, offset: u32) -> Option<u8> {
        self.bytes::<1>(offset).map(|[byte]| byte)
    }

    /// The 16 bytes at `offset` as two words, in memory order.
    #[inline(always)]
    fn halves(&self, offset: u32) -> Option<[u64; 2]> {
        let bytes: [u8; 16] = self.bytes(offset)?;
        // SAFETY: both are 16 bytes without padding, and any bits are numbers.
        Some(unsafe { core::mem::transmute::<[u8; 16], [u64; 2]>(bytes) })
    }

    /// The 16-bit number at `offset`.
    #[inline(always)]
    fn be16(&self, offset: u32) -> Option<u16> {
        self.bytes(offset).map(u16::from_be_bytes)
    }
}

/// A frame in memory.
impl Bytes for &[u8] {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let start = offset as usize;
        self.get(start..start.checked_add(N)?)?.try_into().ok()
    }
}

/// A network layer that the program understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The upper layer of an IP packet: the protocol after the IP header and its extension headers (RFC 8200 section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct UpperLayer {
    /// Where it starts.
    pub offset: u32,
    /// Where the packet ends by its own length field, or [`OPEN_END`].
    pub end: u32,
    /// Where the fragment starts in its packet, in units of 8 bytes.
    pub fragment_offset: u32,
    /// Its protocol number; [`tcp::TCP`] for a later IPv6 fragment, which may be TCP whatever it says.
    pub protocol: u32,
    /// 1 for a fragment, also one that is the whole packet (RFC 6946); else 0.
    pub is_fragment: u32,
    /// 1 if the headers before it leave open what it is, so that a TCP segment may hide here; else 0.
    pub is_hidden: u32,
}
