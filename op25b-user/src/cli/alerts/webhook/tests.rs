//! Requests over TLS: directly and through a proxy, to a receiver that accepts them and to one that does not.

use std::{fs, sync::Arc};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring},
};

use super::request::Sender;
use crate::{
    cli::tls::{Tls, TlsFiles},
    pem,
    report::Alert,
    webhook::{Proxy, Receiver, Secret},
};

/// A receiver's certificate, which is its own authority.
struct Identity {
    folder: TempDir,
    config: Arc<ServerConfig>,
}

impl Identity {
    fn new() -> Self {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("ca.pem"), signed.cert.pem()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                pem::certificates(signed.cert.pem().as_bytes()).unwrap(),
                pem::private_key(signed.signing_key.serialize_pem().as_bytes()).unwrap(),
            );
        Self {
            folder,
            config: Arc::new(config.unwrap()),
        }
    }

    fn files(&self) -> TlsFiles {
        TlsFiles::trusting(self.folder.path().join("ca.pem"))
    }

    /// Answers one request; returns its headers and its body.
    async fn serve(&self, answer: &'static str) -> (u16, JoinHandle<(String, Vec<u8>)>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = TlsAcceptor::from(Arc::clone(&self.config));
        let served = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            let head = head(&mut stream).await;
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .unwrap();
            let mut body = vec![0; length.parse().unwrap()];
            stream.read_exact(&mut body).await.unwrap();
            let answer = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            (head, body)
        });
        (port, served)
    }
}

/// The head of an HTTP message.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// A proxy for one connection; returns the head of the request to it.
async fn proxy(answer: &'static str) -> (Proxy, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let head = head(&mut client).await;
        let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
        client.write_all(answer.as_bytes()).await.unwrap();
        if answer.contains("200") {
            let to = head.split(' ').nth(1).unwrap();
            let mut server = TcpStream::connect(to).await.unwrap();
            copy_bidirectional(&mut client, &mut server).await.unwrap();
        }
        head
    });
    (Proxy::parse(&format!("http://127.0.0.1:{port}")).unwrap(), served)
}

/// Sends an alert to a port; returns why it was not accepted.
async fn send(identity: &Identity, port: u16, proxy: Option<&Proxy>) -> Result<(), String> {
    let (secret, files) = (Secret::fake(), identity.files());
    let to = Receiver::parse(&format!("https://127.0.0.1:{port}/hook?router=1")).unwrap();
    let sender = Sender::new(&to, proxy, Tls(&files), &secret).unwrap();
    let alert = Alert::fake(7, "198.51.100.20/32", "homes");
    let sent = sender.send(&alert, Timestamp::from_second(1_800_000_000).unwrap());
    sent.await.map_err(|error| format!("{error:#}"))
}

#[tokio::test]
async fn a_request_has_the_alert_and_its_signature() {
    let identity = Identity::new();
    let (port, served) = identity.serve("204 No Content").await;
    send(&identity, port, None).await.unwrap();
    let (head, body) = served.await.unwrap();
    let document: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        [&document["schema"], &document["subscriber"], &document["pool"]],
        ["op25b.alert/1", "198.51.100.20", "homes"]
    );
    let id = document["id"].as_str().unwrap();
    let signature = Secret::fake().sign(id, 1_800_000_000, &body);
    for line in [
        "POST /hook?router=1 HTTP/1.1",
        &format!("host: 127.0.0.1:{port}"),
        "content-type: application/json",
        &format!("webhook-id: {id}"),
        "webhook-timestamp: 1800000000",
        &format!("webhook-signature: {signature}"),
    ] {
        assert!(head.lines().any(|found| found == line), "{line} is not in {head}");
    }
}

#[tokio::test]
async fn a_proxy_is_asked_for_a_tunnel_and_sees_nothing_in_it() {
    let identity = Identity::new();
    let (port, served) = identity.serve("200 OK").await;
    let (through, proxied) = proxy("200 Connection established").await;
    send(&identity, port, Some(&through)).await.unwrap();
    let (_, body) = served.await.unwrap();
    assert!(String::from_utf8(body).unwrap().contains("198.51.100.20"));
    let head = proxied.await.unwrap();
    assert!(
        head.starts_with(&format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n")),
        "{head}"
    );

    let (through, _proxied) = proxy("407 Proxy Authentication Required").await;
    let refusal = send(&identity, port, Some(&through)).await.unwrap_err();
    assert!(
        refusal.contains("through the proxy") && refusal.contains("407"),
        "{refusal}"
    );
}

#[tokio::test]
async fn anything_but_success_from_the_host_that_is_trusted_is_a_failure() {
    let identity = Identity::new();
    for answer in ["302 Found", "410 Gone", "503 Service Unavailable"] {
        let (port, _served) = identity.serve(answer).await;
        let refusal = send(&identity, port, None).await.unwrap_err();
        assert!(refusal.contains(&answer[..3]), "{answer}: {refusal}");
    }
    let other = Identity::new();
    let (port, served) = other.serve("200 OK").await;
    let refusal = send(&identity, port, None).await.unwrap_err();
    assert!(refusal.contains("no TLS with 127.0.0.1"), "{refusal}");
    // It got no request.
    served.await.unwrap_err();
}
