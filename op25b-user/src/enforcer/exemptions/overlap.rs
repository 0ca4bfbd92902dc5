//! Comparing a new exemption with those that overlap with it.

use ipnet::IpNet;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    active_set::{ActiveSet, Other},
    refusal::Refusal,
};
use crate::{
    exemption::{
        Terms,
        search::{self, is_same_customer},
    },
    policy::characters::printable,
    time::show,
};

/// Refuses what another customer has, and what exists already; the warnings name what changes nothing.
pub(super) fn check(
    active_set: &mut ActiveSet,
    terms: &Terms,
    now: Timestamp,
) -> Result<Vec<String>, Refusal> {
    let mut warnings = Vec::new();
    for prefix in &terms.prefixes {
        for other in active_set.overlapping(*prefix, now)? {
            if !is_same_customer(&other.terms.customer, &terms.customer) {
                return Err(Refusal::Conflict(taken(*prefix, &other, &terms.customer)));
            }
            if is_same(&other.terms, terms) {
                return Err(Refusal::Conflict(exists_already(&other)));
            }
            if other.terms.destinations.is_empty() && covers(&other.terms.prefixes, *prefix) {
                let warning = format!("{prefix} is already exempt by {}", other.name);
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
    }
    Ok(warnings)
}

/// The conflict of a prefix of a customer with another customer's exemption.
pub(super) fn taken(prefix: IpNet, other: &Other, customer: &str) -> String {
    let overlapping = other
        .terms
        .prefixes
        .iter()
        .find(|net| net.contains(&prefix) || prefix.contains(*net));
    let with = overlapping.map_or_else(String::new, |net| format!("{net} of "));
    let owner = &other.terms.customer;
    let is_like = search::key(owner) == search::key(customer) || search::are_near(owner, customer);
    let owner = printable(owner);
    let advice = if is_like {
        format!("; if it is the same one, write `{owner}`")
    } else {
        String::new()
    };
    format!(
        "{prefix} overlaps {with}{owner} ({}): a prefix can belong to only one customer{advice}",
        other.name
    )
}

/// The conflict with the same exemption.
pub(super) fn exists_already(other: &Other) -> String {
    let until = match other.terms.expires_at {
        None => "without an expiry".to_owned(),
        Some(end) => format!("until {}", show::end(Some(end), &TimeZone::system())),
    };
    let how = match other.id {
        Some(id) => format!("`op25b exempt extend {id}` changes its expiry"),
        None => "its expiry is set in the policy file".to_owned(),
    };
    format!("this is already exempt by {}, {until}; {how}", other.name)
}

/// Whether two exemptions are for the same prefixes and destinations.
pub(super) fn is_same(one: &Terms, other: &Terms) -> bool {
    let same = |ours: &[IpNet], theirs: &[IpNet]| {
        ours.len() == theirs.len() && ours.iter().all(|net| theirs.contains(net))
    };
    same(&one.prefixes, &other.prefixes) && same(&one.destinations, &other.destinations)
}

fn covers(nets: &[IpNet], net: IpNet) -> bool {
    nets.iter().any(|other| other.contains(&net))
}
