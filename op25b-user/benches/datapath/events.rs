//! The part `events`: how soon a new offender is shown while all other subscribers flood, and what events cost.

mod cost;

use std::{
    net::IpAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, anyhow};
use op25b::datapath::EventReader;
use op25b_common::event::PacketEvent;
use op25b_testlab::{packet_socket::PacketSocket, sample::Sample};
use serde::Serialize;

use self::cost::Cost;
use crate::{
    Report,
    args::Args,
    live::{
        filter::{
            Filter as _,
            op25b::{Op25b, wait_for},
        },
        generator::{Generator, syn},
    },
    progress,
    scenario::{Events, Family, SOURCES, Scenario, Spread},
    table,
    veth::{self, Pair},
};

/// Offenders, one after another.
const OFFENDERS: u32 = 100;
/// How long each is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// Exemptions of the policy.
const EXEMPTIONS: u32 = 10;

/// The offenders of one family.
#[derive(Debug, Serialize)]
pub struct Row {
    family: Family,
    /// How many there were.
    offenders: u32,
    /// How many of them were shown within a second of their first packet.
    shown: usize,
    /// Milliseconds from the packet to its event, of those that were shown.
    ms: Sample,
    /// Millions of frames a second that the others sent.
    flood_mpps: f64,
    /// How many of the others' packets were shown.
    others: u64,
    /// What events cost at a given rate; none where that cannot be measured.
    at_1_mpps: Option<Cost>,
}

/// Measures each family.
pub fn measure(args: &Args, report: Report<'_, Row>) -> anyhow::Result<()> {
    veth::be_quiet()?;
    for family in Family::BOTH {
        progress(&format!("events: {}", family.name()));
        let scenario = Scenario::draw(family, EXEMPTIONS, Spread::Dense);
        let pair = Pair::new("flood")?;
        let mut op25b = Op25b::attach(&[&pair], &scenario, Events::On)?;
        let mut events = op25b.take_events()?;
        let mut generator = Generator::new(&scenario)?;
        // The others are known before they flood.
        generator.send(&pair, SOURCES)?;
        while events.next().is_some() {}
        let (is_over, begin, before) = (AtomicBool::new(false), Instant::now(), op25b.dropped()?);
        let others = AtomicU64::new(0);
        let took = thread::scope(|scope| {
            let flood = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    generator.send(&pair, SOURCES)?;
                }
                anyhow::Ok(())
            });
            let took = offenders(args, family, &pair, &mut events, &others);
            is_over.store(true, Ordering::Relaxed);
            let flooded = flood
                .join()
                .map_err(|_| anyhow!("the thread that floods has panicked"))?;
            flooded.and(took)
        })?;
        #[expect(clippy::cast_precision_loss, reason = "some millions")]
        let flood_mpps = (op25b.dropped()? - before) as f64 / begin.elapsed().as_secs_f64() / 1e6;
        report(Row {
            family,
            offenders: number(args),
            shown: took.len(),
            ms: Sample::of(took).context("no offender was shown")?,
            flood_mpps,
            others: others.into_inner(),
            at_1_mpps: cost::measure(args, &scenario)?,
        })?;
    }
    Ok(())
}

fn number(args: &Args) -> u32 {
    if args.quick { OFFENDERS / 10 } else { OFFENDERS }
}

/// Has one offender after another send a SYN; milliseconds until each was shown, of those that were.
fn offenders(
    args: &Args,
    family: Family,
    pair: &Pair,
    events: &mut EventReader,
    others: &AtomicU64,
) -> anyhow::Result<Vec<f64>> {
    /// Between two of them, so that they come at any part of a second.
    const PAUSE: Duration = Duration::from_millis(137);
    let socket = PacketSocket::open(pair.sender())?;
    let mut took = Vec::new();
    for number in 0..number(args) {
        thread::sleep(PAUSE);
        let address = family.offender(number);
        let begin = Instant::now();
        socket.send(&syn(address)?)?;
        while begin.elapsed() < PATIENCE {
            wait_for(events, PATIENCE.saturating_sub(begin.elapsed()));
            let mut is_shown = false;
            while let Some(event) = events.next() {
                if source(&event) == address {
                    is_shown = true;
                } else {
                    others.fetch_add(1, Ordering::Relaxed);
                }
            }
            if is_shown {
                took.push(begin.elapsed().as_secs_f64() * 1e3);
                break;
            }
        }
    }
    Ok(took)
}

fn source(event: &PacketEvent) -> IpAddr {
    IpAddr::from(event.source).to_canonical()
}

/// For people.
pub fn table(rows: &[Row]) -> String {
    let head = [
        "family",
        "new offenders",
        "shown within 1 s",
        "ms",
        "at most",
        "flood, Mpps",
        "others shown",
    ];
    let offenders: Vec<_> = rows
        .iter()
        .map(|row| {
            vec![
                row.family.name().into(),
                row.offenders.to_string(),
                row.shown.to_string(),
                format!("{:.2}", row.ms.median),
                format!("{:.2}", row.ms.max),
                format!("{:.2}", row.flood_mpps),
                table::thousands(row.others),
            ]
        })
        .collect();
    let costs = rows.iter().filter_map(|row| {
        let family = row.family.name().to_owned();
        Some(
            [family]
                .into_iter()
                .chain(row.at_1_mpps.as_ref()?.cells())
                .collect(),
        )
    });
    let costs: Vec<Vec<_>> = costs.collect();
    format!(
        "From the first packet of a subscriber to its event, while {} others flood (median)\n\n{}\n\
         CPU time of a frame at 1 million a second, and the rate of a whole CPU as a share of that without events\n\n{}",
        table::thousands(SOURCES.into()),
        table::table(&head, 1, &offenders),
        table::table(&["family", "without, ns", "with events, ns", "share"], 1, &costs)
    )
}
