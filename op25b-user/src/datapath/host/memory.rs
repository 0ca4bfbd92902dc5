//! Reads how much memory the kernel can still give to this process.

use std::{fs, io, path::Path};

/// What is free, and what limits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Available {
    /// Bytes.
    pub(crate) bytes: u64,
    /// The control group whose limit it is, if one is lower than what the machine has: maps are charged to it.
    pub(crate) limited_by: Option<String>,
}

/// The memory that is available here.
pub(crate) fn available() -> io::Result<Available> {
    let group = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    available_in(
        &fs::read_to_string("/proc/meminfo")?,
        Path::new("/sys/fs/cgroup"),
        &group,
    )
}

fn available_in(meminfo: &str, groups: &Path, own: &str) -> io::Result<Available> {
    let machine = meminfo.lines().find_map(|line| {
        let kibibytes = line.strip_prefix("MemAvailable:")?.trim().strip_suffix(" kB")?;
        kibibytes.parse::<u64>().ok()?.checked_mul(1024)
    });
    let machine = machine.ok_or_else(|| io::Error::other("/proc/meminfo has no MemAvailable"))?;
    let mut lowest = Available {
        bytes: machine,
        limited_by: None,
    };
    // The line of the unified hierarchy: `0::/system.slice/op25b.service`.
    let own = own
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .unwrap_or_default();
    for group in Path::new(own).ancestors() {
        let read = |file| {
            fs::read_to_string(groups.join(group).join(file))
                .ok()?
                .trim()
                .parse::<u64>()
                .ok()
        };
        // A group without a limit says `max`.
        let (Some(most), Some(used)) = (read("memory.max"), read("memory.current")) else {
            continue;
        };
        let left = most.saturating_sub(used);
        if left < lowest.bytes {
            lowest = Available {
                bytes: left,
                limited_by: Some(format!("/{}", group.display())),
            };
        }
    }
    Ok(lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str =
        "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:    8000000 kB\n";

    #[test]
    fn the_lowest_limit_of_the_control_groups_counts() {
        let groups = tempfile::TempDir::new().unwrap();
        let own = "0::/system.slice/op25b.service\n";
        let machine = Available {
            bytes: 8_000_000 * 1024,
            limited_by: None,
        };
        assert_eq!(available_in(MEMINFO, groups.path(), own).unwrap(), machine);
        let service = groups.path().join("system.slice/op25b.service");
        fs::create_dir_all(&service).unwrap();
        fs::write(service.join("memory.max"), "max\n").unwrap();
        fs::write(service.join("memory.current"), "4194304\n").unwrap();
        assert_eq!(available_in(MEMINFO, groups.path(), own).unwrap(), machine);
        fs::write(service.join("memory.max"), "67108864\n").unwrap();
        let limited = Available {
            bytes: 60 << 20,
            limited_by: Some("/system.slice/op25b.service".to_owned()),
        };
        assert_eq!(available_in(MEMINFO, groups.path(), own).unwrap(), limited);
        assert!(available_in("MemTotal: 1 kB\n", groups.path(), own).is_err());
    }

    #[test]
    fn this_machine_has_memory() {
        assert!(available().unwrap().bytes > 0);
    }
}
