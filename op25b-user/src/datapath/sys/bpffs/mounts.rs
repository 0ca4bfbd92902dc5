//! The mounts of a mount namespace, as `/proc/PID/mountinfo` lists them.

use std::{fs, io, path::PathBuf};

/// A mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mount {
    /// The device of its file system: major and minor number.
    pub(crate) device: (u64, u64),
    /// Where it is mounted.
    pub(crate) point: PathBuf,
    /// Whether it gets what is mounted in a peer group of mounts elsewhere: it is a copy of one of those.
    pub(crate) is_slave: bool,
    /// The kind of its file system.
    pub(crate) kind: String,
    /// The name that the process gave it which mounted it.
    pub(crate) source: String,
}

/// The mounts that a process sees: `self`, or its id.
pub(crate) fn of(process: &str) -> io::Result<Vec<Mount>> {
    let text = fs::read_to_string(format!("/proc/{process}/mountinfo"))?;
    Ok(parse(&text))
}

/// Parses lines such as `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`; others are left out.
pub(super) fn parse(text: &str) -> Vec<Mount> {
    text.lines().filter_map(mount).collect()
}

fn mount(line: &str) -> Option<Mount> {
    let (mount, file_system) = line.split_once(" - ")?;
    let mut words = mount.split(' ').skip(2);
    let (major, minor) = words.next()?.split_once(':')?;
    let mut words = words.skip(1);
    let point = unescaped(words.next()?);
    let is_slave = words.skip(1).any(|field| field.starts_with("master:"));
    let mut words = file_system.split(' ');
    Some(Mount {
        device: (major.parse().ok()?, minor.parse().ok()?),
        point: point.into(),
        is_slave,
        kind: words.next()?.to_owned(),
        source: unescaped(words.next()?),
    })
}

/// Replaces codes such as `\040`, by which the kernel writes spaces.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((plain, coded)) = rest.split_once('\\') {
        bytes.extend(plain.bytes());
        let code = coded.get(..3).and_then(|code| u8::from_str_radix(code, 8).ok());
        bytes.push(code.unwrap_or(b'\\'));
        rest = if code.is_some() { &coded[3..] } else { coded };
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_mount_with_or_without_propagation() {
        let mounts = parse(
            "36 35 98:0 /mnt1 /mnt\\0402 rw,noatime shared:3 master:1 - ext3 /dev/root rw,errors=continue\n\
             a line of another kind\n\
             37 36 0:29 / /sys/fs/bpf rw,nosuid - bpf op25b rw,mode=700\n",
        );
        assert_eq!(
            mounts,
            [
                Mount {
                    device: (98, 0),
                    point: "/mnt 2".into(),
                    is_slave: true,
                    kind: "ext3".into(),
                    source: "/dev/root".into(),
                },
                Mount {
                    device: (0, 29),
                    point: "/sys/fs/bpf".into(),
                    is_slave: false,
                    kind: "bpf".into(),
                    source: "op25b".into(),
                },
            ]
        );
    }

    #[test]
    fn the_mounts_of_this_process_have_a_root() {
        let mounts = of("self").unwrap();
        assert!(mounts.iter().any(|mount| mount.point == *"/"), "{mounts:?}");
    }
}
