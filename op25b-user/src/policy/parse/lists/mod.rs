//! The lists that a policy names: prefixes and exemptions that are kept in files of their own.

mod exemptions;
mod files;
mod load;
mod prefixes;

pub use self::files::{ListError, ListFiles, NoLists};
pub(crate) use self::load::{ListTexts, Loading, Members};
