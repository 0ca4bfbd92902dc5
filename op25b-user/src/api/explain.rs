//! The verdict on a connection, in responses of the control socket.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::FilePosition;
use crate::{
    policy::{DecidingPhase, Pause},
    store::Actor,
};

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
    /// The reason: the row of the verdict table, or `no_filter` where no filter runs.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<Rule>,
    /// Until when the source's pool is only monitored, or a source in no pool passes during a pause; null if it is enforced, or
    /// passes without an end.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The pause for which it passes until then; null if it passes for another reason.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// The phase of the pool that decides; null if the pool has no phases.
    #[serde(default)]
    pub phase: Option<DecidingPhase>,
    /// The interfaces at which this happens: the one that was asked for, or those of the subscriber interfaces that agree. Empty
    /// if none was asked.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// The role of these interfaces, as in the policy; null where no filter runs.
    #[serde(default)]
    pub role: Option<String>,
    /// The subscriber interfaces at which something else happens.
    #[serde(default)]
    pub elsewhere: Vec<Elsewhere>,
    /// Another XDP program that runs there instead of a filter, by its id.
    #[serde(default)]
    pub other_program: Option<u32>,
    /// The VLAN ids of the packet's tags, the outermost first.
    #[serde(default)]
    pub vlan: Vec<u16>,
    /// The kinds of tunnels that it is in, the outermost first.
    #[serde(default)]
    pub tunnel: Vec<String>,
    /// The sources inside each of them.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    pub inner_source: Vec<IpAddr>,
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

#[cfg(test)]
impl Explained {
    /// What a test does not care about is as where one filter answers a plain packet.
    pub(crate) fn fake(source: &str, verdict: &str, reason: &str) -> Self {
        let document = serde_json::json!({
            "source": source,
            "destination": "203.0.113.1",
            "port": 25,
            "verdict": verdict,
            "reason": reason,
            "rule": null,
        });
        serde_json::from_value(document).unwrap()
    }
}

/// What happens to the same packet at other interfaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Elsewhere {
    /// The interfaces.
    pub interfaces: Vec<String>,
    /// `pass`, `drop` or `reject`.
    pub verdict: String,
    /// The reason: the row of the verdict table, or `no_filter` where no filter runs.
    pub reason: String,
    /// The rule that decided.
    pub rule: Option<Rule>,
    /// Until when the source's pool is only monitored, or a source in no pool passes during a pause.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// The pause for which it passes until then; null if it passes for another reason.
    #[serde(default)]
    pub pause: Option<Pause>,
    /// The phase of the pool that decides; null if the pool has no phases.
    #[serde(default)]
    pub phase: Option<DecidingPhase>,
    /// Another XDP program that runs there instead of a filter, by its id.
    pub other_program: Option<u32>,
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
    /// Its expiry; of one that was removed after it, this is when it ended.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
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
