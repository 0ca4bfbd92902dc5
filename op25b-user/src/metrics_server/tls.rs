//! TLS for the connections, of the texts that the daemon has read.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
        server::{NoServerSessionStorage, WebPkiClientVerifier},
    },
};

use super::TlsTexts;

/// What accepts TLS connections.
pub(super) fn acceptor(texts: &TlsTexts) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &texts.client_ca {
        None => builder.with_no_client_auth(),
        Some(text) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(text).context("client_ca")? {
                roots.add(certificate).context("client_ca")?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().context("client_ca")?)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(texts.key.as_bytes()).context("key: no private key in PEM")?;
    let mut config = builder
        .with_single_cert(certificates(&texts.cert).context("cert")?, key)
        .context("cert and key")?;
    // Each connection has one request: nothing is remembered of a client.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(text: &str) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<_, _>>()?;
    if certificates.is_empty() {
        bail!("no certificate in PEM");
    }
    Ok(certificates)
}
