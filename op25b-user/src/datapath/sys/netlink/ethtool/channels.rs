//! Asks how many queues an interface has, and how many it may have.

use std::io;

use rtnetlink::packet_core::{DefaultNla, Nla as _, parse_u32};

use super::{
    super::generic::{GenericNetlink, Question},
    header,
};

// Of `linux/ethtool_netlink.h`.
const ETHTOOL_MSG_CHANNELS_GET: u8 = 17;
const ETHTOOL_A_CHANNELS_RX_MAX: u16 = 2;
const ETHTOOL_A_CHANNELS_TX_MAX: u16 = 3;
const ETHTOOL_A_CHANNELS_COMBINED_MAX: u16 = 5;
const ETHTOOL_A_CHANNELS_RX_COUNT: u16 = 6;
const ETHTOOL_A_CHANNELS_TX_COUNT: u16 = 7;
const ETHTOOL_A_CHANNELS_COMBINED_COUNT: u16 = 9;

/// The queues of an interface, as `ethtool -l` shows them. A combined one receives and transmits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channels {
    /// Those that only receive.
    pub(crate) receive: u32,
    /// Those that only transmit.
    pub(crate) transmit: u32,
    /// Those that do both.
    pub(crate) combined: u32,
    /// How many that only receive there may be.
    pub(crate) most_receive: u32,
    /// How many that only transmit there may be.
    pub(crate) most_transmit: u32,
    /// How many that do both there may be.
    pub(crate) most_combined: u32,
}

impl Channels {
    /// How many receive.
    pub(crate) fn receiving(self) -> u32 {
        self.receive + self.combined
    }

    /// How many transmit.
    pub(crate) fn transmitting(self) -> u32 {
        self.transmit + self.combined
    }
}

/// About the queues of an interface.
#[derive(Debug)]
struct Count;

impl Question for Count {
    const FAMILY: &'static str = "ethtool";
    const COMMAND: u8 = ETHTOOL_MSG_CHANNELS_GET;
}

/// Asks about interfaces of the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct ChannelsQuery(GenericNetlink<Count>);

impl ChannelsQuery {
    /// Opens a socket; `None` if this kernel does not tell.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        Ok(GenericNetlink::open()?.map(Self))
    }

    /// The queues of the interface of this name; none if its driver does not tell.
    pub(crate) fn of(&self, interface: &str) -> io::Result<Option<Channels>> {
        let response = match self.0.ask(vec![header(interface)]) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => return Ok(None),
            response => response?,
        };
        let mut channels = Channels::default();
        for attribute in &response.0 {
            let field = match attribute.kind() {
                ETHTOOL_A_CHANNELS_RX_MAX => &mut channels.most_receive,
                ETHTOOL_A_CHANNELS_TX_MAX => &mut channels.most_transmit,
                ETHTOOL_A_CHANNELS_COMBINED_MAX => &mut channels.most_combined,
                ETHTOOL_A_CHANNELS_RX_COUNT => &mut channels.receive,
                ETHTOOL_A_CHANNELS_TX_COUNT => &mut channels.transmit,
                ETHTOOL_A_CHANNELS_COMBINED_COUNT => &mut channels.combined,
                _ => continue,
            };
            *field = number(attribute)?;
        }
        Ok(Some(channels))
    }
}

fn number(attribute: &DefaultNla) -> io::Result<u32> {
    let mut bytes = vec![0; attribute.value_len()];
    attribute.emit_value(&mut bytes);
    parse_u32(&bytes).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_no_queues_to_set_and_a_missing_one_is_an_error() {
        let query = ChannelsQuery::open()
            .unwrap()
            .expect("this kernel has ethtool over netlink");
        assert_eq!(query.of("lo").unwrap(), None);
        let error = query.of("no-such-one").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        // The socket goes on.
        assert_eq!(query.of("lo").unwrap(), None);
    }

    #[test]
    fn a_combined_queue_receives_and_transmits() {
        let channels = Channels {
            receive: 1,
            transmit: 2,
            combined: 4,
            ..Channels::default()
        };
        assert_eq!((channels.receiving(), channels.transmitting()), (5, 6));
    }
}
