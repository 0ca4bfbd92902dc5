//! Compiles the XDP program, which the library then embeds.

// What only the set-up needs of the shared file stays unused here.
#[allow(dead_code)]
mod toolchain;

use std::{
    env,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
};

use aya_build::{Package, Toolchain};
use toolchain::Origin;

/// Set for the copy of this program that does the compiling.
const INNER: &str = "OP25B_BUILD_INNER";
/// Cargo sets it if this is built as the soak's other version.
const OTHER_LAYOUT: &str = "CARGO_FEATURE_OTHER_LAYOUT";

fn main() -> ExitCode {
    if let Ok(toolchain) = env::var(INNER) {
        return compile(&toolchain);
    }
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed={}", op25b_ebpf::DIRECTORY);
    // In a workspace of op25b's, what the program is compiled from also lies beside it.
    for file in ["../op25b-common", "../Cargo.toml", "../Cargo.lock"] {
        if Path::new(file).exists() {
            println!("cargo::rerun-if-changed={file}");
        }
    }
    for variable in [toolchain::OVERRIDE, "AYA_BUILD_SKIP"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    if env::var_os(OTHER_LAYOUT).is_some() {
        println!(
            "cargo::rustc-env=CARGO_PKG_VERSION={}+other.layout",
            env!("CARGO_PKG_VERSION")
        );
    }
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line of cargo's own, instead of a dump of everything that was printed here.
            println!("cargo::error={error}");
            ExitCode::SUCCESS
        }
    }
}

/// Compiles in a directory that all builds share, whatever their profile and features: so Rust's core library is compiled
/// for BPF once.
fn build() -> Result<(), String> {
    let own = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo has not set OUT_DIR")?);
    let shared = own
        .ancestors()
        .find(|directory| directory.join("CACHEDIR.TAG").is_file())
        .map_or_else(|| own.clone(), toolchain::bpf_directory);
    let lock = lock(&shared).map_err(|error| format!("cannot lock {}: {error}", shared.display()))?;
    run_compile(&shared)?;
    if shared != own {
        let copied = copy_files(&shared, &own);
        copied.map_err(|error| format!("cannot copy from {}: {error}", shared.display()))?;
    }
    drop(lock);
    Ok(())
}

/// Waits until no other build uses the directory, and keeps others out.
fn lock(directory: &Path) -> io::Result<File> {
    fs::create_dir_all(directory)?;
    let directory = File::open(directory)?;
    directory.lock()?;
    Ok(directory)
}

/// Copies the programs, which are the files at the top of the directory.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// Runs [`compile`] in a process of its own: what it needs in the environment is set for that call alone, and its
/// cargo's progress, which would come out as warnings of this crate, can be left out.
fn run_compile(directory: &Path) -> Result<(), String> {
    let toolchain = toolchain::find().map_err(|missing| missing.to_string())?;
    let linker = toolchain::find_linker(&toolchain).map_err(|missing| missing.to_string())?;
    println!("cargo::rerun-if-changed={}", linker.display());

    let this = env::current_exe().map_err(|error| format!("cannot find the build script itself: {error}"))?;
    let mut command = Command::new(this);
    let name = match &toolchain.origin {
        Origin::Rustup(name) => name.as_str(),
        Origin::Path => "",
    };
    command
        .env(INNER, name)
        .env("OUT_DIR", directory)
        .current_dir(op25b_ebpf::DIRECTORY)
        .env("PATH", toolchain::path_with(&linker))
        .stderr(Stdio::inherit());
    if toolchain.needs_bootstrap {
        command.env("RUSTC_BOOTSTRAP", "1");
    }
    for (variable, _) in env::vars_os() {
        if variable.to_str().is_some_and(toolchain::is_of_outer_build) {
            command.env_remove(variable);
        }
    }
    // The same object wherever it is compiled: its debug information names no directory of this machine.
    command
        .env("CARGO_UNSTABLE_TRIM_PATHS", "true")
        .env("CARGO_PROFILE_RELEASE_TRIM_PATHS", "all");
    let output = command
        .output()
        .map_err(|error| format!("cannot run the build script again: {error}"))?;
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if !output.status.success() || !is_noise(line) {
            println!("{line}");
        }
    }
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "the XDP program (op25b-ebpf) did not compile with {toolchain}: see the warnings above"
        ))
    }
}

fn compile(toolchain: &str) -> ExitCode {
    let features: &[&str] = match env::var_os(OTHER_LAYOUT) {
        Some(_) => &["other-layout"],
        None => &[],
    };
    let package = Package {
        name: "op25b-ebpf",
        root_dir: op25b_ebpf::DIRECTORY,
        no_default_features: false,
        features,
    };
    match aya_build::build_ebpf([package], Toolchain::Custom(toolchain)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::warning={error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether a line is progress, not something to read: cargo's verbs stand right-aligned in twelve columns.
fn is_noise(line: &str) -> bool {
    let Some(text) = line.strip_prefix("cargo:warning=") else {
        return false;
    };
    let verb_ends = text
        .find(|c: char| !c.is_whitespace())
        .and_then(|start| text[start..].find(' ').map(|length| start + length));
    text.is_empty() || text.starts_with("which(rustup)=") || (text.starts_with(' ') && verb_ends == Some(12))
}
