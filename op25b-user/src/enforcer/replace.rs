//! Replacing the policy that is enforced by another one, or by the same one with the exemptions that the store has now.

use std::{sync::Arc, time::Instant};

use tracing::{error, info};

use super::{
    described::DescribedPolicy,
    exemptions::active_set::{ActiveSet, exemption},
    host::Host,
    prepare::{self, Prepared},
    state::{Enforcer, RETRY, targets},
};
use crate::{
    datapath::{Filter, Interfaces, LinkState, Target},
    policy::{self, Policy},
};

impl Enforcer {
    /// Enforces a policy instead of the one that is enforced. If that fails, nothing has changed.
    pub(crate) async fn replace(&mut self, file: policy::File, host: &mut impl Host) -> anyhow::Result<()> {
        let (store, log) = (self.store.clone(), self.datapath_log);
        let reused = self.datapath.reusable(&file.compiled)?;
        let prepared = host
            .run_while_waiting(self, move || {
                prepare::load_with(file, store.not_removed()?, log, &reused)
            })
            .await??;
        self.install(prepared, host).await
    }

    /// Loads the policy that is enforced once more, with the store's exemptions as they are now.
    pub(super) async fn load_again(&mut self, host: &mut impl Host) -> anyhow::Result<()> {
        let (policy, store) = (Arc::clone(self.policy()), self.store.clone());
        let before = self.description.clone();
        let (file, records) = host
            .run_while_waiting(self, move || {
                let records = store.not_removed()?;
                let mut policy = (*policy).clone();
                let in_file = policy.exemptions_in_file().len();
                policy.exemptions.truncate(in_file);
                policy.exemptions.extend(records.iter().map(exemption));
                anyhow::Ok((DescribedPolicy::again(policy, &before)?, records))
            })
            .await??;
        let reused = self.datapath.reusable(&file.compiled)?;
        let log = self.datapath_log;
        let prepared = host
            .run_while_waiting(self, move || prepare::load(file, records, log, &reused))
            .await??;
        self.install(prepared, host).await
    }

    /// Makes the kernel equal to the store, if it is behind the store and the next attempt is due.
    pub(crate) async fn catch_up(&mut self, host: &mut impl Host) {
        if self.retry_at.is_some_and(|again| again <= Instant::now()) {
            self.retry_at = Some(Instant::now() + RETRY);
            match self.load_again(host).await {
                Ok(()) => info!("the kernel has caught up with the exemption store"),
                Err(error) => error!("the kernel is behind the exemption store: {error:#}"),
            }
        }
    }

    /// The interfaces that a replacement would leave without a filter for a moment, as far as that can be predicted.
    ///
    /// Fails if the interfaces show that the replacement would be refused.
    pub(crate) async fn predict_interruptions(&self, policy: &Policy) -> anyhow::Result<Vec<String>> {
        let interfaces = Interfaces::list().await?;
        let interrupted = self
            .datapath
            .interruptions(&interfaces, &self.next_targets(policy));
        Ok(interrupted?)
    }

    async fn install(&mut self, prepared: Prepared, host: &mut impl Host) -> anyhow::Result<()> {
        let packet_log = self
            .switch(prepared, |filter| host.open_packet_log(filter))
            .await?;
        host.use_packet_log(packet_log);
        Ok(())
    }

    /// Replaces the filter that runs by a loaded one.
    pub(super) async fn switch<L>(
        &mut self,
        prepared: Prepared,
        open_packet_log: impl FnOnce(&mut Filter) -> anyhow::Result<L>,
    ) -> anyhow::Result<L> {
        let Prepared {
            mut filter,
            policy,
            records,
            description,
        } = prepared;
        let targets = self.next_targets(&policy);
        // Before the replacement: after it nothing may fail. What the reader has not read of the old filter's log is lost.
        let packet_log = open_packet_log(&mut filter)?;
        // Listed late: loading a large policy takes a while.
        let interfaces = Interfaces::list().await?;
        let switched = self.datapath.replace(filter, &interfaces, &targets)?;
        self.active_set = ActiveSet::new(policy, records);
        self.test_runner = None;
        self.retry_at = None;
        self.description = description;
        self.follow_ports(&interfaces);
        self.log_replacement(&switched);
        Ok(packet_log)
    }

    /// The targets of a policy that replaces the one that is enforced.
    fn next_targets(&self, policy: &Policy) -> Vec<Target> {
        let mut targets = targets(policy);
        for target in &mut targets {
            // An interface that has disappeared is no reason to refuse a policy for those that are there.
            let attached = self.datapath.link_state(&target.interface);
            target.may_be_missing |= attached.is_ok_and(|state| state != LinkState::Absent);
        }
        targets
    }
}
