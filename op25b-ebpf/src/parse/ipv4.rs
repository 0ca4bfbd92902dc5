//! What stands behind an IPv4 header (RFC 791).

use op25b_common::Reason;

use super::{Bytes, OPEN_END, Upper};

pub const HEADER_LENGTH: u32 = 20;
const TOTAL_LENGTH_OFFSET: usize = 2;
const FRAGMENT_OFFSET: usize = 6;
const PROTOCOL_OFFSET: usize = 9;
/// Where the source address stands; the destination's follows it.
pub const SOURCE_OFFSET: u32 = 12;
pub const DESTINATION_OFFSET: u32 = 16;

/// The 13 bits that count where a fragment starts, in units of 8 bytes.
const FRAGMENT_OFFSET_MASK: u16 = 0x1fff;
/// The bit that says that another fragment follows.
const MORE_FRAGMENTS: u16 = 0x2000;

/// Reads the IPv4 header at `offset`.
///
/// # Errors
///
/// [`Reason::NotIp`] if there is none.
#[inline(always)]
pub fn upper<B: Bytes>(bytes: &B, offset: u32) -> Result<Upper, Reason> {
    let header: [u8; HEADER_LENGTH as usize] = bytes.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    if version != 4 {
        return Err(Reason::NotIp);
    }
    let header_length = u32::from(header[0] & 0x0f) * 4;
    let fragment = u16::from_be_bytes([header[FRAGMENT_OFFSET], header[FRAGMENT_OFFSET + 1]]);
    let total_length = u16::from_be_bytes([header[TOTAL_LENGTH_OFFSET], header[TOTAL_LENGTH_OFFSET + 1]]);
    Ok(Upper {
        offset: offset + header_length,
        // The kernel itself writes 0 for aggregated packets over 64 KiB (Linux `iph_totlen`), and so leaves the end open.
        end: if total_length == 0 {
            OPEN_END
        } else {
            offset + u32::from(total_length)
        },
        fragment_offset: u32::from(fragment & FRAGMENT_OFFSET_MASK),
        protocol: u32::from(header[PROTOCOL_OFFSET]),
        is_fragment: u32::from(fragment & (FRAGMENT_OFFSET_MASK | MORE_FRAGMENTS) != 0),
        is_hidden: u32::from(header_length < HEADER_LENGTH),
    })
}
