//! From an IPv4 header to the TCP destination port (RFC 791).

use op25b_common::{Reason, keys::AddressV4};

use super::{Packet, TCP, TcpPort};

const HEADER_LENGTH: usize = 20;
const TOTAL_LENGTH_OFFSET: usize = 2;
const FRAGMENT_OFFSET: usize = 6;
const PROTOCOL_OFFSET: usize = 9;
const SOURCE_OFFSET: usize = 12;
const DESTINATION_OFFSET: usize = 16;

/// The 13 bits that count where a fragment starts, in units of 8 bytes.
const FRAGMENT_OFFSET_MASK: u16 = 0x1fff;

/// The TCP destination port of the IPv4 packet at `offset`.
///
/// # Errors
///
/// The reason why there is none to ask for: `not_ip`, `not_tcp` or `later_fragment`.
#[inline(always)]
pub fn tcp_port(packet: &Packet<'_>, offset: usize) -> Result<TcpPort, Reason> {
    let header: [u8; HEADER_LENGTH] = packet.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    if version != 4 {
        return Err(Reason::NotIp);
    }
    if header[PROTOCOL_OFFSET] != TCP {
        return Err(Reason::NotTcp);
    }
    let fragment = u16::from_be_bytes([header[FRAGMENT_OFFSET], header[FRAGMENT_OFFSET + 1]]);
    match fragment & FRAGMENT_OFFSET_MASK {
        0 => {}
        // RFC 3128: offset 1 is the middle of a TCP header; it could overwrite a harmless first fragment's flags.
        1 => return Ok(TcpPort::Hidden),
        _ => return Err(Reason::LaterFragment),
    }
    let header_length = usize::from(header[0] & 0x0f) * 4;
    if header_length < HEADER_LENGTH {
        return Ok(TcpPort::Hidden);
    }
    let total_length = u16::from_be_bytes([header[TOTAL_LENGTH_OFFSET], header[TOTAL_LENGTH_OFFSET + 1]]);
    // The kernel itself writes 0 for aggregated packets over 64 KiB (Linux `iph_totlen`), and so leaves the end open.
    let end = if total_length == 0 {
        usize::MAX
    } else {
        offset + usize::from(total_length)
    };
    Ok(packet.tcp_port(offset + header_length, end))
}

/// Source and destination of the IPv4 packet at `offset`.
#[inline(always)]
pub fn addresses(packet: &Packet<'_>, offset: usize) -> Option<(AddressV4, AddressV4)> {
    Some((
        packet.bytes(offset + SOURCE_OFFSET)?,
        packet.bytes(offset + DESTINATION_OFFSET)?,
    ))
}
