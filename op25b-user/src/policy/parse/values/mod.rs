//! Reads the nodes of YAML as scalars, words, lists and mappings, and reports what is wrong with them.

mod context;
mod mapping;
mod named_lists;
mod seen;
mod spelling;

pub(super) use self::spelling::{closest, one_of};
pub(crate) use self::{
    context::Context,
    mapping::{Mapping, duplicate_key, known_key},
    named_lists::Named,
    seen::{Owner, Seen},
};
