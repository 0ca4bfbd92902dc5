//! Scalars on one line.

use std::borrow::Cow;

use super::{
    super::node::{Located, Node},
    cursor::{Cursor, is_readable},
};

/// The kind of collection that a scalar is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collection {
    /// A block collection.
    Block,
    /// A flow collection.
    Flow,
}

/// YAML limits implicit keys to 1024 characters; those of policies are far shorter.
const LONGEST_KEY: usize = 256;

impl<'t> Cursor<'t> {
    /// The scalar that begins here.
    pub(super) fn scalar(&mut self, collection: Collection) -> Option<Located<Node<'t>>> {
        match self.byte()? {
            b'"' => self.quoted(b'"'),
            b'\'' => self.quoted(b'\''),
            _ => self.plain(collection),
        }
    }

    /// Skips the colon that makes a scalar a key, which a space or the end of the line follows; returns whether there was one.
    pub(super) fn colon(&mut self, key: &Located<Node<'t>>) -> Option<bool> {
        if self.byte() != Some(b':') {
            return Some(false);
        }
        let ends = matches!(self.bytes().get(1), None | Some(b' ' | b'\n' | b'\r'));
        let is_name = matches!(&key.value, Node::Text(name) if name != "<<");
        if !ends || !is_name || key.span.length > LONGEST_KEY {
            return None;
        }
        self.skip(1);
        Some(true)
    }

    /// A quoted scalar without escapes, except for a doubled single quote.
    fn quoted(&mut self, quote: u8) -> Option<Located<Node<'t>>> {
        let start = self.at();
        self.skip(1);
        let mut is_doubled = false;
        loop {
            let length = self
                .bytes()
                .iter()
                .position(|byte| *byte == quote || *byte < b' ')?;
            self.skip(length);
            if self.byte() != Some(quote) {
                return None;
            }
            if quote == b'\'' && self.bytes().get(1) == Some(&quote) {
                is_doubled = true;
                self.skip(2);
            } else {
                break;
            }
        }
        let text = self.text_from(start + 1)?;
        self.skip(1);
        if !is_readable(text) || (quote == b'"' && text.contains('\\')) {
            return None;
        }
        let text = if is_doubled {
            Cow::Owned(text.replace("''", "'"))
        } else {
            Cow::Borrowed(text)
        };
        let span = self.span(start, self.at() - start);
        Some(Located {
            value: Node::Text(text),
            span,
        })
    }

    /// A plain scalar. It ends with the line, before a comment or the colon of a key, and in a flow collection before a
    /// delimiter.
    fn plain(&mut self, collection: Collection) -> Option<Located<Node<'t>>> {
        let start = self.at();
        let rest = self.bytes();
        // YAML's indicators begin with other characters.
        if !matches!(rest[0], b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'/' | b'(' | 0x80..) {
            return None;
        }
        let mut length = 0;
        loop {
            let next = rest.get(length + 1);
            match rest.get(length) {
                None | Some(b'\n' | b'\r') => break,
                Some(b':') => match next {
                    None | Some(b' ' | b'\n' | b'\r') => break,
                    Some(b',' | b'[' | b']' | b'{' | b'}') if collection == Collection::Flow => return None,
                    Some(_) => {}
                },
                Some(b' ') if next == Some(&b'#') => break,
                Some(b',' | b']' | b'}') if collection == Collection::Flow => break,
                Some(b'[' | b'{') if collection == Collection::Flow => return None,
                Some(_) => {}
            }
            length += 1;
        }
        let is_before_colon = rest.get(length) == Some(&b':');
        self.skip(length);
        let text = self.text_from(start)?;
        let trimmed = text.trim_end_matches(' ');
        if !is_readable(trimmed) || (is_before_colon && trimmed.len() < text.len()) {
            return None;
        }
        let span = self.span(start, trimmed.len());
        Some(Located {
            value: resolve(trimmed)?,
            span,
        })
    }
}

/// The node of a plain scalar by the core schema of YAML 1.2; `None` if that is not obvious.
fn resolve(text: &str) -> Option<Node<'_>> {
    const WORDS: [&str; 6] = ["null", "true", "false", "nan", "inf", "infinity"];
    let first = *text.as_bytes().first()?;
    if first.is_ascii_digit() {
        return number(text);
    }
    match text {
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Some(Node::Plain),
        _ => {}
    }
    if WORDS.iter().any(|word| word.eq_ignore_ascii_case(text)) {
        return None;
    }
    Some(Node::Text(text.into()))
}

/// The node of a plain scalar that begins with a digit: an integer, or a string such as an address or a date that cannot be
/// a number.
fn number(text: &str) -> Option<Node<'_>> {
    let (mut only_digits, mut is_text, mut dots, mut has_exponent, mut has_sign) =
        (true, false, 0, false, false);
    for byte in text.bytes() {
        only_digits &= byte.is_ascii_digit();
        match byte {
            b'.' => dots += 1,
            b'-' => has_sign = true,
            b'e' | b'E' => has_exponent = true,
            // Only a number with a base prefix has these as digits: `365d` is a string.
            b'a'..=b'd' | b'f' if !text.starts_with('0') => is_text = true,
            // Digits, also of other bases, signs and prefixes.
            b'0'..=b'9' | b'+' | b'_' | b'a'..=b'f' | b'A'..=b'F' | b'x' | b'X' | b'o' | b'O' => {}
            _ => is_text = true,
        }
    }
    if only_digits {
        const MOST_DIGITS: usize = 18;
        let starts_with_zero = text.len() > 1 && text.starts_with('0');
        return match text.parse() {
            _ if text.len() > MOST_DIGITS => None,
            // The library reads it as a fractional number, because of octal numbers in YAML 1.1.
            Ok(_) if starts_with_zero => Some(Node::Plain),
            Ok(number) => Some(Node::Integer(number)),
            Err(_) => None,
        };
    }
    let is_text = is_text || dots > 1 || (has_sign && !has_exponent);
    is_text.then(|| Node::Text(text.into()))
}
