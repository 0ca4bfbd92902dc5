//! The terms of an exemption.

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use utoipa::ToSchema;

/// The terms of an exemption: who may connect to the blocked ports, where to and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Terms {
    /// The customer's name.
    #[schema(value_type = String)]
    pub customer: SmolStr,
    /// The customer's source prefixes, without host bits.
    #[schema(value_type = Vec<String>)]
    pub prefixes: Box<[IpNet]>,
    /// The permitted destinations; all destinations if empty.
    #[schema(value_type = Vec<String>)]
    pub destinations: Box<[IpNet]>,
    /// The ticket in which the exemption was requested.
    #[schema(value_type = Option<String>)]
    pub ticket: Option<SmolStr>,
    /// A remark.
    // Mostly longer than what `SmolStr` holds inline.
    #[schema(value_type = Option<String>)]
    pub note: Option<Box<str>>,
    /// The first instant at which the exemption is no longer in force, in whole seconds; without one it never expires.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

impl Terms {
    /// Terms that permit all destinations and never expire.
    pub fn new(customer: impl Into<SmolStr>, prefixes: impl Into<Box<[IpNet]>>) -> Self {
        Self {
            customer: customer.into(),
            prefixes: prefixes.into(),
            destinations: Box::default(),
            ticket: None,
            note: None,
            expires_at: None,
        }
    }

    /// Whether they have expired at an instant.
    #[must_use]
    pub fn have_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }
}
