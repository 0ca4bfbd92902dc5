//! Giving up what a daemon does not need any more once it enforces.

use std::collections::HashSet;

use anyhow::Context as _;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::set_no_new_privs;

/// What reloading and re-attaching take.
const NEEDED: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    // A policy may belong to someone else, and root without this is nobody special.
    Capability::CAP_DAC_READ_SEARCH,
];

/// Keeps what is needed, of what this thread has, for good. Threads that it starts from now on have no more than that.
pub(in crate::daemon) fn drop_what_is_not_needed() -> anyhow::Result<()> {
    let held = caps::read(None, CapSet::Permitted).context("cannot read this process's capabilities")?;
    let mut kept: CapsHashSet = NEEDED
        .into_iter()
        .filter(|capability| held.contains(capability))
        .collect();
    // CAP_SYS_ADMIN may stand for these two (`bpf_capable`, `perfmon_capable`), but is a thousand other things, too.
    let stand_ins = [Capability::CAP_BPF, Capability::CAP_PERFMON];
    if !stand_ins.iter().all(|capability| held.contains(capability)) {
        kept.extend(
            held.contains(&Capability::CAP_SYS_ADMIN)
                .then_some(Capability::CAP_SYS_ADMIN),
        );
    }
    set_no_new_privs().context("cannot forbid new privileges")?;
    // Takes a privilege itself; without it there is nothing that could be regained.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap_or(false) {
        for capability in caps::runtime::thread_all_supported() {
            if !kept.contains(&capability) {
                caps::drop(None, CapSet::Bounding, capability).context("cannot limit capabilities")?;
            }
        }
    }
    let nothing = HashSet::new();
    for (set, capabilities) in [
        (CapSet::Ambient, &nothing),
        (CapSet::Inheritable, &nothing),
        (CapSet::Effective, &kept),
        (CapSet::Permitted, &kept),
    ] {
        caps::set(None, set, capabilities).context("cannot give up capabilities")?;
    }
    Ok(())
}
