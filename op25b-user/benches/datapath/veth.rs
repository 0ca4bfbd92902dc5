//! A veth pair as a wire: what is sent into one end comes out of the other.

use std::fs;

use anyhow::Context as _;

use crate::tool;

/// Every receiver's address, so that one frame fits all.
pub const RECEIVER: [u8; 6] = [0x02, 0, 0, 0, 0, 2];
/// Every sender's.
pub const SENDER: [u8; 6] = [0x02, 0, 0, 0, 0, 1];

/// Such a pair; dropping it removes both ends.
#[derive(Debug)]
pub struct Pair {
    /// Where frames go in.
    sender: String,
    /// Where the filter is.
    receiver: String,
    sender_index: u32,
}

impl Pair {
    /// Makes one and brings it up. It has no addresses, so that the kernel sends nothing by itself.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let (sender, receiver) = (format!("{name}-in"), format!("{name}-out"));
        let links = format!(
            "link add {sender} address {} type veth peer name {receiver} address {}\n\
             link set {sender} addrgenmode none up\n\
             link set {receiver} addrgenmode none up\n",
            shown(SENDER),
            shown(RECEIVER),
        );
        tool::feed("ip", &["-batch", "-"], &links)?;
        // The names in /sys are those of another namespace.
        let sender_index = nix::net::if_::if_nametoindex(sender.as_str())
            .with_context(|| format!("cannot find {sender}, which is there"))?;
        Ok(Self {
            sender,
            receiver,
            sender_index,
        })
    }

    /// The index of the end into which frames go.
    pub fn sender_index(&self) -> u32 {
        self.sender_index
    }

    /// The name of the end into which frames go.
    pub fn sender(&self) -> &str {
        &self.sender
    }

    /// The name of the end at which they come out.
    pub fn receiver(&self) -> &str {
        &self.receiver
    }

    /// Lets the end without an XDP program receive what XDP programs send.
    pub fn receive_without_xdp(&self) -> anyhow::Result<()> {
        tool::output("ethtool", &["-K", &self.receiver, "gro", "on"]).map(drop)
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        if let Err(error) = tool::output("ip", &["link", "delete", &self.sender]) {
            eprintln!("could not remove {}: {error:#}", self.sender);
        }
    }
}

/// Has the namespace's kernel send nothing by itself on links to come.
pub fn be_quiet() -> anyhow::Result<()> {
    for setting in ["ipv6/conf/default/accept_ra", "ipv6/conf/default/autoconf"] {
        let path = format!("/proc/sys/net/{setting}");
        fs::write(&path, "0").with_context(|| format!("cannot write to {path}"))?;
    }
    Ok(())
}

fn shown(address: [u8; 6]) -> String {
    address.map(|byte| format!("{byte:02x}")).join(":")
}
