//! The active set: the exemptions in the kernel, of the policy file and of the store, by their numbers in the program.

mod index;
mod stage;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::RuleIndex;
use smol_str::SmolStr;
use ulid::Ulid;

use self::index::{Index, Unindexed};
pub(super) use self::stage::Staged;
use super::spelling::Spellings;
use crate::{
    exemption::Terms,
    policy::{CompileError, Exemption, Origin, Policy, Rules},
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
    /// Made when a change first needs it.
    index: Option<Index>,
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
            index: None,
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
        if let Some(index) = &mut self.index {
            index.spellings.insert(&record.terms.customer);
        }
        self.numbers.insert(record.id, number);
        self.stored[index] = Some(record);
    }

    /// Takes the record with a number; its id is as before.
    fn take(&mut self, number: RuleIndex) -> Option<Record> {
        let index = (number as usize).checked_sub(self.in_file())?;
        let record = self.stored.get_mut(index)?.take()?;
        if let Some(index) = &mut self.index {
            index.spellings.remove(&record.terms.customer);
        }
        Some(record)
    }

    /// Leaves out a stored exemption that has no number.
    fn leave_out(&mut self, record: Record) {
        if let Some(index) = &mut self.index {
            index.spellings.insert(&record.terms.customer);
        }
        self.left_out.insert(record.id, record);
    }

    /// Takes an exemption from those that are left out.
    fn take_left_out(&mut self, id: Ulid) -> Option<Record> {
        let record = self.left_out.remove(&id)?;
        if let Some(index) = &mut self.index {
            index.spellings.remove(&record.terms.customer);
        }
        Some(record)
    }

    /// What the index is to be made of, if there is none.
    fn unindexed(&self) -> Option<Unindexed> {
        self.index.is_none().then(|| Unindexed {
            policy: Arc::clone(&self.policy),
            compiled_at: self.compiled_at,
            customers: self.customers().cloned().collect(),
        })
    }

    /// Uses an index that was made of this set.
    fn use_index(&mut self, index: Index) {
        self.index = Some(index);
    }

    fn index(&mut self) -> Result<&mut Index, CompileError> {
        let index = match self.unindexed() {
            Some(unindexed) => Some(unindexed.index()?),
            None => self.index.take(),
        };
        self.index = index;
        self.index.as_mut().ok_or(CompileError::TooManyRules)
    }

    /// The rules that the tables in the kernel are made of.
    pub(super) fn rules(&mut self) -> Result<&mut Rules, CompileError> {
        Ok(&mut self.index()?.rules)
    }

    /// The customers of all exemptions, as they are spelled.
    pub(super) fn spellings(&mut self) -> Result<&Spellings, CompileError> {
        Ok(&self.index()?.spellings)
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
        self.index()?;
        Ok(self.clone())
    }

    /// Adds an exemption without computing what changes in the maps.
    pub(super) fn add_to_trial(&mut self, record: Record) -> Result<(), CompileError> {
        let number = self.rules()?.list(exemption(&record))?;
        self.insert(number, record);
        Ok(())
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
    Exemption::new(record.terms.clone(), Origin::Store(record.id))
}
