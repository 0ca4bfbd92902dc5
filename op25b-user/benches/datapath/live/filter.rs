//! The filters that are compared: each drops what op25b would, and counts it.

mod iptables;
pub mod kernel_tries;
mod nftables;
pub mod op25b;
mod xdp_filter;

use crate::{
    args::Contender,
    scenario::{Events, Scenario},
    table, tool,
    veth::Pair,
};

/// A filter that is set up; dropping it takes it away again.
pub trait Filter {
    /// How many frames it has dropped, by its own counter.
    fn dropped(&self) -> anyhow::Result<u64>;
}

/// The share of the frames that were sent which a filter has not counted, by its counter before and now.
pub fn lost(sent: u64, before: u64, now: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "some millions at most")]
    let share = sent.abs_diff(now.saturating_sub(before)) as f64 / sent as f64;
    share
}

/// Why a filter is left out.
#[derive(Debug)]
pub struct Obstacle(pub String);

/// What stands in the way of measuring it with so many exemptions, if something does; `is_named` if it was asked for
/// by name, and may take long.
pub fn obstacle(contender: Contender, exemptions: u32, is_named: bool) -> Option<Obstacle> {
    let (programs, most): (&[&str], _) = match contender {
        Contender::Op25b
        | Contender::Op25bEvents
        | Contender::Op25bOf16
        | Contender::Drop
        | Contender::DropRecord
        | Contender::Lpm => (&[], u32::MAX),
        Contender::XdpFilter | Contender::XdpFilterTcp => (&["xdp-filter"], u32::MAX),
        Contender::Nftables => (&["nft", "ethtool"], nftables::MOST_EXEMPTIONS),
        Contender::Ipset => (&["iptables", "ip6tables", "ipset", "ethtool"], u32::MAX),
    };
    let missing: Vec<_> = programs
        .iter()
        .copied()
        .filter(|program| !tool::is_installed(program))
        .collect();
    if !missing.is_empty() {
        return Some(Obstacle(format!("not installed: {}", missing.join(", "))));
    }
    (exemptions > most && !is_named).then(|| {
        Obstacle(format!(
            "over {} it takes long to load; --filter asks for it",
            table::thousands(most.into())
        ))
    })
}

/// Sets it up at the receiving end of the pair.
pub fn set_up(contender: Contender, pair: &Pair, scenario: &Scenario) -> anyhow::Result<Box<dyn Filter>> {
    Ok(match contender {
        Contender::Op25b => Box::new(op25b::Op25b::attach(&[pair], scenario, Events::Off)?),
        Contender::Op25bEvents => Box::new(op25b::WithEvents::attach(pair, scenario)?),
        Contender::Op25bOf16 => Box::new(op25b::OneOfMany::attach(pair, 16, scenario)?),
        Contender::Drop => Box::new(kernel_tries::Program::drop_all(&[pair])?),
        Contender::DropRecord => Box::new(kernel_tries::Program::drop_and_record(&[pair])?),
        Contender::Lpm => Box::new(kernel_tries::Program::baseline(pair, scenario)?),
        Contender::XdpFilter => Box::new(xdp_filter::XdpFilter::attach(pair, "all")?),
        Contender::XdpFilterTcp => Box::new(xdp_filter::XdpFilter::attach(pair, "tcp")?),
        Contender::Nftables => Box::new(nftables::Table::load(pair, scenario)?),
        Contender::Ipset => Box::new(iptables::Rule::load(pair, scenario)?),
    })
}
