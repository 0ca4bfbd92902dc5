//! The usual causes for which a driver that runs XDP programs refuses one, and what to do about each.

/// Why a driver refuses a program that it could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A driver may take a transmit queue of its own for each receive queue or CPU, or need as many as its peer has.
    Queues,
    /// A frame must fit into one buffer.
    Mtu,
    /// Merged packets are no frames.
    Merging,
    /// Nothing in the driver runs XDP programs.
    NoNativeMode,
}

impl Cause {
    /// Drivers with a native mode, by the names that `ethtool -i` shows.
    const WITH_NATIVE_MODE: [&str; 36] = [
        "atlantic",
        "bnxt_en",
        "bond",
        "dpaa2-eth",
        "ena",
        "fsl_dpaa_eth",
        "fsl_enetc",
        "gve",
        "hv_netvsc",
        "i40e",
        "ice",
        "idpf",
        "igb",
        "igbvf",
        "igc",
        "ixgbe",
        "ixgbevf",
        "mana",
        "mlx4_core",
        "mlx4_en",
        "mlx5_core",
        "mtk_soc_eth",
        "mvneta",
        "mvpp2",
        "netsec",
        "nfp",
        "nicvf",
        "qede",
        "rvu_nicpf",
        "rvu_nicvf",
        "sfc",
        "st_gmac",
        "stmmac",
        "tsnep",
        "veth",
        "virtio_net",
    ];

    /// Whether a driver is known to have a native mode.
    pub(super) fn has_native_mode(driver: &str) -> bool {
        Self::WITH_NATIVE_MODE.contains(&driver)
    }

    /// The usual causes of an error number, the most frequent one first; none if it has no usual cause.
    pub(super) fn usual(error: i32, driver: Option<&str>) -> &'static [Self] {
        let has_native_mode = driver.is_some_and(Self::has_native_mode);
        match (error, driver) {
            (libc::ENOSPC | libc::ENOMEM, _) => &[Self::Queues],
            (libc::ERANGE, _) => &[Self::Mtu],
            (libc::EINVAL, Some("ena" | "gve")) => &[Self::Queues, Self::Mtu],
            (libc::EINVAL, Some("ixgbe" | "ixgbevf" | "i40e" | "igb" | "virtio_net")) => {
                &[Self::Mtu, Self::Queues]
            }
            (libc::EINVAL, Some("mlx5_core")) => &[Self::Merging, Self::Mtu],
            (libc::EINVAL, _) | (libc::EOPNOTSUPP, Some("bnxt_en")) => {
                &[Self::Mtu, Self::Queues, Self::Merging]
            }
            (libc::EOPNOTSUPP, _) if has_native_mode => &[Self::Merging, Self::Mtu],
            (libc::EOPNOTSUPP, _) => &[Self::NoNativeMode],
            _ => &[],
        }
    }

    /// The cause that the kernel's message names, as far as its words show it.
    pub(super) fn named_by(message: &str) -> Option<Self> {
        let message = message.to_lowercase();
        let names = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if names(&["lro", "gro", "hw-gro"]) {
            Some(Self::Merging)
        } else if names(&["mtu", "too large", "too big", "frags", "jumbo"]) {
            Some(Self::Mtu)
        } else if names(&["queue", "channel", "ring"]) {
            Some(Self::Queues)
        } else {
            None
        }
    }

    /// What it is.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queues => "the number of queues",
            Self::Mtu => "an MTU at which a frame does not fit into one buffer",
            Self::Merging => "LRO or hardware GRO",
            Self::NoNativeMode => "a driver without native mode",
        }
    }

    /// How to end it on an interface.
    pub(super) fn remedy(self, interface: &str) -> Option<String> {
        match self {
            Self::Queues => Some(format!(
                "`ethtool -l {interface}` shows the queues, `ethtool -L {interface}` sets them"
            )),
            Self::Mtu => Some(format!(
                "`ip link set dev {interface} mtu 1500` makes frames fit into one buffer"
            )),
            Self::Merging => Some(format!(
                "`ethtool -K {interface} lro off rx-gro-hw off` turns both off"
            )),
            Self::NoNativeMode => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_driver_that_runs_xdp_programs_is_said_to_have_no_native_mode() {
        for driver in Cause::WITH_NATIVE_MODE {
            for error in [
                libc::ENOSPC,
                libc::ENOMEM,
                libc::EINVAL,
                libc::ERANGE,
                libc::EOPNOTSUPP,
            ] {
                let causes = Cause::usual(error, Some(driver));
                assert!(!causes.is_empty(), "{driver} {error}");
                assert!(!causes.contains(&Cause::NoNativeMode), "{driver} {error}");
            }
        }
        for driver in [None, Some("vxlan"), Some("e1000e")] {
            assert_eq!(Cause::usual(libc::EOPNOTSUPP, driver), [Cause::NoNativeMode]);
        }
        assert_eq!(Cause::usual(libc::EIO, Some("ixgbe")), []);
    }

    #[test]
    fn too_few_queues_are_what_these_drivers_usually_refuse_for() {
        for (driver, error) in [
            ("veth", libc::ENOSPC),
            ("ixgbe", libc::ENOMEM),
            ("ice", libc::ENOMEM),
            ("ena", libc::EINVAL),
        ] {
            assert_eq!(Cause::usual(error, Some(driver))[0], Cause::Queues, "{driver}");
        }
    }

    /// Messages of Linux 6.12.
    #[test]
    fn messages_of_the_kernel_name_their_cause() {
        for (message, cause) in [
            (
                "veth: XDP expects number of rx queues not less than peer tx queues",
                Cause::Queues,
            ),
            ("veth: Peer MTU is too large to set XDP", Cause::Mtu),
            (
                "MTU too large for linear frames and XDP prog does not support frags",
                Cause::Mtu,
            ),
            (
                "Can't set XDP while guest is implementing GRO_HW/CSUM, disable GRO_HW/CSUM first",
                Cause::Merging,
            ),
            ("XDP: not support LRO", Cause::Merging),
            (
                "ethtool rx/tx channels must be combined to support XDP.",
                Cause::Queues,
            ),
            ("not enough Tx rings available", Cause::Queues),
        ] {
            assert_eq!(Cause::named_by(message), Some(cause), "{message}");
        }
        assert_eq!(
            Cause::named_by("Underlying driver does not support XDP in native mode"),
            None
        );
    }
}
