//! `cargo xtask setup`: finds or installs what the build, the demo and the tests need.

mod apt;
mod facts;
mod plan;
mod unpacked;

use std::{fmt, process::Command, time::Instant};

use anyhow::{Context as _, bail};
use clap::Args as ClapArgs;
use op25b_host::{process, runtime};

use self::{
    facts::Facts,
    plan::{Action, Step},
};

/// Find or install what building op25b needs: a Rust compiler with rust-src and a bpf-linker with the same LLVM.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Packages are installed only as root, on Debian and its relatives. Elsewhere the exact commands are printed.
Exit codes: 0 complete; 1 something is missing (what to do is printed); 2 a step failed.")]
pub struct Args {
    /// Change nothing: report what is installed and what is missing.
    #[arg(long)]
    check: bool,
    /// Also provide what the tests need: clippy, mail servers, a mail client and a name server.
    #[arg(long)]
    tests: bool,
}

/// What a machine is made ready for; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// The build, the lab and the demo.
    Demo,
    /// The tests.
    Test,
}

/// Something is missing that this program may not or cannot install; a message named it.
#[derive(Debug)]
pub struct Incomplete;

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the set-up is not complete: see above for what to do, then try again")
    }
}

impl std::error::Error for Incomplete {}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let purpose = if args.tests { Purpose::Test } else { Purpose::Demo };
    let facts = Facts::gather(purpose);
    if args.check {
        return check(&facts, purpose);
    }
    ready(facts, purpose)?;
    report(&Facts::gather(purpose));
    Ok(())
}

/// Makes the machine ready, in silence if it is so already.
pub fn ensure(purpose: Purpose) -> anyhow::Result<()> {
    ready(Facts::gather(purpose), purpose)
}

fn check(facts: &Facts, purpose: Purpose) -> anyhow::Result<()> {
    report(facts);
    let kernel = runtime::report();
    let steps = plan::plan(facts, false);
    if !steps.is_empty() {
        println!(
            "\n`cargo xtask setup{}` would:",
            if purpose == Purpose::Test { " --tests" } else { "" }
        );
        announce(&steps);
    }
    if steps.is_empty() && kernel {
        Ok(())
    } else {
        Err(Incomplete.into())
    }
}

/// Plans, announces and does; plans again after each refresh of what is known, until nothing is left.
fn ready(mut facts: Facts, purpose: Purpose) -> anyhow::Result<()> {
    let mut announced: Vec<String> = Vec::new();
    let mut fresh = false;
    loop {
        let steps = plan::plan(&facts, fresh);
        let Some(step) = steps.first() else { return Ok(()) };
        if steps.iter().any(|step| !announced.contains(&step.what)) {
            println!(
                "To do{}:",
                if announced.is_empty() {
                    ""
                } else {
                    ", now that more is known"
                }
            );
            announce(&steps);
            println!();
        }
        announced.extend(steps.iter().map(|step| step.what.clone()));
        if !can_do(step, &facts) {
            instruct(&steps, &facts, fresh);
            return Err(Incomplete.into());
        }
        perform(step)?;
        fresh |= step.action == Action::RefreshLists;
        let before = step.what.clone();
        facts = Facts::gather(purpose);
        if !matches!(step.action, Action::RefreshLists)
            && plan::plan(&facts, fresh)
                .first()
                .is_some_and(|next| next.what == before)
        {
            bail!("it did: {before}; and that is still missing afterwards");
        }
    }
}

fn announce(steps: &[Step]) {
    for (number, step) in (1..).zip(steps) {
        let takes = if step.takes.is_empty() {
            String::new()
        } else {
            format!(" (about {})", step.takes)
        };
        println!("  {number}. {}{takes}\n     {}", step.what, step.why);
    }
}

fn can_do(step: &Step, facts: &Facts) -> bool {
    !matches!(step.action, Action::ByHand(_)) && (facts.root || !step.action.needs_root())
}

/// What a person has to do, ready to be typed.
fn instruct(steps: &[Step], facts: &Facts, fresh: bool) {
    if steps.iter().any(|step| step.action.needs_root()) && !facts.root {
        println!("This takes root, and only root's packages are touched without asking. Type:\n");
    } else {
        println!("This is for you to do:\n");
    }
    for step in steps {
        match &step.action {
            Action::RefreshLists if fresh => {}
            Action::RefreshLists => println!("    sudo apt-get update"),
            Action::Install(packages) => {
                println!(
                    "    sudo apt-get install --no-install-recommends {}",
                    packages.join(" ")
                );
            }
            Action::Run { env, words } => {
                println!("    {}", process::shown(&command(env, words)));
            }
            Action::Unpack => println!("    cargo xtask setup --tests"),
            Action::ByHand(lines) => lines.iter().for_each(|line| println!("    {line}")),
        }
    }
    println!();
}

fn perform(step: &Step) -> anyhow::Result<()> {
    println!("==> {}", step.what);
    let start = Instant::now();
    match &step.action {
        Action::RefreshLists => process::run_quietly(apt_get().arg("update")),
        Action::Install(packages) => install(packages),
        Action::Run { env, words } => process::run_quietly(&mut command(env, words)),
        Action::Unpack => unpacked::unpack(),
        Action::ByHand(_) => Ok(()),
    }
    .with_context(|| format!("could not {}", step.what))?;
    println!("    done in {:.0?}", start.elapsed());
    Ok(())
}

/// Installs packages, but never at the cost of others: replacing what a person installed is theirs to decide.
fn install(packages: &[String]) -> anyhow::Result<()> {
    let forecast = apt::forecast(packages);
    let mut command = apt_get();
    command
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    if !forecast.removes.is_empty() {
        let command = process::shown(&command);
        bail!(
            "apt would remove {} for it; if that is fine, type: {command}",
            forecast.removes.join(", ")
        );
    }
    if forecast.megabytes > 0 {
        println!("    {} MB to download", forecast.megabytes);
    }
    process::run_quietly(&mut command)
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C.UTF-8");
    // A machine that is installing something in the background is waited for.
    command.args(["-o", "DPkg::Lock::Timeout=120"]);
    command
}

fn command(env: &[(&'static str, String)], words: &[String]) -> Command {
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .envs(env.iter().map(|(name, value)| (name, value)));
    // Cargo and rustup set these for this program; they are not for the next one.
    for variable in ["CARGO", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR"] {
        command.env_remove(variable);
    }
    command
}

/// One line for each thing that is needed.
fn report(facts: &Facts) {
    match &facts.compiler {
        Ok(toolchain) => println!("compiler    {toolchain}"),
        Err(missing) => println!("compiler    missing: {missing}"),
    }
    match &facts.linker {
        Some(Ok(path)) => println!("bpf-linker  {}", path.display()),
        Some(Err(missing)) => println!("bpf-linker  missing: {missing}"),
        None => println!("bpf-linker  cannot be checked without the compiler"),
    }
    for package in &facts.lab_missing {
        println!("lab         missing: {package}");
    }
    let missing = &facts.tests_missing;
    let names = missing
        .components
        .iter()
        .copied()
        .chain(missing.bpf_clippy.then_some("clippy for the XDP program"))
        .chain(missing.swaks.then_some("swaks"))
        .chain(missing.programs.iter().map(|program| program.package))
        .chain(missing.unpacked.iter().copied());
    for name in names {
        println!("tests       missing: {name}");
    }
}
