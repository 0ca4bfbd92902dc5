//! Removing many exemptions at once, all or none: those of an import, or those with a prefix.

use ipnet::IpNet;
use jiff::Timestamp;
use ulid::Ulid;

use super::{commit::Access, outcome::RemovedMany, refusal::Refusal, requester::Requester};
use crate::{
    counted::counted,
    enforcer::{host::Host, state::Enforcer},
    exemption::{Invalid, reason as valid_reason},
    policy::{self, characters::printable},
    store::{Change, ChangeKind, Commit, Query, Record, Store, StoreError, ids},
};

/// The most removed records that an answer has, and the most near ones that a refusal names.
const MOST_SHOWN: usize = 1000;
const MOST_NEAR: usize = 5;

/// Which exemptions are removed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'r> {
    /// Those that this import added: its id, or a unique beginning of it.
    Batch(&'r str),
    /// Those that have exactly this prefix.
    Prefix(&'r str),
}

/// A removal of many exemptions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ManyRemoved<'r> {
    /// Which of them.
    pub(crate) which: Which<'r>,
    /// The reason, for the history; a removal that is not dry has one.
    pub(crate) reason: Option<&'r str>,
    /// Only report what would be removed.
    pub(crate) dry_run: bool,
    /// How many there were when they were shown to the user.
    pub(crate) expected: Option<usize>,
}

impl Enforcer {
    /// Removes exemptions, all of them or none, or reports which would be removed.
    pub(crate) async fn remove_many(
        &mut self,
        removal: ManyRemoved<'_>,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<RemovedMany, Refusal> {
        if let Some(changed) = self.all_changed_by(requester, host).await? {
            let count = changed.len();
            let records = self
                .with_store(Access::Read, host, move |store| first(store, &changed))
                .await??;
            return Ok(self.removed_many(count, records));
        }
        let found = match removal.which {
            Which::Batch(text) => self.of_batch(text, host).await?,
            Which::Prefix(text) => self.with_prefix(text)?,
        };
        if let Some(expected) = removal.expected.filter(|expected| *expected != found.len()) {
            return Err(Refusal::Conflict(format!(
                "nothing was removed: there were {}, and now there are {}",
                counted(expected, "such exemption"),
                found.len()
            )));
        }
        if removal.dry_run {
            return Ok(RemovedMany {
                dry_run: true,
                count: found.len(),
                records: found.into_iter().take(MOST_SHOWN).collect(),
                explanation: None,
            });
        }
        let reason = valid_reason(removal.reason.unwrap_or_default())?;
        let at = Timestamp::now();
        let changes: Vec<_> = found
            .into_iter()
            .map(|before| Change {
                action: ChangeKind::Remove,
                after: Record {
                    removed_at: Some(at),
                    ..before.clone()
                },
                before: Some(before),
            })
            .collect();
        let records: Vec<_> = changes.iter().map(|change| change.after.clone()).collect();
        let commit = Commit {
            at,
            by: requester.actor.clone(),
            reason: Some(reason),
            changes,
            request: requester.request.clone(),
            taken_back: None,
        };
        let (records, _) = self.change_many(records, commit, host).await?;
        let count = records.len();
        Ok(self.removed_many(count, records))
    }

    /// What was removed, as it is stored.
    fn removed_many(&mut self, count: usize, mut records: Vec<Record>) -> RemovedMany {
        self.note_enforced_revision();
        records.truncate(MOST_SHOWN);
        let explanation = records
            .first()
            .and_then(|record| self.explain_exemption(record).ok());
        RemovedMany {
            dry_run: false,
            count,
            records,
            explanation,
        }
    }

    async fn of_batch(&mut self, text: &str, host: &mut impl Host) -> Result<Vec<Record>, Refusal> {
        let wanted = text.to_owned();
        let found = self
            .with_store(Access::Read, host, move |store| batch(store, &wanted))
            .await??;
        let (batch, last_removed) = match found {
            ids::Found::One(found) => found,
            ids::Found::None => {
                return Err(Refusal::Invalid(format!(
                    "no import has the id {}; `op25b exempt show` names the import of an exemption as its batch",
                    printable(text)
                )));
            }
            ids::Found::Ambiguous(ambiguous) => return Err(Refusal::Invalid(ambiguous.to_string())),
        };
        let records = self
            .active_set
            .records_where(|record| record.batch == Some(batch));
        if records.is_empty() {
            return Err(Refusal::Conflict(match last_removed {
                Some(id) => format!(
                    "all exemptions of the import {batch} were removed already; `op25b exempt history {id}` shows by whom and why"
                ),
                None => format!("the import {batch} has no exemptions"),
            }));
        }
        Ok(records)
    }

    fn with_prefix(&mut self, text: &str) -> Result<Vec<Record>, Refusal> {
        let prefix =
            policy::parse_prefix(text.trim()).map_err(|why| Invalid::new(format!("`prefix`: {why}")))?;
        let records = self
            .active_set
            .records_where(|record| record.terms.prefixes.contains(&prefix));
        if records.is_empty() {
            return Err(self.none_with(prefix)?);
        }
        Ok(records)
    }

    /// The refusal of a prefix that no stored exemption has, with those that are near.
    fn none_with(&mut self, prefix: IpNet) -> Result<Refusal, Refusal> {
        let others = self.active_set.overlapping(prefix, Timestamp::now())?;
        if let Some(filed) = others
            .iter()
            .find(|other| other.id.is_none() && other.terms.prefixes.contains(&prefix))
        {
            return Ok(Refusal::InFile(format!(
                "{prefix} is exempt in the policy file ({}): edit it, then run `op25b reload`",
                filed.name
            )));
        }
        let near = others.iter().filter_map(|other| {
            let net = other
                .terms
                .prefixes
                .iter()
                .find(|net| net.contains(&prefix) || prefix.contains(*net))?;
            Some(format!(
                "{net} of {} ({})",
                printable(&other.terms.customer),
                other.name
            ))
        });
        let mut near: Vec<_> = near.take(MOST_NEAR + 1).collect();
        let more = if near.len() > MOST_NEAR { " and more" } else { "" };
        near.truncate(MOST_NEAR);
        let near = if near.is_empty() {
            "; none overlaps with it either".to_owned()
        } else {
            format!("; these overlap with it: {}{more}", near.join(", "))
        };
        Ok(Refusal::Invalid(format!(
            "no stored exemption has exactly the prefix {prefix}{near}"
        )))
    }
}

/// The import that a text names, and one of its exemptions.
fn batch(store: &mut dyn Store, text: &str) -> Result<ids::Found<(Ulid, Option<Ulid>)>, StoreError> {
    ids::find_batch(store, text)?.try_map(|batch| {
        let query = Query {
            batch: Some(batch),
            all: true,
            limit: 1,
            ..Query::default()
        };
        let records = store.list(&query, Timestamp::now())?;
        Ok(Some((batch, records.first().map(|record| record.id))))
    })
}

/// The first of some records.
fn first(store: &mut dyn Store, ids: &[Ulid]) -> Result<Vec<Record>, StoreError> {
    let records = ids.iter().take(MOST_SHOWN).map(|id| store.get(*id));
    records.filter_map(Result::transpose).collect()
}
