//! Settings of interfaces that the family `ethtool` of generic netlink shows, since Linux 5.6.

mod channels;
mod offloads;

pub(crate) use channels::{Channels, ChannelsQuery};
pub(crate) use offloads::{Offload, Offloads};

use rtnetlink::packet_core::{DefaultNla, Emitable as _, NLA_F_NESTED};

/// The header of a request: the interface of this name.
fn header(interface: &str) -> DefaultNla {
    // Of `linux/ethtool_netlink.h`. The header is the first attribute of every request.
    const HEADER: u16 = 1;
    const ETHTOOL_A_HEADER_DEV_NAME: u16 = 2;
    let mut name = interface.as_bytes().to_vec();
    name.push(0);
    let name = [DefaultNla::new(ETHTOOL_A_HEADER_DEV_NAME, name)];
    let mut header = vec![0; name.as_slice().buffer_len()];
    name.as_slice().emit(&mut header);
    DefaultNla::new(HEADER | NLA_F_NESTED, header)
}
