//! What happens to one connection, as the control socket says it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePosition;

/// What the program in the kernel does with a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Explained {
    /// Who opens it.
    #[schema(value_type = String)]
    pub source: IpAddr,
    /// To whom.
    #[schema(value_type = String)]
    pub destination: IpAddr,
    /// To which TCP port.
    pub port: u16,
    /// `pass`, `drop` or `reject`.
    pub verdict: String,
    /// The row of the verdict table.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<Rule>,
}

/// A rule of the policy or the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Rule {
    /// What it is.
    pub kind: RuleKind,
    /// The pool's or relay's name, or the exemption's customer.
    pub name: String,
    /// The exemption's id.
    pub id: Option<String>,
    /// The exemption's ticket.
    pub ticket: Option<String>,
    /// Its prefix that decided.
    pub prefix: Option<String>,
    /// Where the policy file says so; nothing if it is stored.
    pub place: Option<FilePosition>,
}

/// What a rule is.
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
