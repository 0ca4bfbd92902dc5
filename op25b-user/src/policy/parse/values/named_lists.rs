//! Reads the names of lists.

use super::{
    super::yaml::{Located, Node},
    context::Context,
};
use crate::policy::{
    diagnostics::{Code, Span},
    model::FileNumber,
};

/// The most lists that a policy can name.
const MOST_LISTS: usize = 256;
const WANTED: &str = "file names such as lists/residential.txt";

/// The lists that are named so far, each once.
#[derive(Debug, Default)]
pub(crate) struct NamedLists(Vec<String>);

/// A list where it is named.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named {
    pub(crate) file: FileNumber,
    /// The name in the policy.
    pub(crate) span: Span,
}

impl NamedLists {
    /// The names.
    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    /// The names.
    pub(crate) fn into_names(self) -> Vec<String> {
        self.0
    }

    /// The number of a list; `None` if there are too many.
    fn number(&mut self, name: &str) -> Option<FileNumber> {
        let index = self.0.iter().position(|known| known == name);
        let index = index.unwrap_or(self.0.len());
        if index >= MOST_LISTS {
            return None;
        }
        if index == self.0.len() {
            self.0.push(name.to_owned());
        }
        FileNumber::of_list(index)
    }
}

impl<'t> Context<'t> {
    /// The lists that a key names.
    pub(crate) fn named_lists(&mut self, key: &str, node: Located<Node<'t>>) -> Vec<Named> {
        let mut named = Vec::new();
        for item in self.list(key, WANTED, node) {
            let Some(Located { value: name, span }) = self.text(key, item) else {
                continue;
            };
            match self.lists.number(&name) {
                Some(file) => named.push(Named { file, span }),
                None => self.reporter.error(
                    span,
                    Code::ListSize,
                    format!("the policy names more than {MOST_LISTS} lists"),
                    "put several lists into one file",
                ),
            }
        }
        named
    }
}
