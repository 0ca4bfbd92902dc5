//! The router of the documents: two subscriber interfaces by the names that they have, and what can happen to it.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    path::Path,
};

use nix::sys::signal::Signal;
use op25b_testlab::{ethtool, filter::Filter, frames::pppoe_syn, packet_socket::PacketSocket};

use crate::support::{
    foreign_program::ForeignProgram,
    scene::{Answer, OP25B, Scene, eventually},
};

/// The policy of the runbook.
const POLICY: &str = "\
version: 1
interfaces:
  - { name: eth1, role: subscriber }
  - { name: eth2, role: subscriber, tunnels: [4in6] }
pools:
  - { name: residential, prefixes: [198.51.100.0/24, 2001:db8:100::/40] }
relays:
  - { name: post1, prefixes: [192.0.2.25, 2001:db8::25] }
";
/// The policy of the roll-out guide, before anything is enforced.
const MONITORED: &str = "\
version: 1
interfaces:
  - { name: eth1, role: subscriber }
  - { name: eth2, role: subscriber, tunnels: [4in6] }
pools:
  - name: ftth
    prefixes: [198.51.100.0/24, 2001:db8:100::/40]
    mode: monitor
  - name: mobile
    prefixes: [203.0.113.0/25, 2001:db8:200::/40]
    mode: monitor
relays:
  - { name: post1, prefixes: [192.0.2.25, 2001:db8::25] }
";
/// The corporate customers of the documents: name, prefix, ticket, and the id that the document has instead of a new one each time.
const CUSTOMERS: [(&str, &str, &str, &str); 3] = [
    (
        "Example KK",
        "198.51.100.8/29",
        "OPS-1042",
        "01KAXQ3T5BH6Z8W2N4R7C9D1EF",
    ),
    (
        "Sample GK",
        "198.51.100.64/28",
        "OPS-1043",
        "01KAXQ3T5C2M6P9S0V3X5Z7B8D",
    ),
    (
        "Muster AG",
        "2001:db8:108::/48",
        "OPS-1050",
        "01KAXQ3T5DQ4T7W1Y3A5C8E0GH",
    ),
];
/// The time zone of Japan, without the system's tables.
const TIME_ZONE: &str = "JST-9";

pub struct Router {
    filter: Option<Filter>,
    foreign: Option<ForeignProgram>,
    /// After what runs in it: a daemon that ends later makes its directories again.
    scene: Scene,
    /// The ids of the customers' exemptions, each with that of the document.
    ids: Vec<(String, &'static str)>,
}

impl Router {
    pub fn new() -> Self {
        let scene = Scene::new();
        for (interface, line) in [("eth1", "line1"), ("eth2", "line2")] {
            scene.ip(&[
                &format!("link add {interface} type veth peer name {line}"),
                &format!("link set {line} up"),
                &format!("link set {interface} up"),
            ]);
        }
        Self {
            scene,
            filter: None,
            foreign: None,
            ids: Vec::new(),
        }
    }

    /// The log of the daemon that runs.
    pub fn log(&self) -> String {
        self.filter.as_ref().map_or_else(String::new, Filter::log)
    }

    /// Brings the router into a state of the document.
    pub fn enter(&mut self, state: &str) {
        match state {
            "a batch of exemptions was removed by mistake" => {
                self.scene.policy(POLICY);
                self.start();
                self.table_of_customers();
                self.does("op25b exempt import customers.csv");
                self.ids = self.stored();
                for (.., id) in CUSTOMERS {
                    self.does(&format!(
                        "op25b exempt remove {id} --reason 'moved to the new IPAM'"
                    ));
                }
            }
            "an exemption has ended" => {
                let (_, _, _, id) = CUSTOMERS[0];
                self.does(&format!("op25b exempt extend {id} --expires 1s"));
                eventually("the exemption has ended", || {
                    self.run("op25b explain --src 198.51.100.10").contains("blocked")
                });
                self.send("line1", "198.51.100.10", ["203.0.113.25"; 3]);
            }
            "another program has taken the place of the filter on eth2" => {
                self.send(
                    "line1",
                    "198.51.100.20",
                    [
                        "203.0.113.1",
                        "203.0.113.2",
                        "203.0.113.3",
                        "203.0.113.4",
                        "203.0.113.5",
                        "203.0.113.6",
                    ],
                );
                let filter = self.filter.as_ref().unwrap();
                self.foreign = Some(ForeignProgram::instead_of(filter, self.scene.router(), "eth2"));
                eventually("the daemon has seen it", || {
                    self.scene.interface_report("eth2")["state"] == "lost"
                });
            }
            "the driver of eth1 refuses native mode" => {
                self.foreign = None;
                let filter = self.filter.take().unwrap();
                filter.leave_by(Signal::SIGTERM).unwrap();
                // Its peer has more queues to transmit to it than it has to receive from.
                self.scene.ip(&[
                    "link delete eth1",
                    "link add eth1 numrxqueues 1 type veth peer name line1 numtxqueues 2",
                    "link set eth1 up",
                ]);
                let set_queues = || ethtool::set_queues("line1", 1, 2);
                self.scene.router().run(set_queues).unwrap();
                self.start();
            }
            "the policy file has an error, no daemon runs, and there is no last good policy" => {
                self.scene
                    .policy(&POLICY.replace("198.51.100.0/24", "198.51.100.1/24"));
                let filter = self.filter.take().unwrap();
                filter.leave_by(Signal::SIGKILL).unwrap();
                let [_, _, (_, state)] = self.scene.router().places();
                fs::remove_file(state.join("policy.last-good.yaml")).unwrap();
            }
            "all pools are monitored, and nothing runs yet" => {
                self.scene.policy(MONITORED);
            }
            "the service was started, and subscribers have sent mail" => {
                self.start();
                // Outputs have the latest attempt first, and in the same second the lower address: sent from the highest address
                // down, the order is the same whenever a second ends.
                for (source, destinations) in [
                    ([203, 0, 113, 5], 1),
                    ([198, 51, 100, 99], 300),
                    ([198, 51, 100, 20], 1),
                    ([198, 51, 100, 10], 7),
                ] {
                    self.mail("line1", source, destinations);
                }
            }
            "a table of customers with mail servers of their own is at hand" => self.table_of_customers(),
            "the policy file enforces the first pool" => {
                self.scene.policy(&MONITORED.replacen("monitor", "enforce", 1));
            }
            "the policy file has a date for the second pool" => {
                let enforced = MONITORED.replacen("monitor", "enforce", 1);
                self.scene
                    .policy(&enforced.replacen("mode: monitor", "enforce_from: 2099-04-01", 1));
            }
            "the policy file has two phases for the second pool" => {
                let enforced = MONITORED.replacen("monitor", "enforce", 1);
                let phases = "phases:\n      - { from: 2099-04-01, only_to: [192.0.2.0/24] }\n      - { from: 2099-10-01 }";
                self.scene.policy(&enforced.replacen("mode: monitor", phases, 1));
            }
            other => panic!("no state {other:?}"),
        }
    }

    /// What a command of the document prints, in its words.
    pub fn run(&self, command: &str) -> String {
        let Answer { stdout, stderr, .. } = self.shell(command);
        self.in_words_of_the_document(stderr + &stdout)
    }

    /// Runs a command, which must work.
    #[track_caller]
    fn does(&self, command: &str) {
        let answer = self.shell(command);
        assert_eq!(answer.code, Some(0), "{command}: {answer:?}");
    }

    fn shell(&self, command: &str) -> Answer {
        let folder = self.scene.path("");
        let bin = Path::new(OP25B).parent().unwrap();
        let mut command = command.replace("/etc/op25b", folder.to_str().unwrap().trim_end_matches('/'));
        for (real, in_document) in &self.ids {
            command = command.replace(in_document, real);
        }
        let path = format!("PATH={}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        let zone = format!("TZ={TIME_ZONE}");
        let script = format!("cd {} && {command}", folder.display());
        self.scene.on_router("env", &[&path, &zone, "sh", "-c", &script])
    }

    fn start(&mut self) {
        let policy = self.scene.path("policy.yaml");
        self.filter = Some(self.scene.filter_with(&policy, &[], &[("TZ", TIME_ZONE)]));
    }

    /// The documents' table of corporate customers, for an import.
    fn table_of_customers(&self) {
        let rows = CUSTOMERS.map(|(name, prefix, ticket, _)| format!("{name},{prefix},{ticket}\n"));
        let table = format!("customer,prefixes,ticket\n{}", rows.concat());
        fs::write(self.scene.path("customers.csv"), table).unwrap();
    }

    /// Three SYNs from a subscriber to each of so many mail servers.
    fn mail(&self, line: &'static str, source: [u8; 4], servers: u16) {
        // Of benchmarks (RFC 2544): no test has a route there.
        let [high, low] = [198, 18];
        let servers = (0..servers).map(|server| {
            let [third, last] = server.to_be_bytes();
            Ipv4Addr::new(high, low, third, last).into()
        });
        let servers: Vec<_> = servers.collect();
        self.send_all(line, source.into(), servers.repeat(3));
    }

    /// SYNs from a subscriber, in `PPPoE`.
    fn send<const COUNT: usize>(&self, line: &'static str, source: &str, destinations: [&str; COUNT]) {
        let destinations = destinations.map(|address| address.parse().unwrap());
        self.send_all(line, source.parse().unwrap(), destinations.into());
    }

    fn send_all(&self, line: &'static str, source: IpAddr, destinations: Vec<IpAddr>) {
        let sent = self.scene.router().run(move || {
            let socket = PacketSocket::open(line)?;
            for (number, destination) in (0..).zip(destinations) {
                socket.send(&pppoe_syn(source, destination, 25, number)?.frame)?;
            }
            Ok(())
        });
        sent.unwrap();
    }

    /// The ids of the customers' exemptions in the store, each with that of the document.
    fn stored(&self) -> Vec<(String, &'static str)> {
        let listed = self.scene.op25b(&["exempt", "list", "--all", "--json"]).json();
        let listed = listed["exemptions"].as_array().unwrap();
        let known = listed.iter().filter_map(|exemption| {
            let mut customers = CUSTOMERS.iter();
            let (.., id) = customers.find(|(name, ..)| exemption["customer"] == *name)?;
            Some((exemption["id"].as_str()?.to_owned(), *id))
        });
        known.collect()
    }

    fn in_words_of_the_document(&self, mut output: String) -> String {
        for (real, in_document) in &self.ids {
            output = output.replace(real, in_document);
        }
        let folder = self.scene.path("");
        let mut output = output.replace(folder.to_str().unwrap().trim_end_matches('/'), "/etc/op25b");
        let [pins, runtime, state] = self.scene.router().places();
        for ((_, place), usual) in [
            (pins, "/sys/fs/bpf/op25b"),
            (runtime, "/run/op25b"),
            (state, "/var/lib/op25b"),
        ] {
            output = output.replace(place.to_str().unwrap(), usual);
        }
        output
    }
}
