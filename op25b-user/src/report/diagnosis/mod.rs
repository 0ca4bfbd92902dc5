//! The report of `op25b diagnose`: what happens to the packets of an address, a prefix or a customer, and what to do.
//!
//! `parts` divides the addresses where rules begin and end, `exemption` sorts their exemptions, `pools` has the pools around them,
//! `actions` what changes the verdicts.

mod actions;
mod exemption;
mod parts;
mod pools;
mod types;

pub(crate) use self::{
    exemption::sort as sort_exemptions,
    parts::{Observation, address_or_prefix, divide},
    pools::Pools,
    types::{AskedKind, Attempts, Diagnosis, FilterState, Observed, Part, PlaceVerdict, Target},
};
