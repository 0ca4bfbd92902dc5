//! Customers that are spelled otherwise in other exemptions: whoever searches for one spelling does not find the others.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use smol_str::SmolStr;

use crate::{
    exemption::search::{are_near, common_numbers, key},
    policy::characters::printable,
};

/// The most names that are compared letter by letter for one request.
pub(super) const MOST_COMPARED: usize = 100_000;

/// The customers of all exemptions, as they are spelled.
#[derive(Clone, Debug, Default)]
pub(super) struct Spellings {
    /// How many exemptions have a customer of this name.
    names: HashMap<SmolStr, u32>,
    /// The names by the numbers that similar ones have in common.
    similar: BTreeSet<(u64, SmolStr)>,
}

impl<'n> FromIterator<&'n SmolStr> for Spellings {
    fn from_iter<I: IntoIterator<Item = &'n SmolStr>>(names: I) -> Self {
        let mut spellings = Self::default();
        for name in names {
            spellings.insert(name);
        }
        spellings
    }
}

impl Spellings {
    /// Adds the customer of an exemption.
    pub(super) fn insert(&mut self, name: &SmolStr) {
        let count = self.names.entry(name.clone()).or_default();
        *count += 1;
        if *count == 1 {
            let numbers = common_numbers(name);
            self.similar.extend(numbers.map(|number| (number, name.clone())));
        }
    }

    /// Removes the customer of an exemption.
    pub(super) fn remove(&mut self, name: &SmolStr) {
        let Entry::Occupied(mut count) = self.names.entry(name.clone()) else {
            return;
        };
        *count.get_mut() -= 1;
        if *count.get() > 0 {
            return;
        }
        count.remove();
        for number in common_numbers(name) {
            self.similar.remove(&(number, name.clone()));
        }
    }

    fn similar(&self, number: u64) -> impl Iterator<Item = &SmolStr> {
        let similar = self.similar.range((number, SmolStr::default())..);
        similar
            .take_while(move |(other, _)| *other == number)
            .map(|(_, name)| name)
    }

    /// The warning that a customer who has no exemption yet is probably one who has, spelled otherwise. As many names as there
    /// are comparisons left are compared.
    pub(super) fn warning(&self, customer: &SmolStr, comparisons: &mut usize) -> Option<String> {
        if self.names.contains_key(customer) {
            return None;
        }
        let mut numbers = common_numbers(customer);
        let of_customer = key(customer);
        let mut same = numbers.next().into_iter().flat_map(|number| self.similar(number));
        if let Some(other) = same.find(|name| key(name) == of_customer) {
            return Some(format!(
                "other exemptions have this customer as `{}`; one spelling for all keeps them together",
                printable(other)
            ));
        }
        let mut near = numbers.flat_map(|number| self.similar(number)).filter(|name| {
            *comparisons = comparisons.saturating_sub(1);
            *comparisons > 0 && are_near(name, customer)
        });
        let other = near.next()?;
        Some(format!(
            "other exemptions have a customer `{}`; if it is the same, use one spelling for all",
            printable(other)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spellings(names: &[&str]) -> Spellings {
        let names: Vec<SmolStr> = names.iter().copied().map(SmolStr::from).collect();
        names.iter().collect()
    }

    fn warning(spellings: &Spellings, name: &str) -> Option<String> {
        let mut comparisons = MOST_COMPARED;
        spellings.warning(&SmolStr::from(name), &mut comparisons)
    }

    #[test]
    fn the_same_customer_spelled_otherwise_is_offered_with_the_spelling_that_is_there() {
        let mut known = spellings(&["Example KK", "株式会社さくらメール"]);
        for (name, offered) in [
            ("example k.k.", "have this customer as `Example KK`"),
            ("㈱さくらメール", "have this customer as `株式会社さくらメール`"),
            ("Exmaple KK", "have a customer `Example KK`; if it is the same"),
        ] {
            let offer = warning(&known, name).unwrap();
            assert!(offer.contains(offered), "{name}: {offer}");
            // A spelling that is there is not warned of again.
            known.insert(&SmolStr::from(name));
            assert_eq!(warning(&known, name), None, "{name}");
            known.remove(&SmolStr::from(name));
        }
        for name in ["Example KK", "Other GmbH", "Customer 1", "Customer 2"] {
            assert_eq!(warning(&known, name), None, "{name}");
        }
    }

    #[test]
    fn a_customer_without_exemptions_any_more_is_not_offered() {
        let example = SmolStr::from("Example KK");
        let mut known = spellings(&["Example KK", "Example KK"]);
        known.remove(&example);
        assert!(warning(&known, "Exmaple KK").is_some());
        known.remove(&example);
        assert_eq!(warning(&known, "Exmaple KK"), None);
        assert_eq!(warning(&known, "example k.k."), None);
        assert_eq!((known.names.len(), known.similar.len()), (0, 0));
        // Removing what is not there changes nothing.
        known.remove(&example);
        known.insert(&example);
        assert!(warning(&known, "example k.k.").is_some());
    }

    #[test]
    fn names_beyond_number_are_compared_by_their_keys_alone() {
        let known = spellings(&["Example KK"]);
        let mut none = 0;
        assert_eq!(known.warning(&SmolStr::from("Exemple KK"), &mut none), None);
        assert!(known.warning(&SmolStr::from("EXAMPLE KK"), &mut none).is_some());
    }
}
