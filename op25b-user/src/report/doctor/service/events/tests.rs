//! Forwarders with what they lack, in folders of their own.

use std::{fs, path::PathBuf, slice};

use tempfile::TempDir;

use super::{
    super::instances::fixture::{self, Host, closed_port, unit},
    *,
};

/// A folder with the file of the forwarder `log`, and its collector.
struct Fixture {
    folder: TempDir,
    collector: Host,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            folder: TempDir::new().unwrap(),
            collector: Host::new(),
        };
        let port = fixture.collector.port();
        fixture.write(&format!(
            "# The log server.\nTO=syslog+tls://127.0.0.1:{port}\nOPTIONS=--tls-ca /x\n"
        ));
        fixture
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events-log.conf")
    }

    fn write(&self, text: &str) {
        fs::write(self.path(), text).unwrap();
    }

    fn lines(&self, has_events: Option<bool>, properties: &str) -> Vec<Line> {
        Forwarders::of(self.folder.path(), &[]).lines(has_events, &[unit(properties)])
    }

    #[track_caller]
    fn assert_only(&self, properties: &str, message: &str, remedy: &str) {
        assert_warns(&self.lines(Some(true), properties), message, remedy);
    }

    #[track_caller]
    fn assert_sends(&self, message: &str) {
        let lines = self.lines(Some(true), "");
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            (line.check, line.result, line.message.as_str()),
            (Check::Events, Grade::Ok, message)
        );
    }
}

#[track_caller]
fn assert_warns(lines: &[Line], message: &str, remedy: &str) {
    fixture::assert_warns(lines, Check::Events, message, remedy);
}

#[test]
fn events_need_no_forwarder() {
    let folder = TempDir::new().unwrap();
    // A sender of alerts is none.
    fs::write(folder.path().join("alerts-log.conf"), "").unwrap();
    let forwarders = Forwarders::of(folder.path(), &[folder.path()]);
    assert_eq!(forwarders.units(), [""; 0]);
    for has_events in [Some(true), Some(false), None] {
        assert_eq!(forwarders.lines(has_events, &[]), []);
    }
}

#[test]
fn a_forwarder_to_no_destination_or_with_a_file_that_cannot_be_read_is_named_with_its_file() {
    let fixture = Fixture::new();
    for conf in [
        "",
        "# TO=journal\n",
        "TO=log.example.net\n",
        "TO=syslog://127.0.0.1\n",
        "TO=journal\nTO=https://127.0.0.1/\n",
    ] {
        fixture.write(conf);
        fixture.assert_only(
            "",
            &format!(
                "`TO=` in {} is nothing that events can be forwarded to",
                fixture.path().display()
            ),
            "syslog+tls://HOST[:PORT]",
        );
    }
    fs::remove_file(fixture.path()).unwrap();
    fs::create_dir(fixture.path()).unwrap();
    fixture.assert_only("", "cannot read ", "docs/observability.md");
}

#[test]
fn a_forwarder_that_is_enabled_and_not_configured_is_named_with_what_it_lacks() {
    let (fixture, units) = (Fixture::new(), TempDir::new().unwrap());
    let wants = units.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    for unit in ["op25b-events@flow.service", "op25b-alerts@abuse.service"] {
        std::os::unix::fs::symlink("/lib/systemd/system/x@.service", wants.join(unit)).unwrap();
    }
    let forwarders = Forwarders::of(fixture.folder.path(), &[units.path()]);
    assert_eq!(
        forwarders.units(),
        ["op25b-events@flow.service", "op25b-events@log.service"]
    );
    let failed = unit("ActiveState=failed\nResult=resources\n");
    let lines = forwarders.lines(Some(true), &[failed, unit("")]);
    let [state, configuration, log] = &lines[..] else {
        panic!("{lines:?}")
    };
    assert_warns(
        slice::from_ref(state),
        "op25b-events@flow.service has ended with an error (resources)",
        "journalctl -u op25b-events@flow",
    );
    assert_warns(
        slice::from_ref(configuration),
        &format!(
            "op25b-events@flow is enabled, and there is no {}/events-flow.conf: it does not start, and no event is forwarded",
            fixture.folder.path().display()
        ),
        "`systemctl disable --now op25b-events@flow`",
    );
    assert_eq!(log.result, Grade::Ok, "{log:?}");
}

#[test]
fn a_unit_that_does_not_forward_is_named_with_why() {
    let fixture = Fixture::new();
    for (properties, message, remedy) in [
        (
            "LoadState=not-found",
            "there is no unit op25b-events@log.service: no event is forwarded",
            "deploy/op25b-events@.service",
        ),
        (
            "LoadState=masked",
            "is masked: no event is forwarded",
            "`systemctl unmask op25b-events@log",
        ),
        (
            "UnitFileState=disabled",
            "is not enabled (disabled): after a boot no event is forwarded",
            "`systemctl enable op25b-events@log`",
        ),
        (
            "ActiveState=inactive",
            "does not run: no event is forwarded, and the daemon keeps",
            "`systemctl start op25b-events@log`",
        ),
        (
            "ActiveState=activating\nSubState=auto-restart\nResult=exit-code",
            "has ended with an error (exit-code)",
            "journalctl -u op25b-events@log",
        ),
    ] {
        fixture.assert_only(properties, message, remedy);
    }
    assert_warns(
        &fixture.lines(Some(false), ""),
        "the policy has no `events`: it is refused",
        "`events: {}` in the policy, or `systemctl disable --now op25b-events@log`",
    );
}

#[test]
fn a_collector_that_takes_no_connection_is_named() {
    let closed = closed_port();
    let fixture = Fixture::new();
    let port = fixture.collector.port();
    fixture.assert_sends(&format!(
        "op25b-events@log.service sends to syslog+tls://127.0.0.1:{port}"
    ));
    assert_eq!(fixture.lines(None, "")[0].result, Grade::Ok);
    for scheme in ["syslog+tls", "syslog+tcp", "ipfix+tcp"] {
        fixture.write(&format!("TO='{scheme}://127.0.0.1:{closed}'\n"));
        fixture.assert_only(
            "",
            &format!("op25b-events@log sends to 127.0.0.1:{closed}, and no connection"),
            "firewalls",
        );
    }
    // Nothing is connected to.
    fixture.write(&format!("TO=ipfix+udp://127.0.0.1:{closed}\n"));
    fixture.assert_sends(&format!(
        "op25b-events@log.service sends to ipfix+udp://127.0.0.1:{closed}, and nothing shows whether datagrams arrive there"
    ));
    fixture.write("TO=journal\n");
    fixture.assert_sends("op25b-events@log.service sends to the journal of this machine");
}
