//! Dispatching the requests of the control socket to the enforcer, one after the other.

use super::{
    answers::{added, extended, imported, problem, removed, removed_many, restored},
    request::{Caller, Question, Request},
    state::Daemon,
};
use crate::{
    api::{Problem, RemoveExemptions, RemovedExemptions, RestoreExemption, Restored},
    enforcer::{Enforcer, ManyRemoved, Restoration, Which},
    report::explained,
};

impl Daemon {
    /// Executes a request, and sends the answer. A client that has gone away gets none, which is no error.
    pub(super) async fn dispatch(&mut self, enforcer: &mut Enforcer, request: Request) {
        match request {
            Request::Reload {
                dry_run,
                since,
                confirm_within,
                caller,
                answer,
            } => {
                let reload = if dry_run {
                    self.dry_run(enforcer, since).await
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
            Request::RemoveMany {
                remove,
                caller,
                answer,
            } => {
                let _ = answer.send(self.remove_many(enforcer, &remove, caller).await);
            }
            Request::Restore {
                id,
                restore,
                caller,
                answer,
            } => {
                let _ = answer.send(self.restore(enforcer, &id, &restore, caller).await);
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

    async fn restore(
        &mut self,
        enforcer: &mut Enforcer,
        id: &str,
        restore: &RestoreExemption,
        caller: Caller,
    ) -> Result<Restored, Problem> {
        let requester = caller.requester("restore", &(id, restore));
        let restoration = Restoration {
            expires: restore.expires.as_deref(),
            reason: restore.reason.as_deref(),
            force: restore.force,
        };
        let changed = enforcer
            .restore_exemption(id, restoration, &requester, self)
            .await;
        changed
            .map(|changed| restored(changed, enforcer.policy_file()))
            .map_err(problem)
    }

    async fn remove_many(
        &mut self,
        enforcer: &mut Enforcer,
        remove: &RemoveExemptions,
        caller: Caller,
    ) -> Result<RemovedExemptions, Problem> {
        let requester = caller.requester("remove many", remove);
        let which = match (&remove.batch, &remove.prefix) {
            (Some(batch), _) => Which::Batch(batch),
            (None, prefix) => Which::Prefix(prefix.as_deref().unwrap_or_default()),
        };
        let removal = ManyRemoved {
            which,
            reason: remove.reason.as_deref(),
            dry_run: remove.dry_run,
            expected: remove.expected,
        };
        let many = enforcer.remove_many(removal, &requester, self).await;
        many.map(|many| removed_many(many, enforcer.policy_file()))
            .map_err(problem)
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
