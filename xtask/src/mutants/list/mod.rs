//! The ways of breaking the program that tests have to detect.

mod counters;
mod events;
mod fast_path;
mod framing;
mod headers;
mod lpm;
mod reject;
mod subscribers;
mod tunnels;
mod verdict;

use super::Mutant;

/// From the frame's first byte to what is sent back, then what is used on the way.
const STEPS: [&[Mutant]; 10] = [
    framing::MUTANTS,
    headers::MUTANTS,
    tunnels::MUTANTS,
    verdict::MUTANTS,
    counters::MUTANTS,
    reject::MUTANTS,
    fast_path::MUTANTS,
    lpm::MUTANTS,
    subscribers::MUTANTS,
    events::MUTANTS,
];

/// All of them.
pub(super) fn mutants() -> impl Iterator<Item = &'static Mutant> {
    STEPS.into_iter().flatten()
}

const fn mutant(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Mutant {
    Mutant { name, file, from, to }
}
