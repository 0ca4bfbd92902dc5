//! Another XDP program on an interface, with its owner.

use super::{Check, Line};
use crate::datapath::{
    Interface,
    host::{Occupant, holders, occupant, user_name},
};

/// The program on an interface.
pub(super) fn occupant_of(interface: &Interface) -> Option<Occupant> {
    interface.xdp.first().copied().map(occupant)
}

/// What it means for the filter; none if there is no program.
pub(super) fn line(interface: &str, found: Option<&Occupant>) -> Option<Line> {
    let found = found?;
    let processes = if found.name.is_some() && !found.is_of_op25b() {
        holders(found.id)
    } else {
        Vec::new()
    };
    Some(judge(interface, found, &processes))
}

fn judge(interface: &str, found: &Occupant, processes: &[(u32, String)]) -> Line {
    let (id, mode) = (found.id, found.mode);
    let Some(name) = &found.name else {
        let message = format!(
            "an XDP program runs there (id {id}, {mode}), and only root may see whose: `bpftool prog show id {id}`"
        );
        return Line::unknown(Check::Program, message);
    };
    if found.is_of_op25b() {
        return Line::ok(Check::Program, format!("op25b's filter (id {id}, {mode})"));
    }
    let user = found
        .user
        .map_or_else(String::new, |user| format!(", loaded by {}", user_name(user)));
    let option = match mode {
        "generic" => "xdpgeneric",
        "offloaded" => "xdpoffload",
        _ => "xdpdrv",
    };
    let off = format!("`ip link set dev {interface} {option} off`");
    let (held, remedy) = if processes.is_empty() {
        (
            "no process holds it".to_owned(),
            format!("{off} or, if its link is pinned, `bpftool link` and `rm` of the pin"),
        )
    } else {
        let listed: Vec<_> = processes
            .iter()
            .map(|(pid, name)| format!("{name} (process {pid})"))
            .collect();
        (
            format!("held by {}", listed.join(", ")),
            format!(
                "end {}, or {off} if it was attached without a link",
                listed.join(", ")
            ),
        )
    };
    Line::fail(
        Check::Program,
        format!(
            "another XDP program runs there: {name:?} (id {id}, {mode}{user}; {held}), so the filter is not attached"
        ),
        remedy,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    fn program(name: Option<&str>) -> Occupant {
        Occupant {
            id: 77,
            mode: "native",
            name: name.map(str::to_owned),
            user: Some(0),
        }
    }

    #[test]
    fn another_program_fails_with_its_name_and_owner_and_op25bs_own_does_not() {
        let held = judge("eth1", &program(Some("xdpfw")), &[(812, "xdp-filter".to_owned())]);
        assert_eq!(held.result, Grade::Fail);
        assert!(
            held.message
                .contains("\"xdpfw\" (id 77, native, loaded by root; held by xdp-filter (process 812))"),
            "{held:?}"
        );
        assert!(held.remedy.unwrap().starts_with("end xdp-filter (process 812)"));
        let left = judge("eth1", &program(Some("xdpfw")), &[]);
        assert!(
            left.remedy
                .unwrap()
                .starts_with("`ip link set dev eth1 xdpdrv off`")
        );
        assert_eq!(
            judge(
                "eth1",
                &program(Some(op25b_common::names::SUBSCRIBER_PROGRAM)),
                &[]
            )
            .result,
            Grade::Ok
        );
        assert_eq!(judge("eth1", &program(None), &[]).result, Grade::Unknown);
        assert_eq!(line("eth1", None), None);
    }
}
