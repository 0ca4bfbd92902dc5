//! nftables at the ingress hook of the interface: as early as it goes.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::Filter;
use crate::{
    scenario::{Family, Scenario},
    tool,
    veth::Pair,
};

/// A million takes nft a quarter of a minute, of the few that all of this is to take.
pub const MOST_EXEMPTIONS: u32 = 100_000;

const TABLE: &str = "op25b_bench";

pub struct Table;

impl Table {
    pub fn load(pair: &Pair, scenario: &Scenario) -> anyhow::Result<Self> {
        pair.receive_without_xdp()?;
        tool::feed("nft", &["-f", "-"], &rules(pair.receiver(), scenario))?;
        Ok(Self)
    }
}

/// The rules, with the comparison that rules most out first.
fn rules(interface: &str, scenario: &Scenario) -> String {
    let (kind, protocol) = match scenario.family {
        Family::V4 => ("ipv4_addr", "ip"),
        Family::V6 => ("ipv6_addr", "ip6"),
    };
    let (pool, length) = scenario.family.pool();
    let mut text = format!(
        "table netdev {TABLE} {{\n\
         set exempt {{\n type {kind}\n flags interval\n elements = {{\n"
    );
    for prefix in scenario.exempt_prefixes() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{prefix},");
    }
    let _ = write!(
        text,
        "}}\n}}\n\
         chain subscribers {{\n type filter hook ingress device \"{interface}\" priority 0; policy accept;\n\
         {protocol} saddr {pool}/{length} tcp dport 25 {protocol} saddr != @exempt counter drop\n}}\n}}\n"
    );
    text
}

impl Filter for Table {
    fn dropped(&self) -> anyhow::Result<u64> {
        // Without its elements, of which there may be very many.
        let chain = tool::output("nft", &["list", "chain", "netdev", TABLE, "subscribers"])?;
        let mut words = chain.split_whitespace().skip_while(|word| *word != "packets");
        words
            .nth(1)
            .and_then(|packets| packets.parse().ok())
            .with_context(|| format!("nft does not count; its output:\n{chain}"))
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        if let Err(error) = tool::output("nft", &["delete", "table", "netdev", TABLE]) {
            eprintln!("could not remove nftables' table: {error:#}");
        }
    }
}
