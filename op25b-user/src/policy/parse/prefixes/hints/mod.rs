//! What was probably meant by a text that cannot be read: messages that say what to write instead.
//!
//! A suggestion is made only where the text has one meaning. Where it has two, both are named.

mod address;
mod mask;
mod prefix;
#[cfg(test)]
mod tests;

pub(super) use self::{
    mask::follows as is_mask_of,
    prefix::{diagnose as not_a_prefix, is_dash},
};
