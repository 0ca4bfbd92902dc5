//! Fitting stored exemptions into the kernel: what does not compile with the others is left out, and never keeps a filter off.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use jiff::Timestamp;
use smol_str::SmolStr;

use super::exemptions::active_set::exemption;
use crate::{
    exemption::Terms,
    policy::{self, CompileError, Compiled, Exemption, Policy},
    store::Record,
};

/// A policy with the stored exemptions that fit.
pub(super) struct Fitted {
    /// The policy: the exemptions of the file, then those of `records`.
    pub(super) policy: Policy,
    pub(super) compiled: Compiled,
    /// The records that are enforced.
    pub(super) records: Vec<Record>,
    /// The records that are not, by ascending id.
    pub(super) left_out: Vec<Record>,
}

/// Compiles the policy of a file with the exemptions of these records, without those that have expired.
///
/// If that is refused, the exemptions of the customers that need the most room are left out: of one customer, then of two, then
/// of four. The policy of a file compiles by itself, so this ends.
///
/// # Errors
///
/// If the policy does not compile without any record.
pub(super) fn fit(
    mut policy: Policy,
    mut records: Vec<Record>,
    now: Timestamp,
) -> Result<Fitted, CompileError> {
    let in_file = policy.exemptions_in_file().len();
    policy.exemptions.truncate(in_file);
    let mut left_out = Vec::new();
    let mut customers = 1;
    loop {
        policy.exemptions.extend(records.iter().map(exemption));
        match policy::compile_without_expired(&policy, now) {
            Ok(compiled) => {
                left_out.sort_unstable_by_key(|record: &Record| record.id);
                return Ok(Fitted {
                    policy,
                    compiled,
                    records,
                    left_out,
                });
            }
            Err(error) if records.is_empty() => return Err(error),
            Err(error) => {
                policy.exemptions.truncate(in_file);
                let heaviest = heaviest(&policy.exemptions, &records, &error, customers);
                let is_heavy = |record: &Record| {
                    is_cause(&record.terms, &error) && heaviest.contains(&record.terms.customer)
                };
                let (mut out, mut kept): (Vec<_>, Vec<_>) = records.into_iter().partition(is_heavy);
                if out.is_empty() {
                    // None of them is the cause, so which to leave out is not known.
                    std::mem::swap(&mut out, &mut kept);
                }
                records = kept;
                left_out.extend(out);
                customers *= 2;
            }
        }
    }
}

/// The customers of the records that need the most room.
fn heaviest(
    in_file: &[Exemption],
    records: &[Record],
    error: &CompileError,
    count: usize,
) -> HashSet<SmolStr> {
    let mut needs: HashMap<&str, Need> = HashMap::new();
    let stored = || records.iter().map(|record| &record.terms);
    for terms in stored().filter(|terms| is_cause(terms, error)) {
        needs.entry(&terms.customer).or_default();
    }
    let in_file = in_file.iter().map(|exemption| &exemption.terms);
    for terms in in_file.chain(stored()).filter(|terms| is_cause(terms, error)) {
        if let Some(need) = needs.get_mut(terms.customer.as_str()) {
            need.prefixes += terms.prefixes.len();
            need.destinations += terms.destinations.len();
        }
    }
    let mut needs: Vec<_> = needs.into_iter().collect();
    needs.sort_unstable_by_key(|(customer, need)| (Reverse(need.weight()), *customer));
    let heaviest = needs.into_iter().take(count);
    heaviest.map(|(customer, _)| customer.into()).collect()
}

/// How much of the tables a customer's exemptions need.
#[derive(Default)]
struct Need {
    prefixes: usize,
    destinations: usize,
}

impl Need {
    /// Each prefix has the destinations of all that are around it, at most all.
    fn weight(&self) -> usize {
        self.prefixes.saturating_mul(self.destinations.max(1))
    }
}

/// Whether an exemption with these terms adds to what there is too much of.
fn is_cause(terms: &Terms, error: &CompileError) -> bool {
    match error {
        // One without destinations makes the sets of those inside it smaller.
        CompileError::TooManyDestinations { .. } => !terms.destinations.is_empty(),
        CompileError::TooManyRules | CompileError::TooLarge => true,
    }
}

#[cfg(test)]
mod tests {
    use ipnet::IpNet;

    use super::*;
    use crate::store::fake::record;

    /// Exemptions of one customer that need too many destination entries: many around many.
    fn nested(customer: &str) -> Vec<Record> {
        let restricted = |number: u32, prefix: String, destinations: u32| {
            let mut record = record(number.into(), customer, &prefix);
            let destinations = (0..destinations)
                .map(|at| IpNet::from(std::net::IpAddr::V4((0xCB00_0000 + number * 256 + at).into())));
            record.terms.destinations = destinations.collect();
            record
        };
        let around = (0..65).map(|number| restricted(1000 + number, "198.51.100.0/24".to_owned(), 256));
        let inside = (0..256).map(|number| restricted(2000 + number, format!("198.51.100.{number}/32"), 1));
        around.chain(inside).collect()
    }

    fn policy() -> Policy {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/22] }]
exemptions: [{ customer: Filed, prefixes: [198.51.103.0/29] }]
";
        policy::parse("policy.yaml", text).unwrap().policy
    }

    fn customers(records: &[Record]) -> Vec<&str> {
        let mut names: Vec<_> = records
            .iter()
            .map(|record| record.terms.customer.as_str())
            .collect();
        names.dedup();
        names
    }

    #[test]
    fn what_does_not_compile_is_left_out_and_nothing_else() {
        let now = Timestamp::UNIX_EPOCH;
        let mut records = vec![record(1, "First", "198.51.101.8/29")];
        records.extend(nested("Nested"));
        let mut last = record(9000, "Last", "198.51.101.16/29");
        last.terms.destinations = ["192.0.2.25/32".parse().unwrap()].into();
        records.push(last);
        let mut all = policy();
        all.exemptions.extend(records.iter().map(exemption));
        let error = policy::compile(&all).unwrap_err();
        assert!(
            matches!(error, CompileError::TooManyDestinations { .. }),
            "{error}"
        );

        let fitted = fit(policy(), records.clone(), now).unwrap();
        assert_eq!(customers(&fitted.records), ["First", "Last"]);
        assert_eq!(customers(&fitted.left_out), ["Nested"]);
        assert_eq!(fitted.left_out.len() + fitted.records.len(), records.len());
        assert_eq!(fitted.policy.exemptions.len(), 3);

        // One without destinations around them makes them superfluous.
        records.push(record(9001, "Nested", "198.51.100.0/24"));
        let fitted = fit(policy(), records, now).unwrap();
        assert_eq!(fitted.left_out, []);
    }
}
