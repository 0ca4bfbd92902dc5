//! The connections of clients: who is served, and with what.

use std::{convert::Infallible, io, net::IpAddr, time::Duration};

use axum::body::Body;
use futures_util::future::select_all;
use hyper::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue},
};
use ipnet::IpNet;
use tokio::{
    net::{TcpListener, TcpStream, UnixStream},
    sync::mpsc,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use super::{
    accept,
    pages::{self, Pages},
};
use crate::http_server::{Connections, Limits, PAUSE, Place};

/// Where the metrics are.
const PATH: &str = "/metrics";

/// A client sends one small request.
const LIMITS: Limits = Limits {
    connections: 32,
    headers_time: Duration::from_secs(5),
    headers: 64,
    headers_size: 16 * 1024,
    keep_alive: false,
};
/// How long a connection may last.
const LIFETIME: Duration = Duration::from_secs(30);
/// How long connections may last when the daemon has ended.
const END_TIME: Duration = Duration::from_secs(5);

/// Who is served, and how.
#[derive(Clone)]
pub(super) struct Served {
    /// The clients; all if it is empty.
    pub(super) allow: Vec<IpNet>,
    pub(super) tls: Option<TlsAcceptor>,
}

/// Serves until the daemon ends.
pub(super) async fn serve(listeners: Vec<TcpListener>, served: Served, daemon: UnixStream) {
    let (pages, asked) = mpsc::channel(LIMITS.connections);
    let connections = Connections::new(LIMITS);
    let accepting = accept(listeners, served, connections.clone(), pages);
    tokio::select! {
        () = accepting => {}
        () = pages::answer(daemon, asked) => {}
    }
    // The listeners are closed: another process may have them already.
    let _ = timeout(END_TIME, connections.ended()).await;
}

async fn accept(listeners: Vec<TcpListener>, served: Served, connections: Connections, pages: Pages) {
    loop {
        let accepting = listeners.iter().map(|listener| Box::pin(listener.accept()));
        let (accepted, ..) = select_all(accepting).await;
        let Ok((stream, peer)) = accepted else {
            sleep(PAUSE).await;
            continue;
        };
        if !served.admits(peer.ip()) {
            continue;
        }
        let Some(place) = connections.room().await else {
            return;
        };
        let connection = connection(stream, served.tls.clone(), place, pages.clone());
        tokio::spawn(timeout(LIFETIME, connection));
    }
}

impl Served {
    /// Whether a client is served.
    fn admits(&self, client: IpAddr) -> bool {
        // At `[::]` those of IPv4 may arrive mapped.
        let client = client.to_canonical();
        self.allow.is_empty() || self.allow.iter().any(|net| net.contains(&client))
    }
}

/// Serves a connection. Clients that break off are none of the operator's concern: they would fill the log.
async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, place: Place, pages: Pages) {
    let handle = |request| answer(request, pages.clone());
    let _ = match tls {
        Some(tls) => place.serve(tls.accept(stream), handle).await,
        None => {
            place
                .serve(std::future::ready(io::Result::Ok(stream)), handle)
                .await
        }
    };
}

async fn answer(request: Request<Body>, pages: Pages) -> Result<Response<Body>, Infallible> {
    const METHODS: (HeaderName, &str) = (ALLOW, "GET, HEAD");
    const TEXT: (HeaderName, &str) = (CONTENT_TYPE, "text/plain; charset=utf-8");
    let format = accept::preferred(request.headers());
    let (status, header, body) = if request.uri().path() != PATH {
        (
            StatusCode::NOT_FOUND,
            TEXT,
            Body::from("the metrics are at /metrics\n"),
        )
    } else if ![Method::GET, Method::HEAD].contains(request.method()) {
        (StatusCode::METHOD_NOT_ALLOWED, METHODS, Body::empty())
    } else if let Some(page) = pages::page(&pages, format).await {
        let of_format = (CONTENT_TYPE, format.media_type());
        (StatusCode::OK, of_format, Body::from(page))
    } else {
        const WHY: &str = "op25b does not answer in time, or cannot read the kernel: its log says why\n";
        (StatusCode::SERVICE_UNAVAILABLE, TEXT, Body::from(WHY))
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let (name, value) = header;
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(value));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        task::JoinHandle,
    };

    use super::{
        super::{MOST_PAGE, read_frame, write_frame},
        *,
    };

    /// A server, and the daemon's end of it.
    async fn server(allow: &[&str]) -> (std::net::SocketAddr, UnixStream, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let allow = allow.iter().map(|net| net.parse().unwrap()).collect();
        let served = Served { allow, tls: None };
        (address, ours, tokio::spawn(serve(vec![listener], served, theirs)))
    }

    /// Answers as the daemon does.
    fn daemon(mut stream: UnixStream, page: &'static str) -> JoinHandle<usize> {
        tokio::spawn(async move {
            let mut asked = 0;
            while read_frame(&mut stream, MOST_PAGE).await.is_ok() {
                asked += 1;
                write_frame(&mut stream, page.as_bytes()).await.unwrap();
            }
            asked
        })
    }

    async fn ask(address: std::net::SocketAddr, request: &str) -> String {
        ask_with(address, request, "").await
    }

    /// The same with a header, which begins a line.
    async fn ask_with(address: std::net::SocketAddr, request: &str, header: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{request} HTTP/1.1\r\nHost: router{header}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        // One that is not served finds its connection closed, or reset.
        let _ = stream.read_to_string(&mut answer).await;
        answer
    }

    #[tokio::test]
    async fn metrics_are_read_and_nothing_else_is_answered() {
        let (address, ours, serving) = server(&["127.0.0.0/8"]).await;
        let daemon = daemon(ours, "op25b_up 1\n");
        let page = ask(address, "GET /metrics").await;
        assert!(
            page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n\r\nop25b_up 1\n"),
            "{page}"
        );
        assert!(page.contains("content-type: text/plain; version=0.0.4"), "{page}");
        assert!(page.contains("connection: close"), "{page}");
        let head = ask(address, "HEAD /metrics?x=1").await;
        assert!(
            head.contains("content-length: 11\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        for (request, status) in [
            ("POST /metrics", "405"),
            ("DELETE /metrics", "405"),
            ("GET /", "404"),
            ("GET /v1/status", "404"),
            ("GET http://127.0.0.1/v1/exemptions", "404"),
        ] {
            let answer = ask(address, request).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}: {answer}"
            );
        }
        serving.abort();
        // Both were of one reading.
        assert_eq!(daemon.await.unwrap(), 1);
    }

    #[tokio::test]
    async fn a_client_gets_the_format_that_it_prefers() {
        let (address, mut daemon, _serving) = server(&[]).await;
        // The daemon's page is what it was asked for.
        tokio::spawn(async move {
            while let Ok(asked) = read_frame(&mut daemon, MOST_PAGE).await {
                write_frame(&mut daemon, &asked).await.unwrap();
            }
        });
        for (accept, format) in [
            ("", "text/plain; version=0.0.4; charset=utf-8"),
            ("\r\nAccept: */*", "text/plain; version=0.0.4; charset=utf-8"),
            (
                "\r\nAccept: application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            ("", "text/plain; version=0.0.4; charset=utf-8"),
        ] {
            let page = ask_with(address, "GET /metrics", accept).await;
            assert!(
                page.contains(&format!("\r\ncontent-type: {format}\r\n")),
                "{accept}: {page}"
            );
            assert!(page.ends_with(&format!("\r\n\r\n{format}")), "{accept}: {page}");
        }
    }

    #[tokio::test]
    async fn a_client_that_is_not_allowed_gets_no_answer() {
        let (address, ours, _serving) = server(&["192.0.2.0/24", "2001:db8::/32"]).await;
        let daemon = daemon(ours, "op25b_up 1\n");
        assert_eq!(ask(address, "GET /metrics").await, "");
        assert!(!daemon.is_finished());
        let served = Served {
            allow: vec!["192.0.2.0/24".parse().unwrap()],
            tls: None,
        };
        for (client, is_admitted) in [
            ("::ffff:192.0.2.7", true),
            ("192.0.3.7", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(served.admits(client.parse().unwrap()), is_admitted, "{client}");
        }
    }

    #[tokio::test]
    async fn silent_clients_keep_nobody_out() {
        let (address, ours, _serving) = server(&[]).await;
        let _daemon = daemon(ours, "op25b_up 1\n");
        let mut silent = Vec::new();
        for _ in 0..LIMITS.connections + 8 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\n").await.unwrap();
            silent.push(stream);
        }
        let answer = timeout(Duration::from_mins(1), ask(address, "GET /metrics"))
            .await
            .unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let mut long = TcpStream::connect(address).await.unwrap();
        let header = format!(
            "GET /metrics HTTP/1.1\r\nA: {}\r\n\r\n",
            "a".repeat(LIMITS.headers_size)
        );
        let _ = long.write_all(header.as_bytes()).await;
        let mut answer = String::new();
        let _ = long.read_to_string(&mut answer).await;
        assert!(!answer.contains("op25b_up"), "{answer}");
    }

    #[tokio::test]
    async fn without_a_page_there_is_no_answer_of_success_and_without_the_daemon_no_server() {
        let (address, ours, serving) = server(&[]).await;
        let daemon = daemon(ours, "");
        let answer = ask(address, "GET /metrics").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        daemon.abort();
        timeout(Duration::from_mins(1), serving).await.unwrap().unwrap();
        TcpStream::connect(address).await.unwrap_err();
    }
}
