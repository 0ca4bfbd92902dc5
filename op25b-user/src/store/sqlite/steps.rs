//! The steps that change files: a test can have any of them fail.

use std::io;

/// A step that is about to be taken.
#[cfg(not(test))]
#[expect(clippy::unnecessary_wraps, reason = "in tests it fails")]
pub(super) const fn step() -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
pub(super) use self::failing::{Fail, fail_at, step, taken};

#[cfg(test)]
mod failing {
    use std::cell::Cell;

    use super::io;

    /// What fails.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::store::sqlite) enum Fail {
        /// One step.
        Once,
        /// A step and all after it: as far as the disk is concerned, the process has ended.
        FromThenOn,
    }

    thread_local! {
        static TAKEN: Cell<usize> = const { Cell::new(0) };
        static FAIL: Cell<Option<(usize, Fail)>> = const { Cell::new(None) };
    }

    /// Has a step of this thread fail, counted from now; none with `None`.
    pub(in crate::store::sqlite) fn fail_at(at: Option<(usize, Fail)>) {
        TAKEN.set(0);
        FAIL.set(at);
    }

    /// How many steps this thread has taken since [`fail_at`].
    pub(in crate::store::sqlite) fn taken() -> usize {
        TAKEN.get()
    }

    pub(in crate::store::sqlite) fn step() -> io::Result<()> {
        let number = TAKEN.get();
        TAKEN.set(number + 1);
        let fails = match FAIL.get() {
            None => false,
            Some((at, Fail::Once)) => number == at,
            Some((at, Fail::FromThenOn)) => number >= at,
        };
        if fails {
            Err(io::Error::other(format!("step {number} fails")))
        } else {
            Ok(())
        }
    }
}
