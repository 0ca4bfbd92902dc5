//! What the daemon reports about itself.

use std::sync::Arc;

use super::{control::View, state::Daemon};
use crate::{
    enforcer::{self, Enforcer, InterfaceHealth},
    report::{DaemonReport, ExemptionReport, InterfaceReport, InterfaceState},
};

impl Daemon {
    /// Publishes the present state for the control socket.
    pub(super) fn publish(&self, enforcer: &Enforcer) {
        self.control.publish(View {
            report: self.report(enforcer),
            policy: Arc::clone(enforcer.policy()),
        });
    }

    /// The present state.
    pub(super) fn report(&self, enforcer: &Enforcer) -> DaemonReport {
        let description = enforcer.description();
        let interfaces = enforcer.interface_health().into_iter();
        DaemonReport {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            policy_file: description.policy_file.clone(),
            policy_sha256: description.policy_sha256.clone(),
            loaded_at: description.loaded_at,
            reloads: self.reloads.done,
            refused_reloads: self.reloads.refused,
            last_reload: self.reloads.last.clone(),
            exemptions: ExemptionReport {
                in_file: enforcer.policy().exemptions_in_file().len(),
                stored: enforcer.stored_exemptions(),
                kernel_is_behind: enforcer.kernel_is_behind(),
            },
            interfaces: interfaces.map(interface_report).collect(),
            faults: enforcer.faults().list(),
        }
    }
}

fn interface_report(health: InterfaceHealth) -> InterfaceReport {
    InterfaceReport {
        name: health.name,
        state: match health.state {
            enforcer::InterfaceState::Enforced => InterfaceState::Enforced,
            enforcer::InterfaceState::Missing => InterfaceState::Missing,
            enforcer::InterfaceState::Lost => InterfaceState::Lost,
        },
        interferences: health.interferences,
    }
}
