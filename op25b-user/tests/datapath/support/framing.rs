//! Wraps packets in link headers, as at an ISP's edge: Ethernet, VLAN tags, `PPPoE`.

use std::fmt;

use etherparse::{EtherType, Ethernet2Header, SingleVlanHeader, VlanId};

use super::packet::{Network, Packet};

/// A customer's tag, a service provider's, and the latter as older equipment writes it.
pub const TAGS: [u16; 3] = [0x8100, 0x88a8, 0x9100];
pub const MAX_TAGS: usize = 4;

pub const PPPOE_DISCOVERY: u16 = 0x8863;
const PPPOE_SESSION: u16 = 0x8864;
const PPPOE_LENGTH: usize = 6;

/// How PPP's protocol is written (RFC 1661 section 6.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PppProtocol {
    TwoBytes,
    OneByte,
}

/// What comes before the packet. Displays as `in 88a8, 8100, PPPoE`.
#[derive(Clone, Debug, Default)]
pub struct Framing {
    /// The tags' own `EtherTypes`, outermost first.
    pub tags: Vec<u16>,
    pub session: Option<PppProtocol>,
}

impl Framing {
    pub fn tags(tags: &[u16]) -> Self {
        Self {
            tags: tags.to_vec(),
            session: None,
        }
    }

    /// All that the program knows: every sequence of up to four tags, without a session and with both kinds.
    pub fn every() -> Vec<Self> {
        let mut sequences = vec![Vec::new()];
        let mut start = 0;
        for _ in 0..MAX_TAGS {
            let end = sequences.len();
            for index in start..end {
                for tag in TAGS {
                    let mut longer = sequences[index].clone();
                    longer.push(tag);
                    sequences.push(longer);
                }
            }
            start = end;
        }
        sequences
            .into_iter()
            .flat_map(|tags| {
                [None, Some(PppProtocol::TwoBytes), Some(PppProtocol::OneByte)].map(|session| Self {
                    tags: tags.clone(),
                    session,
                })
            })
            .collect()
    }

    /// Those that an edge meets every day, and the longest.
    pub fn usual() -> Vec<Self> {
        [
            (&[][..], None),
            (&[0x8100], None),
            (&[0x88a8, 0x8100], None),
            (&[], Some(PppProtocol::TwoBytes)),
            (&[], Some(PppProtocol::OneByte)),
            (&[0x8100], Some(PppProtocol::TwoBytes)),
            (&[0x88a8, 0x8100], Some(PppProtocol::TwoBytes)),
            (&[0x88a8, 0x8100], Some(PppProtocol::OneByte)),
            (&[0x9100, 0x88a8, 0x8100, 0x8100], Some(PppProtocol::TwoBytes)),
        ]
        .into_iter()
        .map(|(tags, session)| Self {
            tags: tags.to_vec(),
            session,
        })
        .collect()
    }

    /// Bytes before the packet.
    pub fn length(&self) -> usize {
        let session = match self.session {
            None => 0,
            Some(PppProtocol::TwoBytes) => PPPOE_LENGTH + 2,
            Some(PppProtocol::OneByte) => PPPOE_LENGTH + 1,
        };
        Ethernet2Header::LEN + self.tags.len() * SingleVlanHeader::LEN + session
    }

    pub fn frame(&self, packet: &Packet) -> Vec<u8> {
        let (ethertype, ppp) = match packet.network {
            Network::V4 => (0x0800, 0x21),
            Network::V6 => (0x86dd, 0x57),
        };
        match self.session {
            None => self.ethernet(ethertype, &packet.bytes),
            Some(PppProtocol::TwoBytes) => self.pppoe(&[0, ppp], &packet.bytes),
            Some(PppProtocol::OneByte) => self.pppoe(&[ppp], &packet.bytes),
        }
    }

    /// A frame of this `EtherType`, after the tags.
    pub fn ethernet(&self, ethertype: u16, payload: &[u8]) -> Vec<u8> {
        let mut following = EtherType(ethertype);
        let mut headers = Vec::new();
        for (vlan, tag) in (100..).zip(self.tags.iter().rev()) {
            let header = SingleVlanHeader {
                vlan_id: VlanId::try_new(vlan).unwrap(),
                ether_type: following,
                ..SingleVlanHeader::default()
            };
            headers.push(header.to_bytes().to_vec());
            following = EtherType(*tag);
        }
        let ethernet = Ethernet2Header {
            source: [2, 0, 0, 0, 0, 1],
            destination: [2, 0, 0, 0, 0, 2],
            ether_type: following,
        };
        headers.push(ethernet.to_bytes().to_vec());
        headers.reverse();
        headers.push(payload.to_vec());
        headers.concat()
    }

    /// A `PPPoE` session's frame, after the tags; etherparse knows nothing of those (RFC 2516 section 4).
    pub fn pppoe(&self, protocol: &[u8], payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(protocol.len() + payload.len()).unwrap();
        let mut session = vec![0x11, 0x00]; // version and type 1, code 0: data
        session.extend(0x0017_u16.to_be_bytes()); // session
        session.extend(length.to_be_bytes());
        session.extend(protocol);
        session.extend(payload);
        self.ethernet(PPPOE_SESSION, &session)
    }
}

impl fmt::Display for Framing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.tags.iter().map(|tag| format!("{tag:04x}")).collect();
        match self.session {
            None => {}
            Some(PppProtocol::TwoBytes) => words.push("PPPoE".to_owned()),
            Some(PppProtocol::OneByte) => words.push("PPPoE with one byte of protocol".to_owned()),
        }
        if words.is_empty() {
            words.push("bare Ethernet".to_owned());
        }
        write!(f, "in {}", words.join(", "))
    }
}
