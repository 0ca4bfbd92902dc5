//! The checks of an exemption that `force` skips: whether it is in a pool, and not wider than the policy allows.

use std::collections::HashSet;

use ipnet::IpNet;

use super::Terms;
use crate::policy::{ExemptionLimits, Handling, Policy};

/// The checks of a policy.
pub(crate) struct Checks {
    limits: ExemptionLimits,
    unlisted: Handling,
    pools: HashSet<IpNet>,
}

impl Checks {
    /// The checks of a policy.
    pub(crate) fn of(policy: &Policy) -> Self {
        let pools = policy.pools.iter();
        Self {
            limits: policy.exemption_limits,
            unlisted: policy.block.unlisted,
            pools: pools
                .flat_map(|pool| pool.prefixes.iter().map(|prefix| prefix.net))
                .collect(),
        }
    }

    /// Whether an exemption with these terms is refused without `force`.
    pub(crate) fn refuse(&self, terms: &Terms) -> bool {
        terms.prefixes.iter().any(|prefix| {
            prefix.prefix_len() < widest(self.limits, *prefix)
                || (self.unlisted != Handling::Drop && !self.is_pooled(*prefix))
        })
    }

    fn is_pooled(&self, net: IpNet) -> bool {
        let mut around = (0..=net.prefix_len()).filter_map(|length| IpNet::new(net.addr(), length).ok());
        around.any(|outer| self.pools.contains(&outer.trunc()))
    }
}

/// The shortest length of a prefix that is accepted without `force`.
pub(super) fn widest(limits: ExemptionLimits, net: IpNet) -> u8 {
    match net {
        IpNet::V4(_) => limits.widest_v4,
        IpNet::V6(_) => limits.widest_v6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::parse;

    #[test]
    fn what_is_refused_without_force_is_known() {
        for (unlisted, refused) in [
            ("pass", [false, true, true, true]),
            ("drop", [false, true, false, true]),
        ] {
            let text = format!(
                "version: 1\ninterfaces: [{{ name: eth1, role: subscriber }}]\nblock: {{ unlisted: {unlisted} }}\n\
                 pools: [{{ name: homes, prefixes: [198.51.100.0/22, 2001:db8:100::/40] }}]\n"
            );
            let checks = Checks::of(&parse("policy.yaml", &text).unwrap().policy);
            let nets = [
                "198.51.101.8/29",
                "198.51.100.0/23",
                "203.0.113.8/29",
                "2001:db8:100::/47",
            ];
            let found = nets.map(|net| checks.refuse(&Terms::new("A", [net.parse().unwrap()])));
            assert_eq!(found, refused, "{unlisted}");
        }
    }
}
