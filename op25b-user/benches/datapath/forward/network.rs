//! Client, router and server: three network namespaces in a row.

use std::{fs, process};

use anyhow::Context as _;
use op25b_testlab::{lab::NetNs, process::output_of};

use crate::tool;

/// The router's interface towards the client.
pub const SUBSCRIBER_INTERFACE: &str = "sub0";
/// The server's address.
pub const SERVER: &str = "203.0.113.1";

/// The three, which end with the value.
#[derive(Debug)]
pub struct Network {
    /// A subscriber.
    pub client: NetNs,
    /// What forwards.
    pub router: NetNs,
    /// Somewhere in the Internet.
    pub server: NetNs,
}

impl Network {
    /// Makes them, and joins them.
    pub fn new() -> anyhow::Result<Self> {
        let create = |host: &str| NetNs::create(format!("op25b-bench-{}-{host}", process::id()));
        let this = Self {
            client: create("client")?,
            router: create("router")?,
            server: create("server")?,
        };
        let router = this.router.name();
        join(
            &this.client,
            router,
            SUBSCRIBER_INTERFACE,
            "198.51.100.10/24",
            "198.51.100.1",
        )?;
        join(&this.server, router, "up0", "203.0.113.1/24", "203.0.113.254")?;
        // As a NIC has it, and in all conditions alike: a veth end without it has another way into the kernel.
        let mut gro = this.router.command("ethtool");
        output_of(gro.args(["-K", SUBSCRIBER_INTERFACE, "gro", "on"]))?;
        this.router
            .run(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1").context("cannot switch forwarding on"))?;
        Ok(this)
    }
}

/// Joins a host to the router, and makes that its way to everywhere.
fn join(host: &NetNs, router: &str, router_end: &str, address: &str, gateway: &str) -> anyhow::Result<()> {
    let name = host.name();
    let router_end_up = format!(
        "link add {router_end} type veth peer name eth0 netns {name}\n\
         address add {gateway}/24 dev {router_end}\n\
         link set {router_end} up\n"
    );
    tool::feed("ip", &["-n", router, "-batch", "-"], &router_end_up)?;
    let host_end_up = format!(
        "address add {address} dev eth0\n\
         link set eth0 up\n\
         route add default via {gateway}\n"
    );
    tool::feed("ip", &["-n", name, "-batch", "-"], &host_end_up)
}
