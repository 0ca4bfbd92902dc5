//! `cargo xtask vm package`: the package on a booted router, from its installation to its purge, while a subscriber never stops
//! sending.

mod router;
mod steps;

use std::{path::PathBuf, process::ExitCode, time::Instant};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;

use self::router::Router;
use super::{image::Image, kernel::Kernel};

/// Install, enforce, break, upgrade, reboot, remove and purge the package, and count what gets through.
///
/// A subscriber of an enforced pool sends a SYN to port 25 and one to port 587 every 5 ms, through a real network interface of the
/// router. None to port 25 may arrive in the Internet, and all to port 587 have to.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The kernel to boot.
    #[arg(long, value_enum, default_value_t = Kernel::Bookworm)]
    kernel: Kernel,
    /// The package.
    #[arg(long, value_name = "FILE")]
    package: PathBuf,
    /// A package of a higher version with another layout of the maps, for the upgrade.
    #[arg(long, value_name = "FILE")]
    newer: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let [package, newer] = [&args.package, &args.newer].map(|file| {
        file.canonicalize()
            .with_context(|| format!("cannot find {}", file.display()))
    });
    let packages = [package?, newer?];
    ensure!(packages[0] != packages[1], "an upgrade needs two packages");
    let start = Instant::now();
    let mut router = Router::boot(&Image::get(false)?, args.kernel, packages)?;
    let release = router.output("uname -r")?.trim().to_owned();
    println!(
        "==> Linux {release}, after {:.0} s",
        start.elapsed().as_secs_f64()
    );
    steps::run(&mut router)?;
    println!(
        "\nLinux {release}, {:.0} s\n\n{}",
        start.elapsed().as_secs_f64(),
        router.table()
    );
    Ok(router.verdict())
}
