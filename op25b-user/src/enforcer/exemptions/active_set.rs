//! The active set: the exemptions in the kernel, of the policy file and of the store, by their numbers in the program.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::RuleIndex;
use smol_str::SmolStr;
use ulid::Ulid;

use super::spelling::Spellings;
use crate::{
    exemption::Terms,
    policy::{CompileError, Exemption, Origin, Policy, RuleChange, Rules},
    store::Record,
};

/// The exemptions of the running generation, with the changes that were made to it.
#[derive(Clone, Debug)]
pub(in crate::enforcer) struct ActiveSet {
    /// The policy as it was loaded: the file's exemptions, then the store's.
    policy: Arc<Policy>,
    /// The store's exemptions; the number of the first follows that of the file's last. `None` for a removed one.
    stored: Vec<Option<Record>>,
    numbers: HashMap<Ulid, RuleIndex>,
    /// The store's exemptions that do not fit into the kernel with the others.
    left_out: BTreeMap<Ulid, Record>,
    /// Made when they are first needed: they take as much memory as the policy.
    rules: Option<Rules>,
    /// The customers of all exemptions. Made when it is first needed, as they are.
    spellings: Option<Spellings>,
    /// What had expired when the policy was compiled is not in the tables.
    compiled_at: Timestamp,
    /// The last expiry before that.
    last_expiry: Option<Timestamp>,
}

impl ActiveSet {
    /// The set of a policy that was loaded with these records, and without those that are left out.
    pub(in crate::enforcer) fn new(
        policy: Arc<Policy>,
        records: Vec<Record>,
        left_out: Vec<Record>,
        compiled_at: Timestamp,
    ) -> Self {
        let expiries = policy.exemptions.iter();
        let expiries = expiries.filter_map(|exemption| exemption.terms.expires_at);
        let mut active_set = Self {
            stored: Vec::with_capacity(records.len()),
            numbers: HashMap::with_capacity(records.len()),
            left_out: left_out.into_iter().map(|record| (record.id, record)).collect(),
            rules: None,
            spellings: None,
            compiled_at,
            last_expiry: expiries.filter(|end| *end <= compiled_at).max(),
            policy,
        };
        #[expect(clippy::cast_possible_truncation, reason = "`compile` refuses more")]
        let first = active_set.in_file() as RuleIndex;
        for (number, record) in (first..).zip(records) {
            active_set.insert(number, record);
        }
        active_set
    }

    pub(in crate::enforcer) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    fn in_file(&self) -> usize {
        self.policy.exemptions_in_file().len()
    }

    /// The number of the store's exemptions.
    pub(in crate::enforcer) fn stored(&self) -> usize {
        self.numbers.len() + self.left_out.len()
    }

    /// The stored exemptions that do not fit into the kernel.
    pub(in crate::enforcer) fn left_out(&self) -> impl Iterator<Item = &Record> {
        self.left_out.values()
    }

    /// Whether the clock was set back, so that an exemption holds that had expired when the tables were compiled.
    pub(in crate::enforcer) fn lacks_an_exemption_at(&self, now: Timestamp) -> bool {
        self.last_expiry.is_some_and(|end| now < end)
    }

    /// The stored exemptions that are enforced, as they are after these changes.
    pub(in crate::enforcer) fn records_with(&self, changed: &[Record]) -> Vec<Record> {
        let is_changed: HashSet<Ulid> = changed.iter().map(|record| record.id).collect();
        let others = self.stored.iter().flatten();
        let others = others.filter(|record| !is_changed.contains(&record.id));
        let changed = changed.iter().filter(|record| record.removed_at.is_none());
        others.chain(changed).cloned().collect()
    }

    /// The records of the store's exemptions, by ascending id.
    pub(in crate::enforcer) fn records(&self) -> Vec<Record> {
        let mut records: Vec<Record> = self
            .stored
            .iter()
            .flatten()
            .chain(self.left_out.values())
            .cloned()
            .collect();
        records.sort_unstable_by_key(|record| record.id);
        records
    }

    /// The records of the store's exemptions that a condition selects, by ascending id.
    pub(super) fn records_where(&self, is_wanted: impl Fn(&Record) -> bool) -> Vec<Record> {
        let all = self.stored.iter().flatten().chain(self.left_out.values());
        let mut records: Vec<Record> = all.filter(|record| is_wanted(record)).cloned().collect();
        records.sort_unstable_by_key(|record| record.id);
        records
    }

    /// The numbers of active and of expired exemptions at an instant.
    pub(in crate::enforcer) fn count(&self, now: Timestamp) -> (usize, usize) {
        self.ends().fold((0, 0), |(active, expired), end| {
            if end.is_none_or(|end| now < end) {
                (active + 1, expired)
            } else {
                (active, expired + 1)
            }
        })
    }

    /// When the next one of those that are active at an instant expires.
    pub(in crate::enforcer) fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        self.ends().flatten().filter(|end| now < *end).min()
    }

    /// When each one expires, if it does.
    fn ends(&self) -> impl Iterator<Item = Option<Timestamp>> {
        let in_file = self.policy.exemptions_in_file().iter();
        let in_file = in_file.map(|exemption| exemption.terms.expires_at);
        let stored = self.stored.iter().flatten().map(|record| record.terms.expires_at);
        in_file.chain(stored)
    }

    fn insert(&mut self, number: RuleIndex, record: Record) {
        let index = number as usize - self.in_file();
        if self.stored.len() <= index {
            self.stored.resize_with(index + 1, || None);
        }
        if let Some(spellings) = &mut self.spellings {
            spellings.insert(&record.terms.customer);
        }
        self.numbers.insert(record.id, number);
        self.stored[index] = Some(record);
    }

    /// Takes the record with a number; its id is as before.
    fn take(&mut self, number: RuleIndex) -> Option<Record> {
        let index = (number as usize).checked_sub(self.in_file())?;
        let record = self.stored.get_mut(index)?.take()?;
        if let Some(spellings) = &mut self.spellings {
            spellings.remove(&record.terms.customer);
        }
        Some(record)
    }

    /// Leaves out a stored exemption that has no number.
    fn leave_out(&mut self, record: Record) {
        if let Some(spellings) = &mut self.spellings {
            spellings.insert(&record.terms.customer);
        }
        self.left_out.insert(record.id, record);
    }

    /// Takes an exemption from those that are left out.
    fn take_left_out(&mut self, id: Ulid) -> Option<Record> {
        let record = self.left_out.remove(&id)?;
        if let Some(spellings) = &mut self.spellings {
            spellings.remove(&record.terms.customer);
        }
        Some(record)
    }

    /// The rules that the tables in the kernel are made of.
    pub(super) fn rules(&mut self) -> Result<&mut Rules, CompileError> {
        if self.rules.is_none() {
            self.rules = Some(Rules::without_expired(&self.policy, self.compiled_at)?);
        }
        self.rules.as_mut().ok_or(CompileError::TooManyRules)
    }

    /// The customers of all exemptions, as they are spelled.
    pub(super) fn spellings(&mut self) -> &Spellings {
        let spellings = self.spellings.take();
        let spellings = spellings.unwrap_or_else(|| self.customers().collect());
        self.spellings.insert(spellings)
    }

    /// A stored exemption that is not removed.
    pub(super) fn record(&self, id: Ulid) -> Option<&Record> {
        match self.numbers.get(&id) {
            Some(number) => self.by_number(*number),
            None => self.left_out.get(&id),
        }
    }

    /// The stored exemption with a number.
    pub(in crate::enforcer) fn by_number(&self, number: RuleIndex) -> Option<&Record> {
        let index = (number as usize).checked_sub(self.in_file())?;
        self.stored.get(index)?.as_ref()
    }

    /// The file's exemption with a number.
    pub(in crate::enforcer) fn in_file_by_number(&self, number: RuleIndex) -> Option<&Exemption> {
        self.policy.exemptions_in_file().get(number as usize)
    }

    /// A copy, for validating additions one after the other.
    pub(super) fn trial(&mut self) -> Result<Self, CompileError> {
        self.rules()?;
        Ok(self.clone())
    }

    /// Adds an exemption without computing what changes in the maps.
    pub(super) fn add_to_trial(&mut self, record: Record) -> Result<(), CompileError> {
        let number = self.rules()?.list(exemption(&record))?;
        self.insert(number, record);
        Ok(())
    }

    /// Makes the set as it is after these changes; returns what changes in the maps. After an error it is as before.
    pub(super) fn stage(&mut self, records: &[Record]) -> Result<Staged, CompileError> {
        let mut staged = Staged::default();
        for record in records {
            let result = if record.removed_at.is_some() {
                self.stage_removal(record.id, &mut staged)
            } else {
                // The addition comes first, so that the customer is never blocked in between.
                let before = self.numbers.get(&record.id).copied();
                self.stage_addition(record, &mut staged)
                    .and_then(|()| match before {
                        Some(number) => self.stage_end(number, &mut staged),
                        None => Ok(()),
                    })
            };
            if let Err(error) = result {
                self.unstage(staged);
                return Err(error);
            }
        }
        Ok(staged)
    }

    fn stage_addition(&mut self, record: &Record, staged: &mut Staged) -> Result<(), CompileError> {
        let (number, change) = self.rules()?.add(exemption(record))?;
        staged.steps.push(Step::Added {
            number,
            before: self.numbers.get(&record.id).copied(),
            left_out: self.take_left_out(record.id),
            change,
        });
        self.insert(number, record.clone());
        Ok(())
    }

    fn stage_removal(&mut self, id: Ulid, staged: &mut Staged) -> Result<(), CompileError> {
        if let Some(record) = self.take_left_out(id) {
            staged.steps.push(Step::Forgotten { record });
        }
        match self.numbers.get(&id).copied() {
            Some(number) => {
                self.stage_end(number, staged)?;
                self.numbers.remove(&id);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The exemption of a number ends; its id may have another number.
    fn stage_end(&mut self, number: RuleIndex, staged: &mut Staged) -> Result<(), CompileError> {
        // Nothing changes if it had expired when the tables were compiled.
        let change = self.rules()?.remove(number)?;
        if let Some(record) = self.take(number) {
            staged.steps.push(Step::Removed {
                number,
                record,
                change,
            });
        }
        Ok(())
    }

    /// Makes the set as it was before changes that are not in the kernel.
    pub(super) fn unstage(&mut self, staged: Staged) {
        for step in staged.steps.into_iter().rev() {
            match step {
                Step::Added {
                    number,
                    before,
                    left_out,
                    change,
                } => {
                    if let Some(record) = self.take(number) {
                        match before {
                            Some(before) => self.numbers.insert(record.id, before),
                            None => self.numbers.remove(&record.id),
                        };
                    }
                    if let Some(record) = left_out {
                        self.leave_out(record);
                    }
                    if let Some(rules) = &mut self.rules {
                        rules.undo_add(number, &change);
                    }
                }
                Step::Removed {
                    number,
                    record,
                    change,
                } => {
                    self.insert(number, record);
                    if let (Some(rules), Some(change)) = (&mut self.rules, change) {
                        rules.undo_remove(number, &change);
                    }
                }
                Step::Forgotten { record } => {
                    self.leave_out(record);
                }
            }
        }
    }

    /// Notes that a change could not be written to the maps, or not as a whole.
    pub(super) fn not_applied(&mut self, change: &RuleChange) {
        if let Some(rules) = &mut self.rules {
            rules.not_applied(change);
        }
    }

    /// Takes over the revisions of records that were stored.
    pub(super) fn set_revisions(&mut self, records: &[Record]) {
        for record in records {
            let number = self.numbers.get(&record.id).copied();
            let index = number.and_then(|number| (number as usize).checked_sub(self.in_file()));
            let stored = index.and_then(|index| self.stored.get_mut(index)?.as_mut());
            if let Some(stored) = stored {
                stored.revision = record.revision;
            }
        }
    }

    /// The destinations of the stored exemptions that a condition selects.
    pub(in crate::enforcer) fn destinations(&self, is_wanted: impl Fn(&Record) -> bool) -> Vec<IpNet> {
        let stored = self.stored.iter().flatten();
        stored
            .filter(|record| is_wanted(record))
            .flat_map(|record| record.terms.destinations.iter().copied())
            .collect()
    }

    /// The customers of all exemptions that are not removed, of each exemption one.
    fn customers(&self) -> impl Iterator<Item = &SmolStr> {
        let in_file = self.policy.exemptions_in_file().iter();
        let stored = self.stored.iter().flatten().chain(self.left_out.values());
        in_file
            .map(|exemption| &exemption.terms.customer)
            .chain(stored.map(|record| &record.terms.customer))
    }

    /// The active exemptions that overlap with a prefix.
    pub(super) fn overlapping(&mut self, net: IpNet, now: Timestamp) -> Result<Vec<Other>, CompileError> {
        let numbers = self.rules()?.overlapping(net);
        let left_out = self.left_out.values().filter(|record| {
            let mut prefixes = record.terms.prefixes.iter();
            prefixes.any(|prefix| prefix.contains(&net) || net.contains(prefix))
        });
        Ok(numbers
            .into_iter()
            .filter_map(|number| self.other(number))
            .chain(left_out.map(Other::stored))
            .filter(|other| !other.terms.have_expired(now))
            .collect())
    }

    fn other(&self, number: RuleIndex) -> Option<Other> {
        if let Some(exemption) = self.in_file_by_number(number) {
            let at = exemption.positions()?.exemption();
            let lists = &self.policy().lists;
            return Some(Other {
                name: match at.list(lists) {
                    Some(_) => at.line_of(lists),
                    None => format!("line {} of the policy file", at.line),
                },
                terms: exemption.terms.clone(),
                id: None,
            });
        }
        self.by_number(number).map(Other::stored)
    }
}

/// Changes of the set that are not in the kernel yet.
#[derive(Debug, Default)]
pub(super) struct Staged {
    steps: Vec<Step>,
}

/// One change of the set, with what undoes it.
#[derive(Debug)]
enum Step {
    /// An exemption got a number.
    Added {
        number: RuleIndex,
        /// Its number before.
        before: Option<RuleIndex>,
        /// Its record, if it was left out before.
        left_out: Option<Record>,
        change: RuleChange,
    },
    /// The exemption of a number ended.
    Removed {
        number: RuleIndex,
        record: Record,
        change: Option<RuleChange>,
    },
    /// One that was left out was removed.
    Forgotten { record: Record },
}

impl Staged {
    /// What is to be written to the maps, in this order.
    pub(super) fn changes(&self) -> impl Iterator<Item = &RuleChange> {
        self.steps.iter().filter_map(|step| match step {
            Step::Added { change, .. } => Some(change),
            Step::Removed { change, .. } => change.as_ref(),
            Step::Forgotten { .. } => None,
        })
    }
}

/// An existing exemption that a new one is compared with.
#[derive(Clone, Debug)]
pub(super) struct Other {
    /// Its id, or its line in the policy file.
    pub(super) name: String,
    pub(super) terms: Terms,
    /// Its id, if it is stored.
    pub(super) id: Option<Ulid>,
}

impl Other {
    fn stored(record: &Record) -> Self {
        Self {
            name: record.id.to_string(),
            terms: record.terms.clone(),
            id: Some(record.id),
        }
    }
}

/// A record as an exemption of the policy.
pub(in crate::enforcer) fn exemption(record: &Record) -> Exemption {
    Exemption {
        id: None,
        terms: record.terms.clone(),
        created: Some(record.created_at),
        origin: Origin::Store(record.id),
    }
}

#[cfg(test)]
mod tests;
