//! A router with a filter whose exemptions change.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::Context as _;
use nix::sys::signal::Signal;
use tempfile::TempDir;

use super::ask::Socket;
use crate::{
    filter::Filter,
    lab::{Host, Lab, NetNs},
};

/// The flood's sources (198.18.0.0/15, see RFC 2544), and the addresses that exemptions are for.
const POLICY: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: corp0, role: subscriber }
pools:
  - { name: everybody, prefixes: [198.18.0.0/15, 10.0.0.0/12] }
";

/// The router and its filter.
pub(super) struct Scene<'a> {
    op25b: &'a Path,
    filter: Option<Filter>,
    pub(super) lab: Lab,
    folder: TempDir,
}

impl<'a> Scene<'a> {
    /// Starts a filter with so many exemptions in its policy file, in 10.8.0.0/13.
    pub(super) fn new(op25b: &'a Path, exemptions: u32) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mut text = POLICY.to_owned();
        if exemptions > 0 {
            text.push_str("exemptions:\n");
        }
        for number in 0..exemptions {
            let address = address(0x0a08_0000 + number * 2);
            writeln!(text, "  - {{ customer: C{number}, prefixes: [{address}] }}")?;
        }
        fs::write(folder.path().join("policy.yaml"), text).context("cannot write a policy")?;
        let mut scene = Self {
            op25b,
            filter: None,
            lab: Lab::unique("exempt")?,
            folder,
        };
        scene.start()?;
        Ok(scene)
    }

    /// Starts a daemon, be it over what another one left.
    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let policy = self.folder.path().join("policy.yaml");
        self.filter = Some(Filter::start(self.op25b, self.router(), &policy)?);
        Ok(())
    }

    /// Kills the daemon; the filter stays.
    pub(super) fn kill(&mut self) -> anyhow::Result<()> {
        let filter = self.filter.take().context("no daemon runs")?;
        filter.leave_by(Signal::SIGKILL).map(drop)
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
