//! The documents of `GET /v1/rates` and `GET /v1/subscribers/rates`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::row::SubscriberRow;
use crate::datapath::Counters;

/// What the filter has counted, and what the pools did since the reading before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rates {
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The same in milliseconds since the boot, a clock that is never set. The rate of a counter is its difference between two answers
    /// by the difference of this.
    pub clock_ms: u64,
    /// Packets from subscribers by the reasons of the verdict table.
    #[schema(value_type = std::collections::HashMap<String, u64>)]
    pub counters: Counters,
    /// Packets from the Internet by reason; none without an uplink interface.
    #[schema(value_type = Option<std::collections::HashMap<String, u64>>)]
    pub uplink_counters: Option<Counters>,
    /// How many milliseconds before this the reading was of which `recent` and `active` are the difference. Readings are shared by all
    /// who ask. Null for the first one after two minutes in which nobody has asked.
    pub measured_ms: Option<u64>,
    /// The pools.
    pub pools: Vec<PoolRate>,
}

/// What the subscribers of one pool do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolRate {
    /// The pool's name.
    pub pool: String,
    /// Whether its subscribers have records. Without them nothing is known of the pool alone.
    pub remembered: bool,
    /// How many subscribers have a record.
    pub subscribers: usize,
    /// How many of them had a packet within `measured_ms`; null without that.
    pub active: Option<usize>,
    /// Their packets within `measured_ms`; null without that.
    pub recent: Option<Recent>,
}

/// Packets within a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recent {
    /// That were blocked.
    pub blocked: u64,
    /// That would have been blocked, were the pool enforced.
    pub monitored: u64,
    /// That hide their ports.
    pub hidden: u64,
}

/// The same with single subscribers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriberRates {
    /// The filter and the pools.
    #[serde(flatten)]
    pub rates: Rates,
    /// How many subscribers have a record.
    pub remembered: usize,
    /// How many of them match the query.
    pub matching: usize,
    /// How many of those had a packet within `measured_ms`; null without that.
    pub active: Option<usize>,
    /// The first of those that match.
    pub subscribers: Vec<SubscriberRate>,
}

/// One subscriber.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubscriberRate {
    /// The record.
    #[serde(flatten)]
    pub record: SubscriberRow,
    /// The packets within `measured_ms`; null without that.
    pub recent: Option<Recent>,
}

impl Recent {
    /// All of them.
    #[must_use]
    pub const fn packets(self) -> u64 {
        self.blocked + self.monitored + self.hidden
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.blocked += other.blocked;
        self.monitored += other.monitored;
        self.hidden += other.hidden;
    }
}
