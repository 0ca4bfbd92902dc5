//! The parameters of a question about a connection.

use std::net::IpAddr;

use op25b_common::Tunnel;
use serde::Deserialize;
use utoipa::IntoParams;

use super::super::super::openapi::Address;
use crate::{api::Problem, enforcer::Connection};

/// A connection to explain.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ExplainQuery {
    /// The source address.
    #[param(value_type = Address, inline)]
    pub(in super::super) source: IpAddr,
    /// The destination address; by default one that no rule names.
    #[param(value_type = Address, inline, required = false)]
    pub(in super::super) destination: Option<IpAddr>,
    /// The TCP destination port.
    #[serde(default = "smtp")]
    #[param(minimum = 1, maximum = 65535, default = 25)]
    pub(in super::super) port: u16,
    /// The interface that the packet arrives on; by default the subscriber interfaces of the policy.
    #[param(value_type = String, required = false, min_length = 1, max_length = 127, example = "eth1")]
    pub(in super::super) interface: Option<String>,
    /// The VLAN ids of the packet's tags, the outermost first, with commas between them.
    #[param(value_type = String, required = false, pattern = "^[0-9]{1,4}(,[0-9]{1,4}){0,3}$", example = "100")]
    pub(in super::super) vlan: Option<String>,
    /// The kinds of tunnels that it is in, as in the policy, the outermost first, with a comma between them. `source` is then
    /// that of the outer packet.
    #[param(value_type = String, required = false, pattern = "^(4in6|6in4|4in4|6in6|gre|eogre|l2tp)(,(4in6|6in4|4in4|6in6|gre|eogre|l2tp))?$", example = "4in6")]
    pub(in super::super) tunnel: Option<String>,
    /// The source inside each of them, with a comma between them: by default that of RFC 6333 in `4in6`, and the outer source in
    /// the others.
    #[param(value_type = String, required = false, min_length = 2, max_length = 100, pattern = "^[0-9A-Fa-f:.]+(,[0-9A-Fa-f:.]+)?$", example = "192.0.0.2")]
    pub(in super::super) inner_source: Option<String>,
}

impl ExplainQuery {
    /// The connection, if there can be such a one.
    pub(in super::super) fn read(self) -> Result<Connection, Problem> {
        if self.port == 0 {
            return Err(Problem::bad_request("`port` must be 1 to 65535"));
        }
        let is_in_tunnel = self.tunnel.is_some();
        match self.destination {
            // The other way round, a policy with `nat64` has an address for it, or it is DS-Lite.
            Some(destination) if self.source.is_ipv4() && destination.is_ipv6() && !is_in_tunnel => Err(
                Problem::invalid("`source` and `destination` are of different address families"),
            ),
            destination => Ok(Connection {
                destination,
                port: self.port,
                vlan: items("vlan", self.vlan.as_deref(), |id| id.parse().ok())?,
                tunnels: items("tunnel", self.tunnel.as_deref(), tunnel)?,
                inner_sources: items("inner_source", self.inner_source.as_deref(), |address| {
                    address.parse().ok()
                })?,
                interface: self.interface,
                ..Connection::from(self.source)
            }),
        }
    }
}

/// The items of a list with commas between them.
fn items<T>(name: &str, text: Option<&str>, item: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Problem> {
    let items = text.into_iter().flat_map(|text| text.split(','));
    let read = |text: &str| {
        let wrong = || {
            Problem::invalid(format!(
                "`{name}` must be a list with commas: {text:?} is not one of its items"
            ))
        };
        item(text).ok_or_else(wrong)
    };
    items.map(read).collect()
}

fn tunnel(name: &str) -> Option<Tunnel> {
    Tunnel::ALL.into_iter().find(|tunnel| tunnel.name() == name)
}

fn smtp() -> u16 {
    25
}
