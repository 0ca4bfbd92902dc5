//! Exemptions that are added, changed and removed while the filter runs: store first, kernel next, answer last.
//!
//! Whatever happens between two of these steps, the store is what counts: a start makes the kernel equal to it.

use std::{
    slice,
    sync::{Arc, PoisonError},
};

use anyhow::Context as _;
use jiff::{Timestamp, tz::TimeZone};
use tokio::task::spawn_blocking;
use ulid::Ulid;

use super::{Refusal, SharedStore, idempotency::Fingerprint};
use crate::{
    api::{Added, Exemption, ExtendExemption, Extended, NewExemption, Removed},
    daemon::{Daemon, request::Caller},
    exemption::{Invalid, Valid, Validator, reason as valid_reason},
    report::exemptions::policy_id,
    store::{Change, ChangeKind, Commit, Record, Records as _, Store, StoreError},
};

impl Daemon {
    /// Adds an exemption, and says what the kernel does now.
    pub(crate) async fn add_exemption(
        &mut self,
        new: NewExemption,
        caller: &Caller,
    ) -> Result<Added, Refusal> {
        let fingerprint = Fingerprint::new("add", &new);
        if let Some(record) = self.repeated(caller, &fingerprint).await? {
            return self.added(record, Vec::new());
        }
        let now = Timestamp::now();
        let Valid { terms, mut warnings } = self.validate(now, |validator| validator.validate(&new))?;
        warnings.extend(self.check_overlaps(&terms, now)?);
        let record = Record::new(self.new_id()?, terms, now, caller.actor.clone());
        let record = self
            .commit_one(ChangeKind::Add, None, record, None, caller, &fingerprint)
            .await?;
        self.enforce(slice::from_ref(&record), ChangeKind::Add, fingerprint.key(caller))
            .await?;
        self.added(record, warnings)
    }

    /// Changes when an exemption ends.
    pub(crate) async fn extend_exemption(
        &mut self,
        id: &str,
        extend: ExtendExemption,
        caller: &Caller,
    ) -> Result<Extended, Refusal> {
        let fingerprint = Fingerprint::new("extend", &(id, &extend));
        if let Some(record) = self.repeated(caller, &fingerprint).await? {
            return self.extended(record, Vec::new());
        }
        let before = self.stored(id)?;
        let now = Timestamp::now();
        let (expires_at, warnings) = self.validate(now, |validator| {
            let expiry = validator.expiry(&extend.expires)?;
            Ok((expiry, validator.expiry_warnings(expiry)))
        })?;
        if before.terms.have_expired(now) {
            // Another customer may have got the addresses since.
            self.check_overlaps(&before.terms, now)?;
        }
        let reason = extend.reason.as_deref().map(valid_reason).transpose()?;
        let mut after = before.clone();
        after.terms.expires_at = expires_at;
        let record = self
            .commit_one(
                ChangeKind::Extend,
                Some(before),
                after,
                reason,
                caller,
                &fingerprint,
            )
            .await?;
        self.enforce(slice::from_ref(&record), ChangeKind::Extend, None)
            .await?;
        self.extended(record, warnings)
    }

    /// Removes an exemption.
    pub(crate) async fn remove_exemption(
        &mut self,
        id: &str,
        reason: &str,
        caller: &Caller,
    ) -> Result<Removed, Refusal> {
        let fingerprint = Fingerprint::new("remove", &(id, reason));
        if let Some(record) = self.repeated(caller, &fingerprint).await? {
            return self.removed(record);
        }
        let before = self.stored(id)?;
        let reason = valid_reason(reason)?;
        let after = Record {
            removed_at: Some(Timestamp::now()),
            ..before.clone()
        };
        let record = self
            .commit_one(
                ChangeKind::Remove,
                Some(before),
                after,
                Some(reason),
                caller,
                &fingerprint,
            )
            .await?;
        self.enforce(slice::from_ref(&record), ChangeKind::Remove, None)
            .await?;
        self.removed(record)
    }

    fn added(&mut self, record: Record, warnings: Vec<String>) -> Result<Added, Refusal> {
        Ok(Added {
            verdict: self.verdict(&record)?,
            exemption: Exemption::stored(record, Timestamp::now()),
            warnings,
        })
    }

    fn extended(&mut self, record: Record, warnings: Vec<String>) -> Result<Extended, Refusal> {
        Ok(Extended {
            verdict: self.verdict(&record)?,
            exemption: Exemption::stored(record, Timestamp::now()),
            warnings,
        })
    }

    fn removed(&mut self, record: Record) -> Result<Removed, Refusal> {
        Ok(Removed {
            verdict: self.verdict(&record)?,
            exemption: Exemption::stored(record, Timestamp::now()),
        })
    }

    /// Validates terms against the policy that is enforced.
    fn validate<T>(
        &mut self,
        now: Timestamp,
        validate: impl FnOnce(&Validator<'_>) -> Result<T, Invalid>,
    ) -> Result<T, Refusal> {
        let policy = Arc::clone(self.active_set.policy());
        let rules = self.active_set.rules()?;
        let time_zone = TimeZone::system();
        Ok(validate(&Validator {
            limits: policy.exemption_limits,
            unlisted: policy.block.unlisted,
            rules,
            now,
            time_zone: &time_zone,
        })?)
    }

    /// The stored exemption of an id that somebody gave.
    fn stored(&self, id: &str) -> Result<Record, Refusal> {
        if let Some(place) = self.place_in_file(id) {
            return Err(Refusal::InFile(format!(
                "{id} is an exemption of the policy file: edit {place}, then `op25b reload`"
            )));
        }
        let unknown = || Refusal::Unknown(id.to_owned());
        let id = Ulid::from_string(id).map_err(|_| unknown())?;
        self.active_set.record(id).cloned().ok_or_else(unknown)
    }

    /// Where the policy file has an exemption: its file, line and column.
    fn place_in_file(&self, id: &str) -> Option<String> {
        let exemptions = self.active_set.policy().exemptions_in_file();
        let index = (0..exemptions.len()).find(|index| policy_id(exemptions, *index) == id)?;
        let found = &exemptions[index];
        Some(format!(
            "{}:{}",
            self.description.policy_file.display(),
            found.at.line
        ))
    }

    fn new_id(&mut self) -> Result<Ulid, Refusal> {
        self.ids
            .generate()
            .map_err(|error| Refusal::Broken(format!("cannot make an id: {error}")))
    }

    /// Writes one change to the store, and gives the record as it is there.
    async fn commit_one(
        &mut self,
        action: ChangeKind,
        before: Option<Record>,
        mut after: Record,
        reason: Option<String>,
        caller: &Caller,
        fingerprint: &Fingerprint,
    ) -> Result<Record, Refusal> {
        let commit = Commit {
            at: Timestamp::now(),
            by: caller.actor.clone(),
            reason,
            changes: vec![Change {
                action,
                before,
                after: after.clone(),
            }],
            request: fingerprint.key(caller),
            taken_back: None,
        };
        after.revision = self.commit(commit).await?;
        Ok(after)
    }

    /// Writes to the store. Nothing else is done meanwhile but what is to be done every second.
    pub(super) async fn commit(&mut self, commit: Commit) -> Result<u64, Refusal> {
        Ok(self.with_store(move |store| store.commit(&commit)).await??)
    }

    /// Does something with the store, which may wait for the disk.
    pub(super) async fn with_store<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let store = Arc::clone(&self.store);
        let work = spawn_blocking(move || {
            let mut store = store.lock().map_err(|_| "a thread died over the store")?;
            Ok::<_, &str>(work(&mut *store))
        });
        let done = self.meanwhile(work).await.context("cannot use the store");
        let done = done.map_err(|error| Refusal::Broken(format!("{error:#}")))?;
        done.map_err(|error| Refusal::Broken(error.to_owned()))
    }
}

/// The records that the kernel is to let through.
pub(crate) fn standing(store: &SharedStore) -> Result<Vec<Record>, StoreError> {
    // Whoever died while it was locked, died while reading or writing: both are whole or not at all.
    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
    store.standing().or_else(|_| {
        // It may have been put right meanwhile. If it can be read and not written to, that is enough here.
        let _ = store.reopen();
        store.standing()
    })
}
