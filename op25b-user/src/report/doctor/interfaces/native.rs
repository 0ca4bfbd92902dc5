//! Whether the driver of an interface takes the filter in native mode, and how its queues spread the work over CPUs.

use op25b_common::Action;

use super::{Check, Grade, Line, Place, without_native};
use crate::{
    datapath::{
        Interface,
        host::{Nic, Obstacle, forecast, is_known_to_run_programs},
    },
    policy::{Role, XdpMode},
};

/// Examines it, on the ports of a bond instead of the bond: they run the program.
pub(super) fn lines(place: &Place<'_>, action: Action, runs_natively: bool) -> anyhow::Result<Vec<Line>> {
    let mode = place.target.xdp;
    if mode == XdpMode::Generic {
        let message = "the policy wants generic mode (`xdp: generic`), which works with every driver and is several times slower";
        return Ok(vec![Line::ok(Check::Native, message)]);
    }
    if runs_natively {
        return Ok(vec![Line::ok(
            Check::Native,
            "op25b's filter runs there in native mode",
        )]);
    }
    let is_bond = place.interface.kind.as_deref() == Some("bond");
    let devices: Vec<&Interface> = if is_bond {
        place.interfaces.ports_of(place.interface.index).collect()
    } else {
        vec![place.interface]
    };
    let has_native_mode = place.nics.has_native_mode(place.interface)?;
    let mut lines = Vec::new();
    let mut queues = Vec::new();
    for device in devices {
        let nic = place.nics.of(place.interfaces, device)?;
        lines.extend(refusals(&nic, is_bond, mode));
        queues.extend(spread(&nic, device, action, place.target.role));
    }
    if lines.is_empty() {
        lines.push(prospect(
            place.interface.driver().as_deref(),
            has_native_mode,
            mode,
        ));
    }
    lines.extend(queues);
    Ok(lines)
}

/// Whether the filter will run in native mode, as far as these lines tell.
pub(super) fn is_expected(lines: &[Line], mode: XdpMode) -> bool {
    let is_good = |line: &Line| line.check != Check::Native || line.result <= Grade::Unknown;
    mode != XdpMode::Generic && lines.iter().all(is_good)
}

/// For what the driver will refuse the program.
fn refusals(nic: &Nic, is_port: bool, mode: XdpMode) -> Vec<Line> {
    let (grade, result) = without_native(mode);
    let named = if is_port {
        format!("port {}: ", nic.name)
    } else {
        String::new()
    };
    let line = |obstacle: Obstacle| {
        let message = format!("{named}{}, {result}", obstacle.what);
        Line::fail(Check::Native, message, obstacle.remedy).graded(grade)
    };
    forecast(nic).into_iter().map(line).collect()
}

/// What is to be expected where no setting is in the way.
fn prospect(driver: Option<&str>, has_native_mode: Option<bool>, mode: XdpMode) -> Line {
    let (grade, result) = without_native(mode);
    let named = driver.map_or_else(String::new, |driver| format!(" {driver}"));
    match (has_native_mode, driver.is_some_and(is_known_to_run_programs)) {
        (Some(true), _) => Line::ok(
            Check::Native,
            format!("the driver{named} runs XDP programs as the interface is configured now"),
        ),
        (Some(false), _) => Line::fail(
            Check::Native,
            format!(
                "the driver{named} runs no XDP programs as the interface is configured now (its MTU, queues and offloads may \
                 matter), {result}"
            ),
            "`xdp: generic` in the policy, or a NIC whose driver runs them (docs/nics.md)",
        )
        .graded(grade),
        (None, true) => Line::unknown(
            Check::Native,
            format!(
                "the driver{named} has a native mode; this kernel does not tell whether it takes a program as the interface is \
                 configured now (Linux 6.3 does)"
            ),
        ),
        (None, false) => Line::fail(
            Check::Native,
            format!("the driver{named} is not known to have a native mode, {result} if it has none"),
            "`xdp: generic` in the policy, or a NIC whose driver runs XDP programs (docs/nics.md)",
        )
        .graded(Grade::Warn),
    }
}

/// How the packets of a NIC are spread over CPUs. Devices without hardware are left out: their queues cost nothing.
fn spread(nic: &Nic, device: &Interface, action: Action, role: Role) -> Vec<Line> {
    let (Some(channels), Some(_)) = (nic.channels, &device.device) else {
        return Vec::new();
    };
    let (name, receiving, cpus) = (&nic.name, channels.receiving(), nic.cpus);
    let most = channels.most_combined;
    let driver = nic.driver.as_deref().unwrap_or_default();
    let mut lines = Vec::new();
    lines.push(if receiving <= 1 && cpus > 1 {
        let remedy = if most > 1 {
            format!("`ethtool -L {name} combined {}`", most.min(cpus))
        } else {
            "a NIC with several receive queues, or several ports".to_owned()
        };
        let message = format!("{name} has one receive queue: one of {cpus} CPUs filters all packets");
        Line::warn(Check::Queues, message, remedy)
    } else {
        Line::ok(
            Check::Queues,
            format!("{name} has {receiving} receive queues for {cpus} CPUs"),
        )
    });
    // It shares the queues that there are with a lock instead of refusing, which only what is sent back pays for.
    if driver == "virtio_net"
        && channels.combined + cpus > most
        && action != Action::Drop
        && role == Role::Subscriber
    {
        lines.push(Line::warn(
            Check::Queues,
            format!(
                "{name} has {most} queues, and the driver virtio_net takes one more for each of {cpus} CPUs: with fewer, replies are \
                 sent with a lock"
            ),
            format!("more queues for the virtual NIC, or `action: drop`; or `ethtool -L {name} combined` with fewer"),
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nic(mtu: u32) -> Nic {
        Nic {
            name: "eth1".to_owned(),
            driver: Some("igb".to_owned()),
            mtu,
            has_frags: Some(false),
            cpus: 8,
            ..Nic::default()
        }
    }

    #[test]
    fn a_refusal_fails_where_the_policy_demands_native_mode_and_warns_otherwise() {
        assert_eq!(refusals(&nic(1500), false, XdpMode::Native), []);
        let demanded = refusals(&nic(9000), false, XdpMode::Native);
        assert_eq!(demanded[0].result, Grade::Fail);
        assert!(
            demanded[0].message.ends_with("so `xdp: native` is refused"),
            "{demanded:?}"
        );
        assert!(!is_expected(&demanded, XdpMode::Native));
        let preferred = refusals(&nic(9000), true, XdpMode::Auto);
        assert_eq!(preferred[0].result, Grade::Warn);
        assert!(
            preferred[0].message.starts_with("port eth1: the MTU is 9000"),
            "{preferred:?}"
        );
        assert_eq!(
            preferred[0].remedy.as_deref(),
            Some("`ip link set dev eth1 mtu 1500`")
        );
    }

    #[test]
    fn what_the_kernel_does_not_tell_is_not_known() {
        assert_eq!(prospect(Some("ice"), Some(true), XdpMode::Auto).result, Grade::Ok);
        assert_eq!(
            prospect(Some("vxlan"), Some(false), XdpMode::Auto).result,
            Grade::Warn
        );
        assert_eq!(
            prospect(Some("vxlan"), Some(false), XdpMode::Native).result,
            Grade::Fail
        );
        let older = prospect(Some("ice"), None, XdpMode::Native);
        assert_eq!(older.result, Grade::Unknown);
        assert!(is_expected(&[older], XdpMode::Native));
        assert_eq!(
            prospect(Some("e1000e"), None, XdpMode::Native).result,
            Grade::Warn
        );
    }

    #[test]
    fn one_receive_queue_of_hardware_is_warned_of() {
        let hardware = Interface {
            device: Some(("pci".to_owned(), "0000:00:03.0".to_owned())),
            ..Interface::default()
        };
        let with = |driver: &str, combined, most_combined| Nic {
            driver: Some(driver.to_owned()),
            channels: Some(crate::datapath::host::Channels {
                combined,
                most_combined,
                ..Default::default()
            }),
            ..nic(1500)
        };
        let grades = |nic: &Nic, device: &Interface, action| {
            let lines = spread(nic, device, action, Role::Subscriber);
            lines.iter().map(|line| line.result).collect::<Vec<_>>()
        };
        let one = with("ice", 1, 16);
        assert_eq!(grades(&one, &hardware, Action::Drop), [Grade::Warn]);
        let line = &spread(&one, &hardware, Action::Drop, Role::Subscriber)[0];
        assert_eq!(line.remedy.as_deref(), Some("`ethtool -L eth1 combined 8`"));
        assert_eq!(grades(&one, &Interface::default(), Action::Drop), []);
        assert_eq!(grades(&with("ice", 8, 16), &hardware, Action::Reset), [Grade::Ok]);
        let virtio = with("virtio_net", 4, 4);
        assert_eq!(grades(&virtio, &hardware, Action::Drop), [Grade::Ok]);
        assert_eq!(
            grades(&virtio, &hardware, Action::Reset),
            [Grade::Ok, Grade::Warn]
        );
    }
}
