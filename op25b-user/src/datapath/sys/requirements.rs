//! Checks the privileges and the kernel that the filter requires, before anything is touched.

use caps::{CapSet, Capability};
use nix::sys::utsname::uname;
use thiserror::Error;

use super::bpf;

/// The first kernel with multi-buffer XDP programs (`BPF_F_XDP_HAS_FRAGS`), the newest feature that the filter needs.
pub const OLDEST_KERNEL: (u32, u32) = (5, 18);

/// Something that is missing, and what to do about it.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum Missing {
    /// A privilege.
    #[error("{} {} missing: run op25b as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
        listed(.0), if .0.len() == 1 { "is" } else { "are" })]
    Capabilities(Vec<&'static str>),
    /// A newer kernel.
    #[error("kernel {release} is too old: the filter needs Linux {}.{} or newer (multi-buffer XDP)",
        OLDEST_KERNEL.0, OLDEST_KERNEL.1)]
    Kernel {
        /// The running kernel.
        release: String,
    },
    /// The BPF system call.
    #[error("this kernel has no bpf() system call: it needs CONFIG_BPF_SYSCALL")]
    Bpf,
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [names @ .., last] => format!("{} and {last}", names.join(", ")),
    }
}

/// Checks what loading and attaching need. Reports the first thing that is missing.
pub fn check() -> Result<(), Missing> {
    let release = uname()
        .map(|name| name.release().to_string_lossy().into_owned())
        .unwrap_or_default();
    check_kernel(&release)?;
    check_bpf()?;
    check_capabilities(|capability| caps::has_cap(None, CapSet::Effective, capability).unwrap_or(false))
}

fn check_capabilities(has: impl Fn(Capability) -> bool) -> Result<(), Missing> {
    // Linux lets CAP_SYS_ADMIN stand for CAP_BPF and CAP_PERFMON (`bpf_capable`, `perfmon_capable`).
    let admin = has(Capability::CAP_SYS_ADMIN);
    let missing: Vec<_> = [
        (admin || has(Capability::CAP_BPF), "CAP_BPF"),
        (has(Capability::CAP_NET_ADMIN), "CAP_NET_ADMIN"),
        // Without it the verifier forbids the arithmetic on packet pointers that every parser needs.
        (admin || has(Capability::CAP_PERFMON), "CAP_PERFMON"),
    ]
    .into_iter()
    .filter_map(|(held, name)| (!held).then_some(name))
    .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(Missing::Capabilities(missing))
    }
}

/// Checks a release such as `6.1.0-18-amd64`. One that cannot be parsed passes: a kernel that is too old refuses the program
/// itself.
fn check_kernel(release: &str) -> Result<(), Missing> {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|part| part.parse::<u32>().ok());
    match (numbers.next(), numbers.next()) {
        (Some(major), Some(minor)) if (major, minor) < OLDEST_KERNEL => Err(Missing::Kernel {
            release: release.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn check_bpf() -> Result<(), Missing> {
    if bpf::is_available() {
        Ok(())
    } else {
        Err(Missing::Bpf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_before_multi_buffer_xdp_are_refused() {
        for release in ["4.19.0", "5.10.0-28-amd64", "5.17.15"] {
            assert_eq!(
                check_kernel(release),
                Err(Missing::Kernel {
                    release: release.into()
                })
            );
        }
        for release in ["5.18.0", "6.1.0-18-amd64", "6.18.44-fc", "10.0", "unknown"] {
            assert_eq!(check_kernel(release), Ok(()));
        }
    }

    #[test]
    fn the_missing_capabilities_are_named() {
        assert_eq!(check_capabilities(|_| true), Ok(()));
        let error = check_capabilities(|_| false).unwrap_err();
        assert_eq!(
            error,
            Missing::Capabilities(vec!["CAP_BPF", "CAP_NET_ADMIN", "CAP_PERFMON"])
        );
        assert!(
            error
                .to_string()
                .starts_with("CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are missing: run op25b as root")
        );
        let error = check_capabilities(|capability| capability == Capability::CAP_BPF).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("CAP_NET_ADMIN and CAP_PERFMON are missing")
        );
        let error = check_capabilities(|capability| capability == Capability::CAP_SYS_ADMIN).unwrap_err();
        assert!(error.to_string().starts_with("CAP_NET_ADMIN is missing"));
    }
}
