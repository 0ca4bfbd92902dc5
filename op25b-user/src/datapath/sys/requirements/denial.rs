//! Why the kernel denies something to a process that holds the capabilities for it.

use std::{fmt, fs, io};

use super::missing_capabilities;

/// What may deny a system call, as far as this process can see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Denial(Vec<String>);

/// Why an error that denies a permission was returned; none if it is another error, or if capabilities are missing.
pub(crate) fn why(error: &io::Error) -> Option<Denial> {
    let number = error.raw_os_error();
    let number = number.filter(|number| [libc::EPERM, libc::EACCES].contains(number))?;
    missing_capabilities()
        .is_empty()
        .then(|| Facts::read().denial(number))
}

/// The same as a remark after what was denied, if anything is seen that may deny it; empty otherwise.
pub(crate) fn remark(error: &io::Error) -> String {
    match why(error) {
        Some(denial) if denial != Denial::default() => format!(" ({denial})"),
        _ => String::new(),
    }
}

/// What confines this process beside its capabilities, and how far the kernel is locked down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Confinement {
    /// What may deny something.
    pub(crate) may_deny: Vec<String>,
    /// The mode of the kernel's lockdown: `none`, `integrity` or `confidentiality`; none if the kernel has no lockdown.
    pub(crate) lockdown: Option<String>,
    /// Whether `SELinux` enforces its policy.
    pub(crate) has_selinux: bool,
}

/// What confines this process.
pub(crate) fn confinement() -> Confinement {
    Facts::read().confinement()
}

/// What the kernel shows of the mechanisms that deny.
#[derive(Clone, Debug, Default)]
struct Facts {
    /// `/proc/self/uid_map`.
    uid_map: String,
    /// `/sys/fs/selinux/enforce`.
    selinux_enforce: String,
    /// `/proc/self/attr/current`.
    label: String,
    /// `/sys/kernel/security/lockdown`.
    lockdown: String,
    /// `/proc/self/status`.
    status: String,
}

impl Facts {
    fn read() -> Self {
        // What cannot be read does not exist in this kernel, or is hidden from this process.
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        Self {
            uid_map: read("/proc/self/uid_map"),
            selinux_enforce: read("/sys/fs/selinux/enforce"),
            label: read("/proc/self/attr/current"),
            lockdown: read("/sys/kernel/security/lockdown"),
            status: read("/proc/self/status"),
        }
    }

    fn confinement(&self) -> Confinement {
        Confinement {
            may_deny: self.denial(libc::EPERM).0,
            lockdown: self.lockdown_mode().map(str::to_owned),
            has_selinux: self.selinux_enforce.trim() == "1",
        }
    }

    /// The mode in brackets: `none [integrity] confidentiality`.
    fn lockdown_mode(&self) -> Option<&str> {
        let (_, rest) = self.lockdown.split_once('[')?;
        Some(rest.split_once(']')?.0)
    }

    /// What may have returned this error number.
    fn denial(&self, number: i32) -> Denial {
        let mut may = Vec::new();
        let label = self.label.trim_end_matches(['\0', '\n']);
        let ids: Vec<_> = self.uid_map.split_whitespace().collect();
        if !ids.is_empty() && ids != ["0", "0", "4294967295"] {
            may.push(
                "this process is in a user namespace, whose capabilities do not count for BPF".to_owned(),
            );
        }
        if self.selinux_enforce.trim() == "1" {
            may.push(format!(
                "SELinux enforces its policy on this process ({label}): `ausearch -m avc -ts recent` shows what it denied"
            ));
        }
        // A label of SELinux has no mode in parentheses.
        if let Some(profile) = label.strip_suffix(" (enforce)") {
            may.push(format!(
                "the AppArmor profile {profile} is enforced, which must allow the capabilities bpf, net_admin and perfmon: \
                 `journalctl -k --grep apparmor` shows what it denied"
            ));
        }
        if let Some(mode) = self.lockdown_mode()
            && mode != "none"
        {
            may.push(format!("the kernel is locked down ({mode})"));
        }
        let seccomp = self.status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
        // systemd's filters and those of containers return EPERM.
        if number == libc::EPERM && seccomp.is_some_and(|mode| mode.trim() == "2") {
            may.push(
                "a seccomp filter applies, which must allow bpf(2): systemd's `SystemCallFilter=`, or a container's profile"
                    .to_owned(),
            );
        }
        Denial(may)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the capabilities are held, so something else denies it: ")?;
        if self.0.is_empty() {
            f.write_str("the kernel log and the audit log may show what")
        } else {
            f.write_str(&self.0.join("; or "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordinary() -> Facts {
        Facts {
            uid_map: "         0          0 4294967295\n".to_owned(),
            label: "unconfined\n".to_owned(),
            lockdown: "[none] integrity confidentiality\n".to_owned(),
            status: "Name:\top25b\nSeccomp:\t0\n".to_owned(),
            ..Facts::default()
        }
    }

    #[test]
    fn what_denies_in_spite_of_the_capabilities_is_named() {
        assert_eq!(ordinary().denial(libc::EPERM), Denial::default());
        let of = |facts: Facts| {
            let Denial(may) = facts.denial(libc::EPERM);
            assert_eq!(may.len(), 1, "{may:?}");
            may.concat()
        };
        let selinux = Facts {
            selinux_enforce: "1".to_owned(),
            label: "system_u:system_r:op25b_t:s0\0".to_owned(),
            ..ordinary()
        };
        assert!(
            of(selinux)
                .starts_with("SELinux enforces its policy on this process (system_u:system_r:op25b_t:s0)")
        );
        let permissive = Facts {
            selinux_enforce: "0".to_owned(),
            ..ordinary()
        };
        assert_eq!(permissive.denial(libc::EPERM), Denial::default());
        let apparmor = Facts {
            label: "/usr/bin/op25b (enforce)\n".to_owned(),
            ..ordinary()
        };
        assert!(of(apparmor).starts_with("the AppArmor profile /usr/bin/op25b is enforced"));
        let complaining = Facts {
            label: "/usr/bin/op25b (complain)\n".to_owned(),
            ..ordinary()
        };
        assert_eq!(complaining.denial(libc::EPERM), Denial::default());
        let locked = Facts {
            lockdown: "none integrity [confidentiality]\n".to_owned(),
            ..ordinary()
        };
        assert_eq!(locked.confinement().lockdown.as_deref(), Some("confidentiality"));
        assert_eq!(of(locked), "the kernel is locked down (confidentiality)");
        let user_namespace = Facts {
            uid_map: "         0       1000          1\n".to_owned(),
            ..ordinary()
        };
        assert!(of(user_namespace).contains("user namespace"));
        let filtered = Facts {
            status: "Seccomp:\t2\nSeccomp_filters:\t1\n".to_owned(),
            ..ordinary()
        };
        assert_eq!(filtered.denial(libc::EACCES), Denial::default());
        assert!(of(filtered).contains("`SystemCallFilter=`"));
    }

    #[test]
    fn another_error_is_no_denial() {
        assert_eq!(why(&io::Error::from_raw_os_error(libc::ENOSPC)), None);
    }
}
