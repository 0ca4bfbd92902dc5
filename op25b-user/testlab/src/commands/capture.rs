//! `cargo xtask capture`: records what the lab's hosts send, as captures that the tests replay.

use std::{
    fs::{self, File},
    io::BufWriter,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path as FilePath, PathBuf},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;
use pcap_file::pcap::{PcapPacket, PcapWriter};

use crate::{
    frames::LINE_ROUTER,
    lab::{Family, HOST_END, Host, Lab, Servers},
    line::{Framing, Line},
    mail::{Outcome, Service},
    packet_socket::PacketSocket,
    paths, runtime,
    traffic::{Path, What},
};

/// Record the frames of the lab's hosts while mail and web pages take every path through it, for the tests to replay.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
No filter is attached, so that whole connections are recorded. Each host's frames are in a file of their own, with VLAN
tags and PPPoE where it sends them; so are a customer's mail on lines with other framing. Afterwards `cargo test -p op25b --test oracle captures` shows the changes of the
counts stored beside the captures, and `cargo insta accept` accepts them.
Exit codes: 0 recorded; 2 failed to run.")]
pub struct Args {
    /// The directory of the captures.
    #[arg(long, value_name = "DIRECTORY")]
    to: Option<PathBuf>,
}

/// Hosts whose packets go through the filter; those that the router itself sends do not.
const HOSTS: [Host; 5] = [
    Host::Subscriber,
    Host::Corporate,
    Host::Pppoe,
    Host::Internet,
    Host::Relay,
];
/// Lines whose framing no host's kernel has, and what goes over them.
const LINES: [(&str, Framing, &[Family]); 6] = [
    ("line-pppoe", Framing::PppoeInQinq, &Family::BOTH),
    ("line-tpid", Framing::OtherTpid, &Family::BOTH),
    ("line-snap", Framing::Snap, &Family::BOTH),
    ("line-mpls", Framing::Mpls, &Family::BOTH),
    ("line-eogre", Framing::EthernetInGre, &Family::BOTH),
    ("line-6in6", Framing::Ipv6InIpv6, &[Family::V6]),
];
/// How long an answer may take that should come.
const PATIENCE: Duration = Duration::from_secs(15);
/// A host that has sent nothing for so long after everything was answered sends nothing more.
const QUIET: Duration = Duration::from_millis(300);

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "the lab needs {}", lacks.join("; and "));
    let directory = match &args.to {
        Some(directory) => directory.clone(),
        None => paths::workspace().join("op25b-user/tests/captures"),
    };
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;

    let lab = Lab::unique("capture")?;
    let all: Vec<_> = Path::ALL.into_iter().map(|(path, _)| path).collect();
    for (host, frames) in record_while(&lab, &HOSTS, || talk(&lab, &all, &Family::BOTH))? {
        write(&directory, host.name(), &frames)?;
    }
    drop(lab);
    for (name, framing, families) in LINES {
        let mut frames = record_line(framing, families).with_context(|| format!("cannot record {name}"))?;
        // The rest is the host's own, outside the line.
        frames.retain(|(_, frame)| frame.starts_with(&LINE_ROUTER));
        write(&directory, name, &frames)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What a customer with such a line sends.
fn record_line(framing: Framing, families: &[Family]) -> anyhow::Result<Frames> {
    let lab = Lab::unique("capture")?;
    let _line = Line::start(&lab, Host::Subscriber, framing)?;
    let mail = Path::ALL.into_iter().map(|(path, _)| path).filter(|path| {
        let is_mail = matches!(path.what, What::Mail(Service::Transfer | Service::Submission));
        path.from == Host::Subscriber && is_mail
    });
    let mail: Vec<_> = mail.collect();
    let recorded = record_while(&lab, &[Host::Subscriber], || talk(&lab, &mail, families))?;
    Ok(recorded.into_iter().flat_map(|(_, frames)| frames).collect())
}

/// Records what hosts send while something happens.
fn record_while(
    lab: &Lab,
    hosts: &[Host],
    happens: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<Vec<(Host, Frames)>> {
    let is_over = Arc::new(AtomicBool::new(false));
    let recordings: Vec<_> = hosts
        .iter()
        .map(|host| (*host, record(lab, *host, &is_over)))
        .collect();
    let happened = happens();
    is_over.store(true, Ordering::Relaxed);
    let mut recorded = Vec::new();
    for (host, recording) in recordings {
        let frames = match recording?.join() {
            Ok(frames) => frames?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        recorded.push((host, frames));
    }
    happened?;
    Ok(recorded)
}

/// Goes these ways through the lab.
fn talk(lab: &Lab, paths: &[Path], families: &[Family]) -> anyhow::Result<()> {
    let servers = Servers::start(lab)?;
    let attempts: Vec<_> = paths
        .iter()
        .flat_map(|path| families.iter().map(|family| (*path, *family, PATIENCE)))
        .collect();
    let outcomes = Path::attempt_all(&attempts, lab, &servers, || {})?;
    for ((path, family, _), outcome) in attempts.iter().zip(outcomes) {
        ensure!(outcome == Outcome::Works, "{path} {}: {outcome}", family.name());
    }
    Ok(())
}

type Frames = Vec<(Duration, Vec<u8>)>;

/// Collects what a host sends until all is over, each frame with its time since the start.
fn record(
    lab: &Lab,
    host: Host,
    is_over: &Arc<AtomicBool>,
) -> anyhow::Result<JoinHandle<anyhow::Result<Frames>>> {
    let mut socket = lab.host(host).run(|| PacketSocket::open(HOST_END))?;
    let is_over = Arc::clone(is_over);
    let start = Instant::now();
    Ok(std::thread::spawn(move || {
        let mut frames = Vec::new();
        loop {
            let was_over = is_over.load(Ordering::Relaxed);
            match socket.receive_sent(Instant::now() + QUIET)? {
                Some(frame) => frames.push((start.elapsed(), frame)),
                None if was_over => return Ok(frames),
                None => {}
            }
        }
    }))
}

fn write(directory: &FilePath, name: &str, frames: &Frames) -> anyhow::Result<()> {
    let path = directory.join(format!("{name}.pcap"));
    write_file(&path, frames).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}: {} frames", path.display(), frames.len());
    Ok(())
}

fn write_file(path: &FilePath, frames: &Frames) -> anyhow::Result<()> {
    let mut writer = PcapWriter::new(BufWriter::new(File::create(path)?))?;
    for (time, frame) in frames {
        let length = u32::try_from(frame.len())?;
        writer.write_packet(&PcapPacket::new(*time, length, frame))?;
    }
    // The lab takes root; the file is for who works here.
    let owner = fs::metadata(paths::workspace())?;
    Ok(chown(path, Some(owner.uid()), Some(owner.gid()))?)
}
