//! Customers that are spelled otherwise in other exemptions: whoever searches for one spelling does not find the others.

use std::collections::{BTreeSet, HashMap, hash_map::Entry};

use smol_str::SmolStr;

use crate::{
    exemption::search::{Letters, are_near, key, marks},
    policy::characters::printable,
};

/// The most that is looked at for one request, in names of the index: as much as comparing 100,000 of them letter by letter.
pub(super) const MOST_EFFORT: usize = 100_000 * COMPARISON;
/// What comparing a name letter by letter takes, in names that are passed over.
const COMPARISON: usize = 64;

/// The customers of all exemptions, as they are spelled.
#[derive(Clone, Debug, Default)]
pub(super) struct Spellings {
    /// How many exemptions have a customer of this name.
    names: HashMap<SmolStr, u32>,
    /// The names by the numbers that similar ones have in common, each with the letters of the word that may differ. Of customers whose
    /// names are one word each, as companies' often are in Japanese, all have the same number.
    similar: BTreeSet<(u64, Letters, SmolStr)>,
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
            self.similar.extend(entries(name));
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
        for entry in entries(name) {
            self.similar.remove(&entry);
        }
    }

    /// The names with a number, each with its letters there.
    fn similar(&self, number: u64) -> impl Iterator<Item = (Letters, &SmolStr)> {
        let similar = self
            .similar
            .range((number, Letters::default(), SmolStr::default())..);
        similar
            .take_while(move |(other, ..)| *other == number)
            .map(|(_, letters, name)| (*letters, name))
    }

    /// The warning that a customer who has no exemption yet is probably one who has, spelled otherwise. It takes from the effort that
    /// is left; without any, only another spelling of the same name is found.
    pub(super) fn warning(&self, customer: &SmolStr, effort: &mut usize) -> Option<String> {
        if self.names.contains_key(customer) {
            return None;
        }
        let mut marks = marks(customer);
        let of_customer = key(customer);
        let mut same = marks
            .next()
            .into_iter()
            .flat_map(|mark| self.similar(mark.number));
        if let Some((_, other)) = same.find(|(_, name)| key(name) == of_customer) {
            return Some(format!(
                "other exemptions have this customer as `{}`; one spelling for all keeps them together",
                printable(other)
            ));
        }
        for mark in marks {
            for (letters, name) in self.similar(mark.number) {
                let may_be_near = letters.may_be_near(mark.letters);
                *effort = effort.checked_sub(if may_be_near { COMPARISON } else { 1 })?;
                if may_be_near && are_near(name, customer) {
                    return Some(format!(
                        "other exemptions have a customer `{}`; if it is the same, use one spelling for all",
                        printable(name)
                    ));
                }
            }
        }
        None
    }
}

/// What the index has of a name.
fn entries(name: &SmolStr) -> impl Iterator<Item = (u64, Letters, SmolStr)> {
    marks(name).map(|mark| (mark.number, mark.letters, name.clone()))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, iter};

    use super::*;

    fn spellings(names: &[&str]) -> Spellings {
        let names: Vec<SmolStr> = names.iter().copied().map(SmolStr::from).collect();
        names.iter().collect()
    }

    fn warning(spellings: &Spellings, name: &str) -> Option<String> {
        let mut effort = MOST_EFFORT;
        spellings.warning(&SmolStr::from(name), &mut effort)
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

    /// A name with a letter too few, doubled, wrong or in the place of the next, at each place.
    fn misspelled(name: &str) -> impl Iterator<Item = String> + use<> {
        let letters: Vec<char> = name.chars().collect();
        (0..letters.len()).flat_map(move |at| {
            let next = (at + 1).min(letters.len() - 1);
            let edits: [fn(&mut Vec<char>, usize, usize); 4] = [
                |name, at, _| {
                    name.remove(at);
                },
                |name, at, _| name.insert(at, name[at]),
                |name, at, _| name[at] = 'y',
                |name, at, next| name.swap(at, next),
            ];
            edits.map(|edit| {
                let mut name = letters.clone();
                edit(&mut name, at, next);
                name.into_iter().collect::<String>()
            })
        })
    }

    #[test]
    fn the_index_finds_what_a_comparison_with_every_name_finds() {
        let customers = [
            "Example Hosting KK",
            "examplehosting",
            "㈱さくらメールサービス",
            "Branch1042 Osaka",
        ];
        let once = customers.into_iter().flat_map(misspelled);
        let twice = misspelled(customers[1])
            .flat_map(|name| misspelled(&name))
            .step_by(37);
        let names: Vec<SmolStr> = customers
            .map(str::to_owned)
            .into_iter()
            .chain(once)
            .chain(twice)
            .map(SmolStr::from)
            .collect();
        let mut known: Spellings = names.iter().collect();
        let keys: BTreeMap<&SmolStr, String> = names.iter().map(|name| (name, key(name))).collect();
        let kind = |warning: Option<String>| match warning {
            None => 0,
            Some(text) if text.contains("have this customer as") => 1,
            Some(_) => 2,
        };
        let mut found = [0; 3];
        for (name, of_name) in &keys {
            let count = known.names[*name];
            (0..count).for_each(|_| known.remove(name));
            let others = || keys.iter().filter(|(other, _)| *other != name);
            let expected = if others().any(|(_, of_other)| of_other == of_name) {
                1
            } else if others().any(|(other, _)| are_near(other, name)) {
                2
            } else {
                0
            };
            assert_eq!(kind(warning(&known, name)), expected, "{name}");
            found[expected] += 1;
            (0..count).for_each(|_| known.insert(name));
        }
        assert!(found.iter().all(|count| *count > 0), "{found:?}");
    }

    #[test]
    fn of_many_names_of_one_word_few_are_compared_letter_by_letter() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut word = || {
            iter::repeat_with(|| random.lowercase())
                .take(12)
                .collect::<String>()
        };
        let names: Vec<SmolStr> = (0..2000).map(|_| word().into()).collect();
        let known: Spellings = names.iter().collect();
        let mut effort = MOST_EFFORT;
        assert_eq!(known.warning(&"examplehosting".into(), &mut effort), None);
        assert!(MOST_EFFORT - effort < 2 * names.len(), "{effort}");
    }
}
