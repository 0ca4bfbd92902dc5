//! The part `scrape`: how long a scrape of a router with many pools and interfaces takes, while it is idle and while it blocks a flood.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow, bail, ensure};
use op25b_testlab::{sample::Sample, usage};
use serde::Serialize;

use super::enforce;
use crate::{
    Report,
    args::Args,
    live::{generator::Generator, pace::Pace},
    progress,
    scenario::{Family, SOURCES, Scenario},
    table::{self, thousands},
    tool,
    veth::{self, Pair},
};

/// A /24 each.
const POOLS: u32 = 1_000;
/// The addresses of a pool.
const POOL_SIZE: u32 = 256;
/// All of subscribers.
const INTERFACES: u32 = 64;
/// Frames a second that are blocked meanwhile.
const FLOOD: u32 = 1_000_000;
/// Where the metrics are served.
const LISTENER: &str = "127.0.0.1:9625";
/// Between two scrapes: a page younger than 250 ms would be the one before.
const PAUSE: Duration = Duration::from_millis(337);
/// How long the first page may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The scrapes of a router.
#[derive(Debug, Serialize)]
pub struct Row {
    pools: u32,
    interfaces: u32,
    /// Frames a second that it was to block.
    frames_per_second: u32,
    /// Millions of those that it did, as its metrics have it.
    blocked_mpps: f64,
    /// Values on the page.
    series: Count,
    /// Its length.
    bytes: Count,
    /// Milliseconds from the connection to the end of the answer.
    ms: Sample,
    /// Milliseconds of CPU time that the daemon took meanwhile, without the process that serves the page.
    daemon_cpu_ms: Sample,
}

/// A number that does not name its row.
#[derive(Debug, Serialize)]
struct Count {
    count: usize,
}

/// Measures both.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    veth::be_quiet()?;
    tool::output("ip", &["link", "set", "lo", "up"])?;
    progress(&format!(
        "scrape: {} pools, {INTERFACES} interfaces",
        thousands(POOLS.into())
    ));
    let pairs = (0..INTERFACES).map(|number| Pair::new(&format!("scrape{number}")));
    let pairs = pairs.collect::<anyhow::Result<Vec<_>>>()?;
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let file = folder.path().join("policy.yaml");
    fs::write(&file, policy(&pairs)).context("cannot write to a temporary directory")?;
    let mut generator = Generator::new(&Scenario {
        family: Family::V4,
        sources: sources(),
        exemptions: Vec::new(),
    })?;
    let (running, _) = enforce(&file, folder.path())?;
    let daemon = running.0.id();
    wait_for_the_first()?;
    // All subscribers are known, so that every pool has packets.
    generator.send(&pairs[0], SOURCES)?;
    for frames_per_second in [0, FLOOD] {
        progress(&format!(
            "scrape: {} frames a second",
            thousands(frames_per_second.into())
        ));
        let flood = (frames_per_second != 0).then_some((&mut generator, &pairs[0]));
        report(row(args, daemon, frames_per_second, flood)?)?;
    }
    Ok(())
}

/// With as many pools and interfaces, on which everything is blocked.
fn policy(pairs: &[Pair]) -> String {
    let interfaces = pairs
        .iter()
        .map(|pair| format!("  - {{ name: {}, role: subscriber }}\n", pair.receiver()));
    let pools = (0..POOLS).map(|pool| {
        let first = Family::V4.address(first_bits(pool));
        format!("  - {{ name: pool{pool}, prefixes: [{first}/24] }}\n")
    });
    format!(
        "version: 1\nmetrics: {{ listen: [{LISTENER}] }}\ninterfaces:\n{}pools:\n{}",
        interfaces.collect::<String>(),
        pools.collect::<String>()
    )
}

fn first_bits(pool: u32) -> u32 {
    (10 << 24) + pool * POOL_SIZE
}

/// Subscribers of all pools in turn.
fn sources() -> Vec<u32> {
    let sources = (0..SOURCES).map(|number| first_bits(number % POOLS) + number / POOLS);
    sources.collect()
}

/// Scrapes as often as wanted, while the flood lasts.
fn row(
    args: &Args,
    daemon: u32,
    frames_per_second: u32,
    flood: Option<(&mut Generator, &Pair)>,
) -> anyhow::Result<Row> {
    let is_over = AtomicBool::new(false);
    let scraped = thread::scope(|scope| {
        let flooding = flood.map(|(generator, pair)| {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut pace = Pace::new(frames_per_second);
                while !is_over.load(Ordering::Relaxed) {
                    pace.send(generator, pair)?;
                }
                anyhow::Ok(())
            })
        });
        let scraped = scrapes(args, daemon);
        is_over.store(true, Ordering::Relaxed);
        let flooded = flooding.map_or(Ok(Ok(())), thread::ScopedJoinHandle::join);
        let flooded = flooded.map_err(|_| anyhow!("the thread that floods has panicked"))?;
        flooded.and(scraped)
    })?;
    Ok(Row {
        pools: POOLS,
        interfaces: INTERFACES,
        frames_per_second,
        blocked_mpps: scraped.blocked_mpps,
        series: Count {
            count: scraped.series,
        },
        bytes: Count { count: scraped.bytes },
        ms: Sample::of(scraped.ms).context("nothing was scraped")?,
        daemon_cpu_ms: Sample::of(scraped.cpu_ms).context("nothing was scraped")?,
    })
}

/// What was scraped.
struct Scraped {
    ms: Vec<f64>,
    cpu_ms: Vec<f64>,
    series: usize,
    bytes: usize,
    blocked_mpps: f64,
}

fn scrapes(args: &Args, daemon: u32) -> anyhow::Result<Scraped> {
    let number = if args.quick { 15 } else { 61 };
    let (mut ms, mut cpu_ms) = (Vec::new(), Vec::new());
    // That page would be the one before, too.
    thread::sleep(PAUSE);
    let (begin, before) = (Instant::now(), blocked(&scrape()?)?);
    let mut page = String::new();
    for _ in 0..number {
        thread::sleep(PAUSE);
        let (begin, used) = (Instant::now(), usage::cpu_time(daemon)?);
        page = scrape()?;
        ms.push(begin.elapsed().as_secs_f64() * 1e3);
        let used = usage::cpu_time(daemon)?.saturating_sub(used);
        cpu_ms.push(used.as_secs_f64() * 1e3);
    }
    #[expect(clippy::cast_precision_loss, reason = "some millions")]
    let blocked_mpps = (blocked(&page)? - before) as f64 / begin.elapsed().as_secs_f64() / 1e6;
    let series = page.lines().filter(|line| line.starts_with("op25b_")).count();
    Ok(Scraped {
        ms,
        cpu_ms,
        series,
        bytes: page.len(),
        blocked_mpps,
    })
}

/// The page with its head.
fn scrape() -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(LISTENER).context("the metrics are not served")?;
    // As Prometheus asks.
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: router\r\nAccept: {accept}\r\n\r\n"
    )?;
    let mut page = String::new();
    stream.read_to_string(&mut page)?;
    ensure!(
        page.starts_with("HTTP/1.1 200 "),
        "the metrics are not answered: {}",
        page.lines().next().unwrap_or_default()
    );
    Ok(page)
}

/// The process that serves them starts after the filter.
fn wait_for_the_first() -> anyhow::Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if scrape().is_ok() {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    bail!("no metrics are served within {PATIENCE:?}")
}

/// How many packets were blocked so far.
fn blocked(page: &str) -> anyhow::Result<u64> {
    const SERIES: &str = "op25b_packets_total{role=\"subscriber\",reason=\"blocked\"} ";
    let mut values = page.lines().filter_map(|line| line.strip_prefix(SERIES));
    let value = values.next().context("the page lacks the blocked packets")?;
    Ok(value.parse()?)
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "pools",
        "interfaces",
        "flood, Mpps",
        "series",
        "page, KiB",
        "ms",
        "at most",
        "daemon's CPU, ms",
    ];
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                thousands(row.pools.into()),
                row.interfaces.to_string(),
                format!("{:.2}", row.blocked_mpps),
                thousands(row.series.count as u64),
                thousands(row.bytes.count as u64 >> 10),
                format!("{:.1}", row.ms.median),
                format!("{:.1}", row.ms.max),
                format!("{:.1}", row.daemon_cpu_ms.median),
            ]
        })
        .collect();
    format!(
        "From the connection of a scrape over TCP to the end of the answer (median)\n\n{}",
        table::table(&head, 0, &rows)
    )
}
