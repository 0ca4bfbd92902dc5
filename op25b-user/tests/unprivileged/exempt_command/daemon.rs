//! A stand-in for the daemon: records the requests at its socket and sends the replies that a test sets.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    sync::{Arc, Mutex, mpsc},
    thread,
};

use serde::Serialize;
use serde_json::Value;

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, the path and the query.
    pub line: String,
    /// The value of the idempotency header.
    pub key: Option<String>,
    /// The body; null without one. Of a document in each line: their list.
    pub body: Value,
}

/// A reply.
pub enum Reply {
    /// A document.
    Json(u16, Value),
    /// A problem.
    Problem(u16, Value),
    /// Nothing: the connection breaks.
    HangUp,
    /// Nothing, ever again: the connection breaks, and the socket goes.
    Die,
}

/// A document with status 200.
pub fn ok(value: &impl Serialize) -> Reply {
    Reply::Json(200, serde_json::to_value(value).unwrap())
}

/// A problem, with rows if it is an import's.
pub fn problem(status: u16, detail: &str, rows: &[(u32, &str)]) -> Reply {
    let rows: Vec<Value> = rows
        .iter()
        .map(|(line, detail)| serde_json::json!({ "line": line, "detail": detail }))
        .collect();
    Reply::Problem(
        status,
        serde_json::json!({
            "type": "urn:op25b:problem:invalid", "title": "No", "status": status, "detail": detail, "rows": rows,
        }),
    )
}

/// The stand-in. It answers in a thread of its own until the test ends.
pub struct Daemon {
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Daemon {
    /// Listens in a directory.
    pub fn at(runtime_dir: &Path, answer: impl Fn(&Request) -> Reply + Send + 'static) -> Self {
        let socket = runtime_dir.join("control.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (ready, is_ready) = mpsc::channel();
        let recorded = Arc::clone(&requests);
        thread::spawn(move || {
            ready.send(()).unwrap();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                while let Some(request) = receive(&mut stream) {
                    recorded.lock().unwrap().push(request.clone());
                    let (status, kind, body) = match answer(&request) {
                        Reply::Json(status, body) => (status, "application/json", body),
                        Reply::Problem(status, body) => (status, "application/problem+json", body),
                        Reply::HangUp => break,
                        Reply::Die => {
                            std::fs::remove_file(&socket).unwrap();
                            return;
                        }
                    };
                    let body = body.to_string();
                    let length = body.len();
                    // The client may be gone.
                    let _ = write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                }
            }
        });
        is_ready.recv().unwrap();
        Self { requests }
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// The next request; nothing at the end of the connection.
fn receive(stream: &mut UnixStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let (mut key, mut length, mut has_lines) = (None, 0, false);
    loop {
        let mut header = String::new();
        if reader.read_line(&mut header).unwrap() == 0 {
            return None;
        }
        let header = header.trim_end();
        let Some((name, value)) = header.split_once(": ") else {
            break;
        };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "idempotency-key" => key = Some(value.to_owned()),
            "content-type" => has_lines = value == "application/x-ndjson",
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let parsed = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap();
    let body = if body.is_empty() {
        Value::Null
    } else if has_lines {
        let lines = body.split(|byte| *byte == b'\n');
        lines.filter(|line| !line.is_empty()).map(parsed).collect()
    } else {
        parsed(&body)
    };
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Request { line, key, body })
}
