//! What a table is built from: a prefix and its class.

use super::prefix_order::Bits;

/// The class of the addresses in a prefix, except where a longer prefix has its own.
///
/// Lists of leaves are in ascending order of their prefixes, so that each prefix comes right before those inside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    pub(crate) prefix: Bits,
    pub(crate) class: u32,
}
