//! The pools of the policy that is enforced, to be found by addresses.

use std::sync::Arc;

use crate::{policy::Policy, report::Index};

/// The index of a policy's pools, made again only for another policy.
#[derive(Default)]
pub(super) struct Pools(Option<(Arc<Policy>, Index)>);

impl Pools {
    /// That of a policy: the items are the places of its pools in their list.
    pub(super) fn of(&mut self, policy: &Arc<Policy>) -> &Index {
        let known = self.0.take().filter(|(known, _)| Arc::ptr_eq(known, policy));
        let (_, index) = self.0.insert(known.unwrap_or_else(|| {
            let pools = policy.pools.iter().enumerate();
            let prefixes =
                pools.flat_map(|(number, pool)| pool.prefixes.iter().map(move |prefix| (prefix.net, number)));
            (Arc::clone(policy), Index::new(prefixes))
        }));
        index
    }
}
