//! Dispatching the requests of the control socket to the enforcer, one after the other.

use super::{
    answers::{added, extended, imported, problem, removed, restored},
    request::{Question, Request},
    state::Daemon,
};
use crate::{
    enforcer::{Enforcer, Restoration},
    report::explained,
};

impl Daemon {
    /// Executes a request, and sends the answer. A client that has gone away gets none, which is no error.
    pub(super) async fn dispatch(&mut self, enforcer: &mut Enforcer, request: Request) {
        match request {
            Request::Reload {
                dry_run,
                confirm_within,
                caller,
                answer,
            } => {
                let reload = if dry_run {
                    self.dry_run(enforcer).await
                } else {
                    self.reload(enforcer, caller.loads_by("reload"), confirm_within)
                        .await
                };
                let _ = answer.send(reload);
            }
            Request::Confirm { caller, answer } => {
                let _ = answer.send(self.confirm(enforcer, caller).await);
            }
            Request::Pause {
                pause,
                caller,
                answer,
            } => {
                let _ = answer.send(self.pause(enforcer, &pause, caller.actor).await);
            }
            Request::Resume {
                resume,
                caller,
                answer,
            } => {
                let _ = answer.send(self.resume(enforcer, &resume, caller.actor).await);
            }
            Request::Add {
                exemption,
                caller,
                answer,
            } => {
                let requester = caller.requester("add", &exemption);
                let result = enforcer.add(&exemption, &requester, self).await;
                let result = result.map(|changed| added(changed, enforcer.policy_file()));
                let _ = answer.send(result.map_err(problem));
            }
            Request::Extend {
                id,
                extend,
                caller,
                answer,
            } => {
                let requester = caller.requester("extend", &(&id, &extend));
                let (expires, reason) = (&extend.expires, extend.reason.as_deref());
                let result = enforcer.extend(&id, expires, reason, &requester, self).await;
                let result = result.map(|changed| extended(changed, enforcer.policy_file()));
                let _ = answer.send(result.map_err(problem));
            }
            Request::Remove {
                id,
                reason,
                caller,
                answer,
            } => {
                let requester = caller.requester("remove", &(&id, &reason));
                let result = enforcer.remove(&id, &reason, &requester, self).await;
                let result = result.map(|changed| removed(changed, enforcer.policy_file()));
                let _ = answer.send(result.map_err(problem));
            }
            Request::Restore {
                id,
                restore,
                caller,
                answer,
            } => {
                let requester = caller.requester("restore", &(&id, &restore));
                let restoration = Restoration {
                    expires: restore.expires.as_deref(),
                    reason: restore.reason.as_deref(),
                    force: restore.force,
                };
                let result = enforcer
                    .restore_exemption(&id, restoration, &requester, self)
                    .await;
                let result = result.map(|changed| restored(changed, enforcer.policy_file()));
                let _ = answer.send(result.map_err(problem));
            }
            Request::Import {
                import,
                caller,
                answer,
            } => {
                let requester = caller.requester("import", &import);
                let result = enforcer
                    .import(import.exemptions, import.dry_run, &requester, self)
                    .await;
                let _ = answer.send(result.map(imported).map_err(problem));
            }
        }
        // A client that has its answer finds the change in the status.
        self.publish(enforcer);
    }
}

/// Answers a question about what is enforced.
pub(super) fn answer_question(enforcer: &mut Enforcer, question: Question) {
    let Question { connection, answer } = question;
    let result = enforcer.explain(&connection);
    let result = result.map(|explanation| explained(explanation, enforcer.policy_file()));
    // The client may have gone away.
    let _ = answer.send(result.map_err(problem));
}
