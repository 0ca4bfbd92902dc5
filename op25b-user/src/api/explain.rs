//! The verdict on a connection, in responses of the control socket.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePosition;
use crate::store::Actor;

/// The verdict of the program in the kernel on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// The source address.
    #[schema(value_type = String)]
    pub source: IpAddr,
    /// The destination address.
    #[schema(value_type = String)]
    pub destination: IpAddr,
    /// The IPv4 address that a translator of the policy's `nat64` sends it to.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub nat64: Option<Ipv4Addr>,
    /// The TCP destination port.
    pub port: u16,
    /// `pass`, `drop` or `reject`.
    pub verdict: String,
    /// The reason: the row of the verdict table.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<Rule>,
    /// The exemptions of the source that do not let this connection pass, the newest first; only if it is not exempt.
    #[serde(default)]
    pub not_in_force: Vec<NotInForce>,
    /// How many more there are.
    #[serde(default)]
    pub more_not_in_force: usize,
    /// Why stored exemptions are missing among them; none if they are not.
    #[serde(default)]
    pub store_error: Option<String>,
}

/// An exemption of a connection's source that does not let it pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotInForce {
    /// Its id.
    pub id: String,
    /// The customer's name.
    pub customer: String,
    /// Its ticket.
    pub ticket: Option<String>,
    /// Why it does not let the connection pass.
    pub state: NotInForceState,
    /// When it ended or was removed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// The user who removed it.
    pub by: Option<Actor>,
    /// The reason of the removal.
    pub reason: Option<String>,
    /// The destinations that it is for; all if empty.
    #[schema(value_type = Vec<String>)]
    pub destinations: Vec<IpNet>,
    /// Its position in the policy file; null if it is stored.
    pub place: Option<FilePosition>,
}

/// Why an exemption does not let a connection pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotInForceState {
    /// Its expiry has passed.
    Expired,
    /// A user has removed it.
    Removed,
    /// It is for other destinations.
    OtherDestinations,
    /// It should let the connection pass, and the kernel does not have it.
    NotEnforced,
}

/// A rule of the policy or the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// The kind of rule.
    pub kind: RuleKind,
    /// The pool's or relay's name, or the exemption's customer.
    pub name: String,
    /// The exemption's id.
    pub id: Option<String>,
    /// The exemption's ticket.
    pub ticket: Option<String>,
    /// The prefix that decided.
    pub prefix: Option<String>,
    /// Its position in the policy file; null if it is stored.
    pub place: Option<FilePosition>,
}

/// The kind of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleKind {
    /// A pool.
    Pool,
    /// A relay.
    Relay,
    /// An exemption.
    Exemption,
}
