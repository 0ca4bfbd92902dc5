//! iptables in the raw table, as early as it goes, with the exemptions in an ipset.

use std::fmt::Write as _;

use anyhow::Context as _;

use super::Filter;
use crate::{
    scenario::{Family, Scenario},
    tool,
    veth::Pair,
};

const SET: &str = "op25b_bench";

pub struct Rule {
    program: &'static str,
}

impl Rule {
    pub fn load(pair: &Pair, scenario: &Scenario) -> anyhow::Result<Self> {
        pair.receive_without_xdp()?;
        tool::feed("ipset", &["restore"], &set(scenario))?;
        let program = match scenario.family {
            Family::V4 => "iptables",
            Family::V6 => "ip6tables",
        };
        let this = Self { program };
        let (pool, length) = scenario.family.pool();
        let pool = format!("{pool}/{length}");
        let place = ["--wait", "--table", "raw", "--append", "PREROUTING"];
        let what = ["--in-interface", pair.receiver(), "--source", &pool];
        let port = ["--protocol", "tcp", "--dport", "25"];
        let exempt = ["--match", "set", "!", "--match-set", SET, "src"];
        let words = [&place[..], &what, &port, &exempt, &["--jump", "DROP"]].concat();
        tool::output(program, &words)?;
        Ok(this)
    }
}

/// The set, as large as it gets from the beginning.
fn set(scenario: &Scenario) -> String {
    let family = match scenario.family {
        Family::V4 => "inet",
        Family::V6 => "inet6",
    };
    let size = scenario.exemptions.len().max(64);
    let mut text = format!("create {SET} hash:net family {family} hashsize {size} maxelem {size}\n");
    for prefix in scenario.exempt_prefixes() {
        // Writing to a string does not fail.
        let _ = writeln!(text, "add {SET} {prefix}");
    }
    text
}

impl Filter for Rule {
    fn dropped(&self) -> anyhow::Result<u64> {
        let words = [
            "--wait",
            "--table",
            "raw",
            "--list",
            "PREROUTING",
            "--numeric",
            "--verbose",
            "--exact",
        ];
        let rules = tool::output(self.program, &words)?;
        rules
            .lines()
            .find(|line| line.contains("DROP"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("{} does not count; its output:\n{rules}", self.program))
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        let flushed = tool::output(
            self.program,
            &["--wait", "--table", "raw", "--flush", "PREROUTING"],
        );
        if let Err(error) = flushed.and_then(|_| tool::output("ipset", &["destroy", SET])) {
            eprintln!("could not remove iptables' rule and its set: {error:#}");
        }
    }
}
