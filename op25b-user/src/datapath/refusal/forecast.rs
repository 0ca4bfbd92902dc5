//! Predicts for which settings of an interface its driver would refuse a program in native mode. Nothing is tried: for many
//! drivers an attempt resets the link.

use super::cause::Cause;
use crate::datapath::sys::netlink::ethtool::Channels;

/// What is known of an interface before a program is attached there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nic {
    /// Its name.
    pub(crate) name: String,
    /// Its driver, by the name that `ethtool -i` shows.
    pub(crate) driver: Option<String>,
    /// The size of the largest packet.
    pub(crate) mtu: u32,
    /// Its queues, if the driver tells.
    pub(crate) channels: Option<Channels>,
    /// Whether the driver hands over frames in several buffers; none if the kernel does not tell.
    pub(crate) has_frags: Option<bool>,
    /// How many of its virtual functions are in use.
    pub(crate) virtual_functions: u32,
    /// How many CPUs the kernel may use.
    pub(crate) cpus: u32,
    /// The other end of a veth device, if it is in this network namespace.
    pub(crate) peer: Option<Peer>,
}

/// The other end of a veth device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its name.
    pub(crate) name: String,
    /// Its queues.
    pub(crate) channels: Channels,
}

/// A setting for which a driver refuses a program, and what ends that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Obstacle {
    /// What is in the way.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

/// Whether a driver is known to run XDP programs at all.
pub(crate) fn is_known_to_run_programs(driver: &str) -> bool {
    Cause::has_native_mode(driver)
}

/// What the driver would refuse a program for, by the rules in the kernel's sources (`ena_xdp_legal_queue_count`,
/// `verify_xdp_configuration`, `bnxt_xdp_set`, `ixgbe_xdp_setup`, `veth_xdp_set`). A driver from elsewhere may have others.
pub(crate) fn forecast(nic: &Nic) -> Vec<Obstacle> {
    let driver = nic.driver.as_deref().unwrap_or_default();
    [queues(nic, driver), functions(nic, driver), mtu(nic)]
        .into_iter()
        .flatten()
        .collect()
}

/// That the driver lacks transmit queues for a program.
fn queues(nic: &Nic, driver: &str) -> Option<Obstacle> {
    // A queue for each CPU, or one for two.
    const MOST_CPUS_OF_IXGBE: u32 = 128;
    let (name, cpus) = (&nic.name, nic.cpus);
    if driver == "ixgbe" && cpus > MOST_CPUS_OF_IXGBE {
        return Some(Obstacle {
            what: format!(
                "the driver ixgbe takes a program only with up to {MOST_CPUS_OF_IXGBE} CPUs, and here are {cpus}"
            ),
            remedy: "`xdp: generic` in the policy, the kernel's option `nr_cpus=128`, or another NIC"
                .to_owned(),
        });
    }
    let channels = nic.channels?;
    let (combined, most) = (channels.combined, channels.most_combined);
    match driver {
        "veth" => few_for_peer(name, channels, nic.peer.as_ref()?),
        // A transmit queue more for each queue.
        "ena" if combined * 2 > most => Some(Obstacle {
            what: format!(
                "{combined} of {most} queues are in use: the driver ena takes as many again for a program, so at most half may be"
            ),
            remedy: halved(name, most),
        }),
        "gve" if channels.receiving() != channels.transmitting() => Some(Obstacle {
            what: format!(
                "it has {} receive and {} transmit queues: the driver gve takes a program only with as many of both",
                channels.receiving(),
                channels.transmitting()
            ),
            remedy: format!(
                "`ethtool -L {name} rx {equal} tx {equal}`",
                equal = channels.receiving().min(channels.transmitting()).max(1)
            ),
        }),
        "gve" if channels.transmitting() * 2 > channels.most_transmit + most => Some(Obstacle {
            what: format!(
                "{} of {} transmit queues are in use: the driver gve takes as many again for a program, so at most half may be",
                channels.transmitting(),
                channels.most_transmit + most
            ),
            remedy: format!(
                "`ethtool -L {name} rx {half} tx {half}`",
                half = u32::midpoint(channels.most_transmit, most)
            ),
        }),
        "bnxt_en" if combined == 0 => Some(Obstacle {
            what: "receive and transmit queues are apart: the driver bnxt_en takes a program only with combined ones".to_owned(),
            remedy: format!("`ethtool -L {name} rx 0 tx 0 combined {}`", channels.receive.max(1)),
        }),
        "bnxt_en" if channels.most_transmit > 0 && combined * 2 > channels.most_transmit => Some(Obstacle {
            what: format!(
                "{combined} queues are in use, and {} can transmit: the driver bnxt_en takes a transmit queue more for each of \
                 them",
                channels.most_transmit
            ),
            remedy: halved(name, channels.most_transmit),
        }),
        _ => None,
    }
}

/// That a veth device has fewer queues than its peer.
fn few_for_peer(name: &str, channels: Channels, peer: &Peer) -> Option<Obstacle> {
    let (receive, sent) = (channels.receiving(), peer.channels.transmitting());
    let fewer = format!("`ethtool -L {} tx {receive}`", peer.name);
    let remedy = if channels.most_receive >= sent {
        format!("`ethtool -L {name} rx {sent}`, or {fewer}")
    } else {
        fewer
    };
    (receive < sent).then(|| Obstacle {
        what: format!(
            "it has {receive} receive and its peer {} {sent} transmit queues: the driver veth takes a program only with no fewer than \
             its peer's",
            peer.name
        ),
        remedy,
    })
}

fn halved(name: &str, most: u32) -> String {
    format!("`ethtool -L {name} combined {}`", (most / 2).max(1))
}

/// That the driver takes no program beside virtual functions.
fn functions(nic: &Nic, driver: &str) -> Option<Obstacle> {
    let (name, functions) = (&nic.name, nic.virtual_functions);
    (driver == "ixgbe" && functions > 0).then(|| Obstacle {
        what: format!("{functions} virtual functions are in use (SR-IOV), beside which the driver ixgbe takes no program"),
        remedy: format!("`echo 0 > /sys/class/net/{name}/device/sriov_numvfs`, or `xdp: generic` in the policy"),
    })
}

/// That a frame may not fit into one buffer.
fn mtu(nic: &Nic) -> Option<Obstacle> {
    // Buffers of drivers that take a program with one buffer only have 2 KiB, 3 KiB or a page; the largest that all of those with
    // 3 KiB take.
    const MOST: u32 = 3000;
    let (name, mtu) = (&nic.name, nic.mtu);
    (mtu > MOST && nic.has_frags == Some(false)).then(|| Obstacle {
        what: format!(
            "the MTU is {mtu}, and the driver hands over no frames in several buffers: most such drivers refuse a program if a frame \
             may exceed one, which is at an MTU of around 3000"
        ),
        remedy: format!("`ip link set dev {name} mtu 1500`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic(driver: &str) -> Nic {
        Nic {
            name: "eth1".to_owned(),
            driver: Some(driver.to_owned()),
            mtu: 1500,
            channels: Some(Channels {
                combined: 4,
                most_combined: 8,
                ..Channels::default()
            }),
            has_frags: Some(true),
            virtual_functions: 0,
            cpus: 8,
            peer: None,
        }
    }

    #[track_caller]
    fn only(nic: &Nic) -> Obstacle {
        let mut found = forecast(nic);
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn what_a_driver_takes_is_no_obstacle() {
        for driver in ["ena", "gve", "bnxt_en", "ixgbe", "veth", "ice", "virtio_net"] {
            assert_eq!(forecast(&nic(driver)), [], "{driver}");
        }
        // A driver that tells nothing is not accused.
        let silent = Nic {
            channels: None,
            has_frags: None,
            mtu: 9000,
            ..nic("ena")
        };
        assert_eq!(forecast(&silent), []);
    }

    #[test]
    fn too_many_queues_are_named_with_how_many_there_may_be() {
        let all_in_use = |driver| Nic {
            channels: Some(Channels {
                combined: 8,
                most_combined: 8,
                most_transmit: if driver == "bnxt_en" { 12 } else { 0 },
                ..Channels::default()
            }),
            ..nic(driver)
        };
        assert!(
            only(&all_in_use("ena"))
                .what
                .starts_with("8 of 8 queues are in use: the driver ena")
        );
        assert_eq!(only(&all_in_use("ena")).remedy, "`ethtool -L eth1 combined 4`");
        assert_eq!(only(&all_in_use("gve")).remedy, "`ethtool -L eth1 rx 4 tx 4`");
        let unequal = Nic {
            channels: Some(Channels {
                receive: 4,
                transmit: 2,
                most_receive: 8,
                most_transmit: 8,
                ..Channels::default()
            }),
            ..nic("gve")
        };
        assert_eq!(only(&unequal).remedy, "`ethtool -L eth1 rx 2 tx 2`");
        assert_eq!(
            only(&all_in_use("bnxt_en")).remedy,
            "`ethtool -L eth1 combined 6`"
        );
        let apart = Nic {
            channels: Some(Channels {
                receive: 4,
                transmit: 4,
                ..Channels::default()
            }),
            ..nic("bnxt_en")
        };
        assert_eq!(only(&apart).remedy, "`ethtool -L eth1 rx 0 tx 0 combined 4`");
    }

    #[test]
    fn a_veth_device_needs_no_fewer_queues_than_its_peer() {
        let with_peer = |most_receive, transmit| Nic {
            channels: Some(Channels {
                receive: 1,
                transmit: 1,
                most_receive,
                ..Channels::default()
            }),
            peer: Some(Peer {
                name: "peer0".to_owned(),
                channels: Channels {
                    receive: 1,
                    transmit,
                    ..Channels::default()
                },
            }),
            ..nic("veth")
        };
        assert_eq!(forecast(&with_peer(1, 1)), []);
        let obstacle = only(&with_peer(2, 2));
        assert!(
            obstacle
                .what
                .starts_with("it has 1 receive and its peer peer0 2 transmit queues")
        );
        assert_eq!(
            obstacle.remedy,
            "`ethtool -L eth1 rx 2`, or `ethtool -L peer0 tx 1`"
        );
        assert_eq!(only(&with_peer(1, 2)).remedy, "`ethtool -L peer0 tx 1`");
    }

    #[test]
    fn what_ixgbe_does_not_combine_with_a_program_is_named() {
        let many_cpus = Nic {
            cpus: 256,
            ..nic("ixgbe")
        };
        assert!(only(&many_cpus).what.contains("up to 128 CPUs, and here are 256"));
        let sriov = Nic {
            virtual_functions: 2,
            ..nic("ixgbe")
        };
        assert!(only(&sriov).what.starts_with("2 virtual functions are in use"));
        assert_eq!(
            forecast(&Nic {
                driver: Some("ice".to_owned()),
                ..sriov
            }),
            []
        );
    }

    #[test]
    fn a_large_mtu_is_in_the_way_of_drivers_with_one_buffer() {
        let large = Nic {
            mtu: 9000,
            has_frags: Some(false),
            ..nic("igb")
        };
        assert!(only(&large).what.starts_with("the MTU is 9000"));
        assert_eq!(only(&large).remedy, "`ip link set dev eth1 mtu 1500`");
        assert_eq!(
            forecast(&Nic {
                has_frags: Some(true),
                ..large
            }),
            []
        );
    }
}
