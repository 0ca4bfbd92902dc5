//! The verdict on a connection, in responses of the control socket.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePosition;

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
