//! What of this machine's interfaces does not go together with a policy, for `op25b check --here` and `op25b reload --dry-run`.

use serde::Serialize;

use super::doctor::{self, Grade};
use crate::{
    datapath::{Interfaces, Need, Target},
    policy::Policy,
};

/// Something that does not go together.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    /// The policy's name of the interface.
    pub(crate) interface: String,
    /// What, and what to do about it.
    pub(crate) message: String,
}

/// Examines the interfaces of the policy. Nothing is changed or attached.
pub(crate) fn examine(policy: &Policy) -> anyhow::Result<Vec<Finding>> {
    let lines = doctor::interfaces(policy)?.into_iter();
    let findings = lines
        .filter(|line| line.result >= Grade::Warn)
        .filter_map(|line| {
            Some(Finding {
                message: line.text(),
                interface: line.interface?,
            })
        });
    Ok(findings.collect())
}

/// The interfaces that the policy waits for. That they are missing is no mistake, and an operator who reloads should know it.
pub(crate) fn awaited(policy: &Policy) -> anyhow::Result<Vec<Finding>> {
    let interfaces = Interfaces::list()?;
    let targets = Target::all_of(policy).into_iter();
    let awaited = targets
        .filter(|target| target.need == Need::MayBeMissing && interfaces.named(&target.interface).is_none());
    let finding = |target: Target| Finding {
        interface: target.interface,
        message: doctor::AWAITED.to_owned(),
    };
    Ok(awaited.map(finding).collect())
}
