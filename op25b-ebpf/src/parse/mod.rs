//! From the bytes of a frame to the TCP segment in it: what the parsers answer, and how they read.
//!
//! Nothing in here knows of XDP: the parsers read through [`Bytes`], so that they also run on plain memory.

use op25b_common::Reason;

pub mod ethernet;
pub mod ipv4;
pub mod ipv6;
pub mod tunnel;

/// Protocol number of TCP, in IPv4's protocol and IPv6's next header field.
pub const TCP: u32 = 6;

/// Bytes of the TCP header that hold the ports (RFC 9293 section 3.1).
const PORTS_LENGTH: u32 = 4;

/// No header that we look for starts behind this; it also keeps offsets inside what the verifier accepts for packet
/// pointers (`MAX_PACKET_OFF`, 65535).
pub const MAX_OFFSET: u32 = 0x3fff;

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

    /// The 16 bytes at `offset` as two words, as they lie there.
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

/// A network layer that the program understands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Network {
    V4,
    V6,
}

/// What stands behind an IP header and its extension headers.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Upper {
    /// Where it starts.
    pub offset: u32,
    /// Where the packet ends by its own length field, or [`OPEN_END`].
    pub end: u32,
    /// Where the fragment starts in its packet, in units of 8 bytes.
    pub fragment_offset: u32,
    /// Its protocol number; [`TCP`] for a later fragment that may be TCP.
    pub protocol: u32,
    /// Whether it is a fragment, also one that is the whole packet (RFC 6946).
    pub is_fragment: u32,
    /// Whether the headers before it leave open what it is: a TCP segment may hide here.
    pub is_hidden: u32,
}

/// The ports of a TCP segment, or that they cannot be read: row `uninspectable` of the verdict table.
#[derive(Clone, Copy)]
pub enum Ports {
    Known { source: u16, destination: u16 },
    Hidden,
}

impl Ports {
    /// Of what has no ports.
    pub const NONE: Self = Self::Known {
        source: 0,
        destination: 0,
    };
}

impl Upper {
    /// The ports, if this is TCP.
    ///
    /// # Errors
    ///
    /// Why there are none to ask for: `not_tcp` or `later_fragment`.
    #[inline(always)]
    pub fn ports<B: Bytes>(&self, bytes: &B) -> Result<Ports, Reason> {
        if self.protocol != TCP {
            return Err(Reason::NotTcp);
        }
        match self.fragment_offset {
            0 => {}
            // RFC 3128: 8 bytes in, a TCP header is not over; it could overwrite a harmless first fragment's flags.
            1 => return Ok(Ports::Hidden),
            _ => return Err(Reason::LaterFragment),
        }
        // RFC 1858: what lies behind the packet's own end is padding, not ports.
        if self.is_hidden != 0 || self.offset > MAX_OFFSET || self.offset + PORTS_LENGTH > self.end {
            return Ok(Ports::Hidden);
        }
        match bytes.bytes(self.offset) {
            Some([a, b, c, d]) => Ok(Ports::Known {
                source: u16::from_be_bytes([a, b]),
                destination: u16::from_be_bytes([c, d]),
            }),
            None => Ok(Ports::Hidden),
        }
    }
}
