//! The mail server's certificate: self-signed, made at every start, trusted by the lab's clients.

use std::{net::IpAddr, sync::Arc};

use anyhow::Context as _;
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer},
};

/// A certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Certificate {
    /// One for these addresses.
    pub fn for_addresses(addresses: &[IpAddr]) -> anyhow::Result<Self> {
        let names = addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
        let signed = rcgen::generate_simple_self_signed(names).context("cannot make a certificate")?;
        Ok(Self {
            certificate: signed.cert.der().clone(),
            key: signed.signing_key.serialize_der(),
        })
    }

    /// What clients have to trust.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.certificate
    }

    /// The server's side of TLS.
    pub(super) fn server_config(&self) -> anyhow::Result<Arc<ServerConfig>> {
        let key = PrivateKeyDer::try_from(self.key.clone()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(vec![self.certificate.clone()], key)
            })
            .context("the certificate does not do for TLS")?;
        Ok(Arc::new(config))
    }
}
