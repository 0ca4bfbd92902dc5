//! Why the terms of an exemption are not valid.

use thiserror::Error;

/// Why terms are not valid, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct Invalid(String);

impl Invalid {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(why.into())
    }

    /// All that is not valid, in one line.
    pub(crate) fn all(all: Vec<Self>) -> Self {
        let all: Vec<_> = all.into_iter().map(|Self(why)| why).collect();
        Self(all.join("; "))
    }
}
