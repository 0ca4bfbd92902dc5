//! xdp-filter of xdp-tools. It drops what matches any of its rules, and so cannot ask for a port and a prefix: here it
//! drops port 25 whoever sends.

use anyhow::Context as _;

use super::Filter;
use crate::{tool, veth::Pair};

pub struct XdpFilter {
    interface: String,
}

impl XdpFilter {
    pub fn attach(pair: &Pair) -> anyhow::Result<Self> {
        let interface = pair.receiver().to_owned();
        // It asks for the least that does it: no other rules are looked for.
        let load = ["load", "--mode", "native", "--features", "tcp", &interface];
        tool::output("xdp-filter", &load)?;
        let this = Self { interface };
        tool::output("xdp-filter", &["port", "--proto", "tcp", "25"])?;
        Ok(this)
    }
}

impl Filter for XdpFilter {
    /// By the counter of its rule: the line of port 25, whose last column is the number of hits.
    fn dropped(&self) -> anyhow::Result<u64> {
        // It ends with an error after its last list, which is that of addresses: there is none without that feature.
        let output = tool::command("xdp-filter", &["status"])
            .output()
            .context("cannot run xdp-filter")?;
        let status = String::from_utf8_lossy(&output.stdout);
        status
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find_map(|words| match words[..] {
                ["25", .., hits] => hits.parse().ok(),
                _ => None,
            })
            .with_context(|| format!("xdp-filter does not count port 25; it says:\n{status}"))
    }
}

impl Drop for XdpFilter {
    fn drop(&mut self) {
        if let Err(error) = tool::output("xdp-filter", &["unload", &self.interface]) {
            eprintln!("could not unload xdp-filter: {error:#}");
        }
    }
}
