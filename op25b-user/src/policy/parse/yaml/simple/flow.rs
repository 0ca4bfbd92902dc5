//! Flow sequences and flow mappings.

use super::{
    super::node::{Located, Node},
    cursor::{Cursor, MOST_DEPTH, MOST_KEYS},
    scalar::Collection,
};

impl<'t> Cursor<'t> {
    /// The flow collection or scalar that begins here, in a block that is indented by `indent`.
    pub(super) fn inline(
        &mut self,
        indent: usize,
        depth: usize,
        collection: Collection,
    ) -> Option<Located<Node<'t>>> {
        let start = self.at();
        match self.byte()? {
            b'[' => {
                let span = self.span(start, 1);
                let mut list = Vec::new();
                self.flow_list(indent, depth, &mut |item| list.push(item))?;
                Some(Located {
                    value: Node::List(list),
                    span,
                })
            }
            b'{' => self.flow_mapping(indent, depth),
            _ => self.scalar(collection),
        }
    }

    /// The items of a flow sequence, which begins here.
    pub(super) fn flow_list(
        &mut self,
        indent: usize,
        depth: usize,
        each: &mut dyn FnMut(Located<Node<'t>>),
    ) -> Option<()> {
        self.opened(depth)?;
        loop {
            self.gap(indent)?;
            if self.take(b']') {
                return Some(());
            }
            each(self.inline(indent, depth + 1, Collection::Flow)?);
            self.gap(indent)?;
            if !self.take(b',') {
                return self.take(b']').then_some(());
            }
        }
    }

    fn flow_mapping(&mut self, indent: usize, depth: usize) -> Option<Located<Node<'t>>> {
        let start = self.at();
        let span = self.span(start, 1);
        self.opened(depth)?;
        let mut mapping = Vec::with_capacity(MOST_KEYS);
        loop {
            self.gap(indent)?;
            if self.take(b'}') {
                break;
            }
            let key = self.scalar(Collection::Flow)?;
            // On the line of its key: anything else is hard to distinguish from an empty value.
            if !self.colon(&key)? || !self.spaces() {
                return None;
            }
            mapping.push((key, self.inline(indent, depth + 1, Collection::Flow)?));
            self.gap(indent)?;
            if !self.take(b',') {
                if self.take(b'}') {
                    break;
                }
                return None;
            }
        }
        Some(Located {
            value: Node::Mapping(mapping),
            span,
        })
    }

    /// Skips the bracket or brace that opens a collection.
    fn opened(&mut self, depth: usize) -> Option<()> {
        self.skip(1);
        (depth < MOST_DEPTH).then_some(())
    }

    /// Skips spaces and line ends, if the next line is indented further than the block around it.
    fn gap(&mut self, indent: usize) -> Option<()> {
        if self.is_inline() {
            self.spaces();
            return Some(());
        }
        self.end_line()?;
        let is_end = matches!(self.byte(), Some(b']' | b'}'));
        (self.indent? > indent || (is_end && self.indent? == indent)).then_some(())
    }
}
