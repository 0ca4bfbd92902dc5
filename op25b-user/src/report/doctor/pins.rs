//! The BPF file system that the filter is pinned in, so that it outlives its daemon.

use std::{io, path::Path};

use super::{Check, Line};
use crate::datapath::host::{PinPlace, pin_place};

/// Examines the directory.
pub(super) fn line(directory: &Path) -> Line {
    judge(directory, pin_place(directory))
}

fn judge(directory: &Path, found: io::Result<PinPlace>) -> Line {
    let shown = directory.display();
    let place = match found {
        Ok(place) => place,
        Err(error) => {
            return Line::fail(
                Check::Bpffs,
                format!("{shown} cannot be examined: {error}"),
                "`--bpffs` names the directory of the pins",
            );
        }
    };
    let existing = place.existing.display();
    if place.is_bpffs && place.is_read_only {
        Line::fail(
            Check::Bpffs,
            format!(
                "the BPF file system at {existing} is mounted read-only, so that nothing can be pinned in it"
            ),
            format!("`mount -o remount,rw {existing}`; in a container mount it without `:ro`"),
        )
    } else if place.is_bpffs {
        let (owner, mode) = (crate::datapath::host::user_name(place.owner), place.mode);
        Line::ok(
            Check::Bpffs,
            format!("{existing} is on a BPF file system (owner {owner}, mode {mode:04o})"),
        )
    } else {
        Line::warn(
            Check::Bpffs,
            format!(
                "there is no BPF file system at {shown}: `op25b run` mounts one if it runs as root, and cannot as another user, as \
                 the service does"
            ),
            "`mount -t bpf bpf /sys/fs/bpf`, which systemd does at a boot; a container takes the machine's (`-v \
             /sys/fs/bpf:/sys/fs/bpf`)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    fn place() -> PinPlace {
        PinPlace {
            existing: "/sys/fs/bpf".into(),
            is_bpffs: true,
            is_read_only: false,
            owner: 0,
            mode: 0o1700,
        }
    }

    #[test]
    fn pins_need_a_bpf_file_system_that_can_be_written() {
        let directory = Path::new("/sys/fs/bpf/op25b");
        let good = judge(directory, Ok(place()));
        assert_eq!(
            (good.result, good.message.as_str()),
            (
                Grade::Ok,
                "/sys/fs/bpf is on a BPF file system (owner root, mode 1700)"
            )
        );
        let read_only = PinPlace {
            is_read_only: true,
            ..place()
        };
        let read_only = judge(directory, Ok(read_only));
        assert_eq!(read_only.result, Grade::Fail);
        assert!(
            read_only
                .remedy
                .unwrap()
                .starts_with("`mount -o remount,rw /sys/fs/bpf`")
        );
        let none = PinPlace {
            is_bpffs: false,
            ..place()
        };
        assert_eq!(judge(directory, Ok(none)).result, Grade::Warn);
        let hidden = judge(directory, Err(io::Error::from_raw_os_error(libc::EACCES)));
        assert_eq!(hidden.result, Grade::Fail);
    }
}
