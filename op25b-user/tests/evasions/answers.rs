//! `action: reset` and `action: prohibit`: an ordinary client's `connect` fails at once, with a reason.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use op25b_common::Reason::Blocked;
use xtask::{
    lab::{Family, HOST_END, Host},
    tun::receive_in_batches,
};

use crate::stage::{MAIL, PATIENCE, PROBE, Stage, counters, growth, named, policy};

/// `connect` on the subscriber's own kernel.
fn connect(stage: &Stage, family: Family, port: u16) -> io::Result<TcpStream> {
    let server = SocketAddr::new(Host::Internet.address(family), port);
    let subscriber = stage.lab.host(Host::Subscriber);
    let connect = move || Ok(TcpStream::connect_timeout(&server, PATIENCE));
    subscriber.run(connect).unwrap()
}

/// Proves which error a client gets, after one packet, in native and in generic mode.
fn assert_refused(block: &str, errors: [(Family, i32); 2]) {
    let stage = Stage::new();
    // A veth end drops what a native program sends back unless it is ready for it; hardware is.
    let ready = || receive_in_batches(HOST_END);
    stage.lab.host(Host::Subscriber).run(ready).unwrap();
    for family in Family::BOTH {
        connect(&stage, family, MAIL).unwrap();
    }
    for mode in ["native", "generic"] {
        let role = "sub0, role: subscriber";
        let filter = stage.filter(&policy(block).replace(role, &format!("{role}, xdp: {mode}")));
        for (family, error) in errors {
            let before = counters(&filter);
            let refusal = connect(&stage, family, MAIL).unwrap_err();
            assert_eq!(refusal.raw_os_error(), Some(error), "{mode} {family:?}: {refusal}");
            // Had the client waited, it would have tried again.
            assert_eq!(
                growth(&before, &counters(&filter)),
                named(&[(Blocked, 1)]),
                "{mode} {family:?}"
            );
            connect(&stage, family, PROBE).unwrap();
        }
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

#[test]
fn reset_refuses_a_connection_at_once() {
    assert_refused(
        "block: { action: reset }\n",
        [
            (Family::V4, libc::ECONNREFUSED),
            (Family::V6, libc::ECONNREFUSED),
        ],
    );
}

#[test]
fn prohibit_tells_the_client_at_once_that_the_host_is_out_of_its_reach() {
    // Linux makes these of "communication administratively prohibited" in ICMP and in ICMPv6.
    assert_refused(
        "block: { action: prohibit, prohibit_from: [198.51.100.1, '2001:db8:100::1'] }\n",
        [(Family::V4, libc::EHOSTUNREACH), (Family::V6, libc::EACCES)],
    );
}
