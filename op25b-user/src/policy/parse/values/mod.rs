//! Reads the nodes of YAML as scalars, words, lists and mappings, and reports what is wrong with them.

mod context;
mod dates;
mod mapping;
mod named_lists;
mod seen;
mod spelling;

pub(crate) use self::{
    context::Context,
    mapping::{Mapping, duplicate_key, known_key},
    named_lists::Named,
    seen::{Owner, Seen},
};
pub(super) use self::{
    dates::{instant, instant_of},
    spelling::{closest, one_of},
};
