//! `action: prohibit`: the reply is an ICMP error, "communication administratively prohibited".

use aya_ebpf::bindings::xdp_md;
use op25b_ebpf::{
    bpf::frame::Fetched,
    parse::{address::Address, ethernet::MAX_REPLY_LINK_LENGTH, flow::Flow, ipv4, ipv6},
};

use super::{
    Invoking,
    checksum::{Sum, word},
    rate::may_reply,
    turn_link,
};
use crate::{
    maps,
    scratch::{Chunk, Scratch},
};

const HOP_LIMIT: u32 = 64;
const ICMP_LENGTH: u32 = 8;
const ICMP: u32 = 1;
/// RFC 792, RFC 1812 section 5.2.7.1: destination unreachable, communication administratively prohibited.
const ICMP_TYPE_CODE: u16 = 0x03_0d;
const ICMPV6: u32 = 58;
/// RFC 4443 section 3.1: the same.
const ICMPV6_TYPE_CODE: u16 = 0x01_01;
/// RFC 1812 section 4.3.2.5: errors go with the precedence of internetwork control.
const TOS: u32 = 0xc0;

const FRONT_V4: u32 = ipv4::HEADER_LENGTH + ICMP_LENGTH;
const FRONT_V6: u32 = ipv6::HEADER_LENGTH + ICMP_LENGTH;
/// RFC 1812 section 4.3.2.3: as much of the packet as fits into 576 bytes.
const QUOTED_V4: u32 = 576 - FRONT_V4;
/// RFC 4443 section 2.4(c): as much of the packet as fits into the smallest MTU.
const QUOTED_V6: u32 = 1280 - FRONT_V6;

/// How many bytes are added to the checksum at a time.
const CHUNK: u32 = Chunk::LENGTH as u32;
const CHUNKS: u32 = QUOTED_V6.div_ceil(CHUNK);

/// Turns the frame into an ICMP error to its sender; 0 if there must be none, or not now.
#[unsafe(no_mangle)]
#[inline(never)]
pub extern "C" fn op25b_prohibit(ctx: *mut xdp_md, scratch: *mut Scratch) -> u32 {
    // SAFETY: the verifier holds callers to a valid pointer, and this function to the null check.
    let Some(scratch) = (unsafe { scratch.as_mut() }) else {
        return 0;
    };
    u32::from(turn_around(&Fetched(ctx), scratch).is_some())
}

#[inline(always)]
fn turn_around(frame: &Fetched, Scratch { segment, chunk, .. }: &mut Scratch) -> Option<()> {
    let invoking = Invoking::read(frame, segment)?;
    let is_v6 = segment.flow.has(Flow::SOURCE_V6);
    let (front, most) = if is_v6 {
        if maps::ROUTER_V6.load() == [0; 16] {
            return None;
        }
        (FRONT_V6, QUOTED_V6)
    } else {
        if maps::ROUTER_V4.load() == [0; 4] {
            return None;
        }
        (FRONT_V4, QUOTED_V4)
    };
    let network = segment.source_network;
    let quoted = (invoking.end - network).min(most);
    if !may_reply() {
        return None;
    }
    // From here on the frame is not the packet that came in any more: everything has moved by `front`.
    if !frame.grow_front(front) {
        return None;
    }
    let link = chunk.bytes();
    if !frame.load_part(front, link, network) || !frame.store_part(0, link, network) {
        return None;
    }
    turn_link(frame, segment, front + quoted)?;
    let quote = Quote {
        at: network + front,
        length: quoted,
    };
    let sender = segment.flow.source();
    if is_v6 {
        write_v6(frame, network, &sender, &quote, chunk)?;
    } else {
        write_v4(frame, network, &sender, &quote, chunk)?;
    }
    let kept = network + quoted;
    frame.cut_back(invoking.length.checked_sub(kept)?).then_some(())
}

const _: () = assert!(MAX_REPLY_LINK_LENGTH <= CHUNK);

/// The part of the invoking packet that the error carries.
struct Quote {
    at: u32,
    length: u32,
}

impl Quote {
    /// Adds it to a checksum.
    #[inline(always)]
    fn sum(&self, frame: &Fetched, chunk: &mut Chunk, mut sum: Sum) -> Option<Sum> {
        let mut done = 0;
        for _ in 0..CHUNKS {
            if done >= self.length {
                break;
            }
            let length = (self.length - done).min(CHUNK);
            // Zeros after the end change no sum.
            chunk.clear();
            if !frame.load_part(self.at + done, chunk.bytes(), length) {
                return None;
            }
            sum = sum.add(chunk.words());
            done += CHUNK;
        }
        Some(sum)
    }
}

/// Writes what comes before the quoted part, an IPv4 and an ICMP header, to `at`.
#[inline(always)]
fn write_v4(frame: &Fetched, at: u32, sender: &Address, quote: &Quote, chunk: &mut Chunk) -> Option<()> {
    const DONT_FRAGMENT: u32 = 0x4000;
    let life = (HOP_LIMIT << 8 | ICMP) as u16;
    let start = 0x4500_0000 | TOS << 16 | (FRONT_V4 + quote.length);
    let router = u32::from_ne_bytes(maps::ROUTER_V4.load());
    let mut header = [
        start.to_be(),
        DONT_FRAGMENT.to_be(),
        word(life, 0),
        router,
        sender.v4_word(),
    ];
    header[2] = word(life, Sum::ZERO.add(&header).finish());
    let sum = quote.sum(frame, chunk, Sum::ZERO.add(&[word(ICMP_TYPE_CODE, 0)]))?;
    let icmp = [word(ICMP_TYPE_CODE, sum.finish()), 0];
    let is_written = frame.store(at, &header) && frame.store(at + ipv4::HEADER_LENGTH, &icmp);
    is_written.then_some(())
}

/// Writes what comes before the quoted part, an IPv6 and an `ICMPv6` header, to `at`.
#[inline(always)]
fn write_v6(frame: &Fetched, at: u32, sender: &Address, quote: &Quote, chunk: &mut Chunk) -> Option<()> {
    let sender = sender.v6_words();
    let length = ICMP_LENGTH + quote.length;
    let router = maps::ROUTER_V6.load();
    let router = [0, 4, 8, 12].map(|at| {
        let [a, b, c, d] = [0, 1, 2, 3].map(|byte| router[at + byte]);
        u32::from_ne_bytes([a, b, c, d])
    });
    let start = [
        0x6000_0000_u32.to_be(),
        (length << 16 | ICMPV6 << 8 | HOP_LIMIT).to_be(),
    ];
    // The pseudo-header (RFC 8200 section 8.1) and what ICMPv6 starts with.
    let rest = [length.to_be(), ICMPV6.to_be(), word(ICMPV6_TYPE_CODE, 0)];
    let sum = Sum::ZERO.add(&rest).add(&router).add(&sender);
    let is_written = frame.store(at, &start)
        && frame.store(at + ipv6::SOURCE_OFFSET, &router)
        && frame.store(at + ipv6::DESTINATION_OFFSET, &sender);
    if !is_written {
        return None;
    }
    let icmp = [word(ICMPV6_TYPE_CODE, quote.sum(frame, chunk, sum)?.finish()), 0];
    frame.store(at + ipv6::HEADER_LENGTH, &icmp).then_some(())
}
