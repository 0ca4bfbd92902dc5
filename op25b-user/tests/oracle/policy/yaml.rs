//! The oracle's policy as YAML, which is also the form in which cases are kept.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize as _, Deserializer, de::Error as _};

use super::{Action, Block, Handling, Inbound, Interface, Mode, Policy, Remember, Segments, Tunnel};

/// Reads prefixes; an address alone is that one address.
pub(super) fn prefixes<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    let words = Vec::<String>::deserialize(from)?;
    let prefix = |word: &String| match word.parse::<std::net::IpAddr>() {
        Ok(address) => Ok(IpNet::from(address)),
        Err(_) => word.parse::<IpNet>().map_err(D::Error::custom),
    };
    words.iter().map(prefix).collect()
}

impl Policy {
    /// Reads what [`fmt::Display`] writes, and what a person writes in the same way.
    pub fn read(text: &str) -> Self {
        match serde_yaml::from_str(text) {
            Ok(policy) => policy,
            Err(error) => panic!("this is not a policy: {error}\n{text}"),
        }
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "version: 1\ninterfaces:")?;
        for (index, interface) in self.interfaces.iter().enumerate() {
            write_interface(f, index, interface)?;
        }
        write_block(f, &self.block)?;
        match &self.subscribers.remember {
            Some(Remember::All(all)) => writeln!(f, "subscribers: {{ remember: {all} }}")?,
            Some(Remember::Pools(pools)) => {
                writeln!(f, "subscribers: {{ remember: [{}] }}", pools.join(", "))?;
            }
            None => {}
        }
        writeln!(f, "pools:")?;
        for (index, pool) in self.pools.iter().enumerate() {
            writeln!(f, "  - name: pool{index}\n    prefixes: {}", list(&pool.prefixes))?;
            if pool.mode == Mode::Monitor {
                writeln!(f, "    mode: monitor")?;
            }
            if let Some(begin) = pool.enforce_from {
                writeln!(f, "    enforce_from: {begin}")?;
            }
            if !pool.only_to.is_empty() {
                writeln!(f, "    only_to: {}", list(&pool.only_to))?;
            }
            if !pool.phases.is_empty() {
                writeln!(f, "    phases:")?;
            }
            for phase in &pool.phases {
                let from = phase.from.map(|from| format!("from: {from}"));
                let only_to =
                    (!phase.only_to.is_empty()).then(|| format!("only_to: {}", list(&phase.only_to)));
                let keys: Vec<_> = from.into_iter().chain(only_to).collect();
                writeln!(f, "      - {{ {} }}", keys.join(", "))?;
            }
        }
        if !self.relays.is_empty() {
            writeln!(f, "relays:")?;
        }
        for (index, relay) in self.relays.iter().enumerate() {
            let prefixes = list(&relay.prefixes);
            writeln!(f, "  - {{ name: relay{index}, prefixes: {prefixes} }}")?;
        }
        if !self.nat64.is_empty() {
            writeln!(f, "nat64: {}", list(&self.nat64))?;
        }
        if !self.exemptions.is_empty() {
            writeln!(f, "exemptions:")?;
        }
        for (index, exemption) in self.exemptions.iter().enumerate() {
            let prefixes = list(&exemption.prefixes);
            writeln!(f, "  - customer: customer {index}\n    prefixes: {prefixes}")?;
            if !exemption.destinations.is_empty() {
                writeln!(f, "    destinations: {}", list(&exemption.destinations))?;
            }
            if let Some(end) = exemption.expires {
                writeln!(f, "    expires: {end}")?;
            }
        }
        Ok(())
    }
}

fn write_interface(f: &mut fmt::Formatter<'_>, index: usize, interface: &Interface) -> fmt::Result {
    let tunnel = |tunnel: &Tunnel| match tunnel {
        Tunnel::V4InV6 => "4in6",
        Tunnel::V6InV4 => "6in4",
        Tunnel::V4InV4 => "4in4",
        Tunnel::V6InV6 => "6in6",
        Tunnel::Gre => "gre",
        Tunnel::EthernetInGre => "eogre",
        Tunnel::L2tp => "l2tp",
    };
    let role = interface.role.name();
    write!(f, "  - {{ name: eth{index}, role: {role}")?;
    if !interface.tunnels.is_empty() {
        let tunnels: Vec<_> = interface.tunnels.iter().map(tunnel).collect();
        write!(f, ", tunnels: [{}]", tunnels.join(", "))?;
    }
    if interface.mpls {
        write!(f, ", mpls: true")?;
    }
    writeln!(f, " }}")
}

/// Only what is not the default: that keeps a failing policy short, and tests the product's defaults.
fn write_block(f: &mut fmt::Formatter<'_>, block: &Block) -> fmt::Result {
    let default = Block::default();
    if *block == default {
        return Ok(());
    }
    writeln!(f, "block:")?;
    if block.ports != default.ports {
        writeln!(f, "  ports: {:?}", block.ports)?;
    }
    if block.segments == Segments::New {
        writeln!(f, "  match: new")?;
    }
    match block.action {
        Action::Drop => (),
        Action::Reset => writeln!(f, "  action: reset")?,
        Action::Prohibit => writeln!(f, "  action: prohibit")?,
    }
    if let Some(rate) = block.reset_rate {
        writeln!(f, "  reset_rate: {rate}")?;
    }
    if block.uninspectable == Handling::Pass {
        writeln!(f, "  uninspectable: pass")?;
    }
    if block.unlisted == Handling::Drop {
        writeln!(f, "  unlisted: drop")?;
    }
    if block.inbound == Inbound::Block {
        writeln!(f, "  inbound: block")?;
    }
    if !block.prohibit_from.is_empty() {
        writeln!(f, "  prohibit_from: {}", list(&block.prohibit_from))?;
    }
    if !block.vlan_tpids.is_empty() {
        let tpids: Vec<_> = block
            .vlan_tpids
            .iter()
            .map(|tpid| format!("{tpid:#06x}"))
            .collect();
        writeln!(f, "  vlan_tpids: [{}]", tpids.join(", "))?;
    }
    if let Some(rate) = block.prohibit_rate {
        writeln!(f, "  prohibit_rate: {rate}")?;
    }
    Ok(())
}

/// A list in quotes, since `2001:db8::` would be a key.
fn list<T: fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| format!("'{item}'")).collect();
    format!("[{}]", items.join(", "))
}
