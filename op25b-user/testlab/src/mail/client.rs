//! A mail client in a host of the lab: delivers one message and reports the outcome.

use std::{
    error::Error as _,
    fmt, io,
    net::IpAddr,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use lettre::{
    Message, SmtpTransport, Transport as _,
    transport::smtp::{
        authentication::{Credentials, Mechanism},
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};

use super::{MailServer, PASSWORD, Service, USER};

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It came through, and the other side has it.
    Works,
    /// Nothing came back: packets are dropped.
    Silence,
    /// Something else went wrong.
    Fails(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Works => write!(f, "works"),
            Self::Silence => write!(f, "no answer"),
            Self::Fails(why) => write!(f, "fails: {why}"),
        }
    }
}

/// Where a message is to be handed in.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's address.
    pub address: IpAddr,
    /// How.
    pub service: Service,
    /// The certificate to trust.
    pub certificate: Vec<u8>,
    /// How long silence may last.
    pub patience: Duration,
}

/// Delivers a message to `target`, from the calling thread's namespace, and asks `server` whether it has it.
#[must_use]
pub fn deliver(target: &Target, server: &MailServer) -> Outcome {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = format!("<{}.{count}@customer.lab.example>", std::process::id());
    match send(target, &id) {
        Err(outcome) => outcome,
        Ok(()) => match server.delivery(&id) {
            Some(delivery) if delivery.service == target.service => Outcome::Works,
            Some(delivery) => Outcome::Fails(format!("it came in on port {}", delivery.service.port())),
            None => Outcome::Fails("the server accepted the message and does not have it".into()),
        },
    }
}

fn send(target: &Target, id: &str) -> Result<(), Outcome> {
    let transport = transport(target).map_err(|error| Outcome::Fails(error.to_string()))?;
    let message = Message::builder()
        .from("Customer <customer@lab.example>".parse().map_err(fails)?)
        .to("Somebody <somebody@lab.example>".parse().map_err(fails)?)
        .subject("A message from the lab")
        .message_id(Some(id.to_owned()))
        .body("It came through.\r\n.A line that begins with a dot.\r\n".to_owned())
        .map_err(fails)?;
    transport.send(&message).map(drop).map_err(|error| {
        if is_silence(&error) {
            Outcome::Silence
        } else {
            Outcome::Fails(described(&error))
        }
    })
}

fn transport(target: &Target) -> Result<SmtpTransport, lettre::transport::smtp::Error> {
    let host = target.address.to_string();
    let mut builder = SmtpTransport::builder_dangerous(&host)
        .port(target.service.port())
        .timeout(Some(target.patience))
        .hello_name(ClientId::Domain("customer.lab.example".into()));
    if target.service != Service::Transfer {
        let tls = TlsParameters::builder(host)
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_der(target.certificate.clone())?)
            .build_rustls()?;
        builder = builder
            .tls(if target.service == Service::Submission {
                Tls::Required(tls)
            } else {
                Tls::Wrapper(tls)
            })
            .authentication(vec![Mechanism::Plain])
            .credentials(Credentials::new(USER.into(), PASSWORD.into()));
    }
    Ok(builder.build())
}

fn is_silence(error: &lettre::transport::smtp::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
        {
            return true;
        }
        cause = error.source();
    }
    error.is_timeout()
}

fn described(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn fails(error: impl fmt::Display) -> Outcome {
    Outcome::Fails(error.to_string())
}
