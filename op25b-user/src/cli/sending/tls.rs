//! TLS towards who gets what a command sends.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, crypto::ring, pki_types::ServerName},
};

use crate::pem;

/// The certificates that Debian's package ca-certificates trusts; other distributions have a link there.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A connection, with TLS or without.
pub(in crate::cli) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The files of certificates.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct TlsFiles {
    /// The certificates that may have signed that of the host, in PEM [default: those that the system trusts].
    #[arg(id = "tls_ca", long = "tls-ca", value_name = "FILE", requires = "to")]
    ca: Option<PathBuf>,
    /// The certificate that is shown to the host, in PEM.
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE", requires = "tls_key")]
    cert: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_cert")]
    key: Option<PathBuf>,
}

#[cfg(test)]
impl TlsFiles {
    /// Those of somebody who trusts only the certificates of a file.
    pub(in crate::cli) fn trusting(ca: PathBuf) -> Self {
        Self {
            ca: Some(ca),
            cert: None,
            key: None,
        }
    }
}

/// What makes TLS connections. The files are read for each: certificates are renewed.
pub(in crate::cli) struct Tls<'a>(pub(in crate::cli) &'a TlsFiles);

impl Tls<'_> {
    /// Makes the handshake, in which the certificate has to be that of the host.
    pub(in crate::cli) async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
    ) -> anyhow::Result<TlsStream<S>> {
        let name = ServerName::try_from(host.to_owned()).context("no name that a certificate could have")?;
        let connector = TlsConnector::from(Arc::new(self.config()?));
        Ok(connector.connect(name, stream).await?)
    }

    /// Reads the files.
    pub(in crate::cli) fn config(&self) -> anyhow::Result<ClientConfig> {
        let Self(files) = self;
        let trusted = files.ca.as_deref().unwrap_or(Path::new(SYSTEM));
        let authorities = of_file(trusted, pem::authorities)?;
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities);
        let (Some(certificate), Some(key)) = (&files.cert, &files.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = of_file(certificate, pem::certificates)?;
        let private = of_file(key, pem::private_key)?;
        builder
            .with_client_auth_cert(chain, private)
            .with_context(|| format!("{} and {}", certificate.display(), key.display()))
    }
}

/// What is read from a file.
fn of_file<T>(path: &Path, read: fn(&[u8]) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    read(&text).with_context(|| path.display().to_string())
}
