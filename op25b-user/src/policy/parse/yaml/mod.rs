//! From text to YAML nodes with their places, one list item at a time.
//!
//! Two readers make the same of a text. [`simple`] knows only the YAML in which policies are mostly written, and is many
//! times faster; whatever it does not know, [`library`] reads, and it alone says what is wrong with a text.

mod items;
mod library;
mod node;
mod simple;

pub(crate) use self::{
    items::{Items, Reading},
    node::{Located, Node},
};
use crate::policy::diagnostics::{Diagnostic, Source};

/// Reads the document into items that `new` makes: again, if what was read first turns out not to be simple YAML. With
/// an error, which is what the YAML library says, come the items up to there.
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
