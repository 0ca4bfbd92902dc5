//! Reports on the history: what subscribers or customers did in a period, and what it looks like.
//!
//! Buckets are read one by one and added to a [`Tally`] each; nothing else grows with the length of the period.

mod calendar;
mod class;
mod customers;
mod document;
mod row;
mod rules;
mod tallies;
mod tally;

pub(crate) use self::{
    class::Class,
    customers::{Customers, NotAttributed},
    document::{By, DaySum, Period, PoolSum, Report, Scope, Sum},
    row::{Row, subscriber},
    rules::{Exempt, Mode, Rules},
    tallies::Tallies,
    tally::Tally,
};
