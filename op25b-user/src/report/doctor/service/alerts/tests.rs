//! Senders with what they lack, in folders of their own.

use std::{fs::Permissions, os::unix::fs::PermissionsExt as _, path::PathBuf};

use tempfile::TempDir;

use super::{
    super::instances::fixture::{Host, assert_warns, closed_port, unit},
    *,
};

const SECRET: &str = "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==\n";

/// A folder with the files of the sender `abuse`, and its receiver.
struct Fixture {
    folder: TempDir,
    receiver: Host,
}

impl Fixture {
    fn new() -> Self {
        let fixture = Self {
            folder: TempDir::new().unwrap(),
            receiver: Host::new(),
        };
        let port = fixture.receiver.port();
        fixture.write(
            "conf",
            &format!("# The desk's.\nTO=https://127.0.0.1:{port}/op25b\n"),
        );
        fixture.write("secret", SECRET);
        fixture
    }

    fn path(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("alerts-abuse.{end}"))
    }

    fn write(&self, end: &str, text: &str) {
        fs::write(self.path(end), text).unwrap();
        self.permit(end, 0o600);
    }

    fn permit(&self, end: &str, mode: u32) {
        fs::set_permissions(self.path(end), Permissions::from_mode(mode)).unwrap();
    }

    /// The lines, where secrets have to belong to whoever runs the test.
    fn lines(&self, has_alerts: Option<bool>, properties: &str) -> Vec<Line> {
        let senders = Senders {
            owner: fs::metadata(self.folder.path()).unwrap().uid(),
            ..Senders::of(self.folder.path(), &[])
        };
        senders.lines(has_alerts, &[unit(properties)])
    }

    #[track_caller]
    fn assert_only(&self, properties: &str, message: &str, remedy: &str) {
        assert_warns(
            &self.lines(Some(true), properties),
            Check::Alerts,
            message,
            remedy,
        );
    }
}

#[test]
fn alerts_that_nobody_is_told_of_are_warned_of() {
    let folder = TempDir::new().unwrap();
    let senders = Senders::of(folder.path(), &[folder.path()]);
    assert_eq!(senders.units(), [""; 0]);
    assert_eq!(senders.lines(Some(false), &[]), []);
    assert_eq!(senders.lines(None, &[]), []);
    let lines = senders.lines(Some(true), &[]);
    assert_eq!((lines.len(), lines[0].result), (1, Grade::Warn));
    assert!(lines[0].message.contains("no service sends them"), "{lines:?}");
}

#[test]
fn a_sender_without_a_receiver_or_a_secret_is_named_with_its_file() {
    let fixture = Fixture::new();
    for (conf, message, remedy) in [
        ("", "`TO=` in", "https://HOST"),
        (
            "TO=http://127.0.0.1/\n",
            "no URL that alerts can be sent to",
            "https://HOST",
        ),
        (
            "TO=https://127.0.0.1/\nOPTIONS=--proxy socks://127.0.0.1\n",
            "no URL of a proxy",
            "http://HOST",
        ),
    ] {
        fixture.write("conf", conf);
        fixture.assert_only("", message, remedy);
    }
    let fixture = Fixture::new();
    fixture.write("secret", "hunter2\n");
    fixture.assert_only("", "alerts-abuse.secret has no secret", "openssl rand -base64 32");
    fs::remove_file(fixture.path("secret")).unwrap();
    fixture.assert_only("", "there is no secret in", "umask 077");
}

#[test]
fn a_sender_that_is_enabled_and_not_configured_is_named_with_what_it_lacks() {
    let (fixture, units) = (Fixture::new(), TempDir::new().unwrap());
    let wants = units.path().join("multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    for unit in [
        "op25b-alerts@abuse.service",
        "op25b-alerts@noc.service",
        "op25b.service",
    ] {
        std::os::unix::fs::symlink("/lib/systemd/system/op25b-alerts@.service", wants.join(unit)).unwrap();
    }
    // Not enabled: the template, and a drop-in of an instance.
    fs::write(units.path().join("op25b-alerts@.service"), "").unwrap();
    fs::create_dir(units.path().join("op25b-alerts@desk.service.d")).unwrap();
    let senders = Senders::of(fixture.folder.path(), &[units.path(), &units.path().join("none")]);
    assert_eq!(
        senders.units(),
        ["op25b-alerts@abuse.service", "op25b-alerts@noc.service"]
    );
    let failed = unit("ActiveState=failed\nResult=resources\n");
    let lines = senders.lines(Some(true), &[unit(""), failed]);
    let of_noc: Vec<_> = lines.iter().filter(|line| line.message.contains("noc")).collect();
    let [secret, state, configuration] = &of_noc[..] else {
        panic!("{lines:?}")
    };
    let folder = fixture.folder.path().display();
    assert_eq!(
        secret.message,
        format!("there is no secret in {folder}/alerts-noc.secret, with which alerts are signed")
    );
    assert!(
        state.message.contains("has ended with an error (resources)"),
        "{state:?}"
    );
    assert_eq!(
        configuration.message,
        format!(
            "op25b-alerts@noc is enabled, and there is no {folder}/alerts-noc.conf: it does not start, and no alert is sent"
        )
    );
    assert!(
        configuration
            .remedy
            .as_deref()
            .unwrap()
            .contains("disable --now op25b-alerts@noc")
    );
}

#[test]
fn a_secret_is_for_its_owner_alone() {
    let fixture = Fixture::new();
    for mode in [0o640, 0o604, 0o620] {
        fixture.permit("secret", mode);
        fixture.assert_only("", "others than root may read or change the secret", "chmod 600");
    }
    fixture.permit("secret", 0o600);
    assert!(secret(&fixture.path("secret"), 3_999_999_999).is_some());
}

#[test]
fn a_unit_that_does_not_send_is_named_with_why() {
    let fixture = Fixture::new();
    for (properties, message, remedy) in [
        (
            "LoadState=not-found",
            "there is no unit op25b-alerts@abuse.service",
            "deploy/op25b-alerts@.service",
        ),
        (
            "UnitFileState=disabled",
            "is not enabled (disabled)",
            "`systemctl enable op25b-alerts@abuse`",
        ),
        (
            "ActiveState=inactive",
            "does not run: alerts wait",
            "`systemctl start op25b-alerts@abuse`",
        ),
        (
            "ActiveState=activating\nSubState=auto-restart\nResult=exit-code",
            "has ended with an error (exit-code)",
            "journalctl -u op25b-alerts@abuse",
        ),
        (
            "StatusText=cannot send an alert: https://127.0.0.1:8443 answered 503; trying again in 64 s",
            "answered 503",
            "journalctl -u op25b-alerts@abuse",
        ),
    ] {
        fixture.assert_only(properties, message, remedy);
    }
    let lines = fixture.lines(Some(false), "");
    assert!(
        lines[0].message.contains("the policy has no `alerts`"),
        "{lines:?}"
    );
}

#[test]
fn a_receiver_or_a_proxy_that_takes_no_connection_is_named() {
    let closed = closed_port();
    let fixture = Fixture::new();
    let sent = "StatusText=7 alerts sent to https://127.0.0.1:8443, 0 repeated within an hour, 0 left out";
    let lines = fixture.lines(Some(true), sent);
    assert_eq!((lines.len(), lines[0].result), (1, Grade::Ok), "{lines:?}");
    assert!(lines[0].message.contains("7 alerts sent"), "{lines:?}");
    assert_eq!(fixture.lines(None, "")[0].result, Grade::Ok);

    let port = fixture.receiver.port();
    for option in ["--proxy http", "--proxy=http"] {
        fixture.write(
            "conf",
            &format!("TO=https://127.0.0.1:{port}/\nOPTIONS='--tls-ca /x {option}://127.0.0.1:{closed}'\n"),
        );
        fixture.assert_only(
            "",
            &format!("the proxy 127.0.0.1:{closed}, and no connection"),
            "firewalls",
        );
    }
    fixture.write("conf", &format!("TO=\"https://127.0.0.1:{closed}/\"\n"));
    fixture.assert_only(
        "",
        &format!("sends to 127.0.0.1:{closed}, and no connection"),
        "firewalls",
    );
}
