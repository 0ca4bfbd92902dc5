//! The names of rules without a daemon: of the policy, if its file is known, of the description in the kernel, and of the store.

use std::{net::IpAddr, path::Path};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::{Class, NEVER};

use super::policy::KnownPolicy;
use crate::{
    datapath::{Decision, Description},
    enforcer::explain::{
        MatchedRule, RuleKind,
        answer::Names,
        names::{numbered, rule_in_policy, stored_rule},
    },
    policy::{self, Flow},
    store::{Query, Record, Records, StoreError},
};

/// The most stored exemptions of one source that are compared.
const MOST_RECORDS: usize = 1000;

/// The stored exemptions of a source that are in force.
pub(super) fn covering(store: &dyn Records, source: IpAddr) -> Result<Vec<Record>, StoreError> {
    let query = Query {
        within: Some(source.into()),
        limit: MOST_RECORDS,
        ..Query::default()
    };
    store.list(&query, Timestamp::now())
}

/// The names that can be known without a daemon.
pub(super) struct OfflineNames<'a> {
    pub(super) description: &'a Description,
    pub(super) policy: Option<&'a KnownPolicy>,
    pub(super) store: &'a dyn Records,
    pub(super) state_dir: &'a Path,
}

impl Names for OfflineNames<'_> {
    fn rule(&self, decision: Decision, flow: &Flow, class: Option<&Class>) -> Option<MatchedRule> {
        let rule = numbered(decision)?;
        if let Some(known) = self.policy {
            let in_file = known.policy.exemptions_in_file().len();
            if !matches!(rule, policy::Rule::Exemption(number) if number >= in_file) {
                let found = rule_in_policy(&known.policy, rule, flow)?;
                return Some(if known.is_file {
                    found
                } else {
                    known.without_positions(rule, found)
                });
            }
        }
        Some(match rule {
            policy::Rule::Pool(number) => self.pool(number, flow)?,
            policy::Rule::Relay(number) => unnamed(
                RuleKind::Relay,
                format!(
                    "number {} of the policy of {}, whose file was changed since or cannot be read",
                    number + 1,
                    self.description.policy_loaded_at()
                ),
            ),
            policy::Rule::Exemption(_) => self.stored(flow, class),
        })
    }

    fn description(&self) -> &Description {
        self.description
    }
}

impl OfflineNames<'_> {
    /// A pool, by the description in the kernel.
    fn pool(&self, number: usize, flow: &Flow) -> Option<MatchedRule> {
        let prefixes = self.description.pool_prefixes.get(number).into_iter().flatten();
        let around = prefixes.filter(|net| net.contains(&flow.source));
        Some(MatchedRule {
            prefix: around.max_by_key(|net| net.prefix_len()).copied(),
            ..unnamed(RuleKind::Pool, self.description.pools.get(number)?.name.clone())
        })
    }

    /// A stored exemption: of those that cover the connection one that ends when the kernel's does, the most specific one.
    fn stored(&self, flow: &Flow, class: Option<&Class>) -> MatchedRule {
        let nat64 = self
            .policy
            .map(|known| known.policy.nat64.clone())
            .unwrap_or_default();
        let reaches = |record: &Record| {
            let destinations = &record.terms.destinations;
            let mut nets = destinations.iter().flat_map(|net| nat64.with_translated(*net));
            destinations.is_empty() || nets.any(|net| net.contains(&flow.destination))
        };
        let end = class.map(|class| i64::from(class.until));
        let ends_with_the_kernels = |record: &Record| {
            let expiry = record.terms.expires_at.map(Timestamp::as_second);
            record.terms.destinations.is_empty() && end == Some(expiry.unwrap_or(i64::from(NEVER)))
        };
        let longest = |record: &Record| {
            let around = record
                .terms
                .prefixes
                .iter()
                .filter(|net| net.contains(&flow.source));
            around.map(IpNet::prefix_len).max()
        };
        let records = covering(self.store, flow.source).unwrap_or_default();
        let found = records
            .iter()
            .filter(|record| reaches(record))
            .max_by_key(|record| (ends_with_the_kernels(record), longest(record)));
        match found {
            Some(record) => stored_rule(record, flow),
            None => unnamed(
                RuleKind::Exemption,
                format!("that the store in {} does not name", self.state_dir.display()),
            ),
        }
    }
}

fn unnamed(kind: RuleKind, name: String) -> MatchedRule {
    MatchedRule {
        kind,
        name,
        id: None,
        ticket: None,
        prefix: None,
        position: None,
        list: None,
    }
}
