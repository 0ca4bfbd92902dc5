//! Notes that a policy file that was refused is again what is enforced, so that nothing is to be done about it any more.

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    task::spawn_blocking,
};
use tracing::info;

use crate::{
    daemon::state::Daemon,
    enforcer::Enforcer,
    fault::FaultKind,
    report::{ComparedFile, FileReport, FileState},
};

/// Comparisons of the policy file with what is enforced, by threads that its disk may keep.
#[derive(Default)]
pub(in crate::daemon) struct Comparisons {
    compared: ComparedFile,
    /// The one that is under way, and the digest of what is enforced.
    running: Option<(String, oneshot::Receiver<FileReport>)>,
}

impl Comparisons {
    /// Whether the file is what is enforced. One comparison follows the other; a file that has not changed is not read again.
    fn is_enforced(&mut self, enforcer: &Enforcer) -> bool {
        let description = enforcer.description();
        if let Some((sha256, result)) = &mut self.running {
            let is_same = match result.try_recv() {
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Closed) => false,
                Ok(report) => report.state == FileState::Same && *sha256 == description.policy_sha256,
            };
            self.running = None;
            if is_same {
                return true;
            }
        }
        let (sender, result) = oneshot::channel();
        let (path, sha256) = (description.policy_file.clone(), description.policy_sha256.clone());
        let (compared, reached) = (self.compared.clone(), enforcer.reached_dates().clone());
        self.running = Some((sha256.clone(), result));
        spawn_blocking(move || {
            // The daemon may have ended.
            let _ = sender.send(compared.compare(&path, &sha256, &reached));
        });
        false
    }
}

impl Daemon {
    /// Looks whether a policy file that was refused was restored. The daemon calls this every second.
    pub(in crate::daemon) fn follow_refused_file(&mut self, enforcer: &Enforcer) {
        if self.reloads.refused_file.is_none() || !self.reloads.comparisons.is_enforced(enforcer) {
            return;
        }
        info!("the policy file that was refused is again what is enforced");
        self.reloads.refused_file = None;
        enforcer.faults().clear(FaultKind::PolicyRefused);
        if self.reloads.went_back.take().is_some() {
            self.keep_reload_state();
        }
        self.publish(enforcer);
    }
}
