//! Dropping the privileges that a daemon does not need once it enforces.

use std::collections::HashSet;

use anyhow::Context as _;
use caps::{CapSet, Capability, CapsHashSet};
use nix::sys::prctl::set_no_new_privs;
use tracing::warn;

/// What reloading and reattaching need.
const NEEDED: [Capability; 4] = [
    Capability::CAP_BPF,
    Capability::CAP_NET_ADMIN,
    Capability::CAP_PERFMON,
    // The policy file may belong to another user, and root without this capability cannot read it.
    Capability::CAP_DAC_READ_SEARCH,
];

/// What opening files needs whose owner and mode may be any.
const FOR_FILES: [Capability; 4] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_DAC_READ_SEARCH,
    Capability::CAP_FOWNER,
];

/// Drops all capabilities but the needed ones that this thread has, for good. Threads that it starts later inherit them.
pub(in crate::daemon) fn drop_unneeded() -> anyhow::Result<()> {
    let held = held()?;
    let mut kept = among(&held, &NEEDED);
    // CAP_SYS_ADMIN implies these two (`bpf_capable`, `perfmon_capable`), and much else.
    let stand_ins = [Capability::CAP_BPF, Capability::CAP_PERFMON];
    if !stand_ins.iter().all(|capability| held.contains(capability)) {
        kept.extend(
            held.contains(&Capability::CAP_SYS_ADMIN)
                .then_some(Capability::CAP_SYS_ADMIN),
        );
    }
    keep(&kept)
}

/// Drops all capabilities of this thread but those for files: it reads the state directory before the process drops its own, and may wait for
/// a disk when that has happened.
pub(in crate::daemon) fn keep_file_access() {
    let kept = held().and_then(|held| keep(&among(&held, &FOR_FILES)));
    if let Err(error) = kept {
        warn!("a thread runs with more privileges than needed: {error:#}");
    }
}

fn held() -> anyhow::Result<CapsHashSet> {
    caps::read(None, CapSet::Permitted).context("cannot read this thread's capabilities")
}

fn among(held: &CapsHashSet, wanted: &[Capability]) -> CapsHashSet {
    wanted
        .iter()
        .copied()
        .filter(|capability| held.contains(capability))
        .collect()
}

/// Drops all capabilities of this thread but these, for good.
fn keep(kept: &CapsHashSet) -> anyhow::Result<()> {
    set_no_new_privs().context("cannot forbid new privileges")?;
    // This needs a capability itself; without it nothing can be regained.
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
        (CapSet::Effective, kept),
        (CapSet::Permitted, kept),
    ] {
        caps::set(None, set, capabilities).context("cannot give up capabilities")?;
    }
    Ok(())
}
