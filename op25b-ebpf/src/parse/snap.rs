//! LLC/SNAP headers (RFC 1042): IP in a frame with a length field (IEEE 802.3) instead of an `EtherType`.
//!
//! Linux does not take such frames for IP. Other routers may, and op25b may run on a bridge before one.

use op25b_common::not_ip::FIRST_ETHERTYPE;

use super::Bytes;

/// Its bytes: LLC and SNAP.
pub const SNAP_LENGTH: u32 = 8;

/// DSAP and SSAP of SNAP, unnumbered information, and the organization under which RFC 1042 has `EtherType`s.
const ENCAPSULATED_ETHERNET: [u8; 6] = [0xaa, 0xaa, 0x03, 0x00, 0x00, 0x00];

/// Reads the `EtherType` in the header at `offset`; `None` if `length`, which precedes it, is no length, or if another header
/// follows.
///
/// The longest payload is 1500 bytes, and the first `EtherType` 1536. Receivers take what lies between for a length, as Linux does
/// (`eth_proto_is_802_3`): it is not compared with 1500.
#[inline(always)]
pub fn parse_snap<B: Bytes>(bytes: &B, length: u16, offset: u32) -> Option<u16> {
    if length >= FIRST_ETHERTYPE {
        return None;
    }
    let header: [u8; SNAP_LENGTH as usize] = bytes.bytes(offset)?;
    let [dsap, ssap, control, o, u, i, high, low] = header;
    ([dsap, ssap, control, o, u, i] == ENCAPSULATED_ETHERNET).then(|| u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_header_of_encapsulated_ethernet_has_an_ethertype() {
        let header = [0xaa, 0xaa, 3, 0, 0, 0, 0x08, 0x06];
        assert_eq!(parse_snap(&&header[..], 0x40, 0), Some(0x0806));
        assert_eq!(parse_snap(&&header[..], 0x05ff, 0), Some(0x0806));
        assert_eq!(parse_snap(&&header[..], 0x0600, 0), None);
        assert_eq!(parse_snap(&&header[..7], 0x40, 0), None);
        for byte in 0..6 {
            let mut other = header;
            other[byte] ^= 1;
            assert_eq!(parse_snap(&&other[..], 0x40, 0), None, "{byte}");
        }
    }
}
