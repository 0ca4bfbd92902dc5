//! Reads what is known of the NICs under a policy's interfaces.

use std::{fs, io, path::Path};

use super::{super::refusal::Peer, Nic};
use crate::datapath::{
    Interface, Interfaces, XdpFeatures,
    sys::{
        bpf::possible_cpus::possible_cpus,
        netlink::ethtool::{Channels, ChannelsQuery, Offload, Offloads},
    },
};

/// Asks about NICs of the network namespace in which it was opened. What this kernel does not tell is not known.
#[derive(Debug)]
pub(crate) struct Nics {
    features: Option<XdpFeatures>,
    channels: Option<ChannelsQuery>,
    offloads: Option<Offloads>,
    cpus: u32,
}

impl Nics {
    /// Opens the sockets.
    pub(crate) fn open() -> io::Result<Self> {
        let cpus = possible_cpus().map_err(io::Error::other)?;
        Ok(Self {
            features: XdpFeatures::open()?,
            channels: ChannelsQuery::open()?,
            offloads: Offloads::open()?,
            cpus: u32::try_from(cpus.get()).unwrap_or(u32::MAX),
        })
    }

    /// Whether the driver runs programs as the interface is configured now; none if this kernel does not tell.
    pub(crate) fn has_native_mode(&self, interface: &Interface) -> io::Result<Option<bool>> {
        let features = self.features.as_ref();
        features
            .map(|features| features.has_native_mode(interface.index))
            .transpose()
    }

    /// Whether the NIC forwards by itself what a rule of `tc` or a flowtable tells it to.
    pub(crate) fn obeys_offloaded_rules(&self, interface: &Interface) -> io::Result<bool> {
        let Some(offloads) = &self.offloads else {
            return Ok(false);
        };
        Ok(offloads
            .active(&interface.name)?
            .contains(&Offload::TrafficControl))
    }

    /// What is known of an interface.
    pub(crate) fn of(&self, interfaces: &Interfaces, interface: &Interface) -> io::Result<Nic> {
        let driver = interface.driver();
        let peer = interface.linked_to.filter(|_| driver.as_deref() == Some("veth"));
        let peer = peer.and_then(|index| interfaces.with_index(index));
        Ok(Nic {
            name: interface.name.clone(),
            mtu: interface.mtu,
            channels: self.channels(interface)?,
            has_frags: match &self.features {
                Some(features) => Some(features.has_frags(interface.index)?),
                None => None,
            },
            virtual_functions: virtual_functions(Path::new("/sys"), interface),
            cpus: self.cpus,
            peer: match peer {
                Some(peer) => self.channels(peer)?.map(|channels| Peer {
                    name: peer.name.clone(),
                    channels,
                }),
                None => None,
            },
            driver,
        })
    }

    fn channels(&self, interface: &Interface) -> io::Result<Option<Channels>> {
        match &self.channels {
            Some(query) => query.of(&interface.name),
            None => Ok(None),
        }
    }
}

/// How many virtual functions of a NIC are in use; none if it has none.
fn virtual_functions(sys: &Path, interface: &Interface) -> u32 {
    let count = interface.device.as_ref().and_then(|(bus, device)| {
        let device = sys.join("bus").join(bus).join("devices").join(device);
        let count = fs::read_to_string(device.join("sriov_numvfs")).ok()?;
        count.trim().parse().ok()
    });
    count.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn virtual_functions_are_those_of_the_device_on_its_bus() {
        let sys = tempfile::TempDir::new().unwrap();
        let device = sys.path().join("bus/pci/devices/0000:3b:00.0");
        fs::create_dir_all(&device).unwrap();
        let interface = Interface {
            device: Some(("pci".to_owned(), "0000:3b:00.0".to_owned())),
            ..Interface::default()
        };
        assert_eq!(virtual_functions(sys.path(), &interface), 0);
        fs::write(device.join("sriov_numvfs"), "2\n").unwrap();
        assert_eq!(virtual_functions(sys.path(), &interface), 2);
        assert_eq!(virtual_functions(sys.path(), &Interface::default()), 0);
    }

    #[test]
    fn the_loopback_interface_is_no_nic_that_runs_programs() {
        let nics = Nics::open().unwrap();
        let interfaces = Interfaces::list().unwrap();
        let loopback = interfaces.named("lo").unwrap();
        assert_ne!(nics.has_native_mode(loopback).unwrap(), Some(true));
        assert!(!nics.obeys_offloaded_rules(loopback).unwrap());
        assert_eq!(nics.of(&interfaces, loopback).unwrap().channels, None);
    }
}
