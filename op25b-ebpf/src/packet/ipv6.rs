//! From an IPv6 header, through its extension headers, to the TCP destination port (RFC 8200).

use op25b_common::{Reason, keys::AddressV6};

use super::{Packet, TCP, TcpPort, forget};

const HEADER_LENGTH: usize = 40;
const PAYLOAD_LENGTH_OFFSET: usize = 4;
const NEXT_HEADER_OFFSET: usize = 6;
const SOURCE_OFFSET: usize = 8;
const DESTINATION_OFFSET: usize = 24;

/// More extension headers than any real packet carries; a longer chain is uninspectable.
const MAX_EXTENSION_HEADERS: usize = 8;

// Extension headers by the registry that RFC 7045 section 4 set up.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HOST_IDENTITY: u8 = 139;
const SHIM6: u8 = 140;

const FRAGMENT_LENGTH: usize = 8;

/// No extension header is shorter (RFC 8200 section 4).
const SHORTEST_EXTENSION: usize = 8;

/// The TCP destination port of the IPv6 packet at `offset`.
///
/// # Errors
///
/// The reason why there is none to ask for: `not_ip`, `not_tcp` or `later_fragment`.
#[inline(always)]
pub fn tcp_port(packet: &Packet<'_>, offset: usize) -> Result<TcpPort, Reason> {
    let header: [u8; NEXT_HEADER_OFFSET + 2] = packet.bytes(offset).ok_or(Reason::NotIp)?;
    let version = header[0] >> 4;
    // The last byte read: a header that is cut short is no IPv6 header.
    if version != 6 || packet.byte(offset + HEADER_LENGTH - 1).is_none() {
        return Err(Reason::NotIp);
    }
    let payload_length =
        u16::from_be_bytes([header[PAYLOAD_LENGTH_OFFSET], header[PAYLOAD_LENGTH_OFFSET + 1]]);
    let mut next_header = header[NEXT_HEADER_OFFSET];
    let mut position = offset + HEADER_LENGTH;
    // RFC 2675: a jumbogram writes 0 here and its length elsewhere, and so leaves the end open.
    let end = if payload_length == 0 {
        usize::MAX
    } else {
        position + usize::from(payload_length)
    };

    for _ in 0..=MAX_EXTENSION_HEADERS {
        if next_header == TCP {
            return Ok(packet.tcp_port(position, end));
        }
        if !is_extension(next_header) {
            return Err(Reason::NotTcp);
        }
        // RFC 7112: a first fragment must hold the whole chain; one that does not hides what follows. Behind the packet's
        // own end there is padding, no fragment offset.
        if position + SHORTEST_EXTENSION > end {
            return Ok(TcpPort::Hidden);
        }
        let Some([following, length]) = packet.bytes(position) else {
            return Ok(TcpPort::Hidden);
        };
        if next_header == FRAGMENT {
            let Some(field) = packet.be16(position + 2) else {
                return Ok(TcpPort::Hidden);
            };
            // RFC 8200 section 4.5: the upper 13 bits count in units of 8 bytes. An atomic fragment (RFC 6946) has 0.
            let fragment_offset = field >> 3;
            if fragment_offset != 0 {
                return later_fragment(following, fragment_offset);
            }
        }
        let header_length = match next_header {
            FRAGMENT => FRAGMENT_LENGTH,
            // RFC 4302 section 2.2: in units of 4 bytes, less 2.
            AUTHENTICATION => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        let Some(behind) = forget(position + header_length) else {
            return Ok(TcpPort::Hidden);
        };
        position = behind;
        next_header = following;
    }
    Ok(TcpPort::Hidden)
}

/// What a fragment that is not the first one can be, going by the header that its fragmentable part starts with.
#[inline(always)]
fn later_fragment(next_header: u8, offset: u16) -> Result<TcpPort, Reason> {
    if next_header != TCP && !is_extension(next_header) {
        return Err(Reason::NotTcp);
    }
    // RFC 3128's attack, as for IPv4: 8 bytes in, a TCP header is not over.
    if offset == 1 {
        Ok(TcpPort::Hidden)
    } else {
        Err(Reason::LaterFragment)
    }
}

#[inline(always)]
fn is_extension(next_header: u8) -> bool {
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

/// Source and destination of the IPv6 packet at `offset`.
#[inline(always)]
pub fn addresses(packet: &Packet<'_>, offset: usize) -> Option<(AddressV6, AddressV6)> {
    Some((
        packet.bytes(offset + SOURCE_OFFSET)?,
        packet.bytes(offset + DESTINATION_OFFSET)?,
    ))
}
