//! Makes frames: a template, of which each copy gets another source address, sent out of the interface.
//!
//! It runs on the CPU that also runs the filter, so it does as little as possible: addresses come in their random order
//! from a table, with the checksums that go with them.

use aya_ebpf::{bindings::xdp_action, btf_maps::Array, macros::btf_map, macros::xdp, programs::XdpContext};

/// How many sources there are; a power of two.
const SOURCES: u32 = 1 << 16;

const ETHERNET_LENGTH: usize = 14;

/// A source address, and the checksums of a frame that has it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Source {
    /// The IPv4 address, or the second 32 bits of the IPv6 address.
    bits: [u8; 4],
    /// IPv4's checksum.
    network_checksum: [u8; 2],
    /// TCP's checksum.
    transport_checksum: [u8; 2],
}

/// All of them, filled by user space.
#[btf_map]
static ADDRESSES: Array<Source, { SOURCES as usize }> = Array::new();

/// How many frames were made.
#[btf_map]
static MADE: Array<u32, 1> = Array::new();

/// Makes an IPv4 frame.
#[xdp]
pub fn generate_v4(ctx: XdpContext) -> u32 {
    const NETWORK: usize = ETHERNET_LENGTH;
    const TRANSPORT: usize = NETWORK + 20;
    let Some(source) = next() else {
        return xdp_action::XDP_ABORTED;
    };
    let written = write(&ctx, NETWORK + 12, source.bits)
        .and_then(|()| write(&ctx, NETWORK + 10, source.network_checksum))
        .and_then(|()| write(&ctx, TRANSPORT + 16, source.transport_checksum));
    sent(written)
}

/// Makes an IPv6 frame.
#[xdp]
pub fn generate_v6(ctx: XdpContext) -> u32 {
    const NETWORK: usize = ETHERNET_LENGTH;
    const TRANSPORT: usize = NETWORK + 40;
    let Some(source) = next() else {
        return xdp_action::XDP_ABORTED;
    };
    let written = write(&ctx, NETWORK + 8 + 4, source.bits)
        .and_then(|()| write(&ctx, TRANSPORT + 16, source.transport_checksum));
    sent(written)
}

/// The next source.
#[inline(always)]
fn next() -> Option<&'static Source> {
    let made = MADE.get_ptr_mut(0)?;
    // SAFETY: the slot is valid, and one frame is made at a time.
    let index = unsafe {
        let index = *made;
        *made = index.wrapping_add(1);
        index
    };
    ADDRESSES.get(index & (SOURCES - 1))
}

/// Writes bytes into the frame.
#[inline(always)]
fn write<const N: usize>(ctx: &XdpContext, offset: usize, bytes: [u8; N]) -> Option<()> {
    let start = ctx.data() + offset;
    if start + N > ctx.data_end() {
        return None;
    }
    // SAFETY: the comparison above proves to the verifier that N bytes are inside the frame, and an array of bytes needs
    // no alignment.
    unsafe { *(start as *mut [u8; N]) = bytes };
    Some(())
}

/// Sends the frame out of the interface that it is said to have come in on.
fn sent(written: Option<()>) -> u32 {
    match written {
        Some(()) => xdp_action::XDP_TX,
        None => xdp_action::XDP_ABORTED,
    }
}
