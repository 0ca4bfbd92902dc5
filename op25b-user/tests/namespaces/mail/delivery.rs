//! Mail from swaks to `OpenSMTPD`: delivered without the filter, and with it from the exempt alone.

use std::{
    net::IpAddr,
    process::Command,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use op25b_testlab::{
    lab::{Family, Host},
    mta::{Mta, RECIPIENT},
};

use crate::support::scene::{Answer, PATIENCE, Scene, lab_policy};

/// How long swaks waits for each answer: a lost SYN would have been repeated after a second.
const SWAKS_SECONDS: &str = "3";
/// What swaks exits with when it gets no connection.
const NO_CONNECTION: i32 = 2;

/// A message on its way.
struct Sent {
    id: String,
    answer: Answer,
}

fn send(scene: &Scene, from: Host, to: IpAddr, port: u16) -> Sent {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = format!("<{}.{count}@customer.lab.example>", std::process::id());
    let mut command = Command::new("timeout");
    command.args([
        "30",
        "swaks",
        "--server",
        &to.to_string(),
        "--port",
        &port.to_string(),
    ]);
    command.args(["--from", "customer@lab.example", "--to", RECIPIENT]);
    command.args(["--helo", "customer.lab.example", "--timeout", SWAKS_SECONDS]);
    command.args(["--header", &format!("Message-Id: {id}")]);
    let output = scene.lab.host(from).run(move || Ok(command.output()?)).unwrap();
    Sent {
        id,
        answer: output.into(),
    }
}

fn assert_delivered(scene: &Scene, mta: &Mta, from: Host, port: u16) {
    for family in Family::BOTH {
        let sent = send(scene, from, Host::Internet.address(family), port);
        assert_eq!(sent.answer.code, Some(0), "{:?}\n{}", sent.answer, mta.log());
        let message = mta.await_message(&sent.id, PATIENCE).unwrap();
        let message = message.unwrap_or_else(|| panic!("{} is not in the mailbox:\n{}", sent.id, mta.log()));
        // From the address that the policy is about.
        let client = from.address(family).to_string();
        assert!(message.contains(&client), "{client}: {message}");
    }
}

/// Sends over both families, and returns the ids of messages that must not come later either.
fn assert_not_delivered(scene: &Scene, from: Host, port: u16) -> Vec<String> {
    let ids = Family::BOTH.map(|family| {
        let sent = send(scene, from, Host::Internet.address(family), port);
        assert_eq!(sent.answer.code, Some(NO_CONNECTION), "{:?}", sent.answer);
        sent.id
    });
    ids.into()
}

fn connections(mta: &Mta, from: Host) -> usize {
    let addresses = Family::BOTH.map(|family| from.address(family).to_string());
    let log = mta.log();
    let connected = log.lines().filter(|line| line.contains("smtp connected"));
    connected
        .filter(|line| addresses.iter().any(|address| line.contains(address)))
        .count()
}

#[test]
fn opensmtpd_gets_mail_on_25_from_everybody_without_the_filter_and_from_the_exempt_alone_with_it() {
    let scene = Scene::new();
    let mta = Mta::start(scene.lab.host(Host::Internet), Host::Internet.address(Family::V4)).unwrap();
    assert_delivered(&scene, &mta, Host::Subscriber, 25);
    assert_delivered(&scene, &mta, Host::Corporate, 25);
    assert_eq!(connections(&mta, Host::Subscriber), 2);

    let filter = scene.filter(&lab_policy());
    let blocked = assert_not_delivered(&scene, Host::Subscriber, 25);
    assert!(filter.count("blocked").unwrap() >= 2);
    assert_delivered(&scene, &mta, Host::Corporate, 25);
    assert_delivered(&scene, &mta, Host::Subscriber, 587);
    assert_eq!(connections(&mta, Host::Subscriber), 2 + 2, "{}", mta.log());

    assert_eq!(filter.stop().unwrap().code(), Some(0));
    assert_delivered(&scene, &mta, Host::Subscriber, 25);
    for id in blocked {
        assert_eq!(mta.await_message(&id, Duration::ZERO).unwrap(), None);
    }
}
