//! The servers of a lab: mail and web.

use anyhow::Context as _;

use super::{Family, Host, Lab};
use crate::{
    http,
    mail::{Certificate, MailServer},
};

/// The lab's servers; they serve until the process ends.
#[derive(Clone, Debug)]
pub struct Servers {
    /// The Internet's mail server.
    pub internet: MailServer,
    /// The relay's.
    pub relay: MailServer,
    /// The subscriber's own, for inbound mail.
    pub subscriber: MailServer,
    /// What clients have to trust.
    pub certificate: Vec<u8>,
}

impl Servers {
    /// Starts them, and the Internet's web server.
    pub fn start(lab: &Lab) -> anyhow::Result<Self> {
        let hosts = [Host::Internet, Host::Relay, Host::Subscriber];
        let addresses: Vec<_> = hosts
            .into_iter()
            .flat_map(|host| Family::BOTH.map(|family| host.address(family)))
            .collect();
        let certificate = Certificate::for_addresses(&addresses)?;
        let start = |host: Host| {
            MailServer::start(lab.host(host), &certificate)
                .with_context(|| format!("no mail server on {}", host.name()))
        };
        let [internet, relay, subscriber] = hosts.map(start);
        http::start(lab.host(Host::Internet))?;
        Ok(Self {
            internet: internet?,
            relay: relay?,
            subscriber: subscriber?,
            certificate: certificate.der().to_vec(),
        })
    }
}
