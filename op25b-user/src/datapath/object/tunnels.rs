//! The tunnels that are filtered inside, and whether MPLS labels are skipped, by the index of the interface that a packet came
//! in on.
//!
//! A driver may hand the program to other devices: a bond in native mode to its ports, netvsc to its VF. Their packets show the
//! index of the port, so ports have entries of their own. The program filters inside every tunnel of the policy, and skips
//! labels if the policy does anywhere, for an index without an entry: a port that has just been added to a bond leaves no gap.

use std::collections::BTreeMap;

use aya::{Ebpf, maps::HashMap};
use op25b_common::names::TUNNELS_BY_IF;

use super::{error::LoadError, filter::Filter, maps::map_mut};
use crate::datapath::sys::{bpf::map::MapError, interfaces::Interfaces};

/// What a filter has entered.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    /// The settings of each interface, by the policy's name; empty if no interface has any.
    by_name: Vec<(String, u32)>,
    /// The entries of the map.
    entered: BTreeMap<u32, u32>,
}

impl Tunnels {
    pub(super) fn new(by_name: &[(String, u32)]) -> Self {
        Self {
            by_name: by_name.to_vec(),
            entered: BTreeMap::new(),
        }
    }

    fn of(&self, interface: &str) -> Option<u32> {
        let mut by_name = self.by_name.iter();
        by_name
            .find(|(name, _)| name == interface)
            .map(|(_, settings)| *settings)
    }

    /// The entries for interfaces, by the policy's names and their indices, and for their ports.
    fn entries(&self, attached: &[(&str, u32)], interfaces: &Interfaces) -> BTreeMap<u32, u32> {
        let own = attached
            .iter()
            .filter_map(|(name, index)| Some((*index, self.of(name)?)));
        let ports = own.clone().flat_map(|(index, settings)| {
            let ports = interfaces.all_ports_of(index).into_iter();
            ports.map(move |port| (port, settings))
        });
        ports.chain(own).collect()
    }
}

impl Filter {
    /// Whether the policy has tunnels on any interface; if not, the program reads no entry.
    pub(crate) fn has_tunnels(&self) -> bool {
        !self.tunnels.by_name.is_empty()
    }

    /// Whether there is an entry for the interface of this index.
    pub(crate) fn has_entered(&self, index: u32) -> bool {
        self.tunnels.entered.contains_key(&index)
    }

    /// Enters the tunnels of interfaces, by the policy's names and their indices, for them and for their ports, and removes all
    /// other entries. Returns whether that changed anything.
    pub fn enter_tunnels(
        &mut self,
        attached: &[(&str, u32)],
        interfaces: &Interfaces,
    ) -> Result<bool, LoadError> {
        let entries = self.tunnels.entries(attached, interfaces);
        let is_change = entries != self.tunnels.entered;
        // First, so that there is room.
        let gone: Vec<u32> = self.tunnels.entered.keys().copied().collect();
        for index in gone.into_iter().filter(|index| !entries.contains_key(index)) {
            self.forget_tunnels(index)?;
        }
        for (index, settings) in entries {
            self.enter(index, settings)?;
        }
        Ok(is_change)
    }

    /// Enters the tunnels of the interface of this name, for its index.
    pub(crate) fn set_tunnels(&mut self, name: &str, index: u32) -> Result<(), LoadError> {
        match self.tunnels.of(name) {
            Some(settings) => self.enter(index, settings),
            None => Ok(()),
        }
    }

    /// Removes the entry of an interface on which the filter does not run any more.
    pub(crate) fn forget_tunnels(&mut self, index: u32) -> Result<(), LoadError> {
        if self.tunnels.entered.remove(&index).is_some() {
            let failed = MapError::write(TUNNELS_BY_IF);
            tunnels_by_if(self.ebpf_mut())?.remove(&index).map_err(failed)?;
        }
        Ok(())
    }

    fn enter(&mut self, index: u32, settings: u32) -> Result<(), LoadError> {
        if self.tunnels.entered.get(&index) != Some(&settings) {
            let failed = MapError::write(TUNNELS_BY_IF);
            let mut map = tunnels_by_if(self.ebpf_mut())?;
            map.insert(index, settings, 0).map_err(failed)?;
            self.tunnels.entered.insert(index, settings);
        }
        Ok(())
    }
}

fn tunnels_by_if(ebpf: &mut Ebpf) -> Result<HashMap<&mut aya::maps::MapData, u32, u32>, LoadError> {
    let map = map_mut(ebpf, TUNNELS_BY_IF)?;
    Ok(HashMap::try_from(map).map_err(MapError::write(TUNNELS_BY_IF))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::sys::interfaces::Interface;

    fn interface(name: &str, index: u32, master: Option<u32>) -> Interface {
        Interface {
            name: name.into(),
            index,
            master,
            ..Interface::default()
        }
    }

    fn entries(tunnels: &Tunnels, attached: &[(&str, u32)], interfaces: &[Interface]) -> Vec<(u32, u32)> {
        let interfaces = interfaces.iter().cloned().collect();
        tunnels.entries(attached, &interfaces).into_iter().collect()
    }

    #[test]
    fn ports_have_the_tunnels_of_the_interface_that_they_belong_to_for_as_long_as_they_do() {
        let tunnels = Tunnels::new(&[("lag0".into(), 1), ("eth9".into(), 0)]);
        let attached = [("lag0", 10), ("eth9", 9), ("up0", 8)];
        let others = [
            interface("lag0", 10, None),
            interface("eth9", 9, None),
            interface("up0", 8, None),
        ];
        assert_eq!(entries(&tunnels, &attached, &others), [(9, 0), (10, 1)]);

        // A port joins, one that is a bond itself; then the first one leaves.
        let mut all = others.to_vec();
        all.push(interface("eth1", 1, Some(10)));
        assert_eq!(entries(&tunnels, &attached, &all), [(1, 1), (9, 0), (10, 1)]);
        all.push(interface("lag1", 11, Some(10)));
        all.push(interface("eth2", 2, Some(11)));
        let joined = [(1, 1), (2, 1), (9, 0), (10, 1), (11, 1)];
        assert_eq!(entries(&tunnels, &attached, &all), joined);
        all[3].master = None;
        assert_eq!(entries(&tunnels, &attached, &all), joined[1..]);
    }

    #[test]
    fn the_vf_of_netvsc_has_the_tunnels_of_netvsc() {
        let tunnels = Tunnels::new(&[("eth0".into(), 4)]);
        let all = [interface("eth0", 2, None), interface("enP1p0s2", 3, Some(2))];
        assert_eq!(entries(&tunnels, &[("eth0", 2)], &all), [(2, 4), (3, 4)]);
    }

    #[test]
    fn a_policy_without_tunnels_enters_nothing() {
        let all = [interface("lag0", 10, None), interface("eth1", 1, Some(10))];
        assert_eq!(entries(&Tunnels::new(&[]), &[("lag0", 10)], &all), []);
    }
}
