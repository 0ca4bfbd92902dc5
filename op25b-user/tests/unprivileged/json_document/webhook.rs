//! What a webhook gets: the example of docs/json.md, and the commands of docs/observability.md that verify its signature.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use jiff::Timestamp;
use op25b::schema::Schema;
use op25b_testlab::paths;
use serde_json::{Value, json};
use tokio_rustls::rustls::{
    ServerConfig, ServerConnection, StreamOwned, crypto::ring, pki_types::PrivateKeyDer,
};

use super::{
    alerts,
    examples::{WRITE, example, write_if_asked},
};
use crate::{
    command::op25b_in,
    exempt_command::{
        daemon::{Reply, ok},
        scene::Scene,
    },
};

const SECRET: &str = "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==\n";

/// A request.
struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// A header.
    #[track_caller]
    fn header(&self, name: &str) -> &str {
        let mut lines = self.head.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_else(|| panic!("no {name}: {}", self.head))
    }
}

/// Accepts one request over TLS with a certificate for 127.0.0.1, which is returned with the port.
fn receiver() -> (u16, String, JoinHandle<Request>) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signed.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let received = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream);
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let mut request = Request {
            head: String::from_utf8(head).unwrap(),
            body: Vec::new(),
        };
        request.body = vec![0; request.header("content-length").parse().unwrap()];
        stream.read_exact(&mut request.body).unwrap();
        stream
            .write_all(b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        request
    });
    (port, signed.cert.pem(), received)
}

/// What `op25b alerts --to` sends of an alert that the daemon gets while it runs.
fn sent(scene: &Scene, alert: &Value) -> Request {
    let (port, certificate, received) = receiver();
    scene.file("ca.pem", &certificate);
    let number = alert["sequence"].as_u64().unwrap();
    let page = json!({ "alerts": [alert], "next": number, "missed": 0 });
    let has_answered = AtomicBool::new(false);
    let _daemon = scene.daemon(move |request| {
        if !request.line.contains("after=") {
            return ok(&json!({ "alerts": [], "next": number - 1, "missed": 0 }));
        }
        if has_answered.swap(true, Ordering::Relaxed) {
            return Reply::HangUp;
        }
        ok(&page)
    });
    let mut sender = op25b_in(&scene.path(""))
        .args(["alerts", "--to", &format!("https://127.0.0.1:{port}/op25b")])
        .args(["--secret", "secret", "--tls-ca", "ca.pem"])
        .current_dir(scene.path("."))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let request = received.join();
    sender.kill().unwrap();
    sender.wait().unwrap();
    request.unwrap()
}

/// The commands of the document that compute a signature.
fn recipe() -> String {
    let document = fs::read_to_string(paths::workspace().join("docs/observability.md")).unwrap();
    let mut blocks = document
        .split("```sh\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default());
    let found = blocks.find(|block| block.contains("openssl dgst"));
    found.expect("the document has commands with openssl").to_owned()
}

#[test]
fn a_webhook_gets_the_document_of_the_example_with_a_signature_that_openssl_computes_too() {
    let scene = Scene::new();
    scene.file("secret", SECRET);
    let example_alert = &alerts()["alerts"][0];
    // One that is a day old is not sent.
    let now = Timestamp::now().to_string();
    let mut alert = example_alert.clone();
    alert["time"] = now.clone().into();
    let request = sent(&scene, &alert);
    assert_eq!(request.header("webhook-id"), alert["id"]);

    fs::write(scene.path("body"), &request.body).unwrap();
    let verified = Command::new("sh")
        .args(["-euc", &recipe()])
        .current_dir(scene.path("."))
        .env("webhook_id", request.header("webhook-id"))
        .env("webhook_timestamp", request.header("webhook-timestamp"))
        .output()
        .unwrap();
    assert_eq!(
        format!("v1,{}", String::from_utf8_lossy(&verified.stdout).trim_end()),
        request.header("webhook-signature"),
        "{verified:?}"
    );

    let body = String::from_utf8(request.body).unwrap();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let body = body
        .replace(&format!("\"host\":\"{}\"", host.trim()), "\"host\":\"edge1\"")
        .replace(&now, example_alert["time"].as_str().unwrap());
    fs::write(scene.path("body"), body).unwrap();
    // It keeps the order of the members.
    let indented = Command::new("python3")
        .args(["-m", "json.tool", "--indent", "2", "--no-ensure-ascii", "body"])
        .current_dir(scene.path("."))
        .output()
        .unwrap();
    let output = String::from_utf8(indented.stdout).unwrap();
    write_if_asked(Schema::Alert, &output);
    assert!(
        example(Schema::Alert).as_deref() == Some(output.trim_end()),
        "the example of {} in docs/json.md is not what op25b sends; with {WRITE}=1 this test writes it:\n{output}",
        Schema::Alert
    );
}
