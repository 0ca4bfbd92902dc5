//! Clients of the control socket, however they behave, do not keep the daemon from its work.

use std::{io::Write as _, os::unix::net::UnixStream};

use crate::support::scene::{SMALL, Scene, eventually};

/// More than the socket has connection slots.
const CROWD: usize = 300;

/// Connections, each with this sent as far as there is room for it.
fn crowd(scene: &Scene, bytes: &[u8]) -> Vec<UnixStream> {
    let [_, (_, runtime), _] = scene.router().places();
    let socket = runtime.join("control.sock");
    let connect = || {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_nonblocking(true).unwrap();
        // One that was refused in the meantime has held no slot.
        let _ = stream.write(bytes);
        stream
    };
    (0..CROWD).map(|_| connect()).collect()
}

#[test]
fn a_crowd_of_bad_clients_keeps_the_daemon_from_nothing() {
    let scene = Scene::new();
    let policy = SMALL.replace(
        "  - { name: corp0, role: subscriber }\n",
        "  - { name: corp0, role: subscriber }\n  - { name: late0, role: subscriber, wait: true }\n",
    );
    let filter = scene.filter(&scene.policy(&policy));
    let unfinished = "POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
    let deaf = "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100);
    let huge = format!("GET /v1/status HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    let mut there = Vec::new();
    for (round, bytes) in [
        "",
        "GET /v1/status HTTP/1.1\r\nX-Slow: ",
        "\u{16}\u{3}\u{1} no HTTP \r\n\r\n",
        unfinished,
        &deaf,
        &huge,
    ]
    .into_iter()
    .enumerate()
    {
        there.extend(crowd(&scene, bytes.as_bytes()));
        let report = scene.daemon_report();
        assert_eq!(report["pid"], filter.pid());
        // What the daemon does beside answering goes on, too.
        scene.ip(&["link add late0 type veth peer name late1"]);
        eventually("the filter is on the interface that came", || {
            scene.modes().iter().any(|(name, _)| name == "late0")
        });
        scene.ip(&["link delete late0"]);
        eventually("the daemon knows that the interface went", || {
            let interfaces = scene.daemon_report()["interfaces"].clone();
            let mut interfaces = interfaces.as_array().unwrap().iter();
            interfaces.any(|it| it["name"] == "late0" && it["state"] == "missing")
        });
        assert_eq!(scene.op25b(&["reload"]).code, Some(0), "round {round}");
    }
    drop(there);
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
