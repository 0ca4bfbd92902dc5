//! Where frames arrive: which program of op25b sees what an interface receives.

use thiserror::Error;

use crate::{
    datapath::{Interface, Interfaces},
    policy::Role,
};

/// An interface, and the program that sees the frames that it receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// Its name.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// The program of op25b, by its id; none if there is no filter.
    pub program: Option<(u32, Role)>,
    /// Another XDP program there, by its id.
    pub other_program: Option<u32>,
}

/// Why it cannot be said what happens to frames on an interface.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoPoint {
    /// There is no such interface.
    #[error("there is no interface {name} in this network namespace; there are {}", others.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that there are.
        others: Vec<String>,
    },
    /// Its frames arrive on another interface, where the filter sees them.
    #[error(
        "what {name} receives arrives on {lower}, where the filter sees it: `--interface {lower}`, with `--vlan` if it has tags"
    )]
    Above {
        /// The interface.
        name: String,
        /// The one below.
        lower: String,
    },
}

/// Interfaces that hand what they receive to their controller before it is filtered there.
const BOND: &str = "bond";

impl Point {
    /// The interface of this name. `role_of` tells the programs of op25b, and what their role is.
    pub fn find(
        interfaces: &Interfaces,
        name: &str,
        role_of: impl Fn(u32) -> Option<Role>,
    ) -> Result<Self, NoPoint> {
        let Some(interface) = interfaces.named(name) else {
            return Err(NoPoint::Unknown {
                name: name.to_owned(),
                others: interfaces
                    .iter()
                    .map(|interface| interface.name.clone())
                    .collect(),
            });
        };
        let filter_on = |interface: &Interface| {
            let mut programs = interface.xdp.iter();
            programs.find_map(|xdp| Some((xdp.program_id, role_of(xdp.program_id)?)))
        };
        let mut program = filter_on(interface);
        // Frames of a bond's port meet the bond's program, and those of a VF the one of the interface that it belongs to.
        let mut port = interface;
        while program.is_none()
            && let Some(controller) = interfaces.master_of(port)
            && controller.kind.as_deref().is_none_or(|kind| kind == BOND)
            && controller.index != interface.index
        {
            program = filter_on(controller);
            port = controller;
        }
        if program.is_none()
            && interface.kind.as_deref().is_some_and(|kind| kind != "veth")
            && let Some(lower) = interface.linked_to.and_then(|index| interfaces.with_index(index))
            && filter_on(lower).is_some()
        {
            return Err(NoPoint::Above {
                name: name.to_owned(),
                lower: lower.name.clone(),
            });
        }
        Ok(Self {
            interface: interface.name.clone(),
            index: interface.index,
            program,
            other_program: interface.xdp.first().map(|xdp| xdp.program_id),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::XdpAttachment;

    fn interface(name: &str, index: u32, kind: Option<&str>, programs: &[u32]) -> Interface {
        Interface {
            name: name.into(),
            index,
            kind: kind.map(Into::into),
            xdp: programs
                .iter()
                .map(|program_id| XdpAttachment {
                    mode: "native",
                    program_id: *program_id,
                })
                .collect(),
            ..Interface::default()
        }
    }

    fn role_of(program: u32) -> Option<Role> {
        [(7, Role::Subscriber), (8, Role::Uplink)]
            .into_iter()
            .find_map(|(id, role)| (id == program).then_some(role))
    }

    fn find(interfaces: &[Interface], name: &str) -> Result<Point, NoPoint> {
        Point::find(&interfaces.iter().cloned().collect(), name, role_of)
    }

    #[test]
    fn an_interface_has_the_role_of_its_program_or_no_filter() {
        let all = [
            interface("eth0", 1, None, &[8]),
            interface("eth1", 2, None, &[7]),
            interface("eth2", 3, None, &[]),
            interface("eth3", 4, None, &[9]),
        ];
        let found = |name| {
            let point = find(&all, name).unwrap();
            (point.index, point.program, point.other_program)
        };
        assert_eq!(found("eth0"), (1, Some((8, Role::Uplink)), Some(8)));
        assert_eq!(found("eth1"), (2, Some((7, Role::Subscriber)), Some(7)));
        assert_eq!(found("eth2"), (3, None, None));
        assert_eq!(found("eth3"), (4, None, Some(9)));
        assert_eq!(
            find(&all[..2], "eth9").unwrap_err().to_string(),
            "there is no interface eth9 in this network namespace; there are eth0, eth1"
        );
    }

    #[test]
    fn a_port_of_a_bond_has_the_bonds_filter_and_one_of_a_bridge_has_not() {
        for (kind, program) in [("bond", Some((7, Role::Subscriber))), ("bridge", None)] {
            let mut port = interface("eth1", 2, None, &[]);
            port.master = Some(1);
            let all = [interface("lag0", 1, Some(kind), &[7]), port];
            assert_eq!(find(&all, "eth1").unwrap().program, program, "{kind}");
        }
    }

    #[test]
    fn what_is_above_a_filtered_interface_is_not_said_to_be_without_a_filter() {
        let mut vlan = interface("eth1.100", 2, Some("vlan"), &[]);
        vlan.linked_to = Some(1);
        let above =
            |programs: &[u32]| find(&[interface("eth1", 1, None, programs), vlan.clone()], "eth1.100");
        let refused = above(&[7]).unwrap_err().to_string();
        assert!(
            refused.starts_with("what eth1.100 receives arrives on eth1"),
            "{refused}"
        );
        assert_eq!(above(&[]).unwrap().program, None);
        // The other end of a veth pair receives what this one sends.
        let mut veth = interface("veth1", 2, Some("veth"), &[]);
        veth.linked_to = Some(1);
        let all = [interface("veth0", 1, Some("veth"), &[7]), veth];
        assert_eq!(find(&all, "veth1").unwrap().program, None);
    }
}
