//! The part `forward`: TCP that a router still forwards, with op25b where its subscribers' packets come in.

mod network;

use std::{
    any::Any,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use aya::programs::XdpMode as Flags;
use op25b::{datapath::Interfaces, policy::Role};
use op25b_testlab::{process, sample::Sample};
use serde::Serialize;

use self::network::{Network, SUBSCRIBER_INTERFACE};
use crate::{Report, args::Args, programs, progress, table, tool};

/// What runs where subscribers' packets come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Condition {
    #[serde(rename = "no XDP program")]
    Nothing,
    #[serde(rename = "empty XDP program")]
    Empty,
    #[serde(rename = "op25b")]
    Op25b,
}

impl Condition {
    const ALL: [Self; 3] = [Self::Nothing, Self::Empty, Self::Op25b];

    fn name(self) -> &'static str {
        match self {
            Self::Nothing => "no XDP program",
            Self::Empty => "empty XDP program",
            Self::Op25b => "op25b",
        }
    }
}

/// What the client hands to the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Packets {
    /// What a NIC would receive.
    #[serde(rename = "1500 bytes")]
    Wire,
    /// What a veth pair is handed by itself: segments that no NIC has cut, up to 64 KiB.
    #[serde(rename = "up to 64 KiB")]
    Segments,
}

impl Packets {
    const BOTH: [Self; 2] = [Self::Wire, Self::Segments];

    fn name(self) -> &'static str {
        match self {
            Self::Wire => "1500 bytes",
            Self::Segments => "up to 64 KiB",
        }
    }

    /// Has the client send such from now on.
    fn choose(self, network: &Network) -> anyhow::Result<()> {
        let offload = match self {
            Self::Wire => "off",
            Self::Segments => "on",
        };
        let mut command = network.client.command("ethtool");
        command.args(["-K", "eth0", "tso", offload, "gso", offload]);
        process::output_of(&mut command).map(drop)
    }
}

/// What was forwarded under one condition.
#[derive(Debug, Serialize)]
pub struct Row {
    packets: Packets,
    condition: Condition,
    gigabits: Sample,
    /// As a share of what is forwarded without an XDP program, round by round.
    share_of_none: Sample,
}

/// Measures each condition in turn, in each round.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    for program in ["iperf3", "ethtool"] {
        if !tool::is_installed(program) {
            progress(&format!("forward: left out: not installed: {program}"));
            return Ok(());
        }
    }
    let (repetitions, seconds) = if args.quick { (3, 1) } else { (5, 2) };
    let network = Network::new()?;
    let _server = Server::start(&network)?;
    let pairs = Packets::BOTH
        .into_iter()
        .flat_map(|packets| Condition::ALL.map(|condition| (packets, condition)));
    let mut measured: Vec<_> = pairs.map(|pair| (pair, Vec::new())).collect();
    for round in 1..=repetitions {
        progress(&format!("forward: round {round} of {repetitions}"));
        for ((packets, condition), gigabits) in &mut measured {
            let condition = *condition;
            packets.choose(&network)?;
            let attached = network.router.run(move || install(condition))?;
            gigabits.push(throughput(&network, seconds)?);
            drop(attached);
        }
    }
    for (packets, of_packets) in measured
        .chunk_by(|one, other| one.0.0 == other.0.0)
        .map(|rows| (rows[0].0.0, rows))
    {
        let nothing = &of_packets[0].1;
        for ((_, condition), gigabits) in of_packets {
            let share = Sample::of_pairs(gigabits, nothing, |own, nothing| own / nothing);
            report(Row {
                packets,
                condition: *condition,
                gigabits: Sample::of(gigabits.clone()).context("nothing was measured")?,
                share_of_none: share.context("nothing was measured")?,
            })?;
        }
    }
    Ok(())
}

/// Brings the condition about, for as long as the value lives. Runs inside the router.
fn install(condition: Condition) -> anyhow::Result<Box<dyn Any + Send>> {
    const POLICY: &str = "\
version: 1
interfaces:
  - { name: sub0, role: subscriber, xdp: native }
pools:
  - { name: residential, prefixes: [198.51.100.0/24] }
exemptions:
  - { customer: Example KK, prefixes: [198.51.100.136/29] }
";
    Ok(match condition {
        Condition::Nothing => Box::new(()),
        Condition::Empty => {
            let mut ebpf = programs::load("empty_pass", &[])?;
            programs::program(&mut ebpf, "empty_pass")?.attach(SUBSCRIBER_INTERFACE, Flags::Driver)?;
            Box::new(ebpf)
        }
        Condition::Op25b => {
            let mut filter = programs::op25b(&programs::policy(POLICY)?)?;
            let interfaces = Interfaces::list()?;
            let held = filter.hold(&interfaces, SUBSCRIBER_INTERFACE, Role::Subscriber)?;
            Box::new((held, filter))
        }
    })
}

/// iperf3's server, which ends with the value.
struct Server(Child);

impl Server {
    fn start(network: &Network) -> anyhow::Result<Self> {
        let mut command = network.server.command("iperf3");
        command.arg("--server").stdin(Stdio::null());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().context("cannot run iperf3")?;
        let server = Self(child);
        // The first connections may come before it listens.
        let begin = Instant::now();
        while let Err(error) = throughput(network, 1) {
            if begin.elapsed() > Duration::from_secs(5) {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(100));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("cannot end iperf3: {error}");
        }
    }
}

/// Gigabits a second that the server received from the client.
fn throughput(network: &Network, seconds: u32) -> anyhow::Result<f64> {
    let mut command = network.client.command("iperf3");
    command.args(["--client", network::SERVER, "--json", "--connect-timeout", "2000"]);
    command.args(["--time", &seconds.to_string()]);
    let output = command
        .stdin(Stdio::null())
        .output()
        .context("cannot run iperf3")?;
    let result: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("iperf3 printed no JSON")?;
    if let Some(error) = result.get("error") {
        bail!("iperf3 failed: {error}");
    }
    let bits = result.pointer("/end/sum_received/bits_per_second");
    let bits = bits.and_then(serde_json::Value::as_f64);
    Ok(bits.context("iperf3 did not report what was received")? / 1e9)
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let body: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.packets.name().into(),
                row.condition.name().into(),
                format!("{:.1}", row.gigabits.median),
                format!("{:.1} to {:.1}", row.gigabits.min, row.gigabits.max),
                format!("{:.2}", row.share_of_none.median),
                table::interval(&row.share_of_none),
            ]
        })
        .collect();
    let head = [
        "packets",
        "on the subscriber interface",
        "Gbit/s",
        "range",
        "of none",
        "interval",
    ];
    format!(
        "One TCP connection to port 5201 through a router, all on this machine (medians)\n\n{}",
        table::table(&head, 2, &body)
    )
}
