//! Unpacks real mail servers, a name server, Prometheus, journald and collectors of events for the tests, from Debian's packages, without installing them.
//!
//! Installing a server would start it, and remove the one that the machine may have. Unpacked into the target
//! directory it does neither, and each test starts its own.

use std::{fs, process::Command};

use anyhow::{Context as _, ensure};

use op25b_host::{paths, process::output_of};

use crate::deb;

/// The packages, each with a program of it that shows that it is there.
pub const PACKAGES: [(&str, &str); 9] = [
    ("opensmtpd", "usr/sbin/smtpd"),
    ("postfix", "usr/lib/postfix/sbin/master"),
    ("dnsmasq-base", "usr/sbin/dnsmasq"),
    // With promtool.
    ("prometheus", "usr/bin/prometheus"),
    ("rsyslog", "usr/sbin/rsyslogd"),
    // Its module is in a folder that is named after the machine's architecture.
    ("rsyslog-openssl", "usr/share/doc/rsyslog-openssl/copyright"),
    // With nfcapd.
    ("nfdump", "usr/bin/nfdump"),
    // Journald and journalctl, in `/usr` or not, and the library of both, in a folder of the architecture.
    ("systemd", "usr/share/doc/systemd/copyright"),
    ("libsystemd-shared", "usr/share/doc/libsystemd-shared/copyright"),
];

/// Those that are not there, or whose libraries are not.
#[must_use]
pub fn missing() -> Vec<&'static str> {
    let missing = PACKAGES
        .into_iter()
        .filter(|package| !is_unpacked(*package) || lacks_libraries(*package));
    missing.map(|(name, _)| name).collect()
}

/// Whether the dynamic linker does not find all libraries of an unpacked program: the target directory may come from
/// another machine.
fn lacks_libraries((name, program): (&str, &str)) -> bool {
    let Ok(directory) = paths::unpacked(name) else {
        return true;
    };
    let libraries = output_of(
        Command::new("ldd")
            // Postfix's own libraries.
            .env("LD_LIBRARY_PATH", directory.join("usr/lib/postfix"))
            .arg(directory.join(program)),
    );
    libraries.is_ok_and(|libraries| libraries.contains("not found"))
}

fn is_unpacked((name, program): (&str, &str)) -> bool {
    paths::unpacked(name).is_ok_and(|directory| directory.join(program).is_file())
}

/// Fetches those that are not there, and unpacks them.
pub fn unpack() -> anyhow::Result<()> {
    for package in PACKAGES {
        if !is_unpacked(package) {
            let (name, _) = package;
            fetch(name)?;
            ensure!(
                is_unpacked(package),
                "{} does not hold {name} after unpacking",
                paths::unpacked(name)?.display()
            );
        }
    }
    Ok(())
}

fn fetch(name: &str) -> anyhow::Result<()> {
    let directory = paths::unpacked(name)?;
    // Unpacked beside and renamed, so that a half-unpacked one is never taken for a whole one.
    let partial = directory.with_extension(format!("partial-{}", std::process::id()));
    deb::unpack(Command::new("apt-get"), name, &partial)?;
    if fs::rename(&partial, &directory).is_err() {
        fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
    }
    Ok(())
}
