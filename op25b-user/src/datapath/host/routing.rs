//! Reads what the network stack does with packets after the filter has passed them: reverse path filtering and `PPPoE` sessions.

use std::{fs, io, path::Path};

/// How the kernel checks the source of an IPv4 packet by its routes (`rp_filter`; RFC 3704).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReversePath {
    /// Not at all.
    Off,
    /// The route to the source has to be through the interface.
    Strict,
    /// There has to be a route to the source.
    Loose,
}

/// How it is checked on an interface of this network namespace.
pub(crate) fn reverse_path(interface: &str) -> io::Result<ReversePath> {
    reverse_path_in(Path::new("/proc/sys/net/ipv4/conf"), interface)
}

fn reverse_path_in(settings: &Path, interface: &str) -> io::Result<ReversePath> {
    let read = |name: &str| -> io::Result<u8> {
        let text = fs::read_to_string(settings.join(name).join("rp_filter"))?;
        text.trim().parse().map_err(io::Error::other)
    };
    // The kernel applies the greater one.
    Ok(match read("all")?.max(read(interface)?) {
        0 => ReversePath::Off,
        1 => ReversePath::Strict,
        _ => ReversePath::Loose,
    })
}

/// How many `PPPoE` sessions this router terminates on an interface itself.
pub(crate) fn pppoe_sessions(interface: &str) -> usize {
    // There is no such file where the kernel terminates none.
    let table = fs::read_to_string("/proc/self/net/pppoe").unwrap_or_default();
    sessions_on(&table, interface)
}

/// Counts lines such as `00000001 02:00:00:00:00:01     eth1` after a heading.
fn sessions_on(table: &str, interface: &str) -> usize {
    let devices = table
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().nth(2));
    devices.filter(|device| *device == interface).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_of_both_settings_applies() {
        let settings = tempfile::TempDir::new().unwrap();
        for name in ["all", "eth1"] {
            fs::create_dir(settings.path().join(name)).unwrap();
        }
        for (all, own, expected) in [
            ("0", "0", ReversePath::Off),
            ("1", "0", ReversePath::Strict),
            ("0", "1", ReversePath::Strict),
            ("2", "1", ReversePath::Loose),
        ] {
            fs::write(settings.path().join("all/rp_filter"), format!("{all}\n")).unwrap();
            fs::write(settings.path().join("eth1/rp_filter"), format!("{own}\n")).unwrap();
            assert_eq!(reverse_path_in(settings.path(), "eth1").unwrap(), expected);
        }
        assert!(reverse_path_in(settings.path(), "eth9").is_err());
        assert_eq!(
            reverse_path("lo").is_err(),
            !Path::new("/proc/sys/net/ipv4/conf/lo").exists()
        );
    }

    #[test]
    fn sessions_are_counted_by_their_interface() {
        let table = "Id       Address              Device\n\
                     00000001 02:00:00:00:00:01     eth1\n\
                     00000002 02:00:00:00:00:02     eth1\n\
                     00000003 02:00:00:00:00:03    eth10\n";
        assert_eq!(sessions_on(table, "eth1"), 2);
        assert_eq!(sessions_on(table, "eth2"), 0);
        assert_eq!(sessions_on("", "eth1"), 0);
    }
}
