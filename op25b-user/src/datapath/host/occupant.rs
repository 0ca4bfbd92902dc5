//! Finds out whose XDP program runs on an interface.

use std::{fs, path::Path};

use aya::programs::{ProgramInfo, loaded_programs};
use op25b_common::names::{SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};

use crate::datapath::XdpAttachment;

/// An XDP program on an interface.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Occupant {
    /// Its id.
    pub(crate) id: u32,
    /// `native`, `generic` or `offloaded`.
    pub(crate) mode: &'static str,
    /// Its name; none if this process may not read it, which takes `CAP_SYS_ADMIN`.
    pub(crate) name: Option<String>,
    /// The user who loaded it.
    pub(crate) user: Option<u32>,
}

impl Occupant {
    /// Whether it is the program of a filter of op25b.
    pub(crate) fn is_of_op25b(&self) -> bool {
        matches!(self.name.as_deref(), Some(SUBSCRIBER_PROGRAM | UPLINK_PROGRAM))
    }
}

/// Whose a program is.
pub(crate) fn occupant(attachment: XdpAttachment) -> Occupant {
    let id = attachment.program_id;
    let info = loaded_programs()
        .filter_map(Result::ok)
        .find(|program| program.id() == id);
    Occupant {
        id,
        mode: attachment.mode,
        name: info
            .as_ref()
            .and_then(|info| info.name_as_str())
            .map(str::to_owned),
        user: info.as_ref().and_then(ProgramInfo::created_by_uid),
    }
}

/// The processes with a descriptor of a program or of its link, among those that this process may look into: their ids and
/// names.
pub(crate) fn holders(id: u32) -> Vec<(u32, String)> {
    holders_in(Path::new("/proc"), id)
}

fn holders_in(proc: &Path, id: u32) -> Vec<(u32, String)> {
    let processes = fs::read_dir(proc).into_iter().flatten().flatten();
    let mut holders: Vec<_> = processes
        .filter_map(|process| {
            let pid = process.file_name().to_str()?.parse().ok()?;
            let mut descriptors = fs::read_dir(process.path().join("fdinfo")).ok()?.flatten();
            descriptors
                .any(|descriptor| fs::read_to_string(descriptor.path()).is_ok_and(|info| is_of(&info, id)))
                .then(|| {
                    let name = fs::read_to_string(process.path().join("comm"));
                    (pid, name.unwrap_or_default().trim_end().to_owned())
                })
        })
        .collect();
    holders.sort_unstable();
    holders
}

/// Whether a descriptor is of this program or of a link that runs it (`bpf_prog_show_fdinfo`, `bpf_link_show_fdinfo`).
fn is_of(info: &str, id: u32) -> bool {
    let mut ids = info.lines().filter_map(|line| line.strip_prefix("prog_id:"));
    ids.any(|found| found.trim().parse() == Ok(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_program_or_its_link_is_found_by_its_descriptors() {
        let proc = tempfile::TempDir::new().unwrap();
        for (pid, comm, info) in [
            ("812", "xdp-filter\n", "pos:\t0\nlink_type:\txdp\nprog_id:\t77\n"),
            ("813", "other\n", "pos:\t0\nprog_id:\t177\n"),
            ("self", "op25b\n", "prog_id:\t77\n"),
        ] {
            fs::create_dir_all(proc.path().join(pid).join("fdinfo")).unwrap();
            fs::write(proc.path().join(pid).join("comm"), comm).unwrap();
            fs::write(proc.path().join(pid).join("fdinfo/5"), info).unwrap();
        }
        assert_eq!(holders_in(proc.path(), 77), [(812, "xdp-filter".to_owned())]);
        assert_eq!(holders_in(proc.path(), 7), []);
    }
}
