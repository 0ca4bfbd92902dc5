//! Metrics over TCP: the process that serves them, its privileges, and what a reload does to it.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use crate::support::scene::{SMALL, Scene, eventually};

const PLAIN: &str = "metrics: { listen: [127.0.0.1:9625, '[::1]:9625'], allow: [127.0.0.1, '::1'] }\n";
const BROKEN: &str = "metrics: { listen: [127.0.0.1:9625], tls: { cert: none.crt, key: none.key } }\n";
const ELSEWHERE: &str = "metrics: { listen: [192.0.2.77:9625, 127.0.0.1:9625], allow: [127.0.0.0/8] }\n";
const SECURE: &str = "metrics: { listen: [127.0.0.1:9625], tls: { cert: server.crt, key: server.key, client_ca: client.crt } }\n";

/// A certificate and its key, in PEM.
struct Certificate {
    cert: String,
    key: String,
}

impl Certificate {
    /// Makes one, and writes it where the policy is.
    fn new(scene: &Scene, name: &str) -> Self {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let (cert, key) = (signed.cert.pem(), signed.signing_key.serialize_pem());
        fs::write(scene.path(&format!("{name}.crt")), &cert).unwrap();
        fs::write(scene.path(&format!("{name}.key")), &key).unwrap();
        Self { cert, key }
    }
}

fn request(mut stream: impl Read + Write) -> Option<String> {
    let asked = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: router\r\n\r\n");
    asked.and_then(|()| stream.flush()).ok()?;
    let mut answer = String::new();
    // The connection may be reset, or closed without the end of TLS.
    let _ = stream.read_to_string(&mut answer);
    (!answer.is_empty()).then_some(answer)
}

/// Connects; without a process that serves them, connections wait.
fn connect(address: &str) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    Ok(stream)
}

/// What is answered at an address of the router, if anything is.
fn page(scene: &Scene, address: &'static str) -> Option<String> {
    let page = scene
        .router()
        .run(move || Ok(connect(address).ok().and_then(request)));
    page.unwrap()
}

/// The same over TLS, with a client's certificate.
fn secure_page(scene: &Scene, server: &Certificate, client: Option<&Certificate>) -> Option<String> {
    let mut roots = RootCertStore::empty();
    let der =
        |certificate: &Certificate| CertificateDer::from_pem_slice(certificate.cert.as_bytes()).unwrap();
    roots.add(der(server)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(client) => {
            let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(vec![der(client)], key).unwrap()
        }
    };
    let connection = ClientConnection::new(Arc::new(config), "127.0.0.1".try_into().unwrap()).unwrap();
    let page = scene.router().run(move || {
        let stream = connect("127.0.0.1:9625").ok();
        Ok(stream.and_then(|stream| request(StreamOwned::new(connection, stream))))
    });
    page.unwrap()
}

/// The processes that this one has started.
fn children(pid: u32) -> Vec<i32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

fn has_fault(scene: &Scene, part: &str) -> bool {
    let faults = scene.daemon_report()["faults"].clone();
    let mut faults = faults.as_array().unwrap().iter();
    faults.any(|fault| fault["kind"] == "metrics_server" && fault["message"].as_str().unwrap().contains(part))
}

fn is_page(answer: Option<String>) -> bool {
    answer.is_some_and(|answer| answer.starts_with("HTTP/1.1 200 ") && answer.contains("\nop25b_up 1\n"))
}

#[test]
fn metrics_are_served_by_a_process_without_privileges_and_a_mistake_does_not_end_it() {
    const V4: &str = "127.0.0.1:9625";
    let scene = Scene::new();
    let policy = |metrics: &str| scene.policy(&format!("{SMALL}{metrics}"));
    let filter = scene.filter(&policy(PLAIN));
    eventually("metrics are served", || is_page(page(&scene, V4)));
    assert!(is_page(page(&scene, "[::1]:9625")));
    let [server] = children(filter.pid())[..] else {
        panic!("there is one process");
    };
    let status = fs::read_to_string(format!("/proc/{server}/status")).unwrap();
    for (key, value) in [
        ("CapInh", "0000000000000000"),
        ("CapPrm", "0000000000000000"),
        ("CapEff", "0000000000000000"),
        ("CapAmb", "0000000000000000"),
        ("NoNewPrivs", "1"),
        // Filtered.
        ("Seccomp", "2"),
        ("Threads", "1"),
    ] {
        assert!(
            status.contains(&format!("\n{key}:\t{value}\n")),
            "{key}: {status}"
        );
    }

    // The old listeners go on, with the old process.
    policy(BROKEN);
    filter.reload().unwrap();
    eventually("the mistake is shown", || has_fault(&scene, "none.crt"));
    assert!(is_page(page(&scene, V4)) && is_page(page(&scene, "[::1]:9625")));
    assert_eq!(children(filter.pid()), [server]);
    policy(ELSEWHERE);
    filter.reload().unwrap();
    eventually("the address that is missing is named", || {
        has_fault(&scene, "192.0.2.77:9625: ") && !has_fault(&scene, "none.crt")
    });
    assert!(is_page(page(&scene, V4)));

    let certificates = ["server", "client", "stranger"].map(|name| Certificate::new(&scene, name));
    let [server, client, stranger] = &certificates;
    policy(SECURE);
    filter.reload().unwrap();
    eventually("TLS is spoken", || {
        is_page(secure_page(&scene, server, Some(client)))
    });
    eventually("the fault is over", || !has_fault(&scene, ""));
    for stranger in [None, Some(stranger)] {
        assert_eq!(secure_page(&scene, server, stranger), None);
    }
    assert_eq!(
        page(&scene, V4).filter(|answer| answer.contains("op25b_up")),
        None
    );
    assert_eq!(page(&scene, "[::1]:9625"), None);

    eventually("only one process is left", || children(filter.pid()).len() == 1);
    kill(Pid::from_raw(children(filter.pid())[0]), Signal::SIGKILL).unwrap();
    eventually("it is started again", || {
        is_page(secure_page(&scene, server, Some(client)))
    });
    policy("");
    filter.reload().unwrap();
    eventually("nothing is left of it", || children(filter.pid()).is_empty());
    assert_eq!(page(&scene, V4), None);
}
