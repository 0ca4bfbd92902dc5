//! IPv6 extension headers (RFC 8200 section 4, RFC 7045).

use super::{
    Bytes, FIRST_HARMLESS_FRAGMENT, MAX_OFFSET, UpperLayer,
    tcp::{self, TCP},
};

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
/// How far into what is reassembled the chain may reach, so that no harmless later fragment overlaps the TCP header after it.
const LONGEST_FRAGMENTED_CHAIN: u32 = FIRST_HARMLESS_FRAGMENT * 8 - tcp::HEADER_LENGTH;

/// Whether this next header is an extension header.
#[must_use]
#[inline(always)]
pub fn proto_is_extension(next_header: u32) -> bool {
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

/// Goes past the extension header that `upper` is, and those that follow, to the upper layer proper.
#[inline(always)]
pub fn skip_extensions<B: Bytes>(bytes: &B, upper: &mut UpperLayer) {
    // Where the chain must have ended; known once a fragment header shows where what is reassembled starts.
    let mut limit = u32::MAX;
    for _ in 0..MAX_EXTENSION_HEADERS {
        if !proto_is_extension(upper.protocol) {
            break;
        }
        if !skip_extension(bytes, upper) {
            return;
        }
        if upper.is_fragment != 0 && limit == u32::MAX {
            limit = upper.offset + LONGEST_FRAGMENTED_CHAIN;
        }
    }
    if proto_is_extension(upper.protocol) || upper.offset > limit {
        hide(upper);
    }
}

/// Goes past one extension header; false if nothing after it can be read.
#[inline(always)]
fn skip_extension<B: Bytes>(bytes: &B, upper: &mut UpperLayer) -> bool {
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
        // The middle of a packet, which may be TCP: RFC 8200 section 4.5 lets only the first fragment say what it is.
        upper.protocol = TCP;
        return false;
    }
    if upper.offset > MAX_OFFSET {
        hide(upper);
        return false;
    }
    true
}

/// Takes it for TCP that hides its ports.
#[inline(always)]
fn hide(upper: &mut UpperLayer) {
    upper.protocol = TCP;
    upper.is_hidden = 1;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The upper layer after these extension headers, the first of which has this number.
    fn skip(first: u32, headers: &[u8]) -> UpperLayer {
        let mut upper = UpperLayer {
            end: headers.len() as u32 + 20,
            protocol: first,
            ..UpperLayer::default()
        };
        skip_extensions(&&[headers, &[0; 20]].concat()[..], &mut upper);
        upper
    }

    fn end_of(upper: &UpperLayer) -> (u32, u32, u32) {
        (upper.protocol, upper.offset, upper.is_hidden)
    }

    #[test]
    fn a_protocol_that_is_no_extension_header_stays() {
        assert_eq!(end_of(&skip(17, &[])), (17, 0, 0));
        // ESP: what follows is encrypted.
        assert_eq!(end_of(&skip(50, &[])), (50, 0, 0));
    }

    #[test]
    fn lengths_are_in_units_of_8_bytes_but_for_the_authentication_header() {
        let mut options = [0; 24];
        options[..2].copy_from_slice(&[6, 2]);
        assert_eq!(end_of(&skip(HOP_BY_HOP, &options)), (6, 24, 0));
        let mut authentication = [0; 24];
        authentication[..2].copy_from_slice(&[6, 4]);
        assert_eq!(end_of(&skip(AUTHENTICATION, &authentication)), (6, 24, 0));
    }

    #[test]
    fn eight_headers_are_skipped_and_a_ninth_hides_the_rest() {
        let next = DESTINATION_OPTIONS as u8;
        let mut chain = [[next, 0, 0, 0, 0, 0, 0, 0]; 8];
        chain[7][0] = 6;
        assert_eq!(
            end_of(&skip(DESTINATION_OPTIONS, chain.as_flattened())),
            (6, 64, 0)
        );
        let mut chain = [[next, 0, 0, 0, 0, 0, 0, 0]; 9];
        chain[8][0] = 17;
        assert_eq!(
            end_of(&skip(DESTINATION_OPTIONS, chain.as_flattened())),
            (TCP, 64, 1)
        );
    }

    #[test]
    fn an_atomic_fragment_is_skipped() {
        let upper = skip(FRAGMENT, &[6, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(end_of(&upper), (6, 8, 0));
        assert_eq!((upper.is_fragment, upper.fragment_offset), (1, 0));
    }

    #[test]
    fn a_later_fragment_ends_the_walk_and_may_be_tcp_whatever_it_says() {
        for next in [TCP as u8, 17, 59, DESTINATION_OPTIONS as u8] {
            let upper = skip(FRAGMENT, &[next, 0, 0, 8, 0, 0, 0, 1]);
            assert_eq!((upper.protocol, upper.fragment_offset), (TCP, 1));
            let upper = skip(FRAGMENT, &[next, 0, 0, 0x19, 0, 0, 0, 1]);
            assert_eq!((upper.protocol, upper.fragment_offset), (TCP, 3));
        }
    }

    #[test]
    fn a_first_fragment_whose_chain_leads_beyond_early_fragments_hides_the_rest() {
        // Options before the fragment header are in every fragment.
        let before = [[FRAGMENT as u8, 15].to_vec(), vec![0; 126]].concat();
        for (units, is_hidden) in [(12, 0), (13, 1), (14, 1)] {
            for next in [TCP as u8, 17] {
                let options = [[next, units].to_vec(), vec![0; usize::from(units) * 8 + 6]].concat();
                let first = [DESTINATION_OPTIONS as u8, 0, 0, 1, 0, 0, 0, 1];
                let headers = [&before[..], &first, &options].concat();
                let upper = skip(DESTINATION_OPTIONS, &headers);
                assert_eq!(upper.is_hidden, is_hidden, "{units} units before {next}");
                let protocol = if is_hidden == 1 { TCP } else { u32::from(next) };
                assert_eq!(upper.protocol, protocol);
            }
        }
    }

    #[test]
    fn a_chain_that_is_cut_or_leads_too_far_hides_the_rest() {
        let mut upper = UpperLayer {
            end: 7,
            protocol: HOP_BY_HOP,
            ..UpperLayer::default()
        };
        skip_extensions(&&[6, 0, 0, 0, 0, 0, 0, 0][..], &mut upper);
        assert_eq!(end_of(&upper), (TCP, 0, 1));

        let mut upper = UpperLayer {
            end: 100,
            protocol: HOP_BY_HOP,
            ..UpperLayer::default()
        };
        skip_extensions(&&[6][..], &mut upper);
        assert_eq!(end_of(&upper), (TCP, 0, 1));

        let mut upper = UpperLayer {
            offset: MAX_OFFSET,
            end: u32::MAX,
            protocol: HOP_BY_HOP,
            ..UpperLayer::default()
        };
        skip_extensions(&&vec![6; MAX_OFFSET as usize + 8][..], &mut upper);
        assert_eq!((upper.protocol, upper.is_hidden), (TCP, 1));
    }
}
