//! The list of all interfaces at one moment, and how they depend on each other.

use std::io;

use thiserror::Error;

use super::{Interface, InterfaceQuery};

/// Why the interfaces could not be listed.
#[derive(Debug, Error)]
#[error("cannot list the network interfaces")]
pub struct InterfacesError(#[from] io::Error);

/// All interfaces at one moment.
#[derive(Clone, Debug, Default)]
pub struct Interfaces(Vec<Interface>);

impl FromIterator<Interface> for Interfaces {
    fn from_iter<I: IntoIterator<Item = Interface>>(interfaces: I) -> Self {
        Self(interfaces.into_iter().collect())
    }
}

impl Interfaces {
    /// Lists them.
    pub fn list() -> Result<Self, InterfacesError> {
        Ok(InterfaceQuery::open()?.all()?.into_iter().collect())
    }

    /// Those that bear these names now.
    pub fn of<'n>(names: impl IntoIterator<Item = &'n str>) -> io::Result<Self> {
        let query = InterfaceQuery::open()?;
        let mut found = Vec::new();
        for name in names {
            found.extend(query.named(name)?);
        }
        Ok(found.into_iter().collect())
    }

    /// The interface that has this name, as its first or another one. The kernel gives no name to two interfaces.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.0.iter().find(|interface| interface.is_named(name))
    }

    /// The interface of this index.
    #[must_use]
    pub fn with_index(&self, index: u32) -> Option<&Interface> {
        self.0.iter().find(|interface| interface.index == index)
    }

    /// The interface whose port an interface is.
    #[must_use]
    pub fn master_of(&self, interface: &Interface) -> Option<&Interface> {
        self.with_index(interface.master?)
    }

    /// The ports of the interface of this index.
    pub fn ports_of(&self, index: u32) -> impl Iterator<Item = &Interface> {
        self.0.iter().filter(move |port| port.master == Some(index))
    }

    /// The indices of the ports of an interface, and of theirs.
    #[must_use]
    pub fn all_ports_of(&self, index: u32) -> Vec<u32> {
        let mut all: Vec<u32> = Vec::new();
        let mut masters = vec![index];
        while let Some(master) = masters.pop() {
            for port in self.ports_of(master) {
                // The kernel makes no circles, but a list that is read while interfaces change may show one.
                if port.index != index && !all.contains(&port.index) {
                    all.push(port.index);
                    masters.push(port.index);
                }
            }
        }
        all
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(name: &str, index: u32, master: Option<u32>) -> Interface {
        Interface {
            name: name.into(),
            index,
            master,
            ..Interface::default()
        }
    }

    #[test]
    fn an_interface_is_found_by_each_of_its_names() {
        let mut named = interface("eth1", 2, None);
        named.alternative_names = vec!["enp3s0".into(), "customers-east".into()];
        let all: Interfaces = [interface("eth0", 1, None), named].into_iter().collect();
        for name in ["eth1", "enp3s0", "customers-east"] {
            assert_eq!(all.named(name).unwrap().index, 2, "{name}");
        }
        assert_eq!(all.named("customers"), None);
    }

    #[test]
    fn ports_of_ports_belong_to_an_interface_too() {
        let all: Interfaces = [
            interface("lag0", 1, None),
            interface("lag1", 2, Some(1)),
            interface("eth1", 3, Some(2)),
            interface("eth2", 4, Some(2)),
            interface("eth3", 5, Some(1)),
            interface("eth4", 6, Some(7)),
            interface("br0", 7, None),
        ]
        .into_iter()
        .collect();
        let mut ports = all.all_ports_of(1);
        ports.sort_unstable();
        assert_eq!(ports, [2, 3, 4, 5]);
        assert_eq!(all.all_ports_of(6), [0; 0]);
    }

    #[test]
    fn a_circle_of_masters_ends() {
        let all: Interfaces = [interface("a", 1, Some(2)), interface("b", 2, Some(1))]
            .into_iter()
            .collect();
        assert_eq!(all.all_ports_of(1), [2]);
    }
}
