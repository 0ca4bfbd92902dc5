//! Lists in brackets and mappings in braces.

use super::{
    super::node::{Located, Node},
    cursor::{Cursor, MOST_DEPTH, MOST_KEYS},
    scalar::Place,
};

impl<'t> Cursor<'t> {
    /// The value that begins here, in brackets or braces or in lines whose blocks are indented by `indent`.
    pub(super) fn inline(&mut self, indent: usize, depth: usize, place: Place) -> Option<Located<Node<'t>>> {
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
            _ => self.scalar(place),
        }
    }

    /// The items of a list in brackets, which begins here.
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
            each(self.inline(indent, depth + 1, Place::Flow)?);
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
            let key = self.scalar(Place::Flow)?;
            // On the line of its key, as anything else is not easily told from nothing.
            if !self.colon(&key)? || !self.spaces() {
                return None;
            }
            mapping.push((key, self.inline(indent, depth + 1, Place::Flow)?));
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

    /// Behind the bracket or brace that opens something.
    fn opened(&mut self, depth: usize) -> Option<()> {
        self.skip(1);
        (depth < MOST_DEPTH).then_some(())
    }

    /// Skips spaces, and ends of lines that go on farther right than the block around them.
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
