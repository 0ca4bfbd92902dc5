//! Block mappings and block sequences.

use super::{
    super::node::{Located, Node},
    cursor::{Cursor, MOST_DEPTH, MOST_KEYS},
    scalar::Collection,
};
use crate::policy::diagnostics::Span;

/// Receives each item of a list.
type Each<'e, 't> = &'e mut dyn FnMut(Located<Node<'t>>);

impl<'t> Cursor<'t> {
    /// A key and its colon.
    pub(super) fn key(&mut self) -> Option<Located<Node<'t>>> {
        let key = self.scalar(Collection::Block)?;
        self.colon(&key)?.then_some(key)
    }

    /// The value of a key in a mapping that is indented by `indent`.
    pub(super) fn value(&mut self, indent: usize, depth: usize) -> Option<Located<Node<'t>>> {
        if self.is_inline() {
            self.spaces();
            let value = self.inline(indent, depth, Collection::Block)?;
            self.end_line()?;
            return self.is_over(indent).then_some(value);
        }
        self.end_line()?;
        let value = if self.is_item(indent) {
            let mut list = Vec::new();
            let span = self.list_span(indent)?;
            self.block_list(depth, &mut |item| list.push(item))?;
            Located {
                value: Node::List(list),
                span,
            }
        } else if self.indent? > indent {
            let key = self.key()?;
            self.block_mapping(key, self.indent?, depth)?
        } else {
            return None;
        };
        self.is_over(indent).then_some(value)
    }

    /// The span of a block sequence that begins here, in a mapping that is indented by `indent`. For the library, a sequence
    /// that is not indented further begins with its first item.
    fn list_span(&mut self, indent: usize) -> Option<Span> {
        let mut start = self.at();
        if self.indent? == indent {
            start += 1 + self.bytes()[1..].iter().take_while(|byte| **byte == b' ').count();
        }
        Some(self.span(start, 0))
    }

    /// The value of a key in a mapping that is indented by `indent`, which must be a list.
    pub(super) fn list(&mut self, indent: usize, each: Each<'_, 't>) -> Option<()> {
        if self.is_inline() {
            self.spaces();
            if self.byte() != Some(b'[') {
                return None;
            }
            self.flow_list(indent, 1, each)?;
            self.end_line()?;
        } else {
            self.end_line()?;
            if !self.is_item(indent) {
                return None;
            }
            self.block_list(1, each)?;
        }
        self.is_over(indent).then_some(())
    }

    /// The items of a block sequence, the first of which begins here.
    fn block_list(&mut self, depth: usize, each: Each<'_, 't>) -> Option<()> {
        let indent = self.indent?;
        while self.indent == Some(indent) && self.is_item(indent) {
            each(self.block_item(indent, depth)?);
        }
        Some(())
    }

    /// An item of a block sequence, from its dash on.
    fn block_item(&mut self, indent: usize, depth: usize) -> Option<Located<Node<'t>>> {
        self.skip(1);
        self.spaces();
        let column = self.column();
        let value = self.inline(indent, depth + 1, Collection::Block)?;
        let item = if self.colon(&value)? {
            self.block_mapping(value, column, depth + 1)?
        } else {
            self.end_line()?;
            value
        };
        self.is_over(indent).then_some(item)
    }

    /// A block mapping whose lines are indented by `indent`, after its first key.
    fn block_mapping(
        &mut self,
        first: Located<Node<'t>>,
        indent: usize,
        depth: usize,
    ) -> Option<Located<Node<'t>>> {
        if depth >= MOST_DEPTH {
            return None;
        }
        let mut span = first.span;
        span.length = 0;
        let mut mapping = Vec::with_capacity(MOST_KEYS);
        mapping.push((first, self.value(indent, depth + 1)?));
        while self.indent == Some(indent) {
            let key = self.key()?;
            mapping.push((key, self.value(indent, depth + 1)?));
        }
        Some(Located {
            value: Node::Mapping(mapping),
            span,
        })
    }

    /// Whether an item of a list begins here, in a mapping that is indented by `indent`.
    fn is_item(&self, indent: usize) -> bool {
        self.indent >= Some(indent) && self.bytes().starts_with(b"- ")
    }

    /// Whether everything that is indented further than `indent` has ended.
    fn is_over(&self, indent: usize) -> bool {
        self.indent.is_none_or(|next| next <= indent)
    }
}
