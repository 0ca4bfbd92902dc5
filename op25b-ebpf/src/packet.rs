//! How bytes of a frame are read, and what the parsers in this module answer.

use aya_ebpf::{EbpfContext as _, helpers::bpf_xdp_load_bytes, programs::XdpContext};

pub mod ethernet;
pub mod ipv4;
pub mod ipv6;

/// Protocol number of TCP, in IPv4's protocol and IPv6's next header field.
const TCP: u8 = 6;

/// Bytes of the TCP header that hold the ports (RFC 9293 section 3.1).
const PORTS_LENGTH: usize = 4;

/// A network layer that the program understands.
#[derive(Clone, Copy)]
pub enum Network {
    V4,
    V6,
}

/// What could be learned of a TCP segment's destination port.
#[derive(Clone, Copy)]
pub enum TcpPort {
    Known(u16),
    /// TCP whose ports cannot be read: row `uninspectable` of the verdict table.
    Hidden,
}

/// No header that we look for starts behind this; it also keeps offsets inside what the verifier accepts for packet
/// pointers (`MAX_PACKET_OFF`, 65535).
const MAX_OFFSET: usize = 0x3fff;

/// The same offset, with what the verifier knows of it reduced to `0..=MAX_OFFSET`; `None` beyond.
///
/// The verifier follows every way through the tags and extension headers, and takes two ways for one only when it
/// knows the same of both. Offsets that it knows exactly would multiply the ways (800,000 instructions verified
/// instead of some ten thousand). It keeps no knowledge of a 4-byte value stored in the upper half of a stack slot.
#[inline(always)]
fn forget(offset: usize) -> Option<usize> {
    #[repr(align(8))]
    struct Slot([u32; 2]);
    let mut slot = Slot([0; 2]);
    // The compiler takes a slot that it sees through apart, volatile or not, and puts the halves where it likes: into
    // lower halves of two other slots. Of this one it knows only the address.
    let slot = core::hint::black_box(&mut slot);
    slot.0[1] = offset as u32;
    let offset = core::hint::black_box(slot).0[1] as usize;
    if offset <= MAX_OFFSET { Some(offset) } else { None }
}

/// A frame, read with a bounds check at every access.
pub struct Packet<'a> {
    ctx: &'a XdpContext,
}

impl<'a> Packet<'a> {
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx }
    }

    #[inline(always)]
    pub fn context(&self) -> &XdpContext {
        self.ctx
    }

    /// The `N` bytes at `offset`, or `None` if the frame ends before them.
    ///
    /// A frame of several buffers keeps its headers in the first one unless somebody stretches them on purpose;
    /// those bytes are fetched by the kernel, so that a long header chain hides nothing.
    #[inline(always)]
    pub fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        let start = self.ctx.data() + offset;
        if start + N <= self.ctx.data_end() {
            // SAFETY: the comparison above proves to the verifier that N bytes are inside the frame, and an array
            // of bytes needs no alignment.
            return Some(unsafe { *(start as *const [u8; N]) });
        }
        let mut bytes = [0; N];
        // SAFETY: the buffer is N bytes long; the kernel checks the offset against the whole frame's length.
        let result = unsafe {
            bpf_xdp_load_bytes(
                self.ctx.as_ptr().cast(),
                offset as u32,
                bytes.as_mut_ptr().cast(),
                N as u32,
            )
        };
        if result == 0 { Some(bytes) } else { None }
    }

    #[inline(always)]
    pub fn byte(&self, offset: usize) -> Option<u8> {
        self.bytes::<1>(offset).map(|[byte]| byte)
    }

    #[inline(always)]
    pub fn be16(&self, offset: usize) -> Option<u16> {
        self.bytes(offset).map(u16::from_be_bytes)
    }

    /// The destination port of the TCP header at `offset`, whose packet ends at `end` by its own length field.
    #[inline(always)]
    fn tcp_port(&self, offset: usize, end: usize) -> TcpPort {
        // What lies behind the packet's own end is padding, not ports.
        if offset + PORTS_LENGTH > end {
            return TcpPort::Hidden;
        }
        match self.be16(offset + 2) {
            Some(port) => TcpPort::Known(port),
            None => TcpPort::Hidden,
        }
    }
}
