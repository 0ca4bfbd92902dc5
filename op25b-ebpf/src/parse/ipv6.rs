//! What stands behind an IPv6 header and its extension headers (RFC 8200).

use op25b_common::Reason;

use super::{Bytes, MAX_OFFSET, OPEN_END, TCP, Upper};

pub const HEADER_LENGTH: u32 = 40;
const PAYLOAD_LENGTH_OFFSET: usize = 4;
const NEXT_HEADER_OFFSET: usize = 6;
/// Where the source address stands; the destination's follows it.
pub const SOURCE_OFFSET: u32 = 8;
pub const DESTINATION_OFFSET: u32 = 24;

/// More extension headers than any real packet carries; a longer chain is uninspectable.
const MAX_EXTENSION_HEADERS: usize = 8;

// Extension headers by the registry that RFC 7045 section 4 set up.
const HOP_BY_HOP: u32 = 0;
const ROUTING: u32 = 43;
const FRAGMENT: u32 = 44;
const AUTHENTICATION: u32 = 51;
const DESTINATION_OPTIONS: u32 = 60;
const MOBILITY: u32 = 135;
const HOST_IDENTITY: u32 = 139;
const SHIM6: u32 = 140;

const FRAGMENT_LENGTH: u32 = 8;
/// RFC 6564 section 4: every extension header takes at least this.
const SHORTEST_EXTENSION: u32 = 8;

/// Reads the IPv6 header at `offset`, without its extension headers: the protocol may be one of those.
///
/// # Errors
///
/// [`Reason::NotIp`] if there is none.
#[inline(always)]
pub fn header<B: Bytes>(bytes: &B, offset: u32) -> Result<Upper, Reason> {
    let header: [u8; NEXT_HEADER_OFFSET + 2] = bytes.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    // The last byte read: a header that is cut short is no IPv6 header.
    if version != 6 || bytes.byte(offset + HEADER_LENGTH - 1).is_none() {
        return Err(Reason::NotIp);
    }
    let payload_length =
        u16::from_be_bytes([header[PAYLOAD_LENGTH_OFFSET], header[PAYLOAD_LENGTH_OFFSET + 1]]);
    let behind = offset + HEADER_LENGTH;
    Ok(Upper {
        offset: behind,
        // RFC 2675: a jumbogram writes 0 here and its length elsewhere, and so leaves the end open.
        end: if payload_length == 0 {
            OPEN_END
        } else {
            behind + u32::from(payload_length)
        },
        protocol: u32::from(header[NEXT_HEADER_OFFSET]),
        ..Upper::default()
    })
}

/// Whether this next header is an extension header.
#[inline(always)]
pub fn is_extension(next_header: u32) -> bool {
    matches!(
        next_header,
        HOP_BY_HOP
            | ROUTING
            | FRAGMENT
            | AUTHENTICATION
            | DESTINATION_OPTIONS
            | MOBILITY
            | HOST_IDENTITY
            | SHIM6
    )
}

/// Goes on from an extension header to what stands behind the last one.
#[inline(always)]
pub fn behind_extensions<B: Bytes>(bytes: &B, upper: &mut Upper) {
    for _ in 0..MAX_EXTENSION_HEADERS {
        if !is_extension(upper.protocol) {
            return;
        }
        if !step(bytes, upper) {
            return;
        }
    }
    if is_extension(upper.protocol) {
        hide(upper);
    }
}

/// Goes over one extension header; false if there is nothing behind it that could be read.
#[inline(always)]
fn step<B: Bytes>(bytes: &B, upper: &mut Upper) -> bool {
    let header = upper.protocol;
    // RFC 7112: a first fragment must hold the whole chain; one that does not hides what follows.
    if upper.offset > MAX_OFFSET || upper.offset + SHORTEST_EXTENSION > upper.end {
        hide(upper);
        return false;
    }
    let Some([next, length]) = bytes.bytes(upper.offset) else {
        hide(upper);
        return false;
    };
    if header == FRAGMENT {
        let Some(field) = bytes.be16(upper.offset + 2) else {
            hide(upper);
            return false;
        };
        upper.is_fragment = 1;
        // RFC 8200 section 4.5: the upper 13 bits count in units of 8 bytes. An atomic fragment (RFC 6946) has 0.
        upper.fragment_offset = u32::from(field >> 3);
    }
    let header_length = match header {
        FRAGMENT => FRAGMENT_LENGTH,
        // RFC 4302 section 2.2: in units of 4 bytes, less 2.
        AUTHENTICATION => (u32::from(length) + 2) * 4,
        _ => (u32::from(length) + 1) * 8,
    };
    upper.offset += header_length;
    upper.protocol = u32::from(next);
    if upper.fragment_offset != 0 {
        // What follows is not the next header but the middle of the packet: behind extension headers there may be TCP.
        if is_extension(upper.protocol) {
            upper.protocol = TCP;
        }
        return false;
    }
    if upper.offset > MAX_OFFSET {
        hide(upper);
        return false;
    }
    true
}

/// Takes it for TCP that hides.
#[inline(always)]
fn hide(upper: &mut Upper) {
    upper.protocol = TCP;
    upper.is_hidden = 1;
}
