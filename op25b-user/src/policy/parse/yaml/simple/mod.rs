//! From the YAML in which policies are mostly written to nodes, many times faster than the library does it.
//!
//! This knows records and lists in lines, one value a line, lists and records in brackets and braces, plain and quoted
//! scalars on one line, comments. It makes of them exactly what the library makes of them, places included, and tests
//! hold it to that. Whatever else YAML has, and whatever is wrong, it answers with nothing, and the library reads the
//! text: so this neither has to know all of YAML, nor what to say about mistakes. A misread policy is worse than a slow
//! one, so in doubt it is nothing.

mod block;
mod cursor;
mod flow;
mod scalar;
#[cfg(test)]
mod tests;

use self::cursor::Cursor;
use super::items::{Items, Reading};

/// Reads the document into `items`; nothing if it is not this kind of YAML, and then `items` is of no use.
pub(super) fn read<'t>(text: &'t str, items: &mut dyn Items<'t>) -> Option<()> {
    let mut cursor = Cursor::new(text)?;
    if cursor.indent == Some(0) && cursor.bytes().starts_with(b"---") {
        cursor.skip(3);
        cursor.end_line()?;
    }
    // A document without a key is no record, and the library says so.
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
