//! The web in the lab: a server with one page, and a client that fetches it.

use std::{convert::Infallible, net::IpAddr, sync::mpsc, time::Duration};

use anyhow::{Context as _, ensure};
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{Request, Response, body::Bytes, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::{lab::NetNs, mail::Outcome};

const PORT: u16 = 80;
const PAGE: &str = "a page in the lab\n";

/// Starts a web server on all addresses of a host; it serves until the process ends.
pub fn start(host: &NetNs) -> anyhow::Result<()> {
    let (listening, ready) = mpsc::channel();
    host.spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async move {
            let listener = TcpListener::bind(("::", PORT)).await;
            let (listener, result) = match listener {
                Ok(listener) => (Some(listener), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let _ = listening.send(result);
            if let Some(listener) = listener {
                accept(listener).await;
            }
        });
        Ok(())
    });
    ready
        .recv()
        .with_context(|| format!("the web server did not start in {}", host.name()))?
        .context("the web server cannot listen on port 80")
}

async fn accept(listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let page = service_fn(|_request| async {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(PAGE.as_bytes()))))
        });
        // What goes wrong in a connection its client sees, and reports.
        tokio::spawn(async move {
            drop(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), page)
                    .await,
            );
        });
    }
}

/// Fetches the page, from the calling thread's namespace.
#[must_use]
pub fn fetch(server: IpAddr, patience: Duration) -> Outcome {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return Outcome::Fails(error.to_string()),
    };
    match runtime.block_on(async { timeout(patience, get(server)).await }) {
        Err(_) => Outcome::Silence,
        Ok(Ok(())) => Outcome::Works,
        Ok(Err(error)) => Outcome::Fails(format!("{error:#}")),
    }
}

async fn get(server: IpAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect((server, PORT))
        .await
        .context("cannot connect")?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get("/")
        .header("host", "www.lab.example")
        .body(Empty::<Bytes>::new())?;
    let page = sender
        .send_request(request)
        .await?
        .into_body()
        .collect()
        .await?
        .to_bytes();
    ensure!(page == PAGE, "the page came out changed");
    Ok(())
}
