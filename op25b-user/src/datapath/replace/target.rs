//! Where a filter is to run, and where it runs.

use crate::{
    datapath::pins::Link,
    policy::{Policy, Role, Wait, XdpMode},
};

/// An interface on which a program is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The interface, by the policy's name for it.
    pub interface: String,
    /// Which program.
    pub role: Role,
    /// How it is attached.
    pub xdp: XdpMode,
    /// Whether the filter must run there.
    pub need: Need,
}

impl Target {
    /// The interfaces of a policy.
    #[must_use]
    pub fn all_of(policy: &Policy) -> Vec<Self> {
        let interfaces = policy.interfaces.iter();
        interfaces
            .map(|interface| Self {
                interface: interface.name.clone(),
                role: interface.role,
                xdp: interface.xdp,
                need: match interface.wait {
                    Wait::Yes => Need::MayBeMissing,
                    Wait::No => Need::Required,
                },
            })
            .collect()
    }
}

/// Whether a filter must run on an interface: if it must and cannot, it replaces no other one anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Required,
    /// It must if there is such an interface.
    MayBeMissing,
    /// It need not: nothing of ours runs there, so nothing gets worse without it.
    Optional,
}

/// An interface on which the filter runs.
#[derive(Debug)]
pub struct Attachment {
    /// The policy's name for it.
    pub interface: String,
    /// Its index.
    pub index: u32,
    /// Which packets it receives.
    pub role: Role,
    /// `native` or `generic`.
    pub mode: &'static str,
    /// The program's id.
    pub program_id: u32,
    /// Why it is generic although native was tried first.
    pub fallback: Option<String>,
    /// Whether it ran a filter before.
    pub was_enforced: bool,
    pub(super) link: Link,
}
