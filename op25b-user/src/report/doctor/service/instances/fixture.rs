//! What the tests of all instances have in common: a unit that runs, a host that accepts connections or none, and one warning.

use std::net::TcpListener;

use super::{Check, Line, Unit};
use crate::report::doctor::Grade;

/// What systemd shows of a unit that runs.
const RUNS: &str = "LoadState=loaded\nUnitFileState=enabled\nActiveState=active\nSubState=running\n";

/// A unit that runs, but for these properties: the last one of a name counts.
pub(in super::super) fn unit(properties: &str) -> Unit {
    Unit::parse(&format!("{RUNS}{properties}"))
}

/// Accepts connections as long as it is there.
pub(in super::super) struct Host(TcpListener);

impl Host {
    pub(in super::super) fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub(in super::super) fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }
}

/// A port at which nothing accepts a connection.
pub(in super::super) fn closed_port() -> u16 {
    Host::new().port()
}

#[track_caller]
pub(in super::super) fn assert_warns(lines: &[Line], check: Check, message: &str, remedy: &str) {
    let [line] = lines else { panic!("{lines:?}") };
    assert_eq!((line.check, line.result), (check, Grade::Warn), "{line:?}");
    assert!(line.message.contains(message), "{line:?}");
    assert!(line.remedy.as_deref().unwrap().contains(remedy), "{line:?}");
}
