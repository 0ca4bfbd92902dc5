//! What remains of the process's privileges: nothing but accepting connections, reading and writing.

use std::{collections::BTreeMap, env::consts::ARCH};

use anyhow::Context as _;
use caps::CapSet;
use nix::sys::{
    prctl::set_no_new_privs,
    resource::{Resource, setrlimit},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter,
};

/// The most memory, in bytes.
const MEMORY: u64 = 1 << 30;
/// The most descriptors: connections, listeners, and a few more.
const DESCRIPTORS: u64 = 256;

/// System calls that are permitted: those of an event loop over sockets that exist, of the heap and of the clock. None opens,
/// connects, executes or sends a signal.
const PERMITTED: &[libc::c_long] = &[
    libc::SYS_accept4,
    libc::SYS_brk,
    libc::SYS_clock_gettime,
    libc::SYS_close,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_epoll_wait,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getrandom,
    libc::SYS_madvise,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_read,
    libc::SYS_readv,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sched_yield,
    libc::SYS_sendmsg,
    libc::SYS_sendto,
    libc::SYS_shutdown,
    libc::SYS_sigaltstack,
    libc::SYS_write,
    libc::SYS_writev,
];

/// System calls that are permitted for memory that is not executable.
const MEMORY_CALLS: [libc::c_long; 2] = [libc::SYS_mmap, libc::SYS_mprotect];

/// Gives up every privilege of this process, which has one thread, for good.
pub(super) fn enter() -> anyhow::Result<()> {
    for (resource, limit) in [
        (Resource::RLIMIT_AS, MEMORY),
        (Resource::RLIMIT_NOFILE, DESCRIPTORS),
        (Resource::RLIMIT_CORE, 0),
    ] {
        setrlimit(resource, limit, limit).context("cannot limit the resources of the process")?;
    }
    set_no_new_privs().context("cannot forbid new privileges")?;
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        caps::clear(None, set).context("cannot give up capabilities")?;
    }
    apply_filter(&filter()?).context(
        "cannot limit the system calls of the process: the kernel lacks seccomp, or the service's unit lacks `SystemCallFilter=seccomp`",
    )
}

fn filter() -> anyhow::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        PERMITTED.iter().map(|call| (*call, Vec::new())).collect();
    let executable = u64::try_from(libc::PROT_EXEC)?;
    for call in MEMORY_CALLS {
        let is_data =
            SeccompCondition::new(2, SeccompCmpArgLen::Dword, SeccompCmpOp::MaskedEq(executable), 0)?;
        rules.insert(call, vec![SeccompRule::new(vec![is_data])?]);
    }
    let refused = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, ARCH.try_into()?)?;
    Ok(filter.try_into()?)
}
