//! Reduces a case that shows a difference to the smallest one.

use std::time::{Duration, Instant};

use proptest::strategy::ValueTree;

use super::Difference;
use crate::{policy::Policy, program::Program, verdict::Role};

/// Frames are quick to try.
const FRAMES: usize = 20_000;

/// Policies have to be loaded.
const PATIENCE: Duration = Duration::from_mins(1);

/// The smallest frame for the same policy.
pub fn frame(
    tree: &mut impl ValueTree<Value = (Role, Vec<u8>)>,
    first: Difference,
    mut find: impl FnMut(Role, &[u8]) -> Option<Difference>,
) -> Difference {
    let mut tries = 0;
    let smaller = simplified(tree, first, |(role, frame)| {
        tries += 1;
        (tries < FRAMES).then(|| find(*role, frame)).flatten()
    });
    without_bytes(smaller, find)
}

/// The smallest policy for the same frame.
pub fn policy(tree: &mut impl ValueTree<Value = Policy>, first: Difference) -> Difference {
    let (role, frame) = (first.role, first.frame.clone());
    let end = Instant::now() + PATIENCE;
    simplified(tree, first, |policy| {
        // A policy that lost what made it valid shows nothing, and the reader of policies has its own tests.
        let is_worth_it = Instant::now() < end && !policy.pools.is_empty();
        is_worth_it
            .then(|| Difference::find(&mut Program::load(&policy.to_string()), policy, role, &frame))
            .flatten()
    })
}

/// proptest's way to a smaller value.
fn simplified<T: ValueTree>(
    tree: &mut T,
    mut best: Difference,
    mut find: impl FnMut(&T::Value) -> Option<Difference>,
) -> Difference {
    if !tree.simplify() {
        return best;
    }
    loop {
        let goes_on = match find(&tree.current()) {
            Some(smaller) => {
                best = smaller;
                tree.simplify()
            }
            None => tree.complicate(),
        };
        if !goes_on {
            return best;
        }
    }
}

/// Cuts what is after the difference, and clears what has no part in it.
fn without_bytes(
    mut best: Difference,
    mut find: impl FnMut(Role, &[u8]) -> Option<Difference>,
) -> Difference {
    for length in 14..best.frame.len() {
        if let Some(shorter) = find(best.role, &best.frame[..length]) {
            best = shorter;
            break;
        }
    }
    for at in 0..best.frame.len() {
        if best.frame[at] != 0 {
            let mut frame = best.frame.clone();
            frame[at] = 0;
            if let Some(clearer) = find(best.role, &frame) {
                best = clearer;
            }
        }
    }
    best
}
