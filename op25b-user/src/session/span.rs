//! The time of a session, and how what several records say of one session is put together.
//!
//! A log says of one session several times that it lasts: when it begins, meanwhile, and when it ends. Two such statements
//! about the same customer and the same prefix are of one session if their times overlap or touch; it then began with the
//! earlier and lasted until the later. The result does not depend on the order of the statements, and to repeat one changes
//! nothing: logs can be imported in any order, in parts that overlap, and again.

/// The time of a session, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: i64,
    /// The last second in which it is known to have lasted.
    pub(crate) seen: i64,
    /// Whether it ended then.
    pub(crate) is_ended: bool,
}

impl Span {
    /// Whether two spans of one customer and one prefix are of one session. Logs have whole seconds, and the beginning that is
    /// computed from a duration is a second off.
    pub(crate) const fn is_of_one_session_with(&self, other: &Self) -> bool {
        self.start <= other.seen.saturating_add(Self::NEAR)
            && other.start <= self.seen.saturating_add(Self::NEAR)
    }

    /// How far apart two statements about one session may be, in seconds.
    pub(crate) const NEAR: i64 = 2;

    /// The session that both are of.
    pub(crate) fn joined(self, other: Self) -> Self {
        // At the same time, an end says more than that it lasted.
        let later = [self, other]
            .into_iter()
            .max_by_key(|span| (span.seen, span.is_ended));
        let Self { seen, is_ended, .. } = later.unwrap_or(self);
        Self {
            start: self.start.min(other.start),
            seen,
            is_ended,
        }
    }

    /// Whether another says nothing that this one does not.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.joined(other) == self
    }
}
