//! MPLS label stacks (RFC 3032).

use super::{
    Bytes, Network,
    ethernet::{LastEthertype, NoNetwork},
};

/// How many labels are skipped.
const MAX_LABELS: u32 = 4;
/// Label, traffic class, bottom of stack and TTL (section 2.1).
const LABEL_LENGTH: u32 = 4;
/// The bit of the last label, in its third byte.
const BOTTOM_OF_STACK: u8 = 1;

/// The bytes of a stack of as many labels as are skipped.
pub const MAX_LENGTH: u32 = MAX_LABELS * LABEL_LENGTH;

/// Skips the labels at `offset`, which follow this `EtherType`: the network layer, and where it starts.
///
/// Labels do not say what follows the last one (section 2.2). Routers go by its first four bits, which a pseudowire's control
/// word therefore leaves 0 (RFC 4385, section 2).
#[inline(always)]
pub fn parse_labels<B: Bytes>(
    bytes: &B,
    mut offset: u32,
    ethertype: LastEthertype,
) -> Result<(Network, u32), NoNetwork> {
    let other = NoNetwork::Other(ethertype);
    for _ in 0..MAX_LABELS {
        let bottom = bytes.byte(offset + 2).ok_or(other)? & BOTTOM_OF_STACK;
        offset += LABEL_LENGTH;
        if bottom != 0 {
            return match bytes.byte(offset).ok_or(other)? >> 4 {
                4 => Ok((Network::V4, offset)),
                6 => Ok((Network::V6, offset)),
                _ => Err(other),
            };
        }
    }
    Err(NoNetwork::Hidden(ethertype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(labels: usize, rest: &[u8]) -> Result<(Network, u32), NoNetwork> {
        let mut stack = [0xff, 0xff, 0xfe, 0xff].repeat(labels);
        if let Some(last) = labels.checked_sub(1) {
            stack[last * 4 + 2] |= 1;
        }
        stack.extend(rest);
        parse_labels(&&stack[..], 0, 0x8847)
    }

    #[test]
    fn ip_of_either_version_is_found_after_one_to_four_labels() {
        for labels in 1..=4 {
            let at = 4 * u32::try_from(labels).expect("a small number");
            assert_eq!(parse(labels, &[0x45]), Ok((Network::V4, at)));
            assert_eq!(parse(labels, &[0x6f]), Ok((Network::V6, at)));
        }
    }

    #[test]
    fn a_fifth_label_hides_what_follows() {
        assert_eq!(parse(5, &[0x45]), Err(NoNetwork::Hidden(0x8847)));
        assert_eq!(
            parse_labels(&&[0; 16][..], 0, 0x8848),
            Err(NoNetwork::Hidden(0x8848))
        );
    }

    #[test]
    fn pseudowires_and_what_is_cut_off_are_not_ip() {
        for rest in [&[0x00, 0, 0, 1][..], &[0x50], &[0x1f], &[]] {
            assert_eq!(parse(2, rest), Err(NoNetwork::Other(0x8847)), "{rest:?}");
        }
        for cut in 0..3 {
            assert_eq!(
                parse_labels(&&[0; 16][..cut], 0, 0x8847),
                Err(NoNetwork::Other(0x8847))
            );
        }
    }
}
