//! Queries over netlink about NICs and what is offloaded to them: ethtool, XDP features, flowtables of nftables.

pub(crate) mod ethtool;
pub(crate) mod flowtables;
mod generic;
pub(crate) mod xdp_features;
