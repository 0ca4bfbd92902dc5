//! Adding, extending, removing and restoring an exemption.

use std::{slice, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use ulid::Ulid;

use super::{
    apply::Way, log::log_change, outcome::Changed, overlap, refusal::Refusal, requester::Requester,
    spelling::MOST_EFFORT,
};
use crate::{
    enforcer::{host::Host, state::Enforcer},
    exemption::{Invalid, NewExemption, Valid, Validator, reason as valid_reason},
    policy::characters::printable,
    store::{Change, ChangeKind, Record},
    time::{minutes_or_months, show},
};

/// How a removed exemption is restored.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restoration<'r> {
    /// A new expiry; without one it is what it was.
    pub(crate) expires: Option<&'r str>,
    /// The reason, for the history.
    pub(crate) reason: Option<&'r str>,
    /// Whether the pool and prefix-width checks are skipped.
    pub(crate) force: bool,
}

impl Enforcer {
    /// Adds an exemption.
    pub(crate) async fn add(
        &mut self,
        new: &NewExemption,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Changed, Refusal> {
        if let Some(record) = self.changed_by(requester, host).await? {
            return Ok(self.changed(record, Vec::new()));
        }
        let now = Timestamp::now();
        let Valid { terms, mut warnings } = self.validate(now, |validator| validator.validate(new))?;
        warnings.extend(overlap::check(&mut self.active_set, &terms, now)?);
        let (spellings, mut effort) = (self.active_set.spellings()?, MOST_EFFORT);
        warnings.extend(spellings.warning(&terms.customer, &mut effort));
        let change = Change {
            action: ChangeKind::Add,
            before: None,
            after: Record::new(self.new_id()?, terms, now, requester.actor.clone()),
        };
        let (record, way) = self.change_one(change, None, requester, host).await?;
        Ok(self.changed_by_way(record, way, warnings))
    }

    /// Changes when an exemption expires.
    pub(crate) async fn extend(
        &mut self,
        id: &str,
        expires: &str,
        reason: Option<&str>,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Changed, Refusal> {
        if let Some(record) = self.changed_by(requester, host).await? {
            return Ok(self.changed(record, Vec::new()));
        }
        let before = self.stored(id, host).await?;
        let now = Timestamp::now();
        let (expires_at, warnings) = self.validate(now, |validator| {
            let expiry = validator.expiry(expires)?;
            let mut warnings = validator.expiry_warnings(expiry);
            warnings.extend(minutes_or_months(expires));
            Ok((expiry, warnings))
        })?;
        if before.terms.have_expired(now) {
            // Another customer may have got the addresses since.
            overlap::check(&mut self.active_set, &before.terms, now)?;
        }
        let reason = reason.map(valid_reason).transpose()?;
        let mut after = before.clone();
        after.terms.expires_at = expires_at;
        let change = Change {
            action: ChangeKind::Extend,
            before: Some(before),
            after,
        };
        let (record, way) = self.change_one(change, reason, requester, host).await?;
        Ok(self.changed_by_way(record, way, warnings))
    }

    /// Removes an exemption.
    pub(crate) async fn remove(
        &mut self,
        id: &str,
        reason: &str,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Changed, Refusal> {
        if let Some(record) = self.changed_by(requester, host).await? {
            return Ok(self.changed(record, Vec::new()));
        }
        let before = self.stored(id, host).await?;
        let reason = valid_reason(reason)?;
        let change = Change {
            action: ChangeKind::Remove,
            after: Record {
                removed_at: Some(Timestamp::now()),
                ..before.clone()
            },
            before: Some(before),
        };
        let (record, way) = self.change_one(change, Some(reason), requester, host).await?;
        Ok(self.changed_by_way(record, way, Vec::new()))
    }

    /// Puts a removed exemption in force again, with its terms; `expires` replaces its expiry.
    pub(crate) async fn restore_exemption(
        &mut self,
        id: &str,
        restoration: Restoration<'_>,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Changed, Refusal> {
        if let Some(record) = self.changed_by(requester, host).await? {
            return Ok(self.changed(record, Vec::new()));
        }
        let before = self.removed(id, host).await?;
        let now = Timestamp::now();
        let mut after = Record {
            removed_at: None,
            ..before.clone()
        };
        let mut warnings = self.validate(now, |validator| {
            if let Some(expires) = restoration.expires {
                after.terms.expires_at = validator.expiry(expires)?;
            }
            validator
                .check(restoration.force, &after.terms)
                .map_err(Invalid::all)?;
            let mut warnings = validator.warnings(&after.terms);
            warnings.extend(restoration.expires.and_then(minutes_or_months));
            Ok(warnings)
        })?;
        if let Some(end) = after.terms.expires_at.filter(|end| *end <= now) {
            return Err(Refusal::Invalid(format!(
                "exemption {} of {} would have ended {}; give it a new end with `--expires`",
                before.id,
                printable(&before.terms.customer),
                show::instant(end, &TimeZone::system()),
            )));
        }
        warnings.extend(overlap::check(&mut self.active_set, &after.terms, now)?);
        let reason = restoration.reason.map(valid_reason).transpose()?;
        let change = Change {
            action: ChangeKind::Restore,
            before: Some(before),
            after,
        };
        let (record, way) = self.change_one(change, reason, requester, host).await?;
        Ok(self.changed_by_way(record, way, warnings))
    }

    /// Computes a change, stores it and enforces it; returns the record as it is stored, and the way.
    async fn change_one(
        &mut self,
        change: Change,
        reason: Option<String>,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<(Record, Way), Refusal> {
        let kind = change.action;
        let pending = self
            .prepare_change(slice::from_ref(&change.after), kind, host)
            .await?;
        let told = reason.clone();
        let record = match self.commit_one(change, reason, requester, host).await {
            Ok(record) => record,
            Err(refusal) => {
                self.discard(pending);
                return Err(refusal);
            }
        };
        let request = requester.request.clone();
        let way = self
            .enforce(pending, slice::from_ref(&record), kind, request, host)
            .await?;
        log_change(kind, slice::from_ref(&record), told.as_deref(), &requester.actor);
        Ok((record, way))
    }

    /// What a change that is stored and enforced did, and in which way.
    fn changed_by_way(&mut self, record: Record, way: Way, mut warnings: Vec<String>) -> Changed {
        if way == Way::NewGeneration {
            warnings.push(
                "the exemptions needed a new generation of the filter: loaded, no packet was judged by half of it".to_owned(),
            );
        }
        self.changed(record, warnings)
    }

    /// What a change that is stored and enforced did.
    fn changed(&mut self, record: Record, mut warnings: Vec<String>) -> Changed {
        self.note_enforced_revision();
        let explanation = match self.explain_exemption(&record) {
            Ok(explanation) => Some(explanation),
            Err(refusal) => {
                warnings.push(format!(
                    "the change is stored and enforced; the verdict of the kernel cannot be shown: {refusal}"
                ));
                None
            }
        };
        Changed {
            record,
            explanation,
            warnings,
        }
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

    pub(super) fn new_id(&mut self) -> Result<Ulid, Refusal> {
        self.ids
            .generate()
            .map_err(|error| Refusal::Broken(format!("cannot generate an id: {error}")))
    }
}
