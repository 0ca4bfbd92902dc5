//! The kernel, and what it permits this process.

use std::path::Path;

use super::{Check, Grade, Line};
use crate::datapath::host::{self, Confinement, Missing};

/// Examines them.
pub(super) fn lines() -> Vec<Line> {
    let missing: Vec<_> = host::all_missing().collect();
    let mut lines = features(&missing, &host::release());
    let can_load = !missing
        .iter()
        .any(|missing| matches!(missing, Missing::Bpf | Missing::Capabilities(_)));
    if can_load {
        lines.push(match host::has_compiler() {
            Ok(has_compiler) => jit(has_compiler),
            Err(error) => Line::unknown(
                Check::Jit,
                format!("whether BPF programs are compiled cannot be asked: {error}"),
            ),
        });
    }
    lines.push(btf(Path::new("/sys/kernel/btf/vmlinux").exists()));
    lines.push(confinement(&host::confinement(), can_load));
    lines
}

/// What loading needs.
fn features(missing: &[Missing], release: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut has_capabilities = true;
    for missing in missing {
        let message = missing.to_string();
        lines.push(match missing {
            Missing::Capabilities(_) => {
                has_capabilities = false;
                divided(Check::Capabilities, &message)
            }
            Missing::Bpf => divided(Check::Kernel, &message),
            Missing::Feature { .. } => Line::fail(
                Check::Kernel,
                message,
                "a later kernel: docs/building.md lists what is needed and since when Linux has it",
            ),
            Missing::Denied { .. } => divided_at_last(Check::Kernel, &message),
            Missing::Unknown { .. } => Line::unknown(Check::Kernel, message),
        });
    }
    if has_capabilities {
        let held = Line::ok(
            Check::Capabilities,
            "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are held",
        );
        lines.insert(0, held);
    } else {
        let untried = "the kernel's features are not tried without the capabilities";
        lines.push(Line::unknown(Check::Kernel, untried));
    }
    if missing.is_empty() {
        let message = format!(
            "Linux {release} has the {} features that the filter needs",
            host::FEATURES
        );
        lines.push(Line::ok(Check::Kernel, message));
    }
    lines
}

/// An error whose remedy follows its first colon.
fn divided(check: Check, message: &str) -> Line {
    let (what, remedy) = message.split_once(": ").unwrap_or((message, ""));
    Line::fail(check, what, remedy)
}

/// An error that ends in what may deny it.
fn divided_at_last(check: Check, message: &str) -> Line {
    let (what, remedy) = message
        .rsplit_once("so something else denies it: ")
        .unwrap_or((message, ""));
    Line::fail(check, format!("{what}so something else denies it"), remedy)
}

fn jit(has_compiler: bool) -> Line {
    if has_compiler {
        return Line::ok(Check::Jit, "BPF programs are compiled");
    }
    Line::warn(
        Check::Jit,
        "the kernel interprets BPF programs instead of compiling them: each packet costs several times as much",
        "`sysctl -w net.core.bpf_jit_enable=1`, and the same in a file of /etc/sysctl.d for the next boot",
    )
}

fn btf(is_there: bool) -> Line {
    Line::ok(
        Check::Btf,
        if is_there {
            "the kernel describes its types"
        } else {
            "the kernel does not describe its types, which the filter does not need"
        },
    )
}

/// What else may deny something. What was tried has shown whether it does.
fn confinement(found: &Confinement, was_tried: bool) -> Line {
    if found.lockdown.as_deref() == Some("confidentiality") {
        return Line::warn(
            Check::Confinement,
            "the kernel is locked down (confidentiality): the filter runs, but the kernel's words for a refused program cannot be \
             read, only its error number",
            "`lockdown=integrity` on the kernel's command line, or `journalctl -k` if a driver refuses native mode",
        );
    }
    let mut message = if found.may_deny.is_empty() {
        "neither SELinux, AppArmor, seccomp nor lockdown confines this process".to_owned()
    } else if was_tried {
        format!(
            "{}; what the filter needs is permitted all the same",
            found.may_deny.join("; ")
        )
    } else {
        found.may_deny.join("; ")
    };
    if found.has_selinux {
        message.push_str("; the service may have another domain than this process");
    }
    let grade = if found.may_deny.is_empty() || was_tried {
        Grade::Ok
    } else {
        Grade::Unknown
    };
    Line::ok(Check::Confinement, message).graded(grade)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn without_capabilities_these_are_the_failure_and_the_kernel_is_not_judged() {
        let lines = features(&[Missing::Capabilities(vec!["CAP_BPF"])], "6.1.0");
        let grades: Vec<_> = lines.iter().map(|line| (line.check, line.result)).collect();
        assert_eq!(
            grades,
            [
                (Check::Capabilities, Grade::Fail),
                (Check::Kernel, Grade::Unknown)
            ]
        );
        assert_eq!(lines[0].message, "CAP_BPF is missing");
        let remedy = lines[0].remedy.as_deref().unwrap();
        assert!(
            remedy.starts_with("run op25b as root, or with CAP_BPF"),
            "{remedy}"
        );
    }

    #[test]
    fn a_kernel_without_bpf_and_one_that_does_not_answer_are_told_apart() {
        let lines = features(&[Missing::Bpf], "6.1.0");
        let failed = lines.iter().find(|line| line.result == Grade::Fail).unwrap();
        assert_eq!(failed.message, "this kernel has no bpf() system call");
        assert_eq!(failed.remedy.as_deref(), Some("it needs CONFIG_BPF_SYSCALL"));
        assert!(
            features(&[], "6.1.0")[1]
                .message
                .starts_with("Linux 6.1.0 has the ")
        );
    }

    #[test]
    fn an_interpreter_and_a_locked_kernel_are_warned_of_with_what_they_cost() {
        assert_eq!(jit(true).result, Grade::Ok);
        let interpreted = jit(false);
        assert_eq!(interpreted.result, Grade::Warn);
        assert!(interpreted.remedy.unwrap().contains("net.core.bpf_jit_enable=1"));
        assert!(btf(false).message.contains("which the filter does not need"));
        let locked = Confinement {
            lockdown: Some("confidentiality".to_owned()),
            may_deny: vec!["the kernel is locked down (confidentiality)".to_owned()],
            ..Confinement::default()
        };
        assert_eq!(confinement(&locked, true).result, Grade::Warn);
        let selinux = Confinement {
            may_deny: vec!["SELinux enforces its policy on this process (op25b_t)".to_owned()],
            has_selinux: true,
            ..Confinement::default()
        };
        let permitted = confinement(&selinux, true);
        assert_eq!(permitted.result, Grade::Ok);
        assert!(
            permitted
                .message
                .ends_with("the service may have another domain than this process")
        );
        assert_eq!(confinement(&selinux, false).result, Grade::Unknown);
        assert_eq!(confinement(&Confinement::default(), false).result, Grade::Ok);
    }

    #[test]
    fn an_unknown_answer_is_no_failure() {
        let probed = host::all_missing().collect::<Vec<_>>();
        for line in features(&probed, "6.1.0") {
            assert!(line.result != Grade::Fail || line.remedy.is_some(), "{line:?}");
        }
        let divided = divided_at_last(
            Check::Kernel,
            &format!(
                "cannot use XDP programs: {}: the capabilities are held, so something else denies it: the kernel is locked down",
                io::Error::from_raw_os_error(libc::EPERM)
            ),
        );
        assert_eq!(divided.remedy.as_deref(), Some("the kernel is locked down"));
    }
}
