//! Customers that are spelled otherwise in other exemptions: whoever searches for one spelling does not find the others.

use std::collections::{HashMap, HashSet};

use smol_str::SmolStr;

use super::active_set::ActiveSet;
use crate::{
    exemption::search::{are_near, key},
    policy::characters::printable,
};

/// The most names that are compared letter by letter for one request: each new name is compared with all others.
const MOST_COMPARED: usize = 2_000_000;

/// The customers of all exemptions, as they are spelled.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    names: HashSet<SmolStr>,
    /// The first spelling of each key.
    by_key: HashMap<String, SmolStr>,
    compared: usize,
}

impl Spellings {
    /// The spellings in the policy file and the store.
    pub(super) fn of(active_set: &ActiveSet) -> Self {
        let mut spellings = Self::default();
        for customer in active_set.customers() {
            if !spellings.names.contains(customer) {
                spellings.insert(customer);
            }
        }
        spellings
    }

    /// What [`Self::note`] says of one customer.
    pub(super) fn warning(active_set: &ActiveSet, customer: &SmolStr) -> Option<String> {
        // Most exemptions are of customers that have one, and the keys of all names take a hundred times longer than this.
        if active_set.customers().any(|known| known == customer) {
            return None;
        }
        Self::of(active_set).note(customer)
    }

    fn insert(&mut self, customer: &SmolStr) {
        self.names.insert(customer.clone());
        self.by_key
            .entry(key(customer))
            .or_insert_with(|| customer.clone());
    }

    /// Notes a customer; the warning if there is one that is probably the same, spelled otherwise. A spelling that is there already
    /// is not warned of again.
    pub(super) fn note(&mut self, customer: &SmolStr) -> Option<String> {
        if self.names.contains(customer) {
            return None;
        }
        let warning = self.other(customer);
        self.insert(customer);
        warning
    }

    fn other(&mut self, customer: &SmolStr) -> Option<String> {
        if let Some(other) = self.by_key.get(&key(customer)) {
            return Some(format!(
                "other exemptions have this customer as `{}`; one spelling for all keeps them together",
                printable(other)
            ));
        }
        self.compared = self.compared.saturating_add(self.names.len());
        if self.compared > MOST_COMPARED {
            return None;
        }
        let near = self.names.iter().filter(|name| are_near(name, customer)).min()?;
        Some(format!(
            "other exemptions have a customer `{}`; if it is the same, use one spelling for all",
            printable(near)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(names: &[&str]) -> Spellings {
        let mut spellings = Spellings::default();
        for name in names {
            spellings.insert(&SmolStr::from(*name));
        }
        spellings
    }

    fn noted(spellings: &mut Spellings, name: &str) -> Option<String> {
        spellings.note(&SmolStr::from(name))
    }

    #[test]
    fn the_same_customer_spelled_otherwise_is_offered_with_the_spelling_that_is_there() {
        let mut known = spellings(&["Example KK", "株式会社さくらメール"]);
        for (name, offered) in [
            ("example k.k.", "have this customer as `Example KK`"),
            ("㈱さくらメール", "have this customer as `株式会社さくらメール`"),
            ("Exmaple KK", "have a customer `Example KK`; if it is the same"),
        ] {
            let warning = noted(&mut known, name).unwrap();
            assert!(warning.contains(offered), "{name}: {warning}");
            // Once is enough.
            assert_eq!(noted(&mut known, name), None, "{name}");
        }
        for name in ["Example KK", "Other GmbH", "Customer 1", "Customer 2"] {
            assert_eq!(noted(&mut known, name), None, "{name}");
        }
    }

    #[test]
    fn names_beyond_number_are_compared_by_their_keys_alone() {
        let mut known = spellings(&["Example KK"]);
        known.compared = MOST_COMPARED;
        assert_eq!(noted(&mut known, "Exemple KK"), None);
        assert!(noted(&mut known, "EXAMPLE KK").is_some());
    }
}
