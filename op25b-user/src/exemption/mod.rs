//! The terms of an exemption: the one type of them, their limits, their validation and their file formats.
//!
//! A request or a file brings [`NewExemption`]s, which are text. [`Validator`] turns one into [`Terms`]; everything after
//! that (the store, the API's responses, the daemon) has valid terms.

mod checks;
pub(crate) mod formats;
mod invalid;
pub mod limits;
mod new;
pub mod search;
mod terms;
mod validate;

pub(crate) use self::checks::Checks;
pub use self::{
    invalid::Invalid,
    new::{ImportRow, NewExemption},
    terms::Terms,
    validate::{Valid, Validator, file_terms, reason},
};
