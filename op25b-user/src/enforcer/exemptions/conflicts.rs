//! Exemptions of the policy file that overlap with stored ones of other customers: `add` would refuse them, a file may have
//! them.

use ipnet::IpNet;
use jiff::Timestamp;

use crate::{
    exemption::search::is_same_customer,
    lpm::{AddressFamily, Bits},
    policy::{self, Exemption, Policy, characters::printable},
};

/// The most that are named.
const MOST_NAMED: usize = 20;

/// The warnings about a policy that has the exemptions of a file and of the store.
pub(in crate::enforcer) fn file_over_stored(policy: &Policy, now: Timestamp) -> Vec<String> {
    let in_file = policy.exemptions_in_file().len();
    if in_file == 0 || in_file == policy.exemptions.len() {
        return Vec::new();
    }
    let mut warnings = Vec::new();
    let mut unnamed = 0_usize;
    for family in [AddressFamily::V4, AddressFamily::V6] {
        overlapping(policy, family, now, |filed, stored, bits| {
            if warnings.len() < MOST_NAMED {
                warnings.push(warning(policy, filed, stored, bits));
            } else {
                unnamed += 1;
            }
        });
    }
    if unnamed > 0 {
        warnings.push(match unnamed {
            1 => "1 more exemption of the policy file overlaps with a stored one".to_owned(),
            many => format!("{many} more exemptions of the policy file overlap with stored ones"),
        });
    }
    warnings
}

fn warning(policy: &Policy, filed: usize, stored: usize, prefix: IpNet) -> String {
    let [one, other] = [filed, stored].map(|index| &policy.exemptions[index]);
    let at = one
        .positions()
        .map(policy::Positions::exemption)
        .unwrap_or_default();
    let line = at.line_of(&policy.lists);
    format!(
        "{line}: the exemption of {} overlaps with {prefix} of {} ({}): a prefix can belong to only one customer",
        printable(&one.terms.customer),
        printable(&other.terms.customer),
        policy::exemption_id(&policy.lists, &policy.exemptions, stored),
    )
}

/// Calls `found` with the indices of an exemption of the file, of a stored one of another customer that overlaps with it, and the
/// prefix of the latter.
fn overlapping(
    policy: &Policy,
    family: AddressFamily,
    now: Timestamp,
    mut found: impl FnMut(usize, usize, IpNet),
) {
    let mut prefixes: Vec<(Bits, usize, usize)> = Vec::new();
    for (index, exemption) in policy.exemptions.iter().enumerate() {
        if exemption.holds_at(now) {
            let nets = exemption.terms.prefixes.iter().enumerate();
            prefixes.extend(nets.filter_map(|(at, net)| Some((Bits::of(family, *net)?, index, at))));
        }
    }
    prefixes.sort_unstable();
    // Those around the current prefix; of the same prefix, origin and customer one is enough.
    let mut around: Vec<(Bits, usize, usize)> = Vec::new();
    for (bits, index, at) in prefixes {
        let exemption = &policy.exemptions[index];
        while around.pop_if(|(outer, ..)| !outer.covers(bits)).is_some() {}
        for (_, outer, outer_at) in &around {
            let other = &policy.exemptions[*outer];
            if other.is_in_file() == exemption.is_in_file()
                || is_same_customer(&other.terms.customer, &exemption.terms.customer)
            {
                continue;
            }
            let (filed, stored, stored_at) = if exemption.is_in_file() {
                (index, *outer, *outer_at)
            } else {
                (*outer, index, at)
            };
            found(filed, stored, policy.exemptions[stored].terms.prefixes[stored_at]);
        }
        let is_there = around
            .iter()
            .rev()
            .take_while(|(outer, ..)| *outer == bits)
            .any(|(_, outer, _)| is_like(&policy.exemptions[*outer], exemption));
        if !is_there {
            around.push((bits, index, at));
        }
    }
}

fn is_like(one: &Exemption, other: &Exemption) -> bool {
    one.is_in_file() == other.is_in_file() && one.terms.customer == other.terms.customer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{enforcer::exemptions::active_set::exemption, policy::parse, store::fake::record};

    #[test]
    fn an_exemption_of_the_file_over_somebody_elses_stored_one_is_warned_of() {
        let text = "\
version: 1
interfaces: [{ name: eth1, role: subscriber }]
pools: [{ name: homes, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }]
exemptions:
  - { customer: Filed, prefixes: [198.51.100.0/24, 2001:db8:100:8::/64] }
  - { customer: Same, prefixes: [198.51.101.0/24] }
";
        let mut policy = parse("policy.yaml", text).unwrap().policy;
        let mut expired = record(4, "Expired", "198.51.100.64/29");
        expired.terms.expires_at = Some(Timestamp::UNIX_EPOCH);
        let stored = [
            record(1, "Inside", "198.51.100.8/29"),
            record(2, "ＳＡＭＥ", "198.51.101.8/29"),
            record(3, "Around", "2001:db8:100::/48"),
            expired,
            record(5, "Elsewhere", "198.51.102.8/29"),
        ];
        assert_eq!(file_over_stored(&policy, Timestamp::UNIX_EPOCH), [""; 0]);
        policy.exemptions.extend(stored.iter().map(exemption));
        let warnings = file_over_stored(&policy, Timestamp::UNIX_EPOCH);
        let [first, second] = &warnings[..] else {
            panic!("{warnings:?}")
        };
        assert!(
            first.starts_with("line 5: the exemption of Filed overlaps with 198.51.100.8/29 of Inside ("),
            "{first}"
        );
        assert!(
            second.contains("overlaps with 2001:db8:100::/48 of Around ("),
            "{second}"
        );
    }
}
