//! Whether a segment may get a reply.

use std::net::IpAddr;

use etherparse::TcpHeaderSlice;

use super::{bytes::Bytes, segment::Segment};

/// The TCP header of a segment that may be answered.
pub fn header<'f>(frame: &'f [u8], segment: &Segment) -> Option<TcpHeaderSlice<'f>> {
    if segment.tunnelled || segment.fragmented || !segment.link.answerable {
        return None;
    }
    // etherparse requires what the documents require: the header with its options inside the bytes that it is given.
    let bytes = Bytes::of(frame).until(segment.end).from(segment.at)?;
    let tcp = TcpHeaderSlice::from_slice(bytes).ok()?;
    let is_about_a_group = [frame[0], frame[6]].iter().any(|first| first & 0x01 != 0);
    let is_answerable = !tcp.rst()
        && !is_about_a_group
        && may_be_an_end(segment.addresses.destination)
        && may_be_an_end(segment.addresses.source)
        && !segment.addresses.source.is_loopback();
    is_answerable.then_some(tcp)
}

/// Whether an address can be that of one host.
fn may_be_an_end(address: IpAddr) -> bool {
    match address {
        // Multicast, reserved and broadcast are the upper eighth; the first network stands for 'this' one.
        IpAddr::V4(address) => !(224..).contains(&address.octets()[0]) && address.octets()[0] != 0,
        IpAddr::V6(address) => !address.is_multicast() && !address.is_unspecified(),
    }
}
