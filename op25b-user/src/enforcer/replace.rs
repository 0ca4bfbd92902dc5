//! Replacing the policy that is enforced by another one, or by the same one with the exemptions that the store has now.

use std::{collections::BTreeSet, sync::Arc, time::Instant};

use jiff::Timestamp;
use tracing::{info, warn};

use super::{
    described::DescribedPolicy,
    exemptions::{
        active_set::{ActiveSet, exemption},
        conflicts::file_over_stored,
    },
    host::Host,
    pauses::log_ended,
    prepare::{self, NewInterfaces, Prepared},
    state::{Enforcer, RETRY},
};
use crate::{
    datapath::{Description, Filter, Interfaces, LoadedBy, Need, PinsError, Prediction, Target},
    fault::FaultKind,
    policy::{self, Pauses, Policy},
    store::Record,
};

impl Enforcer {
    /// Enforces a policy instead of the one that is enforced; returns what of the store is not enforced, or does not go together
    /// with the policy. If it fails, nothing has changed.
    pub(crate) async fn replace(
        &mut self,
        mut file: policy::File,
        loaded_by: LoadedBy,
        new_interfaces: NewInterfaces,
        host: &mut impl Host,
    ) -> anyhow::Result<Vec<String>> {
        let (records, is_unread) = self.records_to_load(host).await;
        let is_stale = self.active_set_is_stale;
        self.repair_pins();
        let pauses = self.description.pauses.clone();
        let mut ended = Vec::new();
        if pauses != Pauses::default() {
            let compiling = host.run_while_waiting(self, move || {
                let ended = file.pause(pauses)?;
                anyhow::Ok((file, ended))
            });
            (file, ended) = compiling.await??;
        }
        let (reused, log) = (self.datapath.reusable(&file.compiled)?, self.datapath_log);
        let directories = self.directories();
        let mut prepared = host
            .run_while_waiting(self, move || {
                prepare::load_with(file, loaded_by, directories, records, log, &reused)
            })
            .await??;
        prepared.new_interfaces = new_interfaces;
        let mut warnings = prepared.warnings.clone();
        warnings.extend(self.install(prepared, host)?);
        log_ended(&ended);
        if is_unread {
            self.active_set_is_stale = is_stale;
            self.retry_at = Some(Instant::now() + RETRY);
        }
        Ok(self.left_out().into_iter().chain(warnings).collect())
    }

    /// The records to load a generation with, and whether these are not what the store has.
    pub(super) async fn records_to_load(&mut self, host: &mut impl Host) -> (Vec<Record>, bool) {
        // The store has nothing else than the active set, unless the kernel is behind it, and its disk may hang.
        if !self.kernel_is_behind() && !self.active_set_is_stale {
            return (self.active_set.records(), false);
        }
        match self.stored_records(host).await {
            Ok(records) => (records, false),
            Err(error) => {
                warn!("loading the exemptions that are enforced now, as the store cannot be read: {error:#}");
                (self.active_set.records(), true)
            }
        }
    }

    /// What in a policy and the store does not go together, without enforcing it.
    pub(crate) async fn conflicts_with_store(
        &mut self,
        mut policy: Policy,
        host: &mut impl Host,
    ) -> anyhow::Result<Vec<String>> {
        let records = self.active_set.records();
        let conflicts = host.run_while_waiting(self, move || {
            policy.exemptions.extend(records.iter().map(exemption));
            file_over_stored(&policy, Timestamp::now())
        });
        Ok(conflicts.await?)
    }

    /// Loads the policy that is enforced once more, with the store's exemptions as they are now.
    pub(super) async fn load_again(&mut self, host: &mut impl Host) -> anyhow::Result<()> {
        let records = self.stored_records(host).await?;
        let policy = Arc::clone(self.policy());
        let before = Description {
            directories: self.directories(),
            ..self.description.clone()
        };
        let file = host
            .run_while_waiting(self, move || {
                anyhow::Ok(DescribedPolicy::again(&policy, records, &before)?)
            })
            .await??;
        let reused = self.datapath.reusable(&file.compiled)?;
        let log = self.datapath_log;
        let prepared = host
            .run_while_waiting(self, move || prepare::load(file, log, &reused))
            .await??;
        self.install(prepared, host)?;
        self.faults.clear(FaultKind::StoreUnread);
        Ok(())
    }

    /// Makes the kernel equal to the store, if it is behind the store and the next attempt is due.
    pub(crate) async fn catch_up(&mut self, host: &mut impl Host) {
        self.note_replacement();
        // While the disk does not answer there is nothing to try: `settle_store` has it tried as soon as it does.
        if self.check_disk().is_err() {
            return;
        }
        if self.retry_at.is_none() && self.active_set.lacks_an_exemption_at(Timestamp::now()) {
            info!("the clock was set back: loading exemptions that had expired by the clock before");
            self.load_again_soon();
        }
        if self.retry_at.is_some_and(|again| again <= Instant::now()) {
            self.retry_at = Some(Instant::now() + RETRY);
            match self.load_again(host).await {
                Ok(()) => info!("the kernel has caught up with the exemption store"),
                Err(error) => self.kernel_falls_behind(format!(
                    "the kernel lacks what the exemption store has: {error:#}; this is retried every {RETRY:?}"
                )),
            }
        }
    }

    /// What a replacement would do to the interfaces, as far as that can be predicted.
    ///
    /// Fails if the interfaces show that the replacement would be refused.
    pub(crate) fn predict(&self, policy: &Policy) -> anyhow::Result<Prediction> {
        let interfaces = Interfaces::list()?;
        let targets = self.next_targets(policy, &interfaces, NewInterfaces::Required)?;
        Ok(self.datapath.predict(&interfaces, &targets)?)
    }

    /// What makes the policy of a file one with the stored exemptions that are enforced, for a thread: there may be many.
    pub(crate) fn with_stored(&self) -> impl Fn(&Policy) -> Policy + Send + use<> {
        let enforced = self.active_set.records_with(&[]);
        move |policy| {
            let mut policy = policy.clone();
            policy.exemptions.truncate(policy.exemptions_in_file().len());
            policy.exemptions.extend(enforced.iter().map(exemption));
            policy
        }
    }

    /// Enforces a generation that is loaded. Returns which settings of the interfaces disagree with it.
    pub(super) fn install(
        &mut self,
        prepared: Prepared,
        host: &mut impl Host,
    ) -> anyhow::Result<Vec<String>> {
        let (readers, warnings) =
            self.switch(prepared, |filter, policy| host.open_readers(filter, policy))?;
        host.use_readers(readers, self);
        Ok(warnings)
    }

    /// Replaces the filter that runs by a loaded one. Returns which settings of the interfaces disagree with it, too.
    pub(super) fn switch<R>(
        &mut self,
        prepared: Prepared,
        open_readers: impl FnOnce(&mut Filter, &Arc<Policy>) -> anyhow::Result<R>,
    ) -> anyhow::Result<(R, Vec<String>)> {
        let Prepared {
            mut filter,
            policy,
            records,
            left_out,
            compiled_at,
            description,
            warnings,
            new_interfaces,
        } = prepared;
        // Before the replacement: after it nothing may fail. What was not read of the old filter's log is lost.
        let readers = open_readers(&mut filter, &policy)?;
        filter.set_store_revision(self.enforced_revision)?;
        // Listed late: loading a large policy takes a while.
        let interfaces = Interfaces::list()?;
        let targets = self.next_targets(&policy, &interfaces, new_interfaces)?;
        let change = self.live_records.change();
        let mut switched = self.datapath.replace(filter, &interfaces, &targets)?;
        change.to(self.datapath.filter());
        self.active_set = ActiveSet::new(policy, records, left_out, compiled_at);
        self.asker = None;
        self.has_live_dates = false;
        self.retry_at = None;
        self.lagging.clear();
        self.active_set_is_stale = false;
        self.faults.clear(FaultKind::KernelBehind);
        self.note_enforced_revision();
        self.report_left_out();
        for warning in warnings {
            warn!("{warning}");
        }
        self.description = description;
        self.follow_ports(&interfaces);
        self.note_skipped(std::mem::take(&mut switched.skipped), &interfaces);
        self.log_replacement(&switched);
        Ok((readers, self.warn_of_settings(&interfaces)))
    }

    /// Raises the fault of exemptions that do not fit, or clears it.
    fn report_left_out(&self) {
        match self.left_out() {
            Some(message) => self.faults.raise(FaultKind::ExemptionsLeftOut, message),
            None => self.faults.clear(FaultKind::ExemptionsLeftOut),
        }
    }

    /// The stored exemptions that do not fit into the kernel, in one line.
    pub(super) fn left_out(&self) -> Option<String> {
        const MOST_NAMED: usize = 10;
        let ids: Vec<_> = self
            .active_set
            .left_out()
            .map(|record| record.id.to_string())
            .collect();
        let more = match ids.len() {
            0 => return None,
            count if count > MOST_NAMED => format!(" and {} more", count - MOST_NAMED),
            _ => String::new(),
        };
        let named = ids[..ids.len().min(MOST_NAMED)].join(", ");
        let what = match ids.len() {
            1 => "1 stored exemption does not fit into the kernel with the others and IS NOT ENFORCED"
                .to_owned(),
            many => format!(
                "{many} stored exemptions do not fit into the kernel with the others and ARE NOT ENFORCED"
            ),
        };
        let customers = if ids.len() == 1 {
            "this customer"
        } else {
            "these customers"
        };
        Some(format!(
            "{what}: {named}{more}; remove exemptions of {customers}, or their destinations"
        ))
    }

    /// The targets of a policy that replaces the one that is enforced.
    ///
    /// An interface that the enforced policy names too is no reason to refuse another generation, if the filter cannot run there:
    /// it did not run there before. One that is new must get the filter.
    ///
    /// At a start the filter runs where it can. Only if it would be taken off an interface on which an earlier process left it
    /// does it have to run on those that are new: an earlier filter is better than none.
    fn next_targets(
        &self,
        policy: &Policy,
        interfaces: &Interfaces,
        new_interfaces: NewInterfaces,
    ) -> Result<Vec<Target>, PinsError> {
        let mut targets = Target::all_of(policy);
        if new_interfaces == NewInterfaces::Optional {
            for target in &mut targets {
                target.need = Need::Optional;
            }
            return Ok(targets);
        }
        let known: BTreeSet<String> = if self.datapath.is_running() {
            let interfaces = self.policy().interfaces.iter();
            interfaces.map(|interface| interface.name.clone()).collect()
        } else {
            let left = self.datapath.left(interfaces, &targets)?;
            let new = targets.iter().filter(|_| !left.runs_elsewhere);
            let new = new.map(|target| target.interface.clone());
            left.interfaces.into_iter().chain(new).collect()
        };
        for target in &mut targets {
            if known.contains(&target.interface) {
                target.need = Need::Optional;
            }
        }
        Ok(targets)
    }
}
