//! Where metrics are served.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;

/// Where and to whom metrics are served over TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsServer {
    /// The addresses and ports, at least one and at most [`Self::MOST_LISTENERS`].
    pub listen: Vec<SocketAddr>,
    /// Which clients are served; all that reach a listener if it is empty.
    pub allow: Vec<IpNet>,
    /// How connections are encrypted, if they are.
    pub tls: Option<MetricsTls>,
}

/// How connections for metrics are encrypted. Paths are as written: relative ones begin at the directory of the policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsTls {
    /// The chain of certificates, in PEM.
    pub cert: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// The certificates of which one has signed that of each client, in PEM; without it clients need none.
    pub client_ca: Option<PathBuf>,
}

impl MetricsServer {
    /// The most listeners.
    pub const MOST_LISTENERS: usize = 8;
    /// The most prefixes of clients.
    pub const MOST_PREFIXES: usize = 64;
}
