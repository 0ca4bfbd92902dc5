//! Draws rounds of faults from a seed: the same seed draws the same rounds, whatever happens to them.

use std::collections::BTreeSet;

use crate::chaos::faults::{Fault, Interface, Part, PolicyFault, Round, StoreFault};

/// Steps of the clock, in seconds: an hour, a day and ten years, forward and back.
const CLOCK_STEPS: [i64; 6] = [3_600, -3_600, 86_400, -86_400, 315_360_000, -315_360_000];
/// The longest pause between two faults of a round, in milliseconds.
const LONGEST_PAUSE: u64 = 1_500;
/// How long faults may last after the last one was made, in milliseconds, besides the time that checking takes.
const LONGEST_STAND: u64 = 4_000;
/// How many kinds [`one`] draws from.
const KINDS: usize = 29;

/// Rounds without end.
pub struct Draw(fastrand::Rng);

impl Draw {
    /// The rounds of a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }
}

impl Iterator for Draw {
    type Item = Round;

    fn next(&mut self) -> Option<Round> {
        // One fault alone is the most telling, two meet at once the most often.
        let count = [1, 1, 2, 2, 2, 3][self.0.usize(..6)];
        let mut taken = BTreeSet::new();
        let mut faults = Vec::new();
        for _ in 0..count {
            let kind = self.0.usize(..KINDS);
            let fault = one(kind, &mut self.0);
            let parts = fault.parts();
            // A round of fewer faults, rather than one that depends on how often others were refused.
            if parts.iter().any(|part| taken.contains(part)) {
                continue;
            }
            taken.extend(parts.into_iter().filter(|part| *part != Part::Nothing));
            if !faults.is_empty() && self.0.bool() {
                faults.push(Fault::Wait(self.0.u64(..LONGEST_PAUSE)));
            }
            faults.push(fault);
        }
        // A service manager starts a daemon that has ended: sometimes before the other faults are over.
        if faults.iter().any(|fault| fault.ends_process()) && self.0.bool() {
            faults.push(Fault::Wait(self.0.u64(..LONGEST_PAUSE)));
            faults.push(Fault::Start);
        }
        // Some faults show only after a while: a clock is read once a second.
        if self.0.bool() {
            faults.push(Fault::Wait(self.0.u64(..LONGEST_STAND)));
        }
        Some(Round(faults))
    }
}

/// A fault of a kind by number, and the rest of it drawn.
fn one(kind: usize, rng: &mut fastrand::Rng) -> Fault {
    let count = Interface::all().count();
    let first = rng.usize(..count);
    let interface = Interface(first);
    let other = Interface((first + 1 + rng.usize(..count - 1)) % count);
    match kind {
        0 => Fault::Rename(interface),
        1 => Fault::Impostor(interface),
        2 => Fault::Swap(interface, other),
        3 => Fault::Away(interface),
        4 => Fault::AwayImpostor(interface),
        5 => Fault::Delete(interface),
        6 => Fault::Recreate(interface),
        7 => Fault::Detach(interface),
        8 => Fault::Replace(interface),
        9 => Fault::Foreign(interface),
        10 => Fault::Vacant(interface),
        11 => Fault::Unpin(interface),
        12 => Fault::UnpinAll,
        13 => Fault::Store(StoreFault::Empty),
        14 => Fault::Store(StoreFault::Older),
        15 => Fault::Store(StoreFault::Garbage),
        16 => Fault::Store(StoreFault::Newer),
        17 => Fault::Store(StoreFault::NoLog),
        18 => Fault::Fill,
        19 => Fault::Freeze,
        20 => Fault::Kill,
        21 => Fault::Terminate,
        22 => Fault::Stop,
        23 => Fault::Hangup,
        24 => Fault::Clock(CLOCK_STEPS[rng.usize(..CLOCK_STEPS.len())]),
        25 => Fault::Policy([PolicyFault::Bad, PolicyFault::Other][rng.usize(..2)]),
        26 => Fault::Policy(PolicyFault::Follows(interface)),
        27 => Fault::Add,
        _ => [Fault::Remove, Fault::Import][rng.usize(..2)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::faults::parse;

    #[test]
    fn a_seed_draws_the_same_rounds_and_each_can_be_written_and_read_again() {
        let rounds: Vec<_> = Draw::from_seed(25).take(500).collect();
        assert_eq!(rounds, Draw::from_seed(25).take(500).collect::<Vec<_>>());
        assert_ne!(rounds, Draw::from_seed(26).take(500).collect::<Vec<_>>());
        let text: Vec<_> = rounds.iter().map(ToString::to_string).collect();
        assert_eq!(parse(&text.join(";")).unwrap(), rounds);
    }

    #[test]
    fn every_kind_of_fault_is_drawn() {
        let drawn: BTreeSet<_> = Draw::from_seed(1)
            .take(2_000)
            .flat_map(|round| round.0)
            .map(|fault| std::mem::discriminant(&fault))
            .map(|kind| format!("{kind:?}"))
            .collect();
        let mut rng = fastrand::Rng::with_seed(1);
        let kinds: BTreeSet<_> = (0..KINDS)
            .map(|kind| format!("{:?}", std::mem::discriminant(&one(kind, &mut rng))))
            .collect();
        assert!(drawn.is_superset(&kinds));
    }
}
