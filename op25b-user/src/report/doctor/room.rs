//! Whether there is room for a policy: kernel memory for its tables and records, and file descriptors.

use std::io;

use nix::sys::resource::{Resource, getrlimit};

use super::{Check, Line};
use crate::{
    datapath::{
        expected_memory,
        host::{Available, available},
    },
    policy::File,
};

const MIB: u64 = 1 << 20;

/// Examines it. `is_enforced`: a filter holds its memory already.
pub(super) fn lines(file: &File, is_enforced: bool) -> Vec<Line> {
    let (bytes, maps) = match expected_memory(&file.compiled) {
        Ok(expected) => expected,
        Err(error) => {
            let message = format!("how much memory the policy takes is not known: {error}");
            return vec![Line::unknown(Check::Memory, message)];
        }
    };
    vec![
        memory(bytes, available(), is_enforced),
        descriptors(
            maps,
            file.policy.interfaces.len(),
            getrlimit(Resource::RLIMIT_NOFILE).map(|(_, hard)| hard),
        ),
    ]
}

fn memory(needed: u64, available: io::Result<Available>, is_enforced: bool) -> Line {
    const REMEDY: &str = "remember fewer pools (`subscribers: { remember: [POOL] }`: 36 bytes for each subscriber), or more memory";
    let available = match available {
        Ok(available) => available,
        Err(error) => {
            return Line::unknown(
                Check::Memory,
                format!("how much memory is available is not known: {error}"),
            );
        }
    };
    let (free, of) = (available.bytes / MIB, available.limited_by.as_deref());
    let mib = needed.div_ceil(MIB);
    let limit = of.map_or_else(String::new, |group| {
        format!(", the limit of the control group {group}")
    });
    let remedy = match of {
        Some(_) => format!("a higher limit (`MemoryMax=`), or {REMEDY}"),
        None => REMEDY.to_owned(),
    };
    let takes =
        format!("the policy takes about {mib} MiB of kernel memory, and {free} MiB are available{limit}");
    if is_enforced && needed <= available.bytes {
        Line::ok(
            Check::Memory,
            format!("{takes} besides what the filter holds now"),
        )
    } else if is_enforced {
        let message =
            format!("{takes} besides what the filter holds now: a reload that needs new records fails");
        Line::warn(Check::Memory, message, remedy)
    } else if needed > available.bytes {
        Line::fail(Check::Memory, takes, remedy)
    } else if needed.saturating_mul(2) > available.bytes {
        let message =
            format!("{takes}: a reload that changes pools takes as much again for a moment, and fails");
        Line::warn(Check::Memory, message, remedy)
    } else {
        Line::ok(Check::Memory, takes)
    }
}

fn descriptors(maps: usize, interfaces: usize, limit: nix::Result<u64>) -> Line {
    /// Connections at the control socket, files of the store and of the policy, sockets.
    const OTHERS: usize = 256;
    // A filter and the one that replaces it; a link for each interface in both.
    let needed = 2 * (maps + interfaces) + OTHERS;
    match limit {
        Ok(limit) if usize::try_from(limit).is_ok_and(|limit| limit < needed) => Line::fail(
            Check::Descriptors,
            format!(
                "a process may open {limit} files (RLIMIT_NOFILE), and a daemon with this policy may need {needed}"
            ),
            "`LimitNOFILE=65536` in the unit, `ulimit -Hn 65536` in a shell",
        ),
        Ok(limit) => Line::ok(
            Check::Descriptors,
            format!("up to {needed} of {limit} files may be open"),
        ),
        Err(error) => Line::unknown(
            Check::Descriptors,
            format!("how many files may be open is not known: {error}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::doctor::Grade;

    fn with(needed: u64, free: u64, limited_by: Option<&str>, is_enforced: bool) -> Line {
        let available = Available {
            bytes: free * MIB,
            limited_by: limited_by.map(str::to_owned),
        };
        memory(needed * MIB, Ok(available), is_enforced)
    }

    #[test]
    fn a_policy_that_does_not_fit_fails_and_one_that_fits_once_is_warned_of() {
        assert_eq!(with(34, 1000, None, false).result, Grade::Ok);
        let once = with(600, 1000, None, false);
        assert_eq!(once.result, Grade::Warn);
        let never = with(600, 500, Some("/system.slice/op25b.service"), false);
        assert_eq!(never.result, Grade::Fail);
        assert_eq!(
            never.message,
            "the policy takes about 600 MiB of kernel memory, and 500 MiB are available, the limit of the control group \
             /system.slice/op25b.service"
        );
        assert!(never.remedy.unwrap().starts_with("a higher limit (`MemoryMax=`)"));
        // A filter that runs has its memory.
        assert_eq!(with(600, 700, None, true).result, Grade::Ok);
        assert_eq!(with(600, 500, None, true).result, Grade::Warn);
    }

    #[test]
    fn too_few_descriptors_fail() {
        assert_eq!(descriptors(20, 10, Ok(65536)).result, Grade::Ok);
        let few = descriptors(20, 400, Ok(1024));
        assert_eq!(few.result, Grade::Fail);
        assert!(few.message.contains("may need 1096"), "{few:?}");
        assert_eq!(descriptors(20, 10, Err(nix::Error::EPERM)).result, Grade::Unknown);
    }
}
