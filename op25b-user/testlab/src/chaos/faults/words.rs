//! Faults and rounds as text: on the command line, in sequences and in what a walk prints.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use anyhow::{Context as _, bail, ensure};

use super::{Fault, Interface, Part, PolicyFault, Round, StoreFault};

/// Rounds from text: faults with `+` between them, rounds with `;`.
pub fn parse(text: &str) -> anyhow::Result<Vec<Round>> {
    let rounds = text.split(';').map(str::trim).filter(|round| !round.is_empty());
    rounds
        .map(|round| {
            let faults: anyhow::Result<Vec<Fault>> =
                round.split('+').map(|fault| fault.trim().parse()).collect();
            let faults = faults?;
            let mut taken = BTreeSet::new();
            for part in faults.iter().flat_map(|fault| fault.parts()) {
                ensure!(
                    part == Part::Nothing || taken.insert(part),
                    "`{round}`: two faults of one round concern the same thing ({part:?})"
                );
            }
            Ok(Round(faults))
        })
        .collect()
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" + ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rename(one) => write!(f, "rename {one}"),
            Self::Impostor(one) => write!(f, "impostor {one}"),
            Self::Swap(one, other) => write!(f, "swap {one} {other}"),
            Self::Away(one) => write!(f, "away {one}"),
            Self::AwayImpostor(one) => write!(f, "away-impostor {one}"),
            Self::Delete(one) => write!(f, "delete {one}"),
            Self::Recreate(one) => write!(f, "recreate {one}"),
            Self::Detach(one) => write!(f, "detach {one}"),
            Self::Replace(one) => write!(f, "replace {one}"),
            Self::Foreign(one) => write!(f, "foreign {one}"),
            Self::Vacant(one) => write!(f, "vacant {one}"),
            Self::Unpin(one) => write!(f, "unpin {one}"),
            Self::UnpinAll => f.write_str("unpin-all"),
            Self::Store(StoreFault::Empty) => f.write_str("state empty"),
            Self::Store(StoreFault::Older) => f.write_str("state older"),
            Self::Store(StoreFault::Garbage) => f.write_str("state garbage"),
            Self::Store(StoreFault::Newer) => f.write_str("state newer"),
            Self::Store(StoreFault::NoLog) => f.write_str("state no-log"),
            Self::Fill => f.write_str("fill"),
            Self::Freeze => f.write_str("freeze"),
            Self::Kill => f.write_str("kill"),
            Self::Terminate => f.write_str("terminate"),
            Self::Stop => f.write_str("stop"),
            Self::Hangup => f.write_str("hangup"),
            Self::Clock(seconds) => write!(f, "clock {seconds}"),
            Self::Policy(PolicyFault::Bad) => f.write_str("policy bad"),
            Self::Policy(PolicyFault::Other) => f.write_str("policy other"),
            Self::Policy(PolicyFault::Follows(one)) => write!(f, "policy follows {one}"),
            Self::Add => f.write_str("exempt add"),
            Self::Remove => f.write_str("exempt remove"),
            Self::Import => f.write_str("exempt import"),
            Self::Start => f.write_str("start"),
            Self::Wait(milliseconds) => write!(f, "wait {milliseconds}"),
        }
    }
}

impl FromStr for Interface {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut all = Self::all();
        all.find(|one| one.name() == text)
            .with_context(|| format!("`{text}` is no interface of the policy"))
    }
}

impl FromStr for Fault {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        /// Longer waits would let a round take longer than its check allows for.
        const LONGEST: Duration = Duration::from_mins(1);
        let words: Vec<&str> = text.split_whitespace().collect();
        Ok(match *words {
            ["rename", one] => Self::Rename(one.parse()?),
            ["impostor", one] => Self::Impostor(one.parse()?),
            ["swap", one, other] => Self::Swap(one.parse()?, other.parse()?),
            ["away", one] => Self::Away(one.parse()?),
            ["away-impostor", one] => Self::AwayImpostor(one.parse()?),
            ["delete", one] => Self::Delete(one.parse()?),
            ["recreate", one] => Self::Recreate(one.parse()?),
            ["detach", one] => Self::Detach(one.parse()?),
            ["replace", one] => Self::Replace(one.parse()?),
            ["foreign", one] => Self::Foreign(one.parse()?),
            ["vacant", one] => Self::Vacant(one.parse()?),
            ["unpin", one] => Self::Unpin(one.parse()?),
            ["unpin-all"] => Self::UnpinAll,
            ["state", "empty"] => Self::Store(StoreFault::Empty),
            ["state", "older"] => Self::Store(StoreFault::Older),
            ["state", "garbage"] => Self::Store(StoreFault::Garbage),
            ["state", "newer"] => Self::Store(StoreFault::Newer),
            ["state", "no-log"] => Self::Store(StoreFault::NoLog),
            ["fill"] => Self::Fill,
            ["freeze"] => Self::Freeze,
            ["kill"] => Self::Kill,
            ["terminate"] => Self::Terminate,
            ["stop"] => Self::Stop,
            ["hangup"] => Self::Hangup,
            ["clock", seconds] => Self::Clock(seconds.parse().context("not a number of seconds")?),
            ["policy", "bad"] => Self::Policy(PolicyFault::Bad),
            ["policy", "other"] => Self::Policy(PolicyFault::Other),
            ["policy", "follows", one] => Self::Policy(PolicyFault::Follows(one.parse()?)),
            ["exempt", "add"] => Self::Add,
            ["exempt", "remove"] => Self::Remove,
            ["exempt", "import"] => Self::Import,
            ["start"] => Self::Start,
            ["wait", milliseconds] => {
                let milliseconds = milliseconds.parse().context("not a number of milliseconds")?;
                ensure!(
                    Duration::from_millis(milliseconds) <= LONGEST,
                    "`{text}` is longer than {LONGEST:?}"
                );
                Self::Wait(milliseconds)
            }
            _ => bail!("`{text}` is no fault"),
        })
    }
}
