//! Reads the YAML in which policies are mostly written, many times faster than the library.
//!
//! It supports block mappings and sequences with one value per line, flow mappings and sequences, plain and quoted scalars
//! on one line, and comments. For these its results equal the library's, spans included, which tests verify. For everything
//! else, and for anything wrong, it returns `None`, and the library reads the text: so this reader needs neither all of YAML
//! nor messages about mistakes. A misread policy is worse than a slow one, so in doubt it returns `None`.

mod block;
mod cursor;
mod flow;
mod scalar;
#[cfg(test)]
mod tests;

use self::cursor::Cursor;
use super::items::{Items, Reading};

/// Reads the document into `items`. `None` if it is not this kind of YAML; then `items` is incomplete.
pub(super) fn read<'t>(text: &'t str, items: &mut dyn Items<'t>) -> Option<()> {
    let mut cursor = Cursor::new(text)?;
    if cursor.indent == Some(0) && cursor.bytes().starts_with(b"---") {
        cursor.skip(3);
        cursor.end_line()?;
    }
    // A document without a key is not a mapping, which the library reports.
    cursor.indent?;
    while let Some(indent) = cursor.indent {
        if indent > 0 {
            return None;
        }
        let key = cursor.key()?;
        match items.key(&key) {
            Reading::Whole => items.value(cursor.value(0, 1)?),
            Reading::ItemByItem => cursor.list(0, &mut |item| items.item(item))?,
            Reading::NotAtAll => cursor.list(0, &mut drop)?,
        }
    }
    Some(())
}
