//! TLS for the connections, of the texts that the daemon has read.

use std::sync::Arc;

use anyhow::Context as _;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        server::{NoServerSessionStorage, WebPkiClientVerifier},
    },
};

use super::TlsTexts;
use crate::pem;

/// What accepts TLS connections.
pub(super) fn acceptor(texts: &TlsTexts) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &texts.client_ca {
        None => builder.with_no_client_auth(),
        Some(text) => {
            let authorities = pem::authorities(text.as_bytes()).context("client_ca")?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
            builder.with_client_cert_verifier(verifier.build().context("client_ca")?)
        }
    };
    let key = pem::private_key(texts.key.as_bytes()).context("key")?;
    let chain = pem::certificates(texts.cert.as_bytes()).context("cert")?;
    let mut config = builder.with_single_cert(chain, key).context("cert and key")?;
    // Each connection has one request: nothing is remembered of a client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
