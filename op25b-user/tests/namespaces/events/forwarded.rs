//! Events at real collectors: rsyslog over TLS, nfcapd of nfdump, both of Debian's packages.

use std::{
    fs,
    io::Read as _,
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use op25b_testlab::paths;
use serde_json::{Value, json};

use super::{events, follower::Follower, with_events};
use crate::{
    records::{FOUR, SIX, line, syn},
    support::scene::{Scene, eventually},
};

const SYSLOG: u16 = 6514;
const IPFIX: u16 = 4739;

/// A process on the router; dropping it ends it.
pub struct Collector(Child);

impl Collector {
    pub fn start(scene: &Scene, mut command: Command) -> Self {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self(scene.router().run(move || Ok(command.spawn()?)).unwrap())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Ends it, and waits until it has written what it has.
    fn end(&mut self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A process that forwards events, and notes up to which one it has.
fn forwarder(scene: &Scene, to: &str, words: &[&str]) -> Follower {
    let state = scene.path("position").display().to_string();
    Follower::run(scene, &[&["--to", to, "--state", &state], words].concat())
}

/// Waits until all of so many events are forwarded.
pub fn await_forwarded(scene: &Scene, count: usize) {
    eventually("all events are forwarded", || {
        let events = events(scene, &[]);
        let position = fs::read_to_string(scene.path("position")).unwrap_or_default();
        let newest = events.last().map(|event| event["sequence"].to_string());
        events.len() == count && newest.as_deref() == Some(position.trim())
    });
}

/// An rsyslog that takes messages over TLS, and writes of each a line of JSON.
struct Rsyslog<'s> {
    scene: &'s Scene,
    collector: Collector,
}

impl<'s> Rsyslog<'s> {
    /// Writes its certificate, which is its own authority, and starts it.
    fn start(scene: &'s Scene) -> Self {
        let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(scene.path("cert.pem"), signed.cert.pem()).unwrap();
        fs::write(scene.path("key.pem"), signed.signing_key.serialize_pem()).unwrap();
        let collector = Self::run(scene);
        Self { scene, collector }
    }

    fn run(scene: &Scene) -> Collector {
        let file = |name: &str| scene.path(name).display().to_string();
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let config = format!(
            r#"global(defaultNetstreamDriver="ossl" defaultNetstreamDriverCAFile="{cert}"
                defaultNetstreamDriverCertFile="{cert}" defaultNetstreamDriverKeyFile="{key}")
            module(load="imtcp" StreamDriver.Name="ossl" StreamDriver.Mode="1" StreamDriver.Authmode="anon")
            module(load="mmpstrucdata")
            input(type="imtcp" address="127.0.0.1" port="{SYSLOG}")
            template(name="line" type="list") {{
                constant(value="{{\"pri\":\"") property(name="pri")
                constant(value="\",\"app\":\"") property(name="app-name")
                constant(value="\",\"msgid\":\"") property(name="msgid")
                constant(value="\",\"msg\":\"") property(name="msg")
                constant(value="\",\"data\":") property(name="$!rfc5424-sd!packet@32473")
                constant(value="}}\n")
            }}
            action(type="mmpstrucdata")
            action(type="omfile" file="{}" template="line")
            "#,
            file("messages")
        );
        fs::write(scene.path("rsyslog.conf"), config).unwrap();
        let package = paths::unpacked("rsyslog").unwrap();
        let mut command = Command::new(package.join("usr/sbin/rsyslogd"));
        command
            .args([
                "-n",
                "-f",
                &file("rsyslog.conf"),
                "-i",
                &file("rsyslog.pid"),
                "-M",
            ])
            .arg(modules());
        let collector = Collector::start(scene, command);
        eventually("rsyslog listens", || {
            let connects = || Ok(TcpStream::connect(("127.0.0.1", SYSLOG)).is_ok());
            scene.router().run(connects).unwrap()
        });
        collector
    }

    /// The messages that it has written.
    fn messages(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.scene.path("messages")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        let read = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        whole.map(read).collect()
    }
}

/// The folders of rsyslog's modules: those of the package itself, and that with TLS.
fn modules() -> String {
    let folders = ["rsyslog", "rsyslog-openssl"].map(|package| {
        let libraries = paths::unpacked(package).unwrap().join("usr/lib");
        let triples = fs::read_dir(&libraries).unwrap();
        let folder = triples
            .map(|entry| entry.unwrap().path().join("rsyslog"))
            .find(|folder| folder.is_dir());
        folder.unwrap().display().to_string()
    });
    folders.join(":")
}

#[test]
fn rsyslog_gets_each_event_over_tls_with_its_fields_also_those_of_the_time_when_it_was_away() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&with_events("{ destination: full }")));
    let mut rsyslog = Rsyslog::start(&scene);
    let to = format!("syslog+tls://127.0.0.1:{SYSLOG}");
    let ca = scene.path("cert.pem").display().to_string();
    let first = forwarder(&scene, &to, &["--tls-ca", &ca]);
    assert_eq!(first.remark(), format!("op25b: connected to {to}"));
    let line = line(&scene);
    line.send(&syn(FOUR)).unwrap();
    eventually("rsyslog has it", || rsyslog.messages().len() == 1);
    let event = &events(&scene, &[])[0];
    let message = &rsyslog.messages()[0];
    assert_eq!(
        [&message["pri"], &message["app"], &message["msgid"]],
        ["133", "op25b", "blocked"]
    );
    for field in ["sequence", "source_port", "destination_port", "length"] {
        assert_eq!(message["data"][field], json!(event[field].to_string()), "{field}");
    }
    for field in [
        "interface",
        "role",
        "verdict",
        "reason",
        "pool",
        "source",
        "destination",
    ] {
        assert_eq!(message["data"][field], event[field], "{field}");
    }
    let sentence = message["msg"].as_str().unwrap();
    assert!(
        sentence.contains(&format!("blocked {FOUR} port 40000 to ")),
        "{sentence}"
    );

    // It goes away, and a packet comes.
    rsyslog.collector.end();
    let remark = first.remark();
    assert!(remark.contains("has ended"), "{remark}");
    line.send(&syn(SIX)).unwrap();
    eventually("it is an event", || events(&scene, &[]).len() == 2);
    rsyslog.collector = Rsyslog::run(&scene);
    eventually("rsyslog has both", || rsyslog.messages().len() == 2);
    assert_eq!(rsyslog.messages()[1]["data"]["source"], json!(SIX.to_string()));

    // A start goes on where the last one ended.
    await_forwarded(&scene, 2);
    let ended = first.end(Signal::SIGTERM);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stderr
            .contains(&format!("2 events were forwarded to {to}, 0 left out")),
        "{ended:?}"
    );
    line.send(&syn(super::shown::offender(1))).unwrap();
    eventually("it is an event", || events(&scene, &[]).len() == 3);
    let _second = forwarder(&scene, &to, &["--tls-ca", &ca]);
    eventually("rsyslog has all three", || rsyslog.messages().len() == 3);
}

#[test]
fn a_collector_whose_certificate_nobody_trusted_has_signed_gets_nothing() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&with_events("{}")));
    let rsyslog = Rsyslog::start(&scene);
    let other = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(scene.path("other.pem"), other.cert.pem()).unwrap();
    let to = format!("syslog+tls://127.0.0.1:{SYSLOG}");
    let other = scene.path("other.pem").display().to_string();
    let forwarder = forwarder(&scene, &to, &["--tls-ca", &other]);
    let remark = forwarder.remark();
    assert!(
        remark.starts_with(&format!(
            "op25b: cannot connect to {to}: invalid peer certificate"
        )),
        "{remark}"
    );
    line(&scene).send(&syn(FOUR)).unwrap();
    eventually("it is an event", || events(&scene, &[]).len() == 1);
    assert_eq!(rsyslog.messages(), Vec::<Value>::new());
}

/// An nfcapd, which takes datagrams; ended, its flows as `nfdump` reads them from its file.
struct Nfcapd<'s> {
    scene: &'s Scene,
    collector: Collector,
}

impl<'s> Nfcapd<'s> {
    fn start(scene: &'s Scene) -> Self {
        fs::create_dir(scene.path("flows")).unwrap();
        let package = paths::unpacked("nfdump").unwrap();
        let mut command = Command::new(package.join("usr/bin/nfcapd"));
        command
            .args(["-b", "127.0.0.1", "-p", &IPFIX.to_string(), "-w"])
            .arg(scene.path("flows"));
        let collector = Collector::start(scene, command);
        eventually("nfcapd listens", || {
            let is_taken = || Ok(UdpSocket::bind(("127.0.0.1", IPFIX)).is_err());
            scene.router().run(is_taken).unwrap()
        });
        Self { scene, collector }
    }

    fn flows(mut self) -> Vec<Value> {
        self.collector.end();
        let package = paths::unpacked("nfdump").unwrap();
        let output = Command::new(package.join("usr/bin/nfdump"))
            .arg("-R")
            .arg(self.scene.path("flows"))
            .args(["-o", "json"])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[test]
fn nfdump_reads_the_record_of_each_event() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&with_events("{ destination: full }")));
    let nfcapd = Nfcapd::start(&scene);
    let to = format!("ipfix+udp://127.0.0.1:{IPFIX}");
    let forwarder = forwarder(&scene, &to, &[]);
    assert_eq!(forwarder.remark(), format!("op25b: connected to {to}"));
    let line = line(&scene);
    line.send(&syn(FOUR)).unwrap();
    line.send(&syn(SIX)).unwrap();
    await_forwarded(&scene, 2);
    let ended = forwarder.end(Signal::SIGINT);
    assert!(ended.stderr.contains("2 events were forwarded"), "{ended:?}");
    let flows = nfcapd.flows();
    assert_eq!(flows.len(), 2, "{flows:#?}");
    let shown = events(&scene, &[]);
    for (family, event) in ["4", "6"].into_iter().zip(&shown) {
        let source = format!("src{family}_addr");
        let flow = flows.iter().find(|flow| flow.get(&source).is_some()).unwrap();
        let destination = format!("dst{family}_addr");
        for (field, value) in [
            (source.as_str(), &event["source"]),
            (destination.as_str(), &event["destination"]),
            ("src_port", &event["source_port"]),
            ("dst_port", &event["destination_port"]),
            ("tcp_flags", &json!("......S.")),
            ("proto", &json!(6)),
            ("in_packets", &json!(1)),
        ] {
            assert_eq!(&flow[field], value, "{field}");
        }
        // Milliseconds, of the event's microseconds.
        let time = event["time"].as_str().unwrap();
        assert!(time.starts_with(flow["first"].as_str().unwrap()), "{time} {flow}");
    }
}

/// What a collector reads from a connection until it is closed.
fn received(scene: &Scene) -> (JoinHandle<Vec<u8>>, u16) {
    let listener = scene
        .router()
        .run(|| Ok(TcpListener::bind(("127.0.0.1", 0))?))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let reader = thread::spawn(move || {
        let mut all = Vec::new();
        let (mut connection, _) = listener.accept().unwrap();
        connection.read_to_end(&mut all).unwrap();
        all
    });
    (reader, port)
}

#[test]
fn over_tcp_messages_follow_each_other_and_their_sets_are_whole() {
    let scene = Scene::new();
    let _filter = scene.filter(&scene.policy(&with_events("{}")));
    let (reader, port) = received(&scene);
    let forwarder = forwarder(&scene, &format!("ipfix+tcp://127.0.0.1:{port}"), &[]);
    assert!(forwarder.remark().starts_with("op25b: connected to "));
    line(&scene).send(&syn(FOUR)).unwrap();
    await_forwarded(&scene, 1);
    forwarder.end(Signal::SIGINT);
    let all = reader.join().unwrap();
    let number = |bytes: &[u8]| usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    let (mut rest, mut ids) = (&all[..], Vec::new());
    while !rest.is_empty() {
        assert_eq!(number(rest), 10, "the version");
        let (message, others) = rest.split_at(number(&rest[2..]));
        let mut sets = &message[16..];
        while !sets.is_empty() {
            ids.push(number(sets));
            sets = &sets[number(&sets[2..])..];
        }
        rest = others;
    }
    // The templates, the sampling, and the event of IPv4.
    assert_eq!(ids, [2, 2, 3, 258, 256]);
}
