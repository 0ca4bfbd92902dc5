//! What forwards packets in hardware, which then pass no XDP program.

use std::io;

use super::{Check, Line};
use crate::datapath::{Interface, host::HardwareFlowtable};

/// Examines an interface. `obeys`: its NIC forwards what rules tell it to.
pub(super) fn line(
    interface: &Interface,
    obeys: bool,
    flowtables: impl Fn() -> io::Result<Vec<HardwareFlowtable>>,
) -> Line {
    let name = &interface.name;
    if interface.is_switch_port {
        return Line::fail(
            Check::Bypass,
            format!(
                "{name} is a port of a switch chip (switchdev), which forwards packets by itself: the filter sees only what comes to the CPU"
            ),
            format!(
                "filter on the CPU's port or in front of the switch; `devlink dev eswitch show` and `bridge fdb show dev {name}` show what is forwarded"
            ),
        );
    }
    if !obeys {
        return Line::ok(Check::Bypass, "nothing forwards its packets without the CPU");
    }
    match flowtables() {
        Ok(all) => match all.iter().find(|table| table.interfaces.contains(name)) {
            Some(HardwareFlowtable {
                table,
                name: flowtable,
                ..
            }) => Line::fail(
                Check::Bypass,
                format!(
                    "the flowtable {flowtable} of the table {table} is in hardware on {name}: packets of established connections, also \
                     those that began before the filter, are forwarded without it"
                ),
                format!(
                    "remove `flags offload` from it in nftables, or `ethtool -K {name} hw-tc-offload off`"
                ),
            ),
            None => Line::ok(
                Check::Bypass,
                format!(
                    "hw-tc-offload is on and no flowtable uses it; a rule that is in hardware would pass the filter by (`tc filter show \
                     dev {name} ingress`: in_hw)"
                ),
            ),
        },
        Err(error) => Line::unknown(
            Check::Bypass,
            format!(
                "hw-tc-offload is on, and whether a flowtable uses it cannot be asked ({error}): `nft list flowtables`"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    fn nic(is_switch_port: bool) -> Interface {
        Interface {
            name: "eth1".to_owned(),
            is_switch_port,
            ..Interface::default()
        }
    }

    #[test]
    fn what_is_forwarded_in_hardware_fails_and_what_could_be_does_not() {
        let none = || Ok(Vec::new());
        assert_eq!(line(&nic(true), false, none).result, Grade::Fail);
        assert_eq!(line(&nic(false), false, none).result, Grade::Ok);
        assert!(line(&nic(false), true, none).message.contains("in_hw"));
        let on = |interface: &str| {
            let interfaces = vec![interface.to_owned()];
            move || {
                Ok(vec![HardwareFlowtable {
                    table: "edge".to_owned(),
                    name: "fast".to_owned(),
                    interfaces: interfaces.clone(),
                }])
            }
        };
        let offloaded = line(&nic(false), true, on("eth1"));
        assert_eq!(offloaded.result, Grade::Fail);
        assert!(
            offloaded
                .message
                .starts_with("the flowtable fast of the table edge")
        );
        assert!(
            offloaded
                .remedy
                .unwrap()
                .contains("`ethtool -K eth1 hw-tc-offload off`")
        );
        assert_eq!(line(&nic(false), true, on("eth2")).result, Grade::Ok);
        let denied = || Err(io::Error::from_raw_os_error(libc::EPERM));
        assert_eq!(line(&nic(false), true, denied).result, Grade::Unknown);
    }
}
