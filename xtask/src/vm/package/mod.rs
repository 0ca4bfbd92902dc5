//! `cargo xtask vm package`: the package on a booted router, from its installation to its purge, while a subscriber never stops
//! sending.

mod router;
mod steps;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;

use self::{router::Router, steps::Part};
use super::{chosen, image::Image, kernel::Kernel};

/// Install, enforce, break, upgrade, reboot, remove and purge the package, and count what gets through.
///
/// A subscriber of an enforced pool sends a SYN to port 25 and one to port 587 every 5 ms, through a real network interface of the
/// router. None to port 25 may arrive in the Internet, and all to port 587 have to.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The kernel to boot.
    #[arg(long, value_enum, default_value_t = Kernel::Bookworm)]
    kernel: Kernel,
    /// The package; without it `cargo xtask dist` builds both.
    #[arg(long, value_name = "FILE", requires = "newer")]
    package: Option<PathBuf>,
    /// A package of a higher version with another layout of the maps, for the upgrade.
    #[arg(long, value_name = "FILE", requires = "package")]
    newer: Option<PathBuf>,
    /// What is done after installation and enforcement; everything, unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    // What it lacks is told before the long build.
    let image = Image::get(false)?;
    let packages = match (&args.package, &args.newer) {
        (Some(package), Some(newer)) => [absolute(package)?, absolute(newer)?],
        _ => [build("package", &[])?, build("newer", &["--other-layout"])?],
    };
    let start = Instant::now();
    let mut router = Router::boot(&image, args.kernel, packages)?;
    let release = router.output("uname -r")?.trim().to_owned();
    println!(
        "==> Linux {release}, after {:.0} s",
        start.elapsed().as_secs_f64()
    );
    steps::run(&mut router, &chosen(&args.only, &Part::ALL))?;
    println!(
        "\nLinux {release}, {:.0} s\n\n{}",
        start.elapsed().as_secs_f64(),
        router.table()
    );
    Ok(router.verdict())
}

fn absolute(file: &Path) -> anyhow::Result<PathBuf> {
    file.canonicalize()
        .with_context(|| format!("cannot find {}", file.display()))
}

/// Has `cargo xtask dist` build a package into a directory of its own.
fn build(name: &str, options: &[&str]) -> anyhow::Result<PathBuf> {
    let directory = super::directory()?.join(name);
    if directory.exists() {
        fs::remove_dir_all(&directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    let mut dist = Command::new(env::current_exe().context("cannot find the path of this program")?);
    dist.args(["dist", "--output"]).arg(&directory).args(options);
    let status = dist.status().context("cannot run `cargo xtask dist`")?;
    ensure!(status.success(), "the package cannot be built: see above");
    let files = fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut files = files.filter_map(|file| file.ok().map(|file| file.path()));
    files
        .find(|file| file.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("there is no package in {}", directory.display()))
}
