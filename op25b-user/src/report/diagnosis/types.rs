//! What a diagnosis consists of, as `--json` writes it.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::Serialize;

use super::pools::Pools;
use crate::{
    api::{Exemption, Explained},
    fault::Fault,
    report::SubscriberRow,
    store::Operation,
};

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// What was asked about, as it was given.
    pub(crate) asked: String,
    /// What that is.
    pub(crate) kind: AskedKind,
    /// When the kernel was asked.
    pub(crate) at: Timestamp,
    /// Whether a daemon answered; without one its faults are not known.
    pub(crate) daemon: bool,
    /// Whether a filter runs.
    pub(crate) filter: FilterState,
    /// The addresses that were asked about, each with its verdicts.
    pub(crate) targets: Vec<Target>,
    /// The exemptions of these addresses, in force or not; those in force come first, then those that ended last.
    pub(crate) exemptions: Vec<Exemption>,
    /// The packets that the kernel has counted of these addresses.
    pub(crate) attempts: Attempts,
    /// What was done to the filter in the last day, the newest first.
    pub(crate) operations: Vec<Operation>,
    /// The faults that concern the answer.
    pub(crate) faults: Vec<Fault>,
    /// What could not be read, and is missing here.
    pub(crate) left_out: Vec<String>,
    /// What changes the verdict: commands and edits.
    pub(crate) actions: Vec<String>,
    /// The pools around these addresses, from which actions follow.
    #[serde(skip)]
    pub(crate) pools: Pools,
}

/// What was asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AskedKind {
    /// One address.
    Address,
    /// A prefix.
    Prefix,
    /// An exemption, by its id.
    Exemption,
    /// The exemptions of a ticket.
    Ticket,
    /// The exemptions of customers, by a part of their names.
    Customer,
}

/// Whether a filter runs here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FilterState {
    /// On one interface at least.
    Runs,
    /// On none.
    None,
}

/// Addresses that were asked about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Target {
    /// The prefix.
    pub(crate) prefix: IpNet,
    /// Its parts, each of which meets the same verdicts as a whole.
    pub(crate) parts: Vec<Part>,
}

/// Addresses with the same verdicts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Part {
    /// The fewest prefixes that they are.
    pub(crate) prefixes: Vec<IpNet>,
    /// The verdict at each place where their packets may arrive.
    pub(crate) verdicts: Vec<PlaceVerdict>,
}

/// The verdict at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct PlaceVerdict {
    /// The interface.
    pub(crate) interface: String,
    /// The tunnel in which the packet arrives there; none if it arrives in none.
    pub(crate) tunnel: Option<String>,
    /// What was found there.
    #[serde(flatten)]
    pub(crate) observed: Observed,
}

/// What was found at a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum Observed {
    /// The program decided.
    Decided {
        /// Its verdict on a SYN from the first of the addresses.
        explained: Box<Explained>,
    },
    /// No filter runs there, so that all packets pass.
    Unfiltered {
        /// Why, as far as it is known.
        why: Option<String>,
    },
    /// There is no such interface, so that no packet arrives.
    Missing,
    /// The program could not be asked.
    Unknown {
        /// Why.
        why: String,
    },
}

/// What the kernel has counted of the addresses, since it first saw each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Attempts {
    /// How many subscribers have a record.
    pub(crate) matching: usize,
    /// Those of them that were seen last.
    pub(crate) subscribers: Vec<SubscriberRow>,
    /// The pools whose subscribers have no records, as the policy has it.
    pub(crate) pools_not_remembered: Vec<String>,
}
