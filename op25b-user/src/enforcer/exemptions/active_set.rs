//! The active set: the exemptions in the kernel, of the policy file and of the store, by their numbers in the program.

use std::{collections::HashMap, sync::Arc};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::RuleIndex;
use ulid::Ulid;

use crate::{
    exemption::Terms,
    policy::{self, CompileError, Exemption, Origin, Policy, Rules},
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
    /// Made when they are first needed: they take as much memory as the policy.
    rules: Option<Rules>,
}

impl ActiveSet {
    /// The set of a policy that was loaded with these records.
    pub(in crate::enforcer) fn new(policy: Arc<Policy>, records: Vec<Record>) -> Self {
        let mut active_set = Self {
            policy,
            stored: Vec::with_capacity(records.len()),
            numbers: HashMap::with_capacity(records.len()),
            rules: None,
        };
        for record in records {
            active_set.push(record);
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
        self.numbers.len()
    }

    /// The numbers of active and of expired exemptions at an instant.
    pub(in crate::enforcer) fn count(&self, now: Timestamp) -> (usize, usize) {
        let in_file = self
            .policy
            .exemptions_in_file()
            .iter()
            .map(|exemption| exemption.terms.expires_at);
        let stored = self.stored.iter().flatten().map(|record| record.terms.expires_at);
        in_file.chain(stored).fold((0, 0), |(active, expired), end| {
            if end.is_none_or(|end| now < end) {
                (active + 1, expired)
            } else {
                (active, expired + 1)
            }
        })
    }

    fn push(&mut self, record: Record) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "`Rules` and `compile` refuse more"
        )]
        let number = (self.in_file() + self.stored.len()) as RuleIndex;
        self.numbers.insert(record.id, number);
        self.stored.push(Some(record));
    }

    /// The rules that the tables in the kernel are made of.
    pub(super) fn rules(&mut self) -> Result<&mut Rules, CompileError> {
        if self.rules.is_none() {
            self.rules = Some(Rules::new(&self.policy)?);
        }
        self.rules.as_mut().ok_or(CompileError::TooManyRules)
    }

    /// A stored exemption that is not removed.
    pub(super) fn record(&self, id: Ulid) -> Option<&Record> {
        self.by_number(*self.numbers.get(&id)?)
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

    /// Adds an exemption; returns what changes in the maps.
    pub(super) fn add(&mut self, record: Record) -> Result<policy::RuleChange, CompileError> {
        let (_, change) = self.rules()?.add(exemption(&record))?;
        self.push(record);
        Ok(change)
    }

    /// A copy, for validating additions one after the other.
    pub(super) fn trial(&mut self) -> Result<Self, CompileError> {
        self.rules()?;
        Ok(self.clone())
    }

    /// Adds an exemption without computing what changes in the maps.
    pub(super) fn add_to_trial(&mut self, record: Record) -> Result<(), CompileError> {
        self.rules()?.list(exemption(&record))?;
        self.push(record);
        Ok(())
    }

    /// Removes an exemption; returns what changes in the maps, or nothing if there is no such exemption.
    pub(super) fn remove(&mut self, id: Ulid) -> Result<Option<policy::RuleChange>, CompileError> {
        let Some(number) = self.numbers.get(&id).copied() else {
            return Ok(None);
        };
        let change = self.rules()?.remove(number)?;
        self.numbers.remove(&id);
        let index = number as usize - self.in_file();
        if let Some(stored) = self.stored.get_mut(index) {
            *stored = None;
        }
        Ok(change)
    }

    /// Replaces the record of an exemption; returns what changes in the maps: the addition first, so that the customer is never
    /// blocked in between.
    pub(super) fn replace(&mut self, record: Record) -> Result<Vec<policy::RuleChange>, CompileError> {
        let before = self.numbers.get(&record.id).copied();
        let mut changes = vec![self.add(record)?];
        if let Some(before) = before {
            changes.extend(self.rules()?.remove(before)?);
            let index = before as usize - self.in_file();
            if let Some(stored) = self.stored.get_mut(index) {
                *stored = None;
            }
        }
        Ok(changes)
    }

    /// The destinations of all stored exemptions.
    pub(in crate::enforcer) fn destinations(&self) -> Vec<IpNet> {
        let stored = self.stored.iter().flatten();
        stored
            .flat_map(|record| record.terms.destinations.iter().copied())
            .collect()
    }

    /// The active exemptions that overlap with a prefix.
    pub(super) fn overlapping(&mut self, net: IpNet, now: Timestamp) -> Result<Vec<Other>, CompileError> {
        let numbers = self.rules()?.overlapping(net);
        Ok(numbers
            .into_iter()
            .filter_map(|number| self.other(number))
            .filter(|other| !other.terms.have_expired(now))
            .collect())
    }

    fn other(&self, number: RuleIndex) -> Option<Other> {
        if let Some(exemption) = self.in_file_by_number(number) {
            let line = exemption.positions()?.exemption.line;
            return Some(Other {
                name: format!("line {line} of the policy file"),
                terms: exemption.terms.clone(),
                id: None,
            });
        }
        let record = self.by_number(number)?;
        Some(Other {
            name: record.id.to_string(),
            terms: record.terms.clone(),
            id: Some(record.id),
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

/// A record as an exemption of the policy.
pub(in crate::enforcer) fn exemption(record: &Record) -> Exemption {
    Exemption {
        id: None,
        terms: record.terms.clone(),
        created: Some(record.created_at),
        origin: Origin::Store(record.id),
    }
}
