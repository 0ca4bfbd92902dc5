//! The kinds of faults, and what each may open.

pub mod draw;
pub mod sequences;
mod words;

use std::collections::BTreeSet;

pub use self::words::parse;

use crate::chaos::stage::INTERFACES;

/// An interface of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface(pub usize);

/// One thing that is done to the daemon or to what it depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It gets another name.
    Rename(Interface),
    /// It gets another name, and a new interface has its name.
    Impostor(Interface),
    /// Two of them exchange their names.
    Swap(Interface, Interface),
    /// It moves to another namespace.
    Away(Interface),
    /// It moves to another namespace, and a new interface has its name.
    AwayImpostor(Interface),
    /// It is deleted.
    Delete(Interface),
    /// It is deleted and made again at once.
    Recreate(Interface),
    /// Another process ends the filter's link.
    Detach(Interface),
    /// Another process puts a program of its own on the filter's link.
    Replace(Interface),
    /// Another process attaches a program of its own where the filter was.
    Foreign(Interface),
    /// The interface is deleted, and made again with a foreign program on it.
    Vacant(Interface),
    /// The pin of its link is removed.
    Unpin(Interface),
    /// The pin directory's content is removed.
    UnpinAll,
    /// What happens to the store's files.
    Store(StoreFault),
    /// The state directory's disk is full.
    Fill,
    /// The state directory's disk hangs.
    Freeze,
    /// `kill -9`.
    Kill,
    /// SIGTERM.
    Terminate,
    /// SIGSTOP, and SIGCONT when it is undone.
    Stop,
    /// SIGHUP.
    Hangup,
    /// The clock is set forward, or back, by so many seconds.
    Clock(i64),
    /// The policy file.
    Policy(PolicyFault),
    /// An exemption is added.
    Add,
    /// One that was added is removed.
    Remove,
    /// Some are imported.
    Import,
    /// The daemon is started, if it does not run.
    Start,
    /// Nothing, for so many milliseconds.
    Wait(u64),
}

/// What happens to the store's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreFault {
    /// The state directory is emptied.
    Empty,
    /// An older copy of the store takes its place.
    Older,
    /// So does a file of random bytes.
    Garbage,
    /// So does a store of a format that is newer than every known one.
    Newer,
    /// The write-ahead log is removed.
    NoLog,
}

/// What happens to the policy file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyFault {
    /// One that is refused, and a reload.
    Bad,
    /// Another good one, and a reload.
    Other,
    /// The interface is renamed, the policy follows, and a reload.
    Follows(Interface),
}

/// Which part of the machine a fault needs for itself: two faults of a round have none in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// An interface.
    Interface(Interface),
    /// The state directory.
    State,
    /// The policy file.
    Policy,
    /// The daemon's process.
    Process,
    /// The clock.
    Clock,
    /// The pin directory.
    Pins,
    /// Nothing that others could disturb.
    Nothing,
}

impl Interface {
    /// Its name in the policy.
    pub fn name(self) -> &'static str {
        INTERFACES[self.0].0
    }

    /// Its name after it was renamed.
    pub fn other_name(self) -> String {
        format!("was-{}", self.name())
    }

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..INTERFACES.len()).map(Self)
    }
}

impl Fault {
    /// What it needs for itself.
    pub fn parts(self) -> Vec<Part> {
        match self {
            Self::Swap(a, b) => vec![Part::Interface(a), Part::Interface(b)],
            Self::Policy(PolicyFault::Follows(one)) => vec![Part::Interface(one), Part::Policy],
            Self::Rename(one)
            | Self::Impostor(one)
            | Self::Away(one)
            | Self::AwayImpostor(one)
            | Self::Delete(one)
            | Self::Recreate(one)
            | Self::Vacant(one) => vec![Part::Interface(one)],
            // The first three find the link by its pin.
            Self::Detach(one) | Self::Replace(one) | Self::Foreign(one) | Self::Unpin(one) => {
                vec![Part::Interface(one), Part::Pins]
            }
            Self::UnpinAll => vec![Part::Pins],
            Self::Store(_) | Self::Fill | Self::Freeze => vec![Part::State],
            Self::Policy(_) => vec![Part::Policy],
            Self::Kill | Self::Terminate | Self::Stop => vec![Part::Process],
            Self::Clock(_) => vec![Part::Clock],
            Self::Hangup | Self::Add | Self::Remove | Self::Import | Self::Start | Self::Wait(_) => {
                vec![Part::Nothing]
            }
        }
    }

    /// The interfaces that it concerns, on which blocked packets may pass until it is undone and noticed.
    pub fn opens(self) -> BTreeSet<Interface> {
        match self {
            // The filter runs on, as long as a process holds it: see `Round::opens`.
            Self::Unpin(_) | Self::UnpinAll => BTreeSet::new(),
            _ => self
                .parts()
                .into_iter()
                .filter_map(|part| match part {
                    Part::Interface(one) => Some(one),
                    _ => None,
                })
                .collect(),
        }
    }

    /// Whether the filter should run on the interface once the daemon has noticed; none if it is not known.
    pub fn expects(self, interface: Interface) -> Option<bool> {
        match self {
            Self::Rename(one) | Self::Away(one) | Self::Delete(one) if one == interface => Some(false),
            Self::Foreign(one) | Self::Vacant(one) if one == interface => Some(false),
            // Under which name the policy has it depends on the reload; and a second interference is met with a delay.
            Self::Policy(PolicyFault::Follows(one)) | Self::Detach(one) | Self::Replace(one)
                if one == interface =>
            {
                None
            }
            _ => Some(true),
        }
    }

    /// Whether the daemon ends.
    pub fn ends_process(self) -> bool {
        matches!(self, Self::Kill | Self::Terminate)
    }

    /// Whether another process interferes with a link, after which the daemon waits ever longer.
    pub fn interferes(self) -> Option<Interface> {
        match self {
            Self::Detach(one) | Self::Replace(one) | Self::Foreign(one) | Self::Vacant(one) => Some(one),
            _ => None,
        }
    }
}

/// Some faults at once: they are made one after the other, checked, and undone in the opposite order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Round(pub Vec<Fault>);

impl Round {
    /// The interfaces on which blocked packets may pass until the round is over.
    pub fn opens(&self) -> BTreeSet<Interface> {
        let mut opens: BTreeSet<_> = self.0.iter().flat_map(|fault| fault.opens()).collect();
        // A filter that is pinned nowhere ends with its process.
        if self.has(Fault::ends_process) {
            for fault in &self.0 {
                match fault {
                    Fault::Unpin(one) => drop(opens.insert(*one)),
                    Fault::UnpinAll => opens.extend(Interface::all()),
                    _ => {}
                }
            }
        }
        opens
    }

    /// Whether the filter should run on an interface while the faults last; none if it is not known.
    #[must_use]
    pub fn expects(&self, interface: Interface) -> Option<bool> {
        let mut expected = Some(true);
        for fault in &self.0 {
            match fault.expects(interface) {
                Some(true) => {}
                other => expected = other,
            }
        }
        expected
    }

    /// Whether one of its faults is of a kind.
    pub fn has(&self, is: impl Fn(Fault) -> bool) -> bool {
        self.0.iter().any(|fault| is(*fault))
    }

    /// Whether a daemon that is started meanwhile may end again: the policy file is refused, or the store of a newer op25b is,
    /// and the filter that is pinned stays with its policy and its exemptions.
    #[must_use]
    pub fn may_refuse_start(&self) -> bool {
        self.has(|fault| {
            matches!(
                fault,
                Fault::Policy(PolicyFault::Bad) | Fault::Store(StoreFault::Newer)
            )
        })
    }

    /// Whether a daemon that is started meanwhile may wait: its disk hangs, and the filter that is pinned stays with its policy and
    /// its exemptions.
    #[must_use]
    pub fn may_delay_start(&self) -> bool {
        self.has(|fault| fault == Fault::Freeze) && self.has(Fault::ends_process)
    }

    /// Whether every stored exemption outlives it.
    ///
    /// A daemon that runs has them in memory and in the kernel. One that starts on files that were exchanged has the latest
    /// backup, which may be an hour old.
    pub fn keeps_exemptions(&self) -> bool {
        !(self.has(Fault::ends_process) && self.has(|fault| fault.parts().contains(&Part::State)))
    }
}
