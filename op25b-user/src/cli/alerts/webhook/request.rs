//! An alert as an HTTP request over TLS, through a proxy or not.

use std::{fs, io, time::Duration};

use anyhow::{Context as _, anyhow, ensure};
use http_body_util::{Empty, Full};
use hyper::{
    Method, Request, StatusCode,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST, USER_AGENT},
    upgrade,
};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::Serialize;
use tokio::{net::TcpStream, time::timeout};

use crate::{
    cli::tls::{Stream, Tls},
    remote_host::Host,
    report::Alert,
    schema::{Document, Schema},
    webhook::{Proxy, Receiver, Secret},
};

/// How long a receiver may take, from the connection to the answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// What requests and tunnels are named with.
const AGENT: &str = concat!("op25b/", env!("CARGO_PKG_VERSION"));

/// What sends alerts to a receiver.
pub(super) struct Sender<'a> {
    to: &'a Receiver,
    proxy: Option<&'a Proxy>,
    tls: Tls<'a>,
    secret: &'a Secret,
    /// The name of this router.
    host: String,
}

/// The body.
#[derive(Serialize)]
struct Body<'a> {
    /// The name of the router.
    host: &'a str,
    #[serde(flatten)]
    alert: &'a Alert,
}

impl<'a> Sender<'a> {
    pub(super) fn new(
        to: &'a Receiver,
        proxy: Option<&'a Proxy>,
        tls: Tls<'a>,
        secret: &'a Secret,
    ) -> anyhow::Result<Self> {
        const NAME: &str = "/proc/sys/kernel/hostname";
        let host = fs::read_to_string(NAME).with_context(|| format!("cannot read {NAME}"))?;
        Ok(Self {
            to,
            proxy,
            tls,
            secret,
            host: host.trim().to_owned(),
        })
    }

    /// Where it sends them to.
    pub(super) const fn to(&self) -> &Receiver {
        self.to
    }

    /// Sends an alert. Anything but a status of success is an error, and the receiver may have it all the same.
    pub(super) async fn send(&self, alert: &Alert, now: Timestamp) -> anyhow::Result<()> {
        let request = self.request(alert, now)?;
        let answered = timeout(PATIENCE, self.exchange(request)).await;
        let status =
            answered.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", PATIENCE.as_secs())))?;
        ensure!(status.is_success(), "{} answered {status}", self.to);
        Ok(())
    }

    fn request(&self, alert: &Alert, now: Timestamp) -> anyhow::Result<Request<Full<Bytes>>> {
        let body = Body {
            host: &self.host,
            alert,
        };
        let body = serde_json::to_vec(&Document::new(Schema::Alert, body))?;
        let time = now.as_second();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.to.target())
            .header(HOST, self.to.host.to_string())
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &alert.id)
            .header("webhook-timestamp", time)
            .header("webhook-signature", self.secret.sign(&alert.id, time, &body));
        Ok(request.body(Full::new(body.into()))?)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> anyhow::Result<StatusCode> {
        let to = &self.to.host;
        let stream: Box<dyn Stream> = match self.proxy {
            None => Box::new(
                connect(to)
                    .await
                    .with_context(|| format!("cannot connect to {to}"))?,
            ),
            Some(Proxy(proxy)) => Box::new(
                tunnel(proxy, to)
                    .await
                    .with_context(|| format!("through the proxy {proxy}"))?,
            ),
        };
        let stream = self
            .tls
            .connect(&to.name, stream)
            .await
            .with_context(|| format!("no TLS with {to}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, which also returns its errors.
        tokio::spawn(connection);
        Ok(sender.send_request(request).await?.status())
    }
}

async fn connect(to: &Host) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((to.name.as_str(), to.port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Has a proxy connect to a host (RFC 9110, 9.3.6).
async fn tunnel(proxy: &Host, to: &Host) -> anyhow::Result<impl Stream + use<>> {
    let stream = connect(proxy).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let request = Request::builder()
        .method(Method::CONNECT)
        .uri(to.to_string())
        .header(HOST, to.to_string())
        .header(USER_AGENT, AGENT)
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    ensure!(
        response.status().is_success(),
        "it answered {}",
        response.status()
    );
    Ok(TokioIo::new(upgrade::on(response).await?))
}
