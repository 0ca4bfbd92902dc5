//! Alerts about offenders, from a flood on the line to a webhook that verifies their signatures.

use std::{
    fs,
    net::{Ipv4Addr, TcpStream},
    os::unix::net::UnixDatagram,
    process::{Child, Command, Stdio},
};

use nix::sys::signal::Signal;
use op25b_testlab::packet_socket::PacketSocket;
use serde_json::Value;

use crate::{
    events::follower::Follower,
    records::{has_begun, line, syn},
    service::await_line,
    support::scene::{SMALL, Scene, eventually},
};

const PORT: u16 = 8443;
/// How many connections a subscriber may open within a minute.
const MOST: usize = 20;

/// A receiver on the router; dropping it ends it.
struct Receiver(Child);

impl Receiver {
    fn start(scene: &Scene) -> Self {
        let program =
            op25b_testlab::paths::workspace().join("op25b-user/tests/namespaces/alerts/receiver.py");
        let mut command = Command::new("python3");
        command
            .arg(program)
            .arg(scene.path(""))
            .arg(PORT.to_string())
            .stdin(Stdio::null());
        let child = scene.router().run(move || Ok(command.spawn()?)).unwrap();
        eventually("the receiver listens", || {
            let connects = || Ok(TcpStream::connect(("127.0.0.1", PORT)).is_ok());
            scene.router().run(connects).unwrap()
        });
        Self(child)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn offender(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 51, 100, 100 + number)
}

/// A flood of a subscriber.
fn flood(line: &PacketSocket, offender: Ipv4Addr) {
    for _ in 0..=MOST {
        line.send(&syn(offender)).unwrap();
    }
}

/// What the receiver got about a subscriber.
fn requests(scene: &Scene, subscriber: Ipv4Addr) -> Vec<Value> {
    let text = fs::read_to_string(scene.path("requests")).unwrap_or_default();
    let requests = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let is_about = |request: &Value| request["body"]["subscriber"] == subscriber.to_string();
    requests.filter(is_about).collect()
}

/// How often the receiver accepted an alert about a subscriber.
fn accepted(scene: &Scene, subscriber: Ipv4Addr) -> usize {
    let requests = requests(scene, subscriber);
    requests.iter().filter(|request| request["status"] == 200).count()
}

/// The alerts that the daemon has.
fn alerts(scene: &Scene) -> Vec<Value> {
    let answer = scene.op25b(&["alerts", "--json"]);
    assert_eq!(answer.code, Some(0), "{answer:?}");
    answer.json()["alerts"].as_array().unwrap().clone()
}

/// A value of the metrics of alerts, by the end of the name and the label.
fn metric(scene: &Scene, series: &str) -> Option<u64> {
    let page = scene.op25b(&["metrics"]).stdout;
    let value = |line: &str| line.strip_prefix(&format!("op25b_alerts{series} "))?.parse().ok();
    page.lines().find_map(value)
}

/// How many alerts wait for the sender.
fn waiting(scene: &Scene) -> Option<u64> {
    metric(scene, "_waiting{sender=\"abuse\"}")
}

/// The sender, which tells its state to a socket in the place of systemd's.
fn sender(scene: &Scene) -> Follower {
    let file = |name: &str| scene.path(name).display().to_string();
    let url = format!("https://127.0.0.1:{PORT}/hook");
    let (secret, state, ca) = (file("secret"), file("sent"), file("cert.pem"));
    let options = [
        "--name", "abuse", "--secret", &secret, "--state", &state, "--tls-ca", &ca,
    ];
    let words = [&["alerts", "--to", &url], &options[..]].concat();
    let sender = Follower::with(scene, &words, &[("NOTIFY_SOCKET", &file("notify"))]);
    assert_eq!(
        sender.remark(),
        format!("op25b: sending alerts to https://127.0.0.1:{PORT}")
    );
    sender
}

/// Writes what the receiver and the sender need: it answers 503 at first.
fn write_files(scene: &Scene) {
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    for (name, content) in [
        ("cert.pem", signed.cert.pem().as_str()),
        ("key.pem", &signed.signing_key.serialize_pem()),
        ("secret", "whsec_b3AyNWIgYWxlcnRzIGFyZSBzaWduZWQgd2l0aCBpdA==\n"),
        ("status", "503"),
    ] {
        fs::write(scene.path(name), content).unwrap();
    }
}

#[test]
fn a_webhook_gets_one_signed_alert_about_each_offender_whoever_was_away() {
    let scene = Scene::new();
    let policy = scene.policy(&format!("{SMALL}alerts: {{ syns_per_minute: {MOST} }}\n"));
    let filter = scene.filter(&policy);
    write_files(&scene);
    let notify = UnixDatagram::bind(scene.path("notify")).unwrap();
    let receiver = Receiver::start(&scene);
    let first = sender(&scene);
    assert!(await_line(&notify, "READY=1").contains("STATUS=sending alerts to https://127.0.0.1"));
    let line = line(&scene);
    has_begun(&scene);

    // A subscriber below the threshold is no offender; a receiver that fails is asked again.
    line.send(&syn(offender(9))).unwrap();
    flood(&line, offender(1));
    eventually("it is tried again", || requests(&scene, offender(1)).len() >= 2);
    assert_eq!(waiting(&scene), Some(1));
    await_line(
        &notify,
        &format!("STATUS=cannot send an alert: https://127.0.0.1:{PORT} answered 503"),
    );
    fs::write(scene.path("status"), "200").unwrap();
    eventually("it is accepted", || accepted(&scene, offender(1)) == 1);
    await_line(
        &notify,
        &format!("STATUS=1 alert sent to https://127.0.0.1:{PORT}, "),
    );
    // Messages that nobody reads would fill its queue.
    drop(notify);
    eventually("none waits", || waiting(&scene) == Some(0));
    let requests_about_one = requests(&scene, offender(1));
    let id = &requests_about_one[0]["id"];
    for request in &requests_about_one {
        assert_eq!(request["is_signed"], true, "{request}");
        assert_eq!(
            [&request["path"], &request["type"], &request["id"]],
            [&Value::from("/hook"), &Value::from("application/json"), id]
        );
        let body = &request["body"];
        assert_eq!(body["schema"], "op25b.alert/1");
        assert_eq!(body["pool"], "residential");
        assert_eq!(body["beyond"], serde_json::json!(["syns_per_minute"]));
        assert_eq!(body["blocked_syns"], MOST + 1);
        assert_eq!(body["id"], *id);
        assert!(body["host"].is_string(), "{body}");
    }

    // Another one, while the first goes on.
    flood(&line, offender(1));
    flood(&line, offender(2));
    eventually("the second is accepted", || accepted(&scene, offender(2)) == 1);
    assert_eq!(metric(&scene, "_total{outcome=\"made\"}"), Some(2));
    assert_eq!(metric(&scene, "_total{outcome=\"unexamined\"}"), Some(0));
    eventually("the first goes on, and is no other alert", || {
        metric(&scene, "_total{outcome=\"repeated\"}") >= Some(1)
    });

    // The receiver is away, and the sender is started again meanwhile.
    drop(receiver);
    flood(&line, offender(3));
    assert!(first.remark().contains("answered 503"));
    while !first.remark().contains("cannot connect to 127.0.0.1:8443") {}
    let ended = first.end(Signal::SIGTERM);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("2 alerts sent to"), "{ended:?}");
    let second = sender(&scene);
    let _receiver = Receiver::start(&scene);
    eventually("the third is accepted", || accepted(&scene, offender(3)) == 1);

    // Another daemon does not know of whom there was an alert. The sender does, from a file that names nobody.
    assert_eq!(alerts(&scene).len(), 3);
    eventually("none waits", || waiting(&scene) == Some(0));
    let text = fs::read_to_string(scene.path("sent")).unwrap();
    assert!(!text.contains("198.51.100"), "{text}");
    assert!(filter.stop().unwrap().success());
    let _filter = scene.filter(&policy);
    has_begun(&scene);
    eventually("it is an alert again", || {
        flood(&line, offender(1));
        alerts(&scene).len() == 1
    });
    flood(&line, offender(4));
    eventually("the fourth is accepted", || accepted(&scene, offender(4)) == 1);
    for (number, expected) in [(1, 1), (2, 1), (3, 1), (4, 1), (9, 0)] {
        assert_eq!(accepted(&scene, offender(number)), expected, "{number}");
    }
    let ended = second.end(Signal::SIGTERM);
    assert!(ended.stderr.contains("1 repeated within an hour"), "{ended:?}");
    // Of what a sender that has ended does not ask for there is a metric all the same.
    flood(&line, offender(5));
    eventually("the fifth waits", || waiting(&scene) == Some(1));

    let forgotten = scene.op25b(&[
        "subscribers",
        "forget",
        &offender(1).to_string(),
        "--reason",
        "OPS-1",
    ]);
    assert!(
        forgotten
            .stdout
            .contains("removed 1 alert from the memory of the daemon"),
        "{forgotten:?}"
    );
    assert_eq!(alerts(&scene).len(), 2);
}

#[test]
fn an_exempt_customer_beyond_its_threshold_is_an_alert_once_until_it_is_forgotten() {
    let scene = Scene::new();
    let policy = format!(
        "{SMALL}alerts: {{ exempt_syns_per_minute: {MOST} }}\n\
         exemptions: [{{ customer: Example KK, prefixes: [{}] }}]\n",
        offender(1)
    );
    let _filter = scene.filter(&scene.policy(&policy));
    let line = line(&scene);
    has_begun(&scene);
    // One that is blocked has no threshold.
    flood(&line, offender(2));
    flood(&line, offender(1));
    let subscribers = || {
        let alerts = alerts(&scene);
        let subscribers = alerts
            .iter()
            .map(|alert| alert["subscriber"].as_str().unwrap().to_owned());
        subscribers.collect::<Vec<_>>()
    };
    let (first, second) = (offender(1).to_string(), offender(3).to_string());
    let (first, second) = (first.as_str(), second.as_str());
    eventually("there is an alert", || subscribers() == [first]);
    let alert = &alerts(&scene)[0];
    assert_eq!(alert["beyond"], serde_json::json!(["exempt_syns_per_minute"]));
    assert_eq!(alert["pool"], "residential");
    assert_eq!(
        [&alert["exempt_syns"], &alert["blocked_syns"]],
        [&Value::from(MOST + 1), &Value::from(0)]
    );

    // One that is added while the filter runs is counted as well; the first goes on, and is no other alert.
    let added = scene.op25b(&["exempt", "add", "--customer", "Sample GK", second]);
    assert_eq!(added.code, Some(0), "{added:?}");
    flood(&line, offender(1));
    flood(&line, offender(3));
    eventually("the second is one, too", || subscribers() == [first, second]);

    // What is forgotten begins anew, in the kernel as well.
    let forgotten = scene.op25b(&["subscribers", "forget", first, "--reason", "OPS-1"]);
    assert_eq!(forgotten.code, Some(0), "{forgotten:?}");
    assert_eq!(subscribers(), [second]);
    line.send(&syn(offender(1))).unwrap();
    flood(&line, offender(1));
    eventually("the first is one again", || subscribers() == [second, first]);
    assert_eq!(alerts(&scene)[1]["exempt_syns"], MOST + 2);
}
