//! Predicts where the filter could not run, from a list of interfaces alone.

use super::{attach::usable, kinds::check_together, plan::Skipped, target::Target};
use crate::datapath::sys::interfaces::Interfaces;

/// The interfaces of a policy on which the filter could not run, whatever runs there now.
#[must_use]
pub fn obstacles(interfaces: &Interfaces, targets: &[Target]) -> Vec<Skipped> {
    let mut found = Vec::new();
    let mut together: Vec<_> = targets.iter().collect();
    while let Err(why) = check_together(interfaces, &together) {
        let Some(refused) = together.iter().position(|target| target.interface == why.entry()) else {
            break;
        };
        found.push(Skipped {
            interface: together.remove(refused).interface.clone(),
            why: why.into(),
        });
    }
    found.extend(together.into_iter().filter_map(|target| {
        let why = usable(interfaces, &target.interface, target.xdp).err()?;
        Some(Skipped {
            interface: target.interface.clone(),
            why,
        })
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        datapath::{replace::target::Need, sys::interfaces::Interface},
        policy::{Role, XdpMode},
    };

    fn target(interface: &str, xdp: XdpMode) -> Target {
        Target {
            interface: interface.to_owned(),
            role: Role::Subscriber,
            xdp,
            need: Need::Required,
        }
    }

    #[test]
    fn each_interface_that_is_missing_of_a_wrong_kind_or_a_port_of_another_is_reported() {
        let interface = |name: &str, index, kind: Option<&str>, master| Interface {
            name: name.to_owned(),
            index,
            is_ethernet: true,
            kind: kind.map(str::to_owned),
            master,
            ..Interface::default()
        };
        let interfaces: Interfaces = [
            interface("eth1", 1, None, None),
            interface("bond0", 2, Some("bond"), None),
            interface("eth2", 3, None, Some(2)),
            interface("br0", 4, Some("bridge"), None),
            interface("eth1.5", 5, Some("vlan"), None),
        ]
        .into_iter()
        .collect();
        let targets = ["eth1", "bond0", "eth2", "br0", "eth9"].map(|name| target(name, XdpMode::Auto));
        let targets: Vec<_> = targets
            .into_iter()
            .chain([target("eth1.5", XdpMode::Native)])
            .collect();
        let found = obstacles(&interfaces, &targets);
        let names: Vec<_> = found.iter().map(|found| found.interface.as_str()).collect();
        assert_eq!(names, ["eth2", "br0", "eth9", "eth1.5"]);
    }
}
