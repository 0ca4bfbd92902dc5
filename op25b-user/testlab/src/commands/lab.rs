//! `cargo xtask lab`: brings a lab up, runs commands in its hosts and removes it.

use std::{
    env,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use clap::{Args as ClapArgs, Subcommand};

use crate::{
    lab::{self, Family, Host, Lab, Servers, record},
    runtime,
};

/// Run a small ISP in network namespaces, for manual tests.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  cargo xtask lab up
  cargo xtask lab exec router target/release/op25b run --policy policies/lab.yaml
  cargo xtask lab exec subscriber ping -c 1 203.0.113.25
  cargo xtask lab down")]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create the lab, with its mail and web servers.
    Up(Named),
    /// Run a command in a host of the lab.
    Exec {
        #[command(flatten)]
        named: Named,
        /// The host.
        host: Host,
        /// The command.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Remove the lab.
    Down {
        #[command(flatten)]
        named: Named,
        /// Remove every lab whose process has ended, instead of the named one.
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Run a lab's servers; started by `up`.
    #[command(hide = true)]
    Serve(Named),
}

#[derive(Debug, ClapArgs)]
struct Named {
    /// The name of the lab.
    #[arg(long, default_value = "lab")]
    name: String,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let lacks = runtime::lacks();
    ensure!(lacks.is_empty(), "the lab needs {}", lacks.join("; and "));
    match &args.action {
        Action::Up(Named { name }) => up(name)?,
        Action::Exec { named, host, command } => return exec(&named.name, *host, command),
        Action::Down { all: true, .. } => down_all()?,
        Action::Down { named, all: false } => down(&named.name)?,
        Action::Serve(Named { name }) => serve(name)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn up(name: &str) -> anyhow::Result<()> {
    let lab = Lab::create(name)?;
    let this = env::current_exe().context("cannot find the path of this program")?;
    let mut server = Command::new(this)
        .args(["lab", "serve", "--name", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .context("cannot start the lab's servers")?;
    let owner = record::Owner::of(server.id()).context("the lab's servers ended at once")?;
    // The servers report on stderr that they are up, or why not.
    let mut line = String::new();
    let mut stderr =
        std::io::BufReader::new(server.stderr.take().context("the lab's servers have no stderr")?);
    std::io::BufRead::read_line(&mut stderr, &mut line).context("cannot read from the lab's servers")?;
    ensure!(
        line.trim() == READY,
        "the lab's servers did not start: {}",
        line.trim()
    );
    record::hand_over(name, owner)?;
    lab.keep();
    println!("The lab is up. Its hosts:");
    for host in Host::ALL {
        let addresses = match host {
            Host::Router => "sub0, corp0, access0, up0, relay0".into(),
            host => Family::BOTH
                .map(|family| host.address(family).to_string())
                .join(", "),
        };
        println!("  {:<11} {addresses}", host.name());
    }
    println!("`cargo xtask lab exec HOST COMMAND` runs something there; `cargo xtask lab down` removes it.");
    Ok(())
}

/// What `serve` prints when it is up.
const READY: &str = "ready";

fn serve(name: &str) -> anyhow::Result<()> {
    let lab = Lab::existing(name)?;
    let _servers = Servers::start(&lab)?;
    eprintln!("{READY}");
    loop {
        thread::park();
    }
}

fn exec(name: &str, host: Host, command: &[String]) -> anyhow::Result<ExitCode> {
    let lab = Lab::existing(name)?;
    // `ip netns exec` gives what it runs a mount namespace: what is mounted there would be gone with it.
    lab.host(host).mount_pins()?;
    let status = lab
        .host(host)
        .command(&command[0])
        .args(&command[1..])
        .status()
        .context("cannot run ip netns exec")?;
    // Like a shell: what a signal ended counts from 128.
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    let code = status.code().or(signal).and_then(|code| u8::try_from(code).ok());
    Ok(ExitCode::from(code.unwrap_or(1)))
}

fn down(name: &str) -> anyhow::Result<()> {
    if !record::exists(name) {
        println!("There is no lab named {name}.");
        return Ok(());
    }
    stop_owner(name)?;
    lab::remove(name)
}

fn down_all() -> anyhow::Result<()> {
    for name in lab::remove_stale()? {
        println!("{name} removed");
    }
    for name in record::names() {
        println!("{name} is in use: left alone");
    }
    Ok(())
}

/// Ends the process that keeps a lab, if it is one of ours: its servers, or a demo.
fn stop_owner(name: &str) -> anyhow::Result<()> {
    let Some(owner) = record::owner(name).filter(|owner| owner.is_alive()) else {
        return Ok(());
    };
    let pid = i32::try_from(owner.pid).context("not a process id")?;
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGTERM)
        .with_context(|| format!("cannot end process {pid}, which keeps the lab"))?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while owner.is_alive() {
        if Instant::now() > deadline {
            bail!("process {pid}, which keeps the lab, does not end");
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
