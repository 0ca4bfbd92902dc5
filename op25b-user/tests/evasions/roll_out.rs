//! Blocking that starts: for new connections only, in a monitored pool, or at a moment.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
};

use jiff::{Timestamp, ToSpan as _};
use nix::sys::signal::Signal;
use op25b_common::Reason::Monitored;
use op25b_testlab::lab::{Family, Host};

use crate::support::{
    bot::Outcome,
    stage::{MAIL, PATIENCE, Stage, counters, eventually, growth, named, plain, policy},
};

/// An ordinary client's connection, and its server sends everything back.
fn client(stage: &Stage, family: Family) -> TcpStream {
    let server = SocketAddr::new(Host::Internet.address(family), MAIL);
    let connect = move || Ok(TcpStream::connect_timeout(&server, PATIENCE)?);
    let stream = stage.lab.host(Host::Subscriber).run(connect).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

fn assert_echoes(mut stream: &TcpStream) {
    stream.write_all(b"NOOP\r\n").unwrap();
    let mut echo = [0; 6];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(echo, *b"NOOP\r\n");
}

#[test]
fn match_new_lets_an_open_connection_go_on_and_blocks_the_next() {
    let mut stage = Stage::new();
    let open = Family::BOTH.map(|family| client(&stage, family));
    open.iter().for_each(assert_echoes);
    let filter = stage.filter(&policy("block: { match: new }\n"));
    open.iter().for_each(assert_echoes);
    let before = counters(&filter);
    assert!(before["established"] > 0 && before["blocked"] == 0, "{before:?}");
    for family in Family::BOTH {
        let before = counters(&filter);
        assert_eq!(stage.plain_attempt(family), Outcome::Nothing, "{family:?}");
        assert_eq!(growth(&before, &counters(&filter))["blocked"], 1);
    }
    open.iter().for_each(assert_echoes);
}

#[test]
fn match_all_cuts_an_open_connection_too() {
    let mut stage = Stage::new();
    for family in Family::BOTH {
        let mut stream = client(&stage, family);
        assert_echoes(&stream);
        let filter = stage.filter(&plain());
        stream.write_all(b"NOOP\r\n").unwrap();
        assert_eq!(stage.plain_attempt(family), Outcome::Nothing);
        // The bot's own, and at least one of the client's.
        assert!(counters(&filter)["blocked"] > 1, "{family:?}");
        stream.set_nonblocking(true).unwrap();
        let error = stream.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

#[test]
fn a_monitored_pool_passes_and_is_counted() {
    let mut stage = Stage::new();
    let watched = plain().replace("residential,", "residential, mode: monitor,");
    let filter = stage.filter(&watched);
    for family in Family::BOTH {
        let before = counters(&filter);
        assert_eq!(stage.plain_attempt(family), Outcome::Connected, "{family:?}");
        // A SYN and the handshake's end.
        assert_eq!(growth(&before, &counters(&filter)), named(&[(Monitored, 2)]));
    }
}

#[test]
fn enforce_from_begins_in_the_kernel_while_the_process_is_stopped() {
    let mut stage = Stage::new();
    // Long enough for a busy machine to start and try, short enough to wait for.
    let from = Timestamp::now().checked_add(10.seconds()).unwrap();
    let from = from.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string();
    let dated = plain().replace("residential,", &format!("residential, enforce_from: {from},"));
    let filter = stage.filter(&dated);
    filter.signal(Signal::SIGSTOP).unwrap();
    for family in Family::BOTH {
        assert_eq!(stage.plain_attempt(family), Outcome::Connected, "{family:?}");
    }
    let so_far = counters(&filter);
    assert!(so_far["monitored"] == 4 && so_far["blocked"] == 0, "{so_far:?}");
    for family in Family::BOTH {
        eventually("enforcing", || stage.plain_attempt(family) == Outcome::Nothing);
    }
    // The kernel keeps the time in whole seconds, and so does the policy above.
    let from: Timestamp = from.parse().unwrap();
    assert!(Timestamp::now() >= from);
    assert!(counters(&filter)["blocked"] > 0);
    filter.signal(Signal::SIGCONT).unwrap();
    assert_eq!(filter.stop().unwrap().code(), Some(0));
}
