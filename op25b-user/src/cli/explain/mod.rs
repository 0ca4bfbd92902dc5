//! `op25b explain`: show the verdict of the program on one connection.
//!
//! It is that of the enforced program, asked by the daemon or without one. For a policy file, another instance of the program is
//! loaded and compared with the reference.

pub(super) mod answer;
mod file;
pub(super) mod shown;

use std::{io::Write as _, net::IpAddr, path::PathBuf, process::ExitCode};

use clap::Args as ClapArgs;
use jiff::{Timestamp, tz::TimeZone};
use op25b_common::Tunnel;

use self::shown::ShownExplanation;
use super::{EXIT_NO, json, paths::Paths, table::width};
use crate::{enforcer::Connection, schema::Schema};

/// Show the verdict on a connection, and the rule that decides.
///
/// The verdict is that of the XDP program on the interface, over the maps that it uses: the program is run
/// (`BPF_PROG_TEST_RUN`) on a TCP SYN made for the query, and counts nothing. The daemon does that, or without one
/// this command, which then needs root.
///
/// For a connection that is not exempt, the exemptions of the source are named that ended, were removed or are for
/// other destinations. With `--policy`, another instance of the program is loaded with that file, attached to nothing,
/// and its decision is compared with that of the reference, a model of the policy in user space.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b explain --src 198.51.100.10                       with the policy that is enforced here
  op25b explain --src 198.51.100.10 --interface eth2 --vlan 100,20
  op25b explain --src 2001:db8:100::1 --dst 203.0.113.25  DS-Lite, unless the policy has `nat64`
  op25b explain --src 198.51.100.10 --tunnel 6in4 --inner-source 2001:db8:100::1
  op25b explain --src 2001:db8:100::1 --dst 2001:db8::25 --policy policy.yaml
  op25b explain --src 198.51.100.10 --json | jq -r .reason

Requires root or membership in the group op25b if a daemon runs; without one root; with `--policy` root, \
or CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON.
Exit codes: 0 answered, whatever the verdict; 1 the program and the reference disagree (please report \
that); 2 failed.")]
pub struct Args {
    /// The subscriber's address: the source of the packet as it arrives, in a tunnel that of the outer packet.
    #[arg(long, value_name = "IP")]
    src: IpAddr,
    /// The server's address. The default is a sample address that no relay and no exemption names.
    #[arg(long, value_name = "IP")]
    dst: Option<IpAddr>,
    /// The server's TCP port.
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// The interface that the packet arrives on. The default is the subscriber interfaces; those that differ are shown.
    #[arg(long, value_name = "IF")]
    interface: Option<String>,
    /// The VLAN ids of the packet's tags, the outermost first.
    #[arg(long, value_name = "N[,M]", value_delimiter = ',')]
    vlan: Vec<u16>,
    /// The tunnels that the packet is in, the outermost first: 4in6, 6in4, 4in4, 6in6, gre, eogre or l2tp.
    #[arg(long, value_name = "KIND[,KIND]", value_delimiter = ',', value_parser = tunnel)]
    tunnel: Vec<Tunnel>,
    /// The source inside each tunnel. The default is that of DS-Lite in 4in6, and the outer source in the others.
    #[arg(long, value_name = "IP[,IP]", value_delimiter = ',')]
    inner_source: Vec<IpAddr>,
    /// Use this policy file instead of the policy that is enforced in this network namespace.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["interface", "vlan", "tunnel", "inner_source"]
    )]
    policy: Option<PathBuf>,
    /// Print one JSON document instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let zone = TimeZone::system();
    let connection = args.connection();
    let explanation = if let Some(path) = &args.policy {
        file::explain(path, &connection)?
    } else {
        let answered = answer::explain(&connection, &args.paths)?;
        ShownExplanation::of(answered, args.interface.is_some(), Timestamp::now(), &zone)
    };
    if args.json {
        json::print(Schema::Explain, &explanation)?;
    } else {
        write!(anstream::stdout().lock(), "{}", explanation.text(&zone, width()))?;
    }
    Ok(if explanation.model.is_some() {
        EXIT_NO.into()
    } else {
        ExitCode::SUCCESS
    })
}

impl Args {
    fn connection(&self) -> Connection {
        Connection {
            source: self.src,
            destination: self.dst,
            port: self.port,
            interface: self.interface.clone(),
            vlan: self.vlan.clone(),
            tunnels: self.tunnel.clone(),
            inner_sources: self.inner_source.clone(),
        }
    }
}

/// A kind of tunnel by its word in the policy.
fn tunnel(word: &str) -> Result<Tunnel, String> {
    let kinds = Tunnel::ALL.into_iter();
    kinds.clone().find(|kind| kind.name() == word).ok_or_else(|| {
        let words: Vec<_> = kinds.map(Tunnel::name).collect();
        format!("the kinds are {}", words.join(", "))
    })
}
