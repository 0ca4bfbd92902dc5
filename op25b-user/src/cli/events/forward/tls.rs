//! TLS towards a collector (RFC 5425).

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

/// The certificates that Debian's package ca-certificates trusts; other distributions have a link there.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The files of certificates.
#[derive(Debug, ClapArgs)]
pub(in crate::cli::events) struct TlsFiles {
    /// The certificates that may have signed the collector's, in PEM [default: those that the system trusts].
    #[arg(id = "tls_ca", long = "tls-ca", value_name = "FILE", requires = "to")]
    ca: Option<PathBuf>,
    /// The certificate that is shown to the collector, in PEM.
    #[arg(id = "tls_cert", long = "tls-cert", value_name = "FILE", requires = "tls_key")]
    cert: Option<PathBuf>,
    /// Its private key, in PEM.
    #[arg(id = "tls_key", long = "tls-key", value_name = "FILE", requires = "tls_cert")]
    key: Option<PathBuf>,
}

/// What makes TLS connections. The files are read for each: certificates are renewed.
pub(super) struct Tls<'a>(pub(super) &'a TlsFiles);

impl Tls<'_> {
    /// Makes the handshake, in which the certificate has to be that of the host.
    pub(super) async fn connect(
        &self,
        host: &str,
        stream: TcpStream,
    ) -> anyhow::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).context("no name that a certificate could have")?;
        let connector = TlsConnector::from(Arc::new(self.config()?));
        Ok(connector.connect(name, stream).await?)
    }

    /// Reads the files.
    pub(super) fn config(&self) -> anyhow::Result<ClientConfig> {
        let Self(files) = self;
        let mut roots = RootCertStore::empty();
        let trusted = files.ca.as_deref().unwrap_or(Path::new(SYSTEM));
        for certificate in certificates(trusted)? {
            roots.add(certificate).with_context(|| shown(trusted))?;
        }
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let (Some(certificate), Some(key)) = (&files.cert, &files.key) else {
            return Ok(builder.with_no_client_auth());
        };
        let chain = certificates(certificate)?;
        let key_text = read(key)?;
        let private = PrivateKeyDer::from_pem_slice(&key_text)
            .with_context(|| format!("{}: no private key in PEM", key.display()))?;
        builder
            .with_client_auth_cert(chain, private)
            .with_context(|| format!("{} and {}", certificate.display(), key.display()))
    }
}

fn certificates(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = read(path)?;
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<_, _>>()
        .with_context(|| shown(path))?;
    anyhow::ensure!(
        !certificates.is_empty(),
        "{}: no certificate in PEM",
        path.display()
    );
    Ok(certificates)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
