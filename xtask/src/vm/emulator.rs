//! QEMU: the one that is installed, or Debian's, unpacked into the target directory.
//!
//! Where `qemu-utils` is installed from elsewhere, Debian's emulator conflicts with it: unpacked it touches nothing.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use op25b_host::{process::output_of, toolchain::on_path};

use crate::deb;

/// The program.
const PROGRAM: &str = "qemu-system-x86_64";
/// Its package, without those that it only recommends.
const PACKAGE: &str = "qemu-system-x86";

/// The command that starts it. It ends with the thread that starts it, however that ends.
pub fn command() -> anyhow::Result<Command> {
    let bound = |program: &Path| {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    };
    if let Some(program) = on_path(PROGRAM) {
        return Ok(bound(&program));
    }
    let directory = super::directory()?.join("emulator");
    if !program_in(&directory).is_file() {
        unpack(&directory)?;
    }
    let libraries = directory.join("usr/lib/x86_64-linux-gnu");
    let mut command = bound(&program_in(&directory));
    command
        .env("QEMU_MODULE_DIR", libraries.join("qemu"))
        .env(
            "LD_LIBRARY_PATH",
            format!(
                "{}:{}",
                libraries.display(),
                directory.join("lib/x86_64-linux-gnu").display()
            ),
        )
        .arg("-L")
        .arg(directory.join("usr/share/qemu"))
        .arg("-L")
        .arg(directory.join("usr/share/seabios"));
    Ok(command)
}

fn program_in(directory: &Path) -> PathBuf {
    directory.join("usr/bin").join(PROGRAM)
}

/// Unpacks the package and all that it needs and is not installed here.
fn unpack(directory: &Path) -> anyhow::Result<()> {
    eprintln!("==> unpacking QEMU into {}", directory.display());
    let plan = output_of(Command::new("apt-get").env("LC_ALL", "C").args([
        "install",
        "--simulate",
        "--no-install-recommends",
        PACKAGE,
    ]))
    .context("QEMU is not installed, and its package cannot be found: install it, or run `apt-get update`")?;
    let packages: Vec<&str> = plan
        .lines()
        .filter_map(|line| line.strip_prefix("Inst ")?.split(' ').next())
        .collect();
    ensure!(
        packages.contains(&PACKAGE),
        "apt would not install {PACKAGE}:\n{plan}"
    );
    // Beside and renamed, so that a half-unpacked one is never taken for a whole one.
    let partial = directory.with_extension(format!("partial-{}", std::process::id()));
    for package in packages {
        deb::unpack(Command::new("apt-get"), package, &partial)?;
    }
    fs::rename(&partial, directory)
        .with_context(|| format!("cannot rename {} to {}", partial.display(), directory.display()))
}
