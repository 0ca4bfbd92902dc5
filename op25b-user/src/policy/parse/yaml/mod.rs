//! Reads YAML as nodes with their spans, one list item at a time.
//!
//! There are two readers with the same results. [`simple`] supports only the YAML in which policies are mostly written, and
//! is many times faster; [`library`] reads everything else, and it alone reports what is wrong with a text.

mod items;
mod library;
mod node;
mod simple;

pub(crate) use self::{
    items::{Items, Reading},
    node::{Located, Node},
};
use crate::policy::diagnostics::{Diagnostic, Source};

/// Reads the document into items that `new` makes; once more, if it turns out not to be simple YAML. An error is the YAML
/// library's, and comes with the items before it.
pub(crate) fn read<'t, I: Items<'t>>(text: &'t str, new: impl Fn() -> I) -> Result<I, (I, Diagnostic)> {
    let mut items = new();
    if simple::read(text, &mut items).is_some() {
        return Ok(items);
    }
    drop(items);
    let mut items = new();
    match library::read(&Source::new(text), text, &mut items) {
        Ok(()) => Ok(items),
        Err(diagnostic) => Err((items, diagnostic)),
    }
}
