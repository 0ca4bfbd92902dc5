//! What a reload would do, without doing it.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Waiting, confirmation::in_force, gaps};
use crate::{
    daemon::{metrics::filter_records, state::Daemon},
    datapath::Prediction,
    enforcer::{Enforcer, Host as _},
    policy::{Pauses, Policy},
    report::{
        Impact, ReloadAnswer, attempts,
        here::{self, Finding},
        impact, paused,
    },
};

/// Attempts that are older do not count, unless the request says how old they may be.
const RECENT: SignedDuration = SignedDuration::from_hours(24);

impl Daemon {
    /// Reports what a reload would change, as far as that is known without doing it. Attempts since an instant count for its
    /// impact.
    pub(in crate::daemon) async fn dry_run(
        &mut self,
        enforcer: &mut Enforcer,
        since: Option<Timestamp>,
    ) -> ReloadAnswer {
        let mut answer = ReloadAnswer {
            dry_run: true,
            ..ReloadAnswer::default()
        };
        let since = since.unwrap_or_else(|| {
            let day_ago = Timestamp::now().checked_sub(RECENT);
            day_ago.unwrap_or(Timestamp::UNIX_EPOCH)
        });
        let result = self.try_dry_run(enforcer, since, &mut answer).await;
        answer.refused = result.err().map(|error| format!("{error:#}"));
        answer.in_force = Some(in_force(enforcer));
        answer.unconfirmed = self.reloads.waiting.as_ref().map(Waiting::report);
        answer.conclude();
        answer
    }

    async fn try_dry_run(
        &mut self,
        enforcer: &mut Enforcer,
        since: Timestamp,
        answer: &mut ReloadAnswer,
    ) -> anyhow::Result<()> {
        let policy = self.compare(enforcer, answer).await?.policy;
        let pauses = enforcer.pauses().in_force(Timestamp::now());
        answer.warnings.extend(pauses.map(|pause| {
            let told = paused(pause, &TimeZone::system());
            format!("PAUSED {told}; nobody becomes blocked before it ends, and the impact is that of the time after it")
        }));
        // Also of a policy that is refused for an interface.
        match self.impact(enforcer, policy.clone(), since).await {
            Ok(impact) => answer.impact = Some(impact),
            Err(error) => answer
                .warnings
                .push(format!("who becomes blocked or free is not known: {error:#}")),
        }
        let prediction = enforcer.predict(&policy)?;
        answer.warnings.extend(gaps(&prediction));
        answer
            .warnings
            .extend(self.host_warnings(enforcer, policy.clone(), &prediction).await?);
        let conflicts = enforcer.conflicts_with_store(policy, self).await?;
        answer.warnings.extend(conflicts);
        Ok(())
    }

    /// What of this host's interfaces does not go together with a policy.
    async fn host_warnings(
        &mut self,
        enforcer: &mut Enforcer,
        policy: Policy,
        prediction: &Prediction,
    ) -> anyhow::Result<Vec<String>> {
        let examine = move || {
            let mut findings = here::examine(&policy)?;
            findings.extend(here::awaited(&policy)?);
            anyhow::Ok(findings)
        };
        let findings = self.run_while_waiting(enforcer, examine).await??;
        let skipped = || {
            prediction
                .skipped
                .iter()
                .filter(|skipped| !skipped.why.is_absence())
        };
        let reasons = skipped().map(|skipped| {
            format!(
                "{}: the filter would not run there: {}",
                skipped.interface, skipped.why
            )
        });
        let others = findings
            .iter()
            .filter(|finding| skipped().all(|skipped| skipped.interface != finding.interface));
        let others = others.map(|Finding { interface, message }| format!("{interface}: {message}"));
        Ok(reasons.chain(others).collect())
    }

    /// Who would become blocked or free.
    async fn impact(
        &mut self,
        enforcer: &mut Enforcer,
        policy: Policy,
        since: Timestamp,
    ) -> anyhow::Result<Impact> {
        let records = filter_records(enforcer)?;
        let with_stored = enforcer.with_stored();
        let (before, reached) = (enforcer.policy().clone(), enforcer.reached_dates().clone());
        let compute = move || {
            let mut before = with_stored(&before);
            before.mark_reached(&reached);
            // A pause outlives a reload, and hides what the policies differ in until it ends.
            before.pause(&Pauses::default());
            let after = with_stored(&policy);
            impact(&before, &after, since, |visit| attempts(&records, visit))
        };
        self.run_while_waiting(enforcer, compute)
            .await?
            .context("the records of subscribers cannot be read")
    }
}
