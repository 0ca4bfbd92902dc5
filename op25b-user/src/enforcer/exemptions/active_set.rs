//! Which exemptions hold in the kernel: those of the policy file and those of the store, by the number that the program
//! knows each by.

use std::{collections::HashMap, sync::Arc};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::RuleIndex;
use ulid::Ulid;

use crate::{
    exemption::Terms,
    policy::{self, CompileError, Exemption, Policy, Position, Prefix, Rules},
    store::Record,
};

/// The exemptions of the generation that runs, and of the changes that it has seen.
#[derive(Clone, Debug)]
pub(in crate::enforcer) struct ActiveSet {
    /// The policy as it was loaded, with the store's exemptions behind the file's.
    policy: Arc<Policy>,
    /// The store's exemptions from the number behind the file's last one on; nothing for one that was removed.
    stored: Vec<Option<Record>>,
    numbers: HashMap<Ulid, RuleIndex>,
    /// Made when they are first needed: they take as much memory as the policy.
    rules: Option<Rules>,
}

impl ActiveSet {
    /// Those of a policy that was loaded with these records.
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

    /// How many of the store's there are.
    pub(in crate::enforcer) fn stored(&self) -> usize {
        self.numbers.len()
    }

    /// How many hold at an instant, and how many have ended by themselves.
    pub(in crate::enforcer) fn count(&self, now: Timestamp) -> (usize, usize) {
        let in_file = self
            .policy
            .exemptions_in_file()
            .iter()
            .map(|exemption| exemption.expires);
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

    /// The rules behind what is in the kernel.
    pub(super) fn rules(&mut self) -> Result<&mut Rules, CompileError> {
        if self.rules.is_none() {
            self.rules = Some(Rules::new(&self.policy)?);
        }
        self.rules.as_mut().ok_or(CompileError::TooManyRules)
    }

    /// A stored exemption that was not removed.
    pub(super) fn record(&self, id: Ulid) -> Option<&Record> {
        self.by_number(*self.numbers.get(&id)?)
    }

    /// The stored exemption that the program knows by a number.
    pub(in crate::enforcer) fn by_number(&self, number: RuleIndex) -> Option<&Record> {
        let place = (number as usize).checked_sub(self.in_file())?;
        self.stored.get(place)?.as_ref()
    }

    /// The file's exemption that the program knows by a number.
    pub(in crate::enforcer) fn in_file_by_number(&self, number: RuleIndex) -> Option<&Exemption> {
        self.policy.exemptions_in_file().get(number as usize)
    }

    /// What is to be written for a new exemption.
    pub(super) fn add(&mut self, record: Record) -> Result<policy::RuleChange, CompileError> {
        let (_, change) = self.rules()?.add(exemption(&record))?;
        self.push(record);
        Ok(change)
    }

    /// A copy to see how additions go together.
    pub(super) fn rehearsal(&mut self) -> Result<Self, CompileError> {
        self.rules()?;
        Ok(self.clone())
    }

    /// Takes an exemption in without a word on what that changes.
    pub(super) fn rehearse(&mut self, record: Record) -> Result<(), CompileError> {
        self.rules()?.list(exemption(&record))?;
        self.push(record);
        Ok(())
    }

    /// What is to be written without one; nothing if there is none.
    pub(super) fn remove(&mut self, id: Ulid) -> Result<Option<policy::RuleChange>, CompileError> {
        let Some(number) = self.numbers.get(&id).copied() else {
            return Ok(None);
        };
        let change = self.rules()?.remove(number)?;
        self.numbers.remove(&id);
        let place = number as usize - self.in_file();
        if let Some(stored) = self.stored.get_mut(place) {
            *stored = None;
        }
        Ok(change)
    }

    /// What is to be written for one whose record is another now: the new one first, so that nobody is blocked between.
    pub(super) fn replace(&mut self, record: Record) -> Result<Vec<policy::RuleChange>, CompileError> {
        let before = self.numbers.get(&record.id).copied();
        let mut changes = vec![self.add(record)?];
        if let Some(before) = before {
            changes.extend(self.rules()?.remove(before)?);
            let place = before as usize - self.in_file();
            if let Some(stored) = self.stored.get_mut(place) {
                *stored = None;
            }
        }
        Ok(changes)
    }

    /// All destinations of stored exemptions.
    pub(in crate::enforcer) fn destinations(&self) -> Vec<IpNet> {
        let stored = self.stored.iter().flatten();
        stored
            .flat_map(|record| record.terms.destinations.iter().copied())
            .collect()
    }

    /// Those that hold at an instant and have an address in common with a prefix.
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
            let nets = |prefixes: &[Prefix]| prefixes.iter().map(|prefix| prefix.net).collect();
            return Some(Other {
                name: format!("line {} of the policy file", exemption.at.line),
                terms: Terms {
                    customer: exemption.customer.clone(),
                    prefixes: nets(&exemption.prefixes),
                    destinations: nets(&exemption.destinations),
                    ticket: exemption.ticket.clone(),
                    note: exemption.note.clone(),
                    expires_at: exemption.expires,
                },
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

/// Another exemption, as one that is added is compared with it.
#[derive(Clone, Debug)]
pub(super) struct Other {
    pub(super) name: String,
    pub(super) terms: Terms,
    pub(super) id: Option<Ulid>,
}

/// A record as the policy's compiler takes it.
pub(in crate::enforcer) fn exemption(record: &Record) -> Exemption {
    let at = Position::default();
    let prefixes = |nets: &[IpNet]| nets.iter().map(|net| Prefix { net: *net, at }).collect();
    let terms = &record.terms;
    Exemption {
        id: Some(record.id.to_string().into()),
        customer: terms.customer.clone(),
        prefixes: prefixes(&terms.prefixes),
        destinations: prefixes(&terms.destinations),
        ticket: terms.ticket.clone(),
        note: terms.note.clone(),
        created: Some(record.created_at),
        expires: terms.expires_at,
        at,
    }
}
