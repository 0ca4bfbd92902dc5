//! Watches whether IP arrives on the interfaces: a filter that sees no IP, at the wrong place or after framing that is not
//! parsed, must not look like one on a quiet link.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tracing::warn;

use crate::{
    datapath::{FrameKind, NotIp, ReceivedFrames, gone, received_frames},
    enforcer::Enforcer,
    fault::{FaultKind, Faults},
};

/// How long IP has to be missing. Statistics of drivers may be seconds old.
const WINDOW: Duration = Duration::from_mins(1);
/// Fewer frames in that time say nothing: protocols between neighbours are as rare.
const LEAST_FRAMES: u64 = 60;

/// What arrived on one interface by its statistics and the program's counters.
#[derive(Clone, Debug)]
struct Sample {
    index: u32,
    frames: ReceivedFrames,
}

/// What arrived in a window.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    /// IP.
    Ip,
    /// Other frames, nearly all of them, and the kind of most of them that do not occur on a quiet link.
    NoIp { most: FrameKind },
    /// Too little to tell.
    Quiet,
}

impl Seen {
    /// What these frames, which arrived in one window, say.
    fn of(all: u64, not_ip: &NotIp) -> Self {
        let frames = not_ip.total();
        let ip = all.saturating_sub(frames);
        // The two are not read at one moment, and the statistics of some drivers are a second old.
        if ip > all / 20 {
            return Self::Ip;
        }
        let loud = || not_ip.iter().filter(|(kind, _)| !kind.is_on_quiet_links());
        let count: u64 = loud().map(|(_, frames)| frames).sum();
        let is_counted_by_driver = all >= frames / 2;
        match loud().next() {
            Some((most, _)) if count >= LEAST_FRAMES && is_counted_by_driver && ip <= all / 100 => {
                Self::NoIp { most }
            }
            _ => Self::Quiet,
        }
    }
}

/// The frames of the last window, and what was wrong in it.
#[derive(Debug, Default)]
pub(super) struct FramingWatch {
    sampled_at: Option<Instant>,
    samples: BTreeMap<String, Sample>,
    /// What is wrong on each interface without IP.
    without_ip: BTreeMap<String, String>,
}

impl FramingWatch {
    /// Compares what has arrived with what had a minute ago, each minute.
    pub(super) fn tick(&mut self, enforcer: &mut Enforcer) {
        let now = Instant::now();
        if self.sampled_at.is_some_and(|at| now.duration_since(at) < WINDOW) {
            return;
        }
        self.sampled_at = Some(now);
        match sample(enforcer) {
            Ok(samples) => self.note(samples, enforcer.faults()),
            Err(error) => {
                warn!("cannot determine whether IP arrives: {error:#}");
                self.samples.clear();
            }
        }
    }

    /// Notes what has arrived in the window that ends now.
    fn note(&mut self, samples: BTreeMap<String, Sample>, faults: &Faults) {
        self.without_ip.retain(|name, _| samples.contains_key(name));
        for (name, sample) in &samples {
            let before = self.samples.get(name);
            let before = before.filter(|before| before.index == sample.index);
            match before.map_or(Seen::Quiet, |before| sample.since(before)) {
                Seen::Ip => drop(self.without_ip.remove(name)),
                // Without the number of frames: a fault whose message changes is logged again.
                Seen::NoIp { most } => {
                    self.without_ip.insert(name.clone(), explanation(name, most));
                }
                // Whatever was wrong may still be.
                Seen::Quiet => {}
            }
        }
        self.samples = samples;
        if self.without_ip.is_empty() {
            faults.clear(FaultKind::NoIpSeen);
        } else {
            let explanations: Vec<&str> = self.without_ip.values().map(String::as_str).collect();
            faults.raise(FaultKind::NoIpSeen, explanations.join("; "));
        }
    }
}

impl Sample {
    fn since(&self, before: &Self) -> Seen {
        let (Some(now), Some(then)) = (self.frames.all, before.frames.all) else {
            return Seen::Quiet;
        };
        Seen::of(
            now.saturating_sub(then),
            &self.frames.not_ip.since(&before.frames.not_ip),
        )
    }
}

/// What has arrived so far, by the interfaces' names in the policy.
fn sample(enforcer: &mut Enforcer) -> anyhow::Result<BTreeMap<String, Sample>> {
    let attachments = enforcer.attachments().iter();
    let (names, indices): (Vec<String>, Vec<u32>) = attachments
        .map(|attachment| (attachment.interface.clone(), attachment.index))
        .unzip();
    let Some(filter) = enforcer.filter() else {
        return Ok(BTreeMap::new());
    };
    let not_ip = filter.not_ip()?;
    let received = received_frames(&not_ip, &indices).context("rtnetlink")?;
    for index in gone(&not_ip).context("rtnetlink")? {
        filter.forget_not_ip(index)?;
    }
    let samples = indices.into_iter().zip(received);
    let samples = samples.map(|(index, frames)| Sample { index, frames });
    Ok(names.into_iter().zip(samples).collect())
}

/// What is wrong on an interface without IP, and what to do.
fn explanation(interface: &str, most: FrameKind) -> String {
    let kind = match most.protocol() {
        Some(protocol) => format!("{most} ({protocol})"),
        None => most.to_string(),
    };
    let advice = match most {
        FrameKind::Ethertype(0x8847 | 0x8848) => {
            "set `mpls: true` on the interface, if the labels carry IP; those of pseudowires are not parsed"
        }
        FrameKind::Ethertype(0x8864) => {
            "PPP carries no plain IP: turn off compression, encryption and multilink on the concentrator"
        }
        FrameKind::Ethertype(0x88e5) => "attach the filter where the frames are decrypted",
        FrameKind::Ethertype(0x88e7) => "attach the filter behind the backbone edge bridge",
        FrameKind::Ethertype(0x0800 | 0x86dd) => "the IP headers in them have another version",
        _ => {
            "if it is a VLAN tag, add it to `block.vlan_tpids`; else attach the filter where IP packets arrive in frames that \
             op25b parses"
        }
    };
    format!("no IP was seen on {interface} for a minute; most frames are {kind}: {advice}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use FrameKind::{Ethertype, Llc, Other};

    fn not_ip(frames: &[(FrameKind, u64)]) -> NotIp {
        frames.iter().copied().collect()
    }

    #[test]
    fn a_link_with_nothing_but_labels_has_no_ip_and_one_with_ip_beside_them_has() {
        let mpls = not_ip(&[(Ethertype(0x8847), 1_000), (Ethertype(0x0806), 5_000)]);
        let none = Seen::NoIp {
            most: Ethertype(0x8847),
        };
        assert_eq!(Seen::of(6_000, &mpls), none);
        assert_eq!(Seen::of(6_060, &mpls), none);
        assert_eq!(Seen::of(6_100, &mpls), Seen::Quiet);
        assert_eq!(Seen::of(6_400, &mpls), Seen::Ip);
        assert_eq!(Seen::of(2_000_000, &mpls), Seen::Ip);
    }

    #[test]
    fn what_neighbours_tell_each_other_is_a_quiet_link() {
        let quiet = [0x0806, 0x88cc, 0x8863, 0x888e, 0x8809, 0x8902].map(|kind| (Ethertype(kind), 10_000));
        assert_eq!(Seen::of(60_000, &not_ip(&quiet)), Seen::Quiet);
        assert_eq!(Seen::of(10_000, &not_ip(&[(Llc, 10_000)])), Seen::Quiet);
        assert_eq!(Seen::of(0, &not_ip(&[])), Seen::Quiet);
        let rare = not_ip(&[(Ethertype(0x88b5), LEAST_FRAMES - 1)]);
        assert_eq!(Seen::of(LEAST_FRAMES - 1, &rare), Seen::Quiet);
    }

    #[test]
    fn a_driver_that_does_not_count_what_the_program_sees_raises_no_alarm() {
        assert_eq!(Seen::of(10, &not_ip(&[(Ethertype(0x8847), 1_000)])), Seen::Quiet);
    }

    #[test]
    fn the_fault_lasts_until_ip_arrives_and_is_not_about_interfaces_without_the_filter() {
        let sample = |all, frames| Sample {
            index: 7,
            frames: ReceivedFrames {
                all: Some(all),
                not_ip: not_ip(&[(Other, frames)]),
            },
        };
        let of = |east: Sample, west: Option<Sample>| {
            let west = west.map(|west| ("west".to_owned(), west));
            [("east".to_owned(), east)].into_iter().chain(west).collect()
        };
        let (mut watch, faults) = (FramingWatch::default(), Faults::default());
        let mut note = |samples| {
            watch.note(samples, &faults);
            faults.list().first().map(|fault| fault.message.clone())
        };
        // Counters that began long ago are no frames of this window.
        assert_eq!(note(of(sample(900, 900), Some(sample(900, 900)))), None);
        let both = note(of(sample(1_000, 1_000), Some(sample(1_000, 1_000)))).unwrap();
        assert!(
            both.starts_with("no IP was seen on east for a minute; most frames are other: "),
            "{both}"
        );
        assert!(both.contains("; no IP was seen on west for a minute"), "{both}");
        // Nothing more arrives: that proves nothing.
        assert_eq!(
            note(of(sample(1_000, 1_000), Some(sample(1_000, 1_000)))),
            Some(both)
        );
        let east = note(of(sample(1_100, 1_100), None)).unwrap();
        assert!(east.contains("east") && !east.contains("west"), "{east}");
        // Another interface of the same name.
        let other = Sample {
            index: 8,
            ..sample(9_000, 9_000)
        };
        assert_eq!(note(of(other, None)), Some(east.clone()));
        assert_eq!(note(of(sample(9_000, 1_100), None)), Some(east));
        assert_eq!(note(of(sample(9_500, 1_100), None)), None);
    }
}
