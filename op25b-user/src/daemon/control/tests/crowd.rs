//! That no client keeps another one waiting, whatever it does.

use std::time::Duration;

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::mpsc,
    time::timeout,
};

use super::{
    super::{
        Newest, limits,
        roles::Groups,
        routes::router,
        server::{self, Listener},
    },
    daemon, explain, open_fake, shared, view,
};

/// What is bound to happen, happens within this.
const PATIENCE: Duration = Duration::from_secs(30);

/// A socket that is served.
struct Served {
    folder: TempDir,
    asked: mpsc::UnboundedReceiver<String>,
}

impl Served {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (requests, received) = mpsc::channel(limits::QUEUE);
        let (note, asked) = mpsc::unbounded_channel();
        tokio::spawn(daemon(received, note.clone()));
        let (questions, received) = mpsc::channel(limits::QUEUE);
        tokio::spawn(explain(received, note));
        let router = router(shared(
            requests,
            questions,
            open_fake(),
            view(),
            mpsc::unbounded_channel().0,
            Newest::default(),
        ));
        let (sender, listeners) = mpsc::channel(1);
        let listener = Listener {
            listener,
            groups: Groups::default(),
        };
        sender.try_send(listener).ok().unwrap();
        // Dropping the sender would end the server.
        tokio::spawn(async move {
            server::serve(listeners, router).await;
            drop(sender);
        });
        Self { folder, asked }
    }

    /// A connection on which this was sent.
    async fn connect(&self, bytes: &[u8]) -> UnixStream {
        let mut stream = UnixStream::connect(self.folder.path().join("socket"))
            .await
            .unwrap();
        stream.write_all(bytes).await.unwrap();
        stream
    }

    /// Asserts that another client gets a response from the daemon.
    async fn assert_answers(&self) {
        let request = b"GET /v1/explain?source=198.51.100.1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        let answer = self.connect(request).await;
        let answer = to_the_end(answer).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
}

/// Everything that comes until the other end closes.
async fn to_the_end(mut stream: UnixStream) -> String {
    let mut bytes = Vec::new();
    // A connection that is reset has ended, too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn post(length: usize) -> String {
    format!(
        "POST /v1/exemptions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
}

#[tokio::test]
async fn hundreds_of_silent_connections_make_room() {
    let served = Served::start();
    let mut silent = Vec::new();
    for _ in 0..limits::CONNECTIONS + 44 {
        silent.push(served.connect(b"").await);
    }
    served.assert_answers().await;
    // Those that came first have left.
    for stream in silent.drain(..44) {
        assert_eq!(to_the_end(stream).await, "");
    }
    // Half a request is no more than none.
    for _ in 0..limits::CONNECTIONS + 44 {
        silent.push(served.connect(b"GET /v1/status HTTP/1.1\r\nX-Slow: ").await);
    }
    served.assert_answers().await;
    // So is half a body.
    let half = format!("{}{{", post(100));
    for _ in 0..limits::CONNECTIONS + 44 {
        silent.push(served.connect(half.as_bytes()).await);
    }
    served.assert_answers().await;
    drop(silent);
    served.assert_answers().await;
}

#[tokio::test]
async fn a_request_reaches_the_daemon_only_as_a_whole() {
    let mut served = Served::start();
    let mut half = Vec::new();
    for line in [
        "POST /v1/reload",
        "DELETE /v1/exemptions/line-1?reason=none",
        "GET /v1/explain?source=198.51.100.9",
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{{");
        half.push(served.connect(request.as_bytes()).await);
    }
    served.assert_answers().await;
    let asked = served.asked.try_recv().unwrap();
    assert!(asked.contains("198.51.100.1"), "{asked}");
    assert!(served.asked.try_recv().is_err());
    half[0].write_all(&[b' '; 99]).await.unwrap();
    assert_eq!(served.asked.recv().await.unwrap(), "reload false");
}

#[tokio::test]
async fn hundreds_that_do_not_read_their_answers_make_room() {
    let served = Served::start();
    let request = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(200);
    let mut deaf = Vec::new();
    for _ in 0..limits::CONNECTIONS + 44 {
        let stream = UnixStream::connect(served.folder.path().join("socket"))
            .await
            .unwrap();
        // As far as there is room for it.
        let _ = stream.try_write(request.as_bytes());
        deaf.push(stream);
    }
    served.assert_answers().await;
}

#[tokio::test]
async fn what_is_not_http_is_answered_so_and_nobody_else_notices() {
    let served = Served::start();
    let huge = format!(
        "GET /v1/status HTTP/1.1\r\nX: {}\r\n\r\n",
        "x".repeat(limits::HEADERS_SIZE)
    );
    let many = format!(
        "GET /v1/status HTTP/1.1\r\n{}\r\n",
        "X: y\r\n".repeat(limits::HEADERS + 1)
    );
    for (bytes, status) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], "400"),
        (b"\0\0\0\0\0\0\0\0\r\n\r\n", "400"),
        (b"GET /v1/status\r\n\r\n", "400"),
        (b"GET /v1/status HTTP/7.0\r\n\r\n", "400"),
        (huge.as_bytes(), "431"),
        (many.as_bytes(), "431"),
    ] {
        let stream = served.connect(bytes).await;
        served.assert_answers().await;
        let answer = to_the_end(stream).await;
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{shown:?}: {answer}"
        );
    }
}

#[tokio::test]
async fn a_connection_whose_client_only_listens_is_answered_to_its_end() {
    let served = Served::start();
    let mut stream = served
        .connect(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    stream.shutdown().await.unwrap();
    let answer = to_the_end(stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 200 "),
        "{answer}"
    );
    // With half of a body there is nothing to answer.
    let mut stream = served.connect(format!("{}{{", post(100)).as_bytes()).await;
    stream.shutdown().await.unwrap();
    let answer = to_the_end(stream).await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
        "{answer}"
    );
    served.assert_answers().await;
}

#[tokio::test]
async fn a_body_or_headers_that_do_not_end_are_not_waited_for_without_end() {
    let served = Served::start();
    let body = served.connect(format!("{}{{", post(100)).as_bytes()).await;
    let headers = served.connect(b"GET /v1/status HTTP/1.1\r\nX-Slow: ").await;
    let silent = served.connect(b"").await;
    served.assert_answers().await;
    let answer = to_the_end(body).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("urn:op25b:problem:request-timeout"), "{answer}");
    to_the_end(headers).await;
    assert_eq!(to_the_end(silent).await, "");
}
