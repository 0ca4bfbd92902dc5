//! What is said of a file that is not UTF-8.

use crate::policy::{
    diagnostics::{Code, Diagnostic, Source, Span},
    encoding::NotUtf8,
    model::{FileNumber, Position},
};

/// The diagnostic about bytes that are not UTF-8, in the policy file or in a list, which has a name and an index.
pub(super) fn not_utf8(bytes: &[u8], error: &NotUtf8, list: Option<(&str, usize)>) -> Diagnostic {
    let diagnostic = Diagnostic::new(Code::NotUtf8, error.message).hint(error.hint);
    let (valid, rest) = match (error.valid, list) {
        (Some(valid), _) => bytes.split_at(valid),
        // Only its name is known to be readable.
        (None, Some(_)) => Default::default(),
        (None, None) => return diagnostic,
    };
    // The valid part, and a readable form of what follows it.
    let rest = String::from_utf8_lossy(&rest[..rest.len().min(80)]);
    let text = format!("{}{rest}", String::from_utf8_lossy(valid));
    let (source, file) = match list {
        Some((name, index)) => (Source::of_list(name, &text), FileNumber::of_list(index)),
        None => (Source::new(&text), None),
    };
    let span = Span {
        at: Position {
            file: file.unwrap_or_default(),
            ..source.position(valid.len())
        },
        offset: valid.len(),
        length: 1,
    };
    diagnostic.at(&source, span)
}
