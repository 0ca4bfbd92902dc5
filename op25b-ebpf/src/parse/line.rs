//! The line that a frame came over, as an access network tells them apart: VLAN ids and the `PPPoE` session.

use op25b_common::event::NO_VLAN;

use super::{
    Bytes,
    ethernet::{ETHERTYPE_PPPOE_SESSION, Framing, skip_tags},
};

/// What identifies a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The ids of the first two VLAN tags, the outer one first; [`NO_VLAN`] for none.
    pub vlans: [u16; 2],
    /// The id of the `PPPoE` session; 0 for none.
    pub pppoe_session: u16,
}

impl Line {
    /// The VLAN id in a tag's control information, after priority and drop eligibility (IEEE 802.1Q section 9.6).
    const VLAN_ID: u16 = 0x0fff;
    /// RFC 2516 section 4: version, type and code come before the session.
    const SESSION_OFFSET: u32 = 2;

    /// Reads the line of a frame, as far as its headers are there.
    #[inline(always)]
    pub fn read<B: Bytes>(bytes: &B, framing: &impl Framing) -> Self {
        let (mut outer, mut inner) = (NO_VLAN, NO_VLAN);
        let tagged = skip_tags(bytes, 0, framing, |at| {
            let id = bytes.be16(at).map_or(NO_VLAN, |tag| tag & Self::VLAN_ID);
            if outer == NO_VLAN {
                outer = id;
            } else if inner == NO_VLAN {
                inner = id;
            }
        });
        let session = match tagged {
            Ok(tagged) if tagged.ethertype == ETHERTYPE_PPPOE_SESSION => {
                bytes.be16(tagged.length + Self::SESSION_OFFSET)
            }
            _ => None,
        };
        Self {
            vlans: [outer, inner],
            pppoe_session: session.unwrap_or(0),
        }
    }

    /// As one number.
    #[must_use]
    #[inline(always)]
    pub fn bits(self) -> u64 {
        let [outer, inner] = self.vlans.map(u64::from);
        outer | inner << 16 | u64::from(self.pppoe_session) << 32
    }

    /// From a number.
    #[must_use]
    #[inline(always)]
    pub fn from_bits(bits: u64) -> Self {
        Self {
            vlans: [bits as u16, (bits >> 16) as u16],
            pppoe_session: (bits >> 32) as u16,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::ethernet::Usual;

    /// Frames with these tags, each an `EtherType` and its control information, and then this `EtherType` and these bytes.
    fn line(tags: &[(u16, u16)], ethertype: u16, rest: &[u8]) -> Line {
        let mut frame = vec![0; 12];
        for (ethertype, tag) in tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(tag.to_be_bytes());
        }
        frame.extend(ethertype.to_be_bytes());
        frame.extend(rest);
        let line = Line::read(&&frame[..], &Usual);
        assert_eq!(Line::from_bits(line.bits()), line);
        line
    }

    fn of(vlans: [u16; 2], pppoe_session: u16) -> Line {
        Line { vlans, pppoe_session }
    }

    #[test]
    fn the_ids_of_the_first_two_tags_are_read_without_their_priorities() {
        assert_eq!(line(&[], 0x0800, &[]), of([NO_VLAN; 2], 0));
        assert_eq!(line(&[(0x8100, 0xe02a)], 0x0800, &[]), of([42, NO_VLAN], 0));
        assert_eq!(
            line(&[(0x88a8, 0xffff), (0x8100, 0x1000)], 0x86dd, &[]),
            of([4095, 0], 0)
        );
        assert_eq!(
            line(&[(0x88a8, 1), (0x8100, 2), (0x8100, 3)], 0x0800, &[]),
            of([1, 2], 0)
        );
    }

    #[test]
    fn the_session_is_read_after_tags() {
        let session = [0x11, 0, 0xbe, 0xef, 0, 42, 0x00, 0x21];
        assert_eq!(line(&[], 0x8864, &session), of([NO_VLAN; 2], 0xbeef));
        assert_eq!(
            line(&[(0x8100, 7), (0x8100, 8)], 0x8864, &session),
            of([7, 8], 0xbeef)
        );
        // The same bytes after another EtherType are none.
        assert_eq!(line(&[], 0x8863, &session), of([NO_VLAN; 2], 0));
    }

    #[test]
    fn of_a_frame_that_ends_early_what_is_there_is_read() {
        assert_eq!(line(&[], 0x8864, &[0x11, 0, 0xbe]), of([NO_VLAN; 2], 0));
        let frame = [&[0; 12][..], &[0x81, 0, 0, 9]].concat();
        assert_eq!(Line::read(&&frame[..], &Usual), of([9, NO_VLAN], 0));
        assert_eq!(Line::read(&&frame[..13], &Usual), of([NO_VLAN; 2], 0));
    }
}
