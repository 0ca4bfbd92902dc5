//! Which settings of an interface disagree with a filter that runs there in native mode.

use std::{fmt, io};

use super::sys::{
    interfaces::{Interface, Interfaces},
    netlink::ethtool::{Offload, Offloads},
};

/// A setting that disagrees with a filter, and its remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// What disagrees, and why it matters.
    pub what: String,
    /// What ends it.
    pub remedy: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.remedy)
    }
}

/// Examines the settings of interfaces.
#[derive(Debug)]
pub struct Settings(Offloads);

impl Settings {
    /// `None` if this kernel does not show them.
    pub fn open() -> io::Result<Option<Self>> {
        Ok(Offloads::open()?.map(Self))
    }

    /// What disagrees with a filter in native mode on an interface, each with its remedy. `has_replies` if it replies to blocked
    /// segments there.
    ///
    /// A bond hands the program to its ports, and shows what all ports can do together: those of them in `interfaces` are
    /// examined instead.
    pub fn warnings(
        &self,
        interfaces: &Interfaces,
        interface: &Interface,
        has_replies: bool,
    ) -> io::Result<Vec<Disagreement>> {
        let mut warnings = Vec::new();
        let mut examine = |name: &str| -> io::Result<()> {
            let active = self.0.active(name)?;
            warnings.extend(
                active
                    .into_iter()
                    .filter_map(|offload| warning(name, offload, has_replies)),
            );
            Ok(())
        };
        if interface.kind.as_deref() == Some("bond") {
            for port in interfaces.ports_of(interface.index) {
                examine(&port.name)?;
            }
        } else {
            examine(&interface.name)?;
        }
        Ok(warnings)
    }
}

/// What disagrees if an offload is on.
fn warning(interface: &str, offload: Offload, has_replies: bool) -> Option<Disagreement> {
    let option = offload.option();
    let remedy = format!("`ethtool -K {interface} {option} off`");
    let (what, remedy) = match offload {
        Offload::CustomerTag | Offload::ServiceTag if has_replies => (
            format!(
                "{interface} takes the VLAN tag off received frames ({option} is on), so in native mode replies to tagged subscribers \
                 leave without their tag and do not reach them"
            ),
            format!("{remedy}, unless no subscriber's frame is tagged"),
        ),
        Offload::Lro | Offload::HardwareGro => (
            format!(
                "{interface} merges received packets in hardware ({option} is on), which several drivers do not combine with native \
                 mode"
            ),
            remedy,
        ),
        // What it forwards is for [`super::host`] to say: the switch alone forwards nothing.
        Offload::CustomerTag | Offload::ServiceTag | Offload::TrafficControl => return None,
    };
    Some(Disagreement { what, remedy })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_that_are_taken_off_matter_only_to_replies_and_merged_packets_always() {
        for tag in [Offload::CustomerTag, Offload::ServiceTag] {
            assert_eq!(warning("eth1", tag, false), None);
        }
        let tag = warning("eth1", Offload::CustomerTag, true).unwrap().to_string();
        assert!(tag.contains("`ethtool -K eth1 rxvlan off`"), "{tag}");
        let tag = warning("eth1", Offload::ServiceTag, true).unwrap().to_string();
        assert!(
            tag.contains("`ethtool -K eth1 rx-vlan-stag-hw-parse off`"),
            "{tag}"
        );
        for has_replies in [false, true] {
            let merged = warning("eth1", Offload::Lro, has_replies).unwrap().to_string();
            assert!(merged.contains("`ethtool -K eth1 lro off`"), "{merged}");
            let merged = warning("eth1", Offload::HardwareGro, has_replies)
                .unwrap()
                .to_string();
            assert!(merged.contains("`ethtool -K eth1 rx-gro-hw off`"), "{merged}");
        }
    }
}
