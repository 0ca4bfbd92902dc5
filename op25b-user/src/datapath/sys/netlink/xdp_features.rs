//! Asks the kernel whether the driver of an interface runs XDP programs as it is configured now (`netdev` of generic netlink,
//! since Linux 6.3; `linux/netdev.h`).

use std::io;

use rtnetlink::packet_core::{DefaultNla, Nla as _, parse_u64};

use super::generic::{GenericNetlink, Question};

const NETDEV_CMD_DEV_GET: u8 = 1;
const NETDEV_A_DEV_IFINDEX: u16 = 1;
const NETDEV_A_DEV_XDP_FEATURES: u16 = 3;
/// The driver runs programs that pass, drop or send back a packet.
const NETDEV_XDP_ACT_BASIC: u64 = 1;
/// It hands over frames in several buffers.
const NETDEV_XDP_ACT_RX_SG: u64 = 1 << 5;

/// About a network device.
#[derive(Debug)]
struct Device;

impl Question for Device {
    const FAMILY: &'static str = "netdev";
    const COMMAND: u8 = NETDEV_CMD_DEV_GET;
}

/// Asks about interfaces of the network namespace in which it was opened.
#[derive(Debug)]
pub(crate) struct XdpFeatures(GenericNetlink<Device>);

impl XdpFeatures {
    /// Opens a socket; `None` if this kernel does not tell.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        Ok(GenericNetlink::open()?.map(Self))
    }

    /// Whether the driver of the interface of this index runs XDP programs as the interface is configured now.
    pub(crate) fn has_native_mode(&self, index: u32) -> io::Result<bool> {
        Ok(self.of(index)? & NETDEV_XDP_ACT_BASIC != 0)
    }

    /// Whether it hands over frames that are larger than one buffer.
    pub(crate) fn has_frags(&self, index: u32) -> io::Result<bool> {
        Ok(self.of(index)? & NETDEV_XDP_ACT_RX_SG != 0)
    }

    fn of(&self, index: u32) -> io::Result<u64> {
        let index = DefaultNla::new(NETDEV_A_DEV_IFINDEX, index.to_ne_bytes().to_vec());
        let attributes = self.0.ask(vec![index])?.0;
        let features = attributes
            .iter()
            .find(|attribute| attribute.kind() == NETDEV_A_DEV_XDP_FEATURES)
            .ok_or_else(|| io::Error::other("the kernel does not report XDP features"))?;
        let mut bytes = vec![0; features.value_len()];
        features.emit_value(&mut bytes);
        parse_u64(&bytes).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_has_no_native_mode_and_a_missing_one_is_an_error() {
        let Some(features) = XdpFeatures::open().unwrap() else {
            return;
        };
        assert!(!features.has_native_mode(1).unwrap());
        assert!(!features.has_frags(1).unwrap());
        let error = features.has_native_mode(i32::MAX.cast_unsigned()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        // The socket goes on.
        assert!(!features.has_native_mode(1).unwrap());
    }
}
