//! Parses IP prefixes: one of a policy or of a list, and several in one text.

mod hints;
mod prefix;
mod prefix_list;

pub(super) use self::prefix::parse;
pub use self::prefix::parse_prefix;
pub(crate) use self::{prefix::PREFIXES, prefix_list::split_prefixes};
