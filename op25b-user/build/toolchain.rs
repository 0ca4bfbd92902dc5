//! Finds the Rust compiler that builds the XDP program, and a `bpf-linker` that fits it.
//!
//! The build script and the set-up (`op25b_host::toolchain`) both include this file, so that a build and the set-up
//! agree. It uses the standard library only, and installs nothing.

use std::{
    env,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// The environment variable that names a rustup toolchain to use instead of looking for one.
pub const OVERRIDE: &str = "OP25B_BPF_TOOLCHAIN";
/// The rustup toolchain that the set-up links to a distribution's compiler.
pub const LINKED: &str = "op25b-bpf";
/// The linker that turns LLVM bitcode into a BPF object.
pub const LINKER: &str = "bpf-linker";
/// What every message about something missing ends in.
const REMEDY: &str = "run `cargo xtask setup`";

/// A major and a minor version, as in `1.96`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// What must match between two LLVMs.
    pub major: u32,
    /// What counts for Rust.
    pub minor: u32,
}

impl Version {
    /// The first `major.minor` in a text such as `1.97.0-nightly` or `22.1.8`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit());
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// The oldest Rust that compiles this workspace.
///
/// # Panics
///
/// If the manifest's `rust-version` is no version, which cargo refuses first.
#[must_use]
pub fn oldest_rust() -> Version {
    Version::parse(env!("CARGO_PKG_RUST_VERSION")).expect("cargo has checked rust-version")
}

/// How a compiler is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `rustup run NAME`.
    Rustup(String),
    /// The programs on `PATH`: there is no rustup here.
    Path,
}

/// A compiler that can build the eBPF program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toolchain {
    /// How it is reached.
    pub origin: Origin,
    /// The compiler's version.
    pub rust: Version,
    /// The LLVM it writes bitcode with.
    pub llvm: Version,
    /// Whether `-Z` flags have to be unlocked with `RUSTC_BOOTSTRAP=1`, as it is no nightly.
    pub needs_bootstrap: bool,
}

impl Toolchain {
    /// One of its programs (`cargo`, `rustc`), ready for arguments.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        command(&self.origin, program)
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin, rust, llvm, ..
        } = self;
        write!(f, "{origin} (Rust {rust}, LLVM {})", llvm.major)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rustup(name) => write!(f, "rustup's {name}"),
            Self::Path => write!(f, "the rustc on PATH"),
        }
    }
}

/// What a build of the eBPF program lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// There is no compiler that could do it; for each one looked at, why not.
    Compiler(Vec<String>),
    /// There is no `bpf-linker`.
    Linker,
    /// There is one, but it does not run (a library it needs is gone, mostly).
    BrokenLinker(PathBuf),
    /// There is one, but its LLVM is too old to read what the compiler writes.
    OldLinker {
        /// Where it is.
        path: PathBuf,
        /// Its LLVM.
        has: Version,
        /// The compiler's.
        needs: Version,
    },
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler(reasons) => {
                let oldest = oldest_rust();
                let reasons = reasons.join("; ");
                write!(
                    f,
                    "no Rust compiler here builds for BPF, which takes Rust {oldest} or newer with "
                )?;
                write!(f, "rust-src ({reasons}): {REMEDY}")
            }
            Self::Linker => write!(f, "{LINKER} is not installed: {REMEDY}"),
            Self::BrokenLinker(path) => write!(f, "{} does not run: {REMEDY}", path.display()),
            Self::OldLinker { path, has, needs } => write!(
                f,
                "{} is built with LLVM {}, and the compiler with LLVM {}: {REMEDY}",
                path.display(),
                has.major,
                needs.major,
            ),
        }
    }
}

impl std::error::Error for Missing {}

/// Looks for a compiler: the one that [`OVERRIDE`] names; else rustup's [`LINKED`], else its nightly; and without
/// rustup the one on `PATH`.
pub fn find() -> Result<Toolchain, Missing> {
    let candidates = match (env::var(OVERRIDE), rustup_toolchains()) {
        (Ok(name), _) if !name.is_empty() => vec![Origin::Rustup(name)],
        (_, Some(installed)) => {
            let mut origins = Vec::new();
            for (name, is_it) in [(LINKED, is_linked as fn(&str) -> bool), ("nightly", is_nightly)] {
                if installed.iter().any(|installed| is_it(installed)) {
                    origins.push(Origin::Rustup(name.into()));
                }
            }
            origins
        }
        (_, None) => vec![Origin::Path],
    };
    let mut reasons = Vec::new();
    for origin in candidates {
        match examine(&origin) {
            Ok(toolchain) => return Ok(toolchain),
            Err(reason) => reasons.push(format!("{origin} {reason}")),
        }
    }
    if reasons.is_empty() {
        reasons.push(format!("rustup has neither {LINKED} nor nightly"));
    }
    Err(Missing::Compiler(reasons))
}

/// Looks for a `bpf-linker` that reads what `toolchain` writes: on `PATH`, then where cargo installs programs.
pub fn find_linker(toolchain: &Toolchain) -> Result<PathBuf, Missing> {
    let path = on_path(LINKER)
        .or_else(|| {
            cargo_bin()
                .map(|bin| bin.join(LINKER))
                .filter(|path| path.is_file())
        })
        .ok_or(Missing::Linker)?;
    // LLVM's own option prints the version that is really linked in, and ends the program.
    let mut version = Command::new(&path);
    version.args([
        "--llvm-args=--version",
        "--target",
        "bpfel",
        "--output",
        "/dev/null",
        "/dev/null",
    ]);
    let Some(text) = stdout(&mut version) else {
        return Err(Missing::BrokenLinker(path));
    };
    match text
        .split_once("LLVM version ")
        .and_then(|(_, version)| Version::parse(version))
    {
        Some(has) if has.major < toolchain.llvm.major => Err(Missing::OldLinker {
            path,
            has,
            needs: toolchain.llvm,
        }),
        // A newer LLVM reads older bitcode. One that does not report its version is tried.
        _ => Ok(path),
    }
}

/// Where the XDP program is compiled, below cargo's target directory.
#[must_use]
pub fn bpf_directory(target: &Path) -> PathBuf {
    target.join("bpf")
}

/// Where `name` is on `PATH`.
#[must_use]
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// `PATH` with `program`'s directory in front, as rustc asks `PATH` for the linker.
#[must_use]
pub fn path_with(program: &Path) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = program
        .parent()
        .map(Path::to_path_buf)
        .into_iter()
        .chain(env::split_paths(&path));
    env::join_paths(directories).unwrap_or(path)
}

/// Whether a variable of the environment is for the outer build alone: its target, flags and profiles are not those of the XDP
/// program, which is the same object whatever the command is built with.
#[must_use]
pub fn is_of_outer_build(variable: &str) -> bool {
    variable.starts_with("CARGO_PROFILE_")
        || matches!(
            variable,
            "RUSTFLAGS"
                | "CARGO_BUILD_INCREMENTAL"
                | "CARGO_BUILD_RUSTFLAGS"
                | "CARGO_BUILD_TARGET"
                | "CARGO_INCREMENTAL"
                | "CARGO_UNSTABLE_BUILD_STD"
        )
}

fn command(origin: &Origin, program: &str) -> Command {
    let mut command = match origin {
        Origin::Rustup(name) => {
            let mut command = Command::new("rustup");
            command.args(["run", name, program]);
            command
        }
        Origin::Path => Command::new(program),
    };
    // Cargo sets these for the outer build's compiler.
    for variable in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTUP_TOOLCHAIN", "CARGO"] {
        command.env_remove(variable);
    }
    command
}

/// A usable toolchain, or what is wrong with this one.
fn examine(origin: &Origin) -> Result<Toolchain, String> {
    let text = stdout(command(origin, "rustc").arg("-vV")).ok_or("has no working rustc")?;
    let (rust, llvm, nightly) = parse_verbose_version(&text).ok_or("does not report its version")?;
    if rust < oldest_rust() {
        return Err(format!("is Rust {rust}"));
    }
    let sysroot = stdout(command(origin, "rustc").args(["--print", "sysroot"])).ok_or("has no sysroot")?;
    if !Path::new(sysroot.trim())
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .is_file()
    {
        return Err("has no rust-src".into());
    }
    Ok(Toolchain {
        origin: origin.clone(),
        rust,
        llvm,
        needs_bootstrap: !nightly,
    })
}

/// Rust's version, LLVM's, and whether it is a nightly, from `rustc -vV`.
fn parse_verbose_version(text: &str) -> Option<(Version, Version, bool)> {
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key))
            .map(str::trim)
    };
    let release = value("release:")?;
    let unlocked = release.contains("-nightly") || release.contains("-dev");
    Some((
        Version::parse(release)?,
        Version::parse(value("LLVM version:")?)?,
        unlocked,
    ))
}

/// The names of rustup's toolchains, or nothing if there is no rustup.
fn rustup_toolchains() -> Option<Vec<String>> {
    let text = stdout(Command::new("rustup").args(["toolchain", "list"]))?;
    Some(
        text.lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(String::from)
            .collect(),
    )
}

fn is_linked(name: &str) -> bool {
    name == LINKED
}

/// Whether `rustup run nightly` means this one: a nightly without a date.
fn is_nightly(name: &str) -> bool {
    name.strip_prefix("nightly").is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('-')
                .is_some_and(|host| !host.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Where cargo installs programs.
fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| env::home_dir().map(|home| home.join(".cargo")))
        .map(|home| home.join("bin"))
}

/// What the command prints, if it succeeds.
fn stdout(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_and_channel_are_read_from_the_compiler() {
        let text = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nbinary: rustc\nrelease: 1.97.0-nightly\n\
                    LLVM version: 22.1.4\n";
        let rust = Version { major: 1, minor: 97 };
        assert_eq!(
            parse_verbose_version(text),
            Some((rust, Version { major: 22, minor: 1 }, true))
        );
    }

    #[test]
    fn a_dated_nightly_is_not_what_rustup_calls_nightly() {
        assert!(is_nightly("nightly-x86_64-unknown-linux-gnu"));
        assert!(is_nightly("nightly"));
        assert!(!is_nightly("nightly-2026-05-20-x86_64-unknown-linux-gnu"));
        assert!(!is_nightly("stable-x86_64-unknown-linux-gnu"));
    }

    #[test]
    fn the_profile_of_the_outer_build_does_not_reach_the_xdp_program() {
        for variable in [
            "CARGO_PROFILE_RELEASE_STRIP",
            "CARGO_PROFILE_RELEASE_LTO",
            "CARGO_PROFILE_RELEASE_BUILD_OVERRIDE_OPT_LEVEL",
            "CARGO_PROFILE_DEV_DEBUG",
            "CARGO_INCREMENTAL",
            "RUSTFLAGS",
            "CARGO_BUILD_TARGET",
        ] {
            assert!(is_of_outer_build(variable), "{variable}");
        }
        for variable in [
            "CARGO_HOME",
            "CARGO_NET_OFFLINE",
            "OUT_DIR",
            "CARGO_CFG_TARGET_ENDIAN",
        ] {
            assert!(!is_of_outer_build(variable), "{variable}");
        }
    }

    #[test]
    fn every_lack_names_the_remedy() {
        let path = PathBuf::from("/opt/bpf-linker");
        let version = Version { major: 21, minor: 0 };
        for missing in [
            Missing::Compiler(vec!["rustup's nightly has no rust-src".into()]),
            Missing::Linker,
            Missing::BrokenLinker(path.clone()),
            Missing::OldLinker {
                path,
                has: version,
                needs: version,
            },
        ] {
            let text = missing.to_string();
            assert!(text.ends_with("run `cargo xtask setup`"), "{text}");
            assert!(!text.contains('\n'), "{text}");
        }
    }
}
