//! Chaos: faults at random happen to a daemon while packets of enforced pools come in, and nobody may call an interface
//! enforced that is open.

mod apply;
mod check;
mod evidence;
mod faults;
mod moment;
mod outcome;
mod stage;
mod walk;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use self::{faults::draw::Draw, walk::Walk};
pub use self::{
    faults::{Round, parse, sequences},
    outcome::{Limits, Outcome},
};

/// How many lines of the daemon's log a failure shows.
const LOG: usize = 60;

/// Runs these rounds one after the other, until one fails.
pub fn run(op25b: &Path, rounds: &[Round], limits: Limits) -> anyhow::Result<Outcome> {
    walk(op25b, rounds.iter().cloned(), limits, None)
}

/// Runs the rounds of a seed for a time, until one fails. Faults whose text begins with one of `without` are left out.
pub fn run_seed(
    op25b: &Path,
    seed: u64,
    without: &[String],
    time: Duration,
    limits: Limits,
) -> anyhow::Result<Outcome> {
    let rounds = Draw::from_seed(seed).map(|mut round| {
        let is_left_out = |text: &str| without.iter().any(|word| text.starts_with(word.as_str()));
        round.0.retain(|fault| !is_left_out(&fault.to_string()));
        round
    });
    walk(op25b, rounds, limits, Some(Instant::now() + time))
}

fn walk(
    op25b: &Path,
    rounds: impl IntoIterator<Item = Round>,
    limits: Limits,
    end: Option<Instant>,
) -> anyhow::Result<Outcome> {
    let mut walk = Walk::start(op25b.to_owned(), limits)?;
    let mut failure = None;
    for round in rounds {
        if end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        if let Err(error) = walk.round(&round) {
            if error.is::<crate::interrupt::Interrupted>() {
                return Err(error);
            }
            failure = Some(format!(
                "in the round `{round}`: {error:#}\n\nthe daemon's log:\n{}",
                walk.log(LOG)
            ));
            break;
        }
    }
    let mut outcome = walk.into_outcome();
    outcome.failure = failure;
    Ok(outcome)
}

/// A seed that nobody has drawn before.
#[must_use]
pub fn new_seed() -> u64 {
    fastrand::u64(..1_000_000_000)
}
