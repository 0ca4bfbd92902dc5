//! Certificates and private keys in PEM.

use anyhow::{Context as _, ensure};
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// The certificates of a text; at least one.
pub(crate) fn certificates(text: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>()?;
    ensure!(!certificates.is_empty(), "no certificate in PEM");
    Ok(certificates)
}

/// The certificates of a text, as those that may have signed others.
pub(crate) fn authorities(text: &[u8]) -> anyhow::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(text)? {
        authorities.add(certificate)?;
    }
    Ok(authorities)
}

/// The private key of a text.
pub(crate) fn private_key(text: &[u8]) -> anyhow::Result<PrivateKeyDer<'static>> {
    PrivateKeyDer::from_pem_slice(text).context("no private key in PEM")
}
