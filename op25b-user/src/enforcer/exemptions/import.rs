//! Importing many exemptions: all or none. Those that exist already are skipped.

use std::{collections::HashMap, sync::Arc};

use jiff::{Timestamp, tz::TimeZone};
use ulid::{Generator, Ulid};

use super::{
    active_set::ActiveSet,
    apply::Way,
    commit::Access,
    log::log_change,
    outcome::{Imported, RemovedBefore},
    overlap::{exists_already, is_same, taken},
    refusal::{Refusal, RowRefusal},
    requester::Requester,
    spelling::MOST_EFFORT,
};
use crate::{
    enforcer::{host::Host, state::Enforcer},
    exemption::{ImportRow, Invalid, Terms, Validator, file_terms, search::is_same_customer},
    policy::Policy,
    store::{Actor, Change, ChangeKind, Commit, Record, Store, StoreError},
    time::{Reader, show},
};

/// The most problems, and the most warnings, that are reported.
const MOST_REPORTED: usize = 100;

/// What an import adds.
#[derive(Default)]
struct Plan {
    records: Vec<Record>,
    unchanged: usize,
    /// How many rows have expired.
    lapsed: usize,
    warnings: Vec<String>,
}

impl Enforcer {
    /// Adds exemptions, or reports what would be added.
    pub(crate) async fn import(
        &mut self,
        rows: Vec<ImportRow>,
        dry_run: bool,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Imported, Refusal> {
        if let Some(changed) = self.all_changed_by(requester, host).await? {
            let first = changed.first().copied();
            let batch = self
                .with_store(Access::Read, host, move |store| {
                    first.map(|id| store.get(id)).transpose()
                })
                .await??;
            return Ok(Imported {
                dry_run: false,
                added: changed.len(),
                batch: batch.flatten().and_then(|record| record.batch),
                unchanged: rows.len().saturating_sub(changed.len()),
                lapsed: 0,
                removed_before: RemovedBefore::default(),
                warnings: Vec::new(),
                new_generation: false,
            });
        }
        let Plan {
            records,
            unchanged,
            lapsed,
            warnings,
        } = self.plan(rows, requester.actor.clone(), host).await?;
        let planned = records.clone();
        let removed_before = self
            .with_store(Access::Read, host, move |store| removed_before(store, &planned))
            .await??;
        let imported = Imported {
            dry_run,
            added: records.len(),
            batch: records
                .first()
                .filter(|_| !dry_run)
                .and_then(|record| record.batch),
            unchanged,
            lapsed,
            removed_before,
            warnings,
            new_generation: false,
        };
        if dry_run || records.is_empty() {
            return Ok(imported);
        }
        let changes = records.iter().map(|record| Change {
            action: ChangeKind::Add,
            before: None,
            after: record.clone(),
        });
        let commit = Commit {
            at: Timestamp::now(),
            by: requester.actor.clone(),
            reason: None,
            changes: changes.collect(),
            request: requester.request.clone(),
            taken_back: None,
        };
        let (_, way) = self.change_many(records, commit, host).await?;
        Ok(Imported {
            new_generation: way == Way::NewGeneration,
            ..imported
        })
    }

    /// Computes changes of one kind, stores them and enforces them, all or none; returns the records as they are stored, and the way in which
    /// they are enforced.
    pub(super) async fn change_many(
        &mut self,
        records: Vec<Record>,
        commit: Commit,
        host: &mut impl Host,
    ) -> Result<(Vec<Record>, Way), Refusal> {
        let kind = commit
            .changes
            .first()
            .map_or(ChangeKind::Add, |change| change.action);
        let request = commit.request.clone();
        let (by, reason) = (commit.by.clone(), commit.reason.clone());
        let pending = self.prepare_change(&records, kind, host).await?;
        let last = match self.commit(commit, host).await {
            Ok(last) => last,
            Err(refusal) => {
                self.discard(pending);
                return Err(refusal);
            }
        };
        let count = records.len() as u64;
        let numbered = (last + 1 - count..).zip(records);
        let records: Vec<_> = numbered
            .map(|(revision, record)| Record { revision, ..record })
            .collect();
        let way = self.enforce(pending, &records, kind, request, host).await?;
        log_change(kind, &records, reason.as_deref(), &by);
        Ok((records, way))
    }

    /// Validates all rows, in another thread: there may be very many.
    async fn plan(&mut self, rows: Vec<ImportRow>, by: Actor, host: &mut impl Host) -> Result<Plan, Refusal> {
        let policy = Arc::clone(self.active_set.policy());
        let mut planner = Planner {
            effort: MOST_EFFORT,
            trial: self.active_set.trial()?,
            policy,
            ids: Generator::new(),
            by,
            batch: self.new_id()?,
            now: Timestamp::now(),
            time_zone: TimeZone::system(),
            plan: Plan::default(),
            lines: HashMap::new(),
            problems: Vec::new(),
            refused: 0,
        };
        let work = move || {
            for row in &rows {
                planner.take(row);
            }
            planner.finish()
        };
        host.run_while_waiting(self, work)
            .await
            .map_err(|error| Refusal::Broken(format!("{error:#}")))?
    }
}

/// Validates rows, each as if those before it were already added.
struct Planner {
    trial: ActiveSet,
    /// How much more is looked at to find other spellings of customers.
    effort: usize,
    policy: Arc<Policy>,
    ids: Generator,
    by: Actor,
    /// The id of this import.
    batch: Ulid,
    now: Timestamp,
    time_zone: TimeZone,
    plan: Plan,
    /// The lines of the rows that are added.
    lines: HashMap<Ulid, u32>,
    problems: Vec<RowRefusal>,
    refused: usize,
}

/// Where an exemption is that a row has again.
#[derive(Clone, Copy)]
enum There {
    /// In the policy file or the store.
    Before,
    /// At a line of the same file.
    Line(u32),
}

/// All that is wrong with a row.
struct Wrong(Vec<String>);

impl From<Vec<Invalid>> for Wrong {
    fn from(all: Vec<Invalid>) -> Self {
        Self(all.iter().map(ToString::to_string).collect())
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self(vec![refusal.to_string()])
    }
}

impl Planner {
    fn take(&mut self, row: &ImportRow) {
        let Err(Wrong(wrong)) = self.read(row) else {
            return;
        };
        self.refused += 1;
        let room = MOST_REPORTED.saturating_sub(self.problems.len());
        let line = row.line;
        let problems = wrong.into_iter().take(room);
        self.problems
            .extend(problems.map(|detail| RowRefusal { line, detail }));
    }

    fn read(&mut self, row: &ImportRow) -> Result<(), Wrong> {
        let terms = file_terms(&row.exemption, &Reader::new(self.now, &self.time_zone))?;
        if let Some(end) = terms.expires_at.filter(|end| *end <= self.now) {
            self.plan.lapsed += 1;
            self.warn(
                row.line,
                [format!(
                    "it expired at {}, and is not added",
                    show::instant(end, &self.time_zone)
                )],
            );
            return Ok(());
        }
        // What exists was accepted before, whatever the policy has become since.
        let is_there = self.exists(&terms)?;
        let spellings = self.trial.spellings().map_err(Refusal::from)?;
        let spelling = spellings.warning(&terms.customer, &mut self.effort);
        self.warn(row.line, spelling);
        if let Some(there) = is_there {
            self.plan.unchanged += 1;
            if let There::Line(line) = there {
                let warning = format!("it is the same as line {line}, and is not added twice");
                self.warn(row.line, [warning]);
            }
            return Ok(());
        }
        let validator = self.validator()?;
        validator.check(row.exemption.force, &terms)?;
        let warnings = validator.warnings(&terms);
        self.add(row.line, terms)?;
        self.warn(row.line, warnings);
        Ok(())
    }

    fn validator(&mut self) -> Result<Validator<'_>, Refusal> {
        Ok(Validator {
            limits: self.policy.exemption_limits,
            unlisted: self.policy.block.unlisted,
            rules: self.trial.rules()?,
            now: self.now,
            time_zone: &self.time_zone,
        })
    }

    fn warn(&mut self, line: u32, warnings: impl IntoIterator<Item = String>) {
        let room = MOST_REPORTED.saturating_sub(self.plan.warnings.len());
        let warnings = warnings.into_iter().take(room);
        let warnings = warnings.map(|warning| format!("line {line}: {warning}"));
        self.plan.warnings.extend(warnings);
    }

    /// Where the same exemption is, if it exists; refuses one that conflicts with another.
    fn exists(&mut self, terms: &Terms) -> Result<Option<There>, Refusal> {
        let mut conflict = None;
        for prefix in &terms.prefixes {
            for mut other in self.trial.overlapping(*prefix, self.now)? {
                // A row before has no id that anybody could use.
                let line = other.id.and_then(|id| self.lines.get(&id)).copied();
                if is_same(&other.terms, terms) && has_same_texts(&other.terms, terms) {
                    return Ok(Some(line.map_or(There::Before, There::Line)));
                }
                if conflict.is_some() {
                    continue;
                }
                if let Some(line) = line {
                    other.name = format!("line {line} of this file");
                }
                if !is_same_customer(&other.terms.customer, &terms.customer) {
                    conflict = Some(taken(*prefix, &other, &terms.customer));
                } else if is_same(&other.terms, terms) {
                    conflict = Some(match line {
                        Some(line) => format!(
                            "line {line} of this file has the same prefixes and destinations with another ticket, note or \
                             expiry: keep one of the two"
                        ),
                        None => exists_already(&other),
                    });
                }
            }
        }
        conflict.map_or(Ok(None), |conflict| Err(Refusal::Conflict(conflict)))
    }

    fn add(&mut self, line: u32, terms: Terms) -> Result<(), Refusal> {
        let id = self
            .ids
            .generate()
            .map_err(|error| Refusal::Broken(format!("cannot generate an id: {error}")))?;
        let record = Record {
            batch: Some(self.batch),
            ..Record::new(id, terms, self.now, self.by.clone())
        };
        self.lines.insert(id, line);
        self.trial.add_to_trial(record.clone())?;
        self.plan.records.push(record);
        Ok(())
    }

    fn finish(self) -> Result<Plan, Refusal> {
        if self.refused == 0 {
            return Ok(self.plan);
        }
        Err(Refusal::Rows {
            rows: self.problems,
            total: self.refused,
        })
    }
}

/// The removed exemptions of which records are the same again.
fn removed_before(store: &dyn Store, records: &[Record]) -> Result<RemovedBefore, StoreError> {
    let mut removed = RemovedBefore::default();
    for Record { terms, .. } in records {
        let Some(prefix) = terms.prefixes.first() else {
            continue;
        };
        let before = store.removed_with(*prefix)?;
        let same = |before: &&Record| {
            is_same(&before.terms, terms) && is_same_customer(&before.terms.customer, &terms.customer)
        };
        // The one that was removed last.
        if let Some(before) = before.iter().filter(same).max_by_key(|before| before.removed_at) {
            removed.count += 1;
            if removed.first.len() < MOST_REPORTED {
                removed.first.push(before.id);
            }
        }
    }
    Ok(removed)
}

/// Whether two exemptions for the same prefixes and destinations are the same in everything else; the customer may be spelled
/// otherwise.
fn has_same_texts(one: &Terms, other: &Terms) -> bool {
    is_same_customer(&one.customer, &other.customer)
        && (one.expires_at, &one.ticket, &one.note) == (other.expires_at, &other.ticket, &other.note)
}
