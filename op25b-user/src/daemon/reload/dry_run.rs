//! What a reload would do, without doing it.

use super::{confirmation::in_force, interruption_warnings};
use crate::{daemon::state::Daemon, enforcer::Enforcer, report::ReloadAnswer};

impl Daemon {
    /// Reports what a reload would change, as far as that is known without doing it.
    pub(in crate::daemon) async fn dry_run(&mut self, enforcer: &mut Enforcer) -> ReloadAnswer {
        let mut answer = ReloadAnswer {
            dry_run: true,
            ..ReloadAnswer::default()
        };
        let result = self.try_dry_run(enforcer, &mut answer).await;
        answer.refused = result.err().map(|error| format!("{error:#}"));
        answer.in_force = Some(in_force(enforcer));
        answer.conclude();
        answer
    }

    async fn try_dry_run(
        &mut self,
        enforcer: &mut Enforcer,
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<()> {
        let file = self.compare(enforcer, answer).await?;
        answer.warnings = interruption_warnings(enforcer, &file.policy).await?;
        let conflicts = enforcer.conflicts_with_store(file.policy, self).await?;
        answer.warnings.extend(conflicts);
        Ok(())
    }
}
