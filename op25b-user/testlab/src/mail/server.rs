//! A mail server in a host of the lab: ports 25, 587 and 465, both families.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, mpsc},
    time::Duration,
};

use anyhow::Context as _;
use tokio::{net::TcpListener, time::timeout};
use tokio_rustls::TlsAcceptor;

use super::{Certificate, Service, session};
use crate::lab::NetNs;

/// A client that sends nothing for this long is gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// A message that the server took responsibility for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its Message-ID.
    pub id: String,
    /// Where it was handed in.
    pub service: Service,
    /// Who handed it in.
    pub peer: IpAddr,
}

/// A running server; it serves until the process ends.
#[derive(Clone, Debug)]
pub struct MailServer {
    mailbox: session::Mailbox,
}

impl MailServer {
    /// Starts one on all addresses of a host.
    pub fn start(host: &NetNs, certificate: &Certificate) -> anyhow::Result<Self> {
        let tls = TlsAcceptor::from(certificate.server_config()?);
        let mailbox = session::Mailbox::default();
        let server = Self {
            mailbox: Arc::clone(&mailbox),
        };
        let (listening, ready) = mpsc::channel();
        host.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async move {
                let mut tasks = tokio::task::JoinSet::new();
                for service in Service::ALL {
                    match TcpListener::bind(("::", service.port())).await {
                        Ok(listener) => {
                            drop(tasks.spawn(accept(listener, service, tls.clone(), Arc::clone(&mailbox))));
                        }
                        Err(error) => {
                            let _ = listening.send(Err((service, error)));
                            return;
                        }
                    }
                }
                // The receiver may have given up: then there is no client either.
                let _ = listening.send(Ok(()));
                tasks.join_all().await;
            });
            Ok(())
        });
        match ready.recv() {
            Ok(Ok(())) => Ok(server),
            Ok(Err((service, error))) => Err(error)
                .with_context(|| format!("the mail server cannot listen on port {}", service.port())),
            Err(_) => anyhow::bail!("the mail server did not start in {}", host.name()),
        }
    }

    /// The message with this id, if it has come.
    #[must_use]
    pub fn delivery(&self, id: &str) -> Option<Delivery> {
        let mailbox = self.mailbox.lock().unwrap_or_else(PoisonError::into_inner);
        mailbox.iter().find(|delivery| delivery.id == id).cloned()
    }
}

async fn accept(listener: TcpListener, service: Service, tls: TlsAcceptor, mailbox: session::Mailbox) {
    loop {
        // Running out of descriptors and a client that is gone already both pass.
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let session = session::serve(stream, service, tls.clone(), Arc::clone(&mailbox));
        // What goes wrong in a session its client sees, and reports.
        tokio::spawn(async move { drop(timeout(PATIENCE, session).await) });
    }
}
