//! The environment of a test: a lab with a bot on the subscriber's line and a server; and how an evasion is tried.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use op25b_common::Reason;
use op25b_testlab::{
    filter::Filter,
    lab::{ACCESS, Family, HOST_END, Host, Lab},
    process::output_of,
};
use tempfile::{NamedTempFile, TempDir};

use super::{
    bot::{Bot, Outcome},
    line::{HOST, Line, Mac, ROUTER, TUNNEL4, TUNNEL6},
    segment::Flow,
    server::Server,
};

/// The program under test.
const OP25B: &str = env!("CARGO_BIN_EXE_op25b");
/// How long something may take that is bound to happen, in an emulated machine, too.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The ports that the server listens on: the blocked one, and one that shows what has arrived.
pub const MAIL: u16 = 25;
pub const PROBE: u16 = 587;

/// A bot on the subscriber's line.
pub const BOT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 77)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0x77)),
];
/// One on the other line, in another pool.
pub const OTHER_BOT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 139)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x101, 0, 0, 0, 0, 0x77)),
];
/// One outside, in no pool.
pub const UNLISTED_BOT: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 0x77)),
];

const INTERFACES: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber }
  - { name: access0, role: subscriber }
";
const POOLS: &str = "\
pools:
  - { name: residential, prefixes: [198.51.100.0/25, 2001:db8:100::/48] }
  - { name: flats, prefixes: [198.51.100.128/25, 2001:db8:101::/48, 2001:db8:102::/48] }
";

/// A policy that enforces both pools, with this `block`.
pub fn policy(block: &str) -> String {
    format!("{INTERFACES}{block}{POOLS}")
}

/// The usual one.
pub fn plain() -> String {
    policy("")
}

/// A lab, its server, and a bot.
pub struct Stage {
    pub lab: Lab,
    pub server: Server,
    pub bot: Bot,
    folder: TempDir,
}

/// What a bot sends instead of a SYN, and what becomes of it.
pub struct Evasion {
    family: Family,
    opening: Box<dyn Fn(Flow) -> Vec<Vec<u8>>>,
    linux: Outcome,
    counted: Vec<(Reason, u64)>,
}

impl Evasion {
    /// One that Linux lets through, so that without op25b there is a connection.
    pub fn new(
        family: Family,
        counted: &[(Reason, u64)],
        opening: impl Fn(Flow) -> Vec<Vec<u8>> + 'static,
    ) -> Self {
        Self {
            family,
            opening: Box::new(opening),
            linux: Outcome::Connected,
            counted: counted.into(),
        }
    }

    /// Linux, on the router or the server, makes no connection of it; other stacks may.
    pub fn refused_by_linux(self) -> Self {
        Self {
            linux: Outcome::Nothing,
            ..self
        }
    }
}

impl Stage {
    pub fn new() -> Self {
        Self::with(Line::ETHERNET, Host::Subscriber, BOT)
    }

    /// With the bot on another line.
    pub fn with(line: Line, host: Host, bot: [IpAddr; 2]) -> Self {
        let lacks = op25b_testlab::runtime::lacks();
        assert!(lacks.is_empty(), "these tests need {}", lacks.join("; and "));
        let lab = Lab::unique("evade").unwrap();
        prepare(&lab);
        let internet = lab.host(Host::Internet);
        let server = Server::start(internet, MAIL);
        Server::start(internet, PROBE);
        let bot = Bot::new(&lab, host, line, bot);
        Self {
            lab,
            server,
            bot,
            folder: TempDir::new().unwrap(),
        }
    }

    /// With a bot that sends from no pool on the subscriber's line, and receives where its address is.
    pub fn with_unlisted_bot() -> Self {
        let mut stage = Self::new();
        stage.bot = Bot::apart(
            &stage.lab,
            Host::Subscriber,
            Host::Relay,
            Line::ETHERNET,
            UNLISTED_BOT,
        );
        stage
    }

    /// Starts op25b with a policy and waits until it enforces.
    pub fn filter(&self, policy: &str) -> Filter {
        self.filter_on(Host::Router, policy)
    }

    /// The same elsewhere than on the router.
    pub fn filter_on(&self, host: Host, policy: &str) -> Filter {
        let path = self.folder.path().join(format!("{}.yaml", host.name()));
        fs::write(&path, policy).unwrap();
        Filter::start(Path::new(OP25B), self.lab.host(host), &path).unwrap()
    }

    /// Tries an evasion.
    pub fn attempt(&mut self, evasion: &Evasion) -> Outcome {
        self.bot.connect(evasion.family, &self.server, &evasion.opening)
    }

    /// Tries a connection without any tricks.
    pub fn plain_attempt(&mut self, family: Family) -> Outcome {
        self.bot
            .connect(family, &self.server, &|flow| vec![flow.syn().packet()])
    }

    /// Proves that evasions work without a filter, if Linux lets them, and do not work with this policy; and that each
    /// is counted as it expects.
    pub fn play(&mut self, policy: &str, evasions: &[Evasion]) {
        for (index, evasion) in evasions.iter().enumerate() {
            assert_eq!(
                self.attempt(evasion),
                evasion.linux,
                "evasion {index}, {:?}, without a filter",
                evasion.family
            );
        }
        let filter = self.filter(policy);
        for (index, evasion) in evasions.iter().enumerate() {
            let what = format!("evasion {index}, {:?}, with the filter", evasion.family);
            let before = counters(&filter);
            assert_eq!(self.attempt(evasion), Outcome::Nothing, "{what}");
            assert_eq!(
                growth(&before, &counters(&filter)),
                named(&evasion.counted),
                "{what}"
            );
        }
        assert_eq!(filter.stop().unwrap().code(), Some(0));
    }
}

/// What has been counted for subscribers so far.
pub fn counters(filter: &Filter) -> BTreeMap<String, u64> {
    filter.status().unwrap().counters
}

/// What has been counted between two readings.
pub fn growth(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = after
        .iter()
        .map(|(reason, count)| (reason.clone(), count - before[reason]));
    grown.filter(|(_, more)| *more > 0).collect()
}

/// Counts by the reasons' names.
pub fn named(counted: &[(Reason, u64)]) -> BTreeMap<String, u64> {
    counted
        .iter()
        .map(|(reason, count)| (reason.name().to_owned(), *count))
        .collect()
}

/// Runs `ip` commands for one host of a lab.
pub fn ip(lab: &Lab, host: Host, commands: &[String]) {
    let mut batch = NamedTempFile::new().unwrap();
    batch.write_all(commands.join("\n").as_bytes()).unwrap();
    let mut command = Command::new("ip");
    command
        .args(["-n", lab.host(host).name(), "-batch"])
        .arg(batch.path());
    output_of(&mut command).unwrap();
}

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Gives the links' ends known addresses, and adds neighbour entries for the bots, which answer no ARP.
fn prepare(lab: &Lab) {
    let ends = [
        ("sub0", Host::Subscriber),
        ("corp0", Host::Corporate),
        ("relay0", Host::Relay),
        (ACCESS, Host::Pppoe),
    ];
    let mut commands = Vec::new();
    for (end, host) in ends {
        commands.push(format!("link set {end} address {}", written(ROUTER)));
        ip(
            lab,
            host,
            &[format!("link set {HOST_END} address {}", written(HOST))],
        );
    }
    let tunnels = [IpAddr::V4(TUNNEL4), IpAddr::V6(TUNNEL6)];
    let neighbours = BOT
        .into_iter()
        .chain(tunnels)
        .map(|address| (address, "sub0"))
        .chain(OTHER_BOT.map(|address| (address, "corp0")))
        .chain(UNLISTED_BOT.map(|address| (address, "relay0")));
    commands.extend(neighbours.map(|(address, end)| {
        let mac = written(HOST);
        format!("neigh replace {address} lladdr {mac} dev {end} nud permanent")
    }));
    ip(lab, Host::Router, &commands);
    // The lab's router is one that lets forged sources through: op25b must not need its help.
    lab.host(Host::Router)
        .run(|| {
            for end in ["all", "sub0", "corp0", "relay0"] {
                fs::write(format!("/proc/sys/net/ipv4/conf/{end}/rp_filter"), "0")?;
            }
            Ok(())
        })
        .unwrap();
}

fn written(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}
