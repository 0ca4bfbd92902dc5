//! The policy of a filter that another process loaded, as far as files have it.

use std::path::Path;

use crate::{
    datapath::Description,
    enforcer::explain::MatchedRule,
    policy::{self, Policy},
    state_dir::{KeptPolicy, Slot},
};

/// The policy of a filter.
pub(super) struct KnownPolicy {
    pub(super) policy: Policy,
    /// Whether the policy file has this text.
    pub(super) is_file: bool,
}

impl KnownPolicy {
    /// The policy of a filter: the policy file, or else one that is kept in the state directory, if it has the digest that was loaded.
    pub(super) fn of(description: &Description, state_dir: &Path) -> Option<Self> {
        let (sha256, path) = (&description.policy_sha256, &description.policy_file);
        if let Ok(file) = policy::read(path)
            && file.sha256 == *sha256
        {
            return Some(Self {
                policy: file.policy,
                is_file: true,
            });
        }
        let kept = [Slot::Unconfirmed, Slot::LastGood].into_iter().find_map(|slot| {
            let kept = KeptPolicy::read(state_dir, slot).ok()??;
            (kept.origin.sha256 == *sha256).then_some(kept)
        });
        let KeptPolicy { text, lists, .. } = kept?;
        let file = policy::read_texts(path, text, lists, &description.reached).ok()?;
        Some(Self {
            policy: file.policy,
            is_file: false,
        })
    }

    /// A rule without what points into the file, which has another text now.
    pub(super) fn without_positions(&self, rule: policy::Rule, found: MatchedRule) -> MatchedRule {
        let id = match rule {
            policy::Rule::Exemption(number) => self.policy.exemptions[number].id(),
            policy::Rule::Pool(_) | policy::Rule::Relay(_) => None,
        };
        MatchedRule {
            id: id.map(ToString::to_string),
            position: None,
            list: None,
            ..found
        }
    }
}
