//! `action: reset` and `action: prohibit`: an ordinary client's `connect` fails at once, with a reason.

use std::{
    io,
    net::{SocketAddr, TcpStream},
};

use op25b_testlab::lab::{Family, Host};

use crate::support::stage::{MAIL, PATIENCE, PROBE, Stage, counters, growth, policy};

/// `connect` on the subscriber's own kernel.
fn connect(stage: &Stage, family: Family, port: u16) -> io::Result<TcpStream> {
    let server = SocketAddr::new(Host::Internet.address(family), port);
    let subscriber = stage.lab.host(Host::Subscriber);
    let connect = move || Ok(TcpStream::connect_timeout(&server, PATIENCE));
    subscriber.run(connect).unwrap()
}

/// Proves which error a client gets, after how many packets at most, in native and in generic mode.
fn assert_refused(block: &str, errors: [(Family, i32); 2], attempts: u64) {
    let stage = Stage::new();
    for family in Family::BOTH {
        connect(&stage, family, MAIL).unwrap();
    }
    // A veth end drops what a native program at the other end sends back, unless it runs one, too. Hardware does not.
    let idle = INTERFACES_OF_A_HOST.to_owned() + UNUSED_POOL;
    let _idle = stage.filter_on(Host::Subscriber, &idle);
    for mode in ["native", "generic"] {
        let role = "sub0, role: subscriber";
        let filter = stage.filter(&policy(block).replace(role, &format!("{role}, xdp: {mode}")));
        for (family, error) in errors {
            let before = counters(&filter);
            let refusal = connect(&stage, family, MAIL).unwrap_err();
            assert_eq!(
                refusal.raw_os_error(),
                Some(error),
                "{mode} {family:?}: {refusal}"
            );
            let growth = growth(&before, &counters(&filter));
            let is_right = growth.len() == 1 && growth["blocked"] <= attempts;
            assert!(is_right, "{mode} {family:?}: {growth:?}");
            connect(&stage, family, PROBE).unwrap();
        }
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

const INTERFACES_OF_A_HOST: &str = "version: 1\ninterfaces: [{ name: eth0, role: subscriber }]\n";
const UNUSED_POOL: &str = "pools: [{ name: unused, prefixes: [192.0.2.128/25], mode: monitor }]\n";

#[test]
fn reset_refuses_a_connection_at_once() {
    assert_refused(
        "block: { action: reset }\n",
        [(Family::V4, libc::ECONNREFUSED), (Family::V6, libc::ECONNREFUSED)],
        1,
    );
}

#[test]
fn prohibit_makes_connect_fail_at_once_as_unreachable_or_prohibited() {
    // Linux makes these of "communication administratively prohibited" in ICMP and in ICMPv6. On links that take no
    // time the first may come while `connect` still holds its socket; then Linux only notes it, and obeys the second.
    assert_refused(
        "block: { action: prohibit, prohibit_from: [198.51.100.1, '2001:db8:100::1'] }\n",
        [(Family::V4, libc::EHOSTUNREACH), (Family::V6, libc::EACCES)],
        2,
    );
}
