//! A frame that parsers read where it lies: the fast way for those that take any framing.

use aya_ebpf::bindings::xdp_md;

use op25b_ebpf::{
    bpf::{
        frame::{self, Fetched},
        instructions::{load_u16_at, load_u32_at, load_u64_at, opaque},
    },
    parse::{Bytes, MAX_OFFSET},
};

/// A frame that is read where it lies, at offsets that the verifier can follow.
pub struct Frame(pub *mut xdp_md);

impl Bytes for Frame {
    /// A frame of several buffers keeps its headers in the first one unless somebody stretches them on purpose;
    /// those bytes are fetched by the kernel, so that a long header chain hides nothing.
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        in_place(self.0, offset as usize).or_else(|| Fetched(self.0).bytes(offset))
    }
}

/// Bytes of the frame's first buffer.
#[inline(always)]
fn in_place<const N: usize>(ctx: *mut xdp_md, offset: usize) -> Option<[u8; N]> {
    let from = frame::in_place(ctx, offset, N)?;
    let mut bytes = [0; N];
    // SAFETY: the comparison in `frame::in_place` proves to the verifier that N bytes are inside the frame.
    unsafe {
        // One instruction where there is one for so many bytes.
        match N {
            2 => bytes.copy_from_slice(&load_u16_at::<0, 0>(from).to_ne_bytes()),
            4 => bytes.copy_from_slice(&load_u32_at::<0, 0>(from).to_ne_bytes()),
            8 => bytes.copy_from_slice(&load_u64_at::<0, 0>(from).to_ne_bytes()),
            16 => {
                bytes[..8].copy_from_slice(&load_u64_at::<0, 0>(from).to_ne_bytes());
                bytes[8..].copy_from_slice(&load_u64_at::<8, 0>(from).to_ne_bytes());
            }
            _ => bytes = *from.cast(),
        }
    }
    Some(bytes)
}

/// A frame that is read where it lies, at offsets that come from another function: the verifier knows nothing of them.
pub struct Reread(pub *mut xdp_md);

#[allow(clippy::cast_possible_truncation, reason = "offsets are below 64 KiB")]
impl Bytes for Reread {
    #[inline(always)]
    fn bytes<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        // On the whole register, where the verifier sees it: the compiler may know better and leave the comparison out.
        let near = opaque(u64::from(offset)) as usize;
        if near > MAX_OFFSET as usize {
            return Fetched(self.0).bytes(offset);
        }
        in_place(self.0, near).or_else(|| Fetched(self.0).bytes(offset))
    }
}
