//! `cargo xtask vm`: a booted Debian in an emulated machine, as a test.

mod agent;
mod debian;
mod emulator;
mod frame;
mod image;
mod kernel;
mod kernels;
mod machine;
mod package;
mod printer;
mod table;
mod wire;

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::ensure;
use clap::{Args as ClapArgs, Subcommand};
use op25b_host::{paths, runtime};

use self::{
    image::Image,
    kernel::Kernel,
    machine::{Machine, Options},
};

/// Boot a Debian with systemd in an emulated machine, and test op25b there.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The machine is emulated (QEMU without KVM), so that the kernel of the host does not matter. QEMU is unpacked into the target
directory unless it is installed; the image is made by mmdebstrap from Debian's packages, once.
Exit codes: 0 all is as expected; 1 something is not; 2 failed to run.")]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make the image that is booted, if there is none of this recipe.
    Image(ImageArgs),
    Kernels(kernels::Args),
    Package(package::Args),
    /// Boot, run a shell script, print its output and switch the machine off.
    Exec(ExecArgs),
}

#[derive(Debug, ClapArgs)]
struct ImageArgs {
    /// Make it again, with the kernels and packages of today.
    #[arg(long)]
    fresh: bool,
}

#[derive(Debug, ClapArgs)]
struct ExecArgs {
    /// The kernel to boot.
    #[arg(long, value_enum, default_value_t = Kernel::Bookworm)]
    kernel: Kernel,
    /// The script, for bash; the workspace is there under the same path as here, and read-only.
    script: String,
}

/// How long a script may take that is typed by a person.
const LONG: Duration = Duration::from_hours(1);

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    ensure!(
        runtime::is_root(),
        "the files of the image belong to root, as they do on a router: run this as root"
    );
    match &args.what {
        What::Image(ImageArgs { fresh }) => Image::get(*fresh).map(|_| ExitCode::SUCCESS),
        What::Kernels(args) => kernels::run(args),
        What::Package(args) => package::run(args),
        What::Exec(args) => exec(args),
    }
}

fn exec(args: &ExecArgs) -> anyhow::Result<ExitCode> {
    let image = Image::get(false)?;
    let mut machine = Machine::boot(&image, args.kernel, &Options::default())?;
    let answer = machine.show(&args.script, LONG)?;
    Ok(if answer.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Those that are named on the command line, or all of them.
fn chosen<T: Copy>(named: &[T], all: &[T]) -> Vec<T> {
    if named.is_empty() { all } else { named }.to_vec()
}

/// Where everything is that these commands make.
fn directory() -> anyhow::Result<PathBuf> {
    Ok(paths::target()?.join("vm"))
}
