//! Where the nftables table does otherwise than the policy.

use etherparse::ether_type;

use crate::{
    expected::link::{self, Content, Family, Link},
    policy::Block,
};

/// A row of the document's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Framing,
    OtherHeaders,
    LongChains,
    Lengths,
    NoIp,
}

impl Difference {
    pub const ALL: [Self; 5] = [
        Self::Framing,
        Self::OtherHeaders,
        Self::LongChains,
        Self::Lengths,
        Self::NoIp,
    ];

    /// The packets that it is about, as the document has them.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Framing => "PPPoE; two VLAN tags and more, or one that is not 0x8100 or 0x88a8; LLC/SNAP",
            Self::OtherHeaders => "IPv6 with AH, a mobility header, HIP or Shim6 before TCP",
            Self::LongChains => {
                "IPv6 with so many headers before TCP that later fragments, or a limit, make it `uninspectable`"
            }
            Self::Lengths => "a length field that is 0 or exceeds the frame",
            Self::NoIp => {
                "a VLAN tag or an IP header that is cut; an IP header of another version than the EtherType"
            }
        }
    }

    /// Why the table passes this frame, or drops it, where the policy has it otherwise.
    pub fn of(frame: &[u8], passes: bool) -> Option<Self> {
        let (link, is_in_session) = match link::read(&Block::default(), false, frame) {
            Content::Ip(link) if is_plain(frame, &link) => (link, false),
            _ if passes => return Some(Self::Framing),
            // What a session carries is IP for Linux 7.3.
            Content::Ip(link) if is_in_session(frame, &link) => (link, true),
            // Linux takes a tag off if two bytes follow it.
            _ => return (starts_with_tag(frame) && frame.len() < 14 + 4 + 2).then_some(Self::NoIp),
        };
        let packet = &frame[link.network..];
        let (version, header, length_at, before) = match link.family {
            Family::V4 => (4, 20, 2, 0),
            Family::V6 => (6, 40, 4, 40),
        };
        if packet.len() < header || packet[0] >> 4 != version {
            return (!passes).then_some(Self::NoIp);
        }
        let chain = (version == 6).then(|| Chain::of(packet));
        if let Some(chain) = chain.as_ref().filter(|_| passes) {
            return chain.difference();
        }
        let length = usize::from(u16::from_be_bytes([packet[length_at], packet[length_at + 1]]));
        // Newer kernels than 6.12 do not mind the length of a header.
        let has_long_header = chain.as_ref().is_some_and(|chain| chain.end > packet.len());
        if length == 0 || length + before > packet.len() || has_long_header {
            return Some(Self::Lengths);
        }
        // Where the expressions for extension headers look, there is the header of the session.
        let has_hidden_headers = is_in_session && chain.is_some_and(|chain| chain.headers > 0);
        has_hidden_headers.then_some(Self::Framing)
    }
}

/// Whether IP follows at once, or after a tag that Linux takes off before the hook.
fn is_plain(frame: &[u8], link: &Link) -> bool {
    link.network == 14 || link.network == 18 && starts_with_tag(frame)
}

/// Whether IP is in a `PPPoE` session, after what [`is_plain`] allows.
fn is_in_session(frame: &[u8], link: &Link) -> bool {
    const HEADERS: usize = 8;
    const SESSION: [u8; 2] = [0x88, 0x64];
    let behind = |link_header: usize| {
        link.network == link_header + HEADERS && frame[link_header - 2..link_header] == SESSION
    };
    behind(14) || starts_with_tag(frame) && behind(18)
}

fn starts_with_tag(frame: &[u8]) -> bool {
    let tags = [ether_type::VLAN_TAGGED_FRAME, ether_type::PROVIDER_BRIDGING];
    tags.map(|tag| tag.0.to_be_bytes())
        .contains(&[frame[12], frame[13]])
}

/// The extension headers of an IPv6 packet.
struct Chain {
    headers: usize,
    /// Whether one of them counts as the protocol for nftables.
    has_other: bool,
    /// Where they end, as they say.
    end: usize,
}

impl Chain {
    fn of(packet: &[u8]) -> Self {
        const FRAGMENT: u8 = 44;
        const AUTHENTICATION: u8 = 51;
        let mut next = packet[6];
        let mut chain = Self {
            headers: 0,
            has_other: false,
            end: 40,
        };
        while let Some([following, length]) = packet.get(chain.end..chain.end + 2) {
            let length = usize::from(*length);
            chain.end += match next {
                FRAGMENT => 8,
                0 | 43 | 60 => (length + 1) * 8,
                AUTHENTICATION | 135 | 139 | 140 => {
                    chain.has_other = true;
                    break;
                }
                _ => break,
            };
            chain.headers += 1;
            next = *following;
        }
        chain
    }

    /// Why the table passes the packet: by the kind of its headers, or by their number and length.
    fn difference(&self) -> Option<Difference> {
        if self.has_other {
            return Some(Difference::OtherHeaders);
        }
        (self.headers > 1).then_some(Difference::LongChains)
    }
}
