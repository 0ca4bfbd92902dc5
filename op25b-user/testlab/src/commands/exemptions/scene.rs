//! A router with a filter whose exemptions change.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ask::Socket;
use crate::{
    filter::Filter,
    lab::{Host, Lab, NetNs},
};

/// The interfaces of a lab's router that customers are at.
pub(super) const INTERFACES: [&str; 2] = ["sub0", "corp0"];
/// The flood's sources (198.18.0.0/15, see RFC 2544), and the addresses that exemptions are for.
const POOL: &str = "{ name: everybody, prefixes: [198.18.0.0/15, 10.0.0.0/12] }";
/// The list of the exemptions, beside the policy.
const LIST: &str = "customers.csv";

/// The router and its filter.
pub(super) struct Scene<'a> {
    op25b: &'a Path,
    filter: Option<Filter>,
    pub(super) lab: Lab,
    folder: TempDir,
    interfaces: Vec<String>,
}

impl<'a> Scene<'a> {
    /// Starts a filter with so many exemptions in a list of its policy, in 10.8.0.0/13.
    pub(super) fn new(op25b: &'a Path, exemptions: u32) -> anyhow::Result<Self> {
        let interfaces = INTERFACES.map(str::to_owned).into();
        Self::at(op25b, Lab::unique("exempt")?, interfaces, exemptions)
    }

    /// The same on these interfaces of a lab's router.
    pub(super) fn at(
        op25b: &'a Path,
        lab: Lab,
        interfaces: Vec<String>,
        exemptions: u32,
    ) -> anyhow::Result<Self> {
        let mut scene = Self {
            op25b,
            filter: None,
            lab,
            folder: tempfile::tempdir().context("cannot make a temporary directory")?,
            interfaces,
        };
        let mut list = "customer,prefixes\n".to_owned();
        for number in 0..exemptions {
            writeln!(list, "C{number},{}", address(0x0a08_0000 + number * 2))?;
        }
        fs::write(scene.folder.path().join(LIST), list).context("cannot write a list")?;
        scene.write_policy("")?;
        scene.start()?;
        Ok(scene)
    }

    /// Writes the policy, with more pools.
    pub(super) fn write_policy(&self, more_pools: &str) -> anyhow::Result<()> {
        let interfaces = self.interfaces.iter();
        let interfaces: String = interfaces
            .flat_map(|name| ["  - { name: ", name, ", role: subscriber }\n"])
            .collect();
        let text = format!(
            "version: 1\ninterfaces:\n{interfaces}pools:\n  - {POOL}\n{more_pools}exemptions_from: [{LIST}]\n"
        );
        fs::write(self.policy(), text).context("cannot write a policy")
    }

    fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.yaml")
    }

    /// Starts a daemon, be it over what another one left.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        self.filter = Some(Filter::start(self.op25b, self.router(), &self.policy())?);
        Ok(())
    }

    /// Kills the daemon; the filter stays.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let filter = self.filter.take().context("no daemon runs")?;
        filter.leave_by(Signal::SIGKILL).map(drop)
    }

    /// The daemon's process.
    pub(super) fn pid(&self) -> anyhow::Result<u32> {
        Ok(self.filter.as_ref().context("no daemon runs")?.pid())
    }

    fn router(&self) -> &NetNs {
        self.lab.host(Host::Router)
    }

    pub(super) fn socket(&self) -> Socket {
        let [_, (_, runtime), _] = self.router().places();
        Socket::of(&runtime)
    }
}

/// An address as a text.
pub(super) fn address(number: u32) -> String {
    std::net::Ipv4Addr::from_bits(number).to_string()
}
