//! The names of rules by their numbers in the program.

use op25b_common::{
    Reason,
    values::{Class, RuleIndex},
};

use super::{MatchedRule, RuleKind, answer::Names};
use crate::{
    datapath::{Decision, Description},
    enforcer::exemptions::active_set::ActiveSet,
    policy::{self, Exemption, Flow, Policy},
    store::Record,
};

/// The names that the daemon knows: of the policy and of the stored exemptions that it has numbered.
pub(super) struct ActiveNames<'a> {
    pub(super) active_set: &'a ActiveSet,
    pub(super) description: &'a Description,
}

impl Names for ActiveNames<'_> {
    fn rule(&self, decision: Decision, flow: &Flow, _: Option<&Class>) -> Option<MatchedRule> {
        let rule = numbered(decision)?;
        if let policy::Rule::Exemption(number) = rule {
            let stored = RuleIndex::try_from(number).ok();
            if let Some(record) = stored.and_then(|number| self.active_set.by_number(number)) {
                return Some(stored_rule(record, flow));
            }
        }
        rule_in_policy(self.active_set.policy(), rule, flow)
    }

    fn description(&self) -> &Description {
        self.description
    }
}

/// The rule of a decision, as an item of a list of the policy.
pub(super) fn numbered(decision: Decision) -> Option<policy::Rule> {
    let number = decision.rule?;
    match decision.reason {
        Reason::Relay => Some(policy::Rule::Relay(number)),
        Reason::Exempt => Some(policy::Rule::Exemption(number)),
        Reason::Uninspectable | Reason::Monitored | Reason::Blocked => Some(policy::Rule::Pool(number)),
        Reason::NotIp
        | Reason::NotTcp
        | Reason::LaterFragment
        | Reason::OtherPort
        | Reason::NotPooled
        | Reason::Established => None,
    }
}

/// A rule that the policy file or a list has.
pub(super) fn rule_in_policy(policy: &Policy, rule: policy::Rule, flow: &Flow) -> Option<MatchedRule> {
    let described = rule.describe(policy, flow)?;
    let (kind, exemption) = match rule {
        policy::Rule::Pool(_) => (RuleKind::Pool, None),
        policy::Rule::Relay(_) => (RuleKind::Relay, None),
        policy::Rule::Exemption(index) => (RuleKind::Exemption, Some(index)),
    };
    let exemptions = policy.exemptions_in_file();
    let exemption = exemption.filter(|index| *index < exemptions.len());
    let ticket = |exemption: &Exemption| exemption.terms.ticket.as_deref().map(str::to_owned);
    Some(MatchedRule {
        kind,
        name: described.name.to_owned(),
        id: exemption.map(|index| policy::exemption_id(&policy.lists, exemptions, index)),
        ticket: exemption.and_then(|index| ticket(&exemptions[index])),
        prefix: described.prefix,
        position: described.at,
        list: described.list.map(|list| list.path.clone()),
    })
}

/// A stored exemption.
pub(super) fn stored_rule(record: &Record, flow: &Flow) -> MatchedRule {
    let around = record
        .terms
        .prefixes
        .iter()
        .filter(|net| net.contains(&flow.source));
    MatchedRule {
        kind: RuleKind::Exemption,
        name: record.terms.customer.to_string(),
        id: Some(record.id.to_string()),
        ticket: record.terms.ticket.as_deref().map(str::to_owned),
        prefix: around.max_by_key(|net| net.prefix_len()).copied(),
        position: None,
        list: None,
    }
}
