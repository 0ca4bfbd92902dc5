//! xdp-filter of xdp-tools. It drops what matches any of its rules, and so cannot ask for a port and a prefix: here it
//! drops port 25 whoever sends.

use std::{path::Path, process::Command};

use anyhow::Context as _;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use op25b_testlab::process;
use tempfile::TempDir;

use super::Filter;
use crate::{tool, veth::Pair};

pub struct XdpFilter {
    interface: String,
    /// A file system for its maps, which all its instances would share otherwise, with their counters.
    maps: Maps,
}

impl XdpFilter {
    /// With a set of its features: "all", which it loads by default, looks up every packet's addresses as well.
    pub fn attach(pair: &Pair, features: &str) -> anyhow::Result<Self> {
        let (interface, maps) = (pair.receiver().to_owned(), Maps::mount()?);
        let load = ["load", "--mode", "native", "--features", features, &interface];
        process::output_of(&mut maps.xdp_filter(&load))?;
        let this = Self { interface, maps };
        process::output_of(&mut this.maps.xdp_filter(&["port", "--proto", "tcp", "25"]))?;
        Ok(this)
    }
}

impl Filter for XdpFilter {
    /// By the counter of its rule: the line of port 25, whose last column is the number of hits.
    fn dropped(&self) -> anyhow::Result<u64> {
        // It ends with an error after its last list, which is that of addresses: there is none without their features.
        let output = (self.maps.xdp_filter(&["status"]).output()).context("cannot run xdp-filter")?;
        let status = String::from_utf8_lossy(&output.stdout);
        status
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>())
            .find_map(|words| match words[..] {
                ["25", .., hits] => hits.parse().ok(),
                _ => None,
            })
            .with_context(|| format!("xdp-filter does not count port 25; its output:\n{status}"))
    }
}

impl Drop for XdpFilter {
    fn drop(&mut self) {
        if let Err(error) = process::output_of(&mut self.maps.xdp_filter(&["unload", &self.interface])) {
            eprintln!("could not unload xdp-filter: {error:#}");
        }
    }
}

/// A bpffs of one instance.
struct Maps(TempDir);

impl Maps {
    fn mount() -> anyhow::Result<Self> {
        let directory = TempDir::new().context("cannot make a directory")?;
        let none = None::<&str>;
        mount(Some("bpf"), directory.path(), Some("bpf"), MsFlags::empty(), none)
            .context("cannot mount a bpffs for xdp-filter")?;
        Ok(Self(directory))
    }

    /// xdp-filter, which looks for its maps in /sys/fs/bpf and nowhere else: to it these are there.
    fn xdp_filter(&self, arguments: &[&str]) -> Command {
        let own: &Path = self.0.path();
        let mut command = tool::command("unshare", &["--mount", "sh", "-c"]);
        command
            .arg("mount --bind \"$0\" /sys/fs/bpf && exec xdp-filter \"$@\"")
            .arg(own)
            .args(arguments);
        command
    }
}

impl Drop for Maps {
    fn drop(&mut self) {
        if let Err(error) = umount2(self.0.path(), MntFlags::MNT_DETACH) {
            eprintln!("could not unmount xdp-filter's bpffs: {error}");
        }
    }
}
