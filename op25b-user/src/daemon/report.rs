//! What the daemon reports about itself.

use std::{path, sync::Arc};

use jiff::Timestamp;

use super::{
    control::View,
    reload::{Waiting, went_back},
    state::Daemon,
};
use crate::{
    enforcer::Enforcer,
    policy::Wait,
    report::{DaemonReport, Enforcement, ExemptionReport, KnownInterface, interface_reports},
};

impl Daemon {
    /// Publishes the present state for the control socket, and announces it if it has changed. Returns it in one line.
    pub(super) fn publish(&mut self, enforcer: &Enforcer) -> String {
        let report = self.report(enforcer);
        let status = self.announce(&report, enforcer);
        self.metrics_server.follow(enforcer);
        let description = enforcer.description();
        self.control.publish(View {
            report,
            pins: self.options.bpffs.clone(),
            reached: description.reached.clone(),
            interfaces: known_interfaces(enforcer),
            policy: Arc::clone(enforcer.policy()),
        });
        status
    }

    /// The present state.
    pub(super) fn report(&self, enforcer: &Enforcer) -> DaemonReport {
        let description = enforcer.description();
        let interfaces = interface_reports(&known_interfaces(enforcer), &self.options.bpffs);
        DaemonReport {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_file: description.policy_file.clone(),
            state_dir: path::absolute(&self.options.state_dir).ok(),
            policy_sha256: description.policy_sha256.clone(),
            loaded_at: description.policy_loaded_at(),
            loaded_by: description.loaded_by.clone(),
            lists: description.lists.clone(),
            reloads: self.reloads.done,
            refused_reloads: self.reloads.refused,
            last_reload: self.reloads.last.clone(),
            unconfirmed_reload: self.reloads.waiting.as_ref().map(Waiting::report),
            went_back: self.reloads.went_back.as_ref().and_then(went_back),
            pauses: enforcer.pauses().in_force(Timestamp::now()).cloned().collect(),
            exemptions: ExemptionReport {
                in_file: enforcer.policy().exemptions_in_file().len(),
                stored: enforcer.stored_exemptions(),
                kernel_is_behind: enforcer.kernel_is_behind(),
            },
            history: self.history.report(),
            state: Enforcement::of(&interfaces),
            interfaces,
            faults: enforcer.faults().list(),
        }
    }
}

/// What is known of the policy's interfaces besides what the kernel reports.
fn known_interfaces(enforcer: &Enforcer) -> Vec<KnownInterface> {
    let interfaces = enforcer.policy().interfaces.iter();
    interfaces
        .zip(enforcer.interface_health())
        .map(|(wanted, health)| KnownInterface {
            name: health.name,
            role: Some(wanted.role.name().to_owned()),
            wanted_xdp: Some(wanted.xdp.name().to_owned()),
            wait: Some(wanted.wait == Wait::Yes),
            program_id: health.program_id,
            is_lost: health.is_lost,
            interferences: health.interferences,
            trouble: health.trouble,
            native_refused: health.native_refused,
            warnings: health.warnings,
        })
        .collect()
}
