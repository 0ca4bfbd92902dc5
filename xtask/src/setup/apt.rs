//! Queries Debian's packages.

use std::process::Command;

use op25b_host::{
    process::output_of,
    toolchain::{Version, oldest_rust, on_path},
};

/// Packages that hold a compiler with its sources, newest kind first: Debian's for web browsers follows upstream
/// within a stable release; the plain one does in testing.
const COMPILERS: [[&str; 4]; 2] = [
    ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm"],
    ["rustc", "cargo", "rust-src", "rust-llvm"],
];
/// Clippy for each of them.
const CLIPPY: [&str; 2] = ["rust-web-clippy", "rust-clippy"];

/// Packages that make a compiler for BPF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompilerPackages {
    /// Their names.
    pub names: Vec<String>,
    /// The package with its clippy.
    pub clippy: &'static str,
    /// The compiler's version.
    pub rust: Version,
    /// The LLVM it is linked with.
    pub llvm: Option<u32>,
}

/// Whether packages come from apt here.
#[must_use]
pub fn is_here() -> bool {
    on_path("apt-get").is_some() && on_path("apt-cache").is_some() && on_path("dpkg-query").is_some()
}

/// The version apt would install (or has), with its epoch left out.
#[must_use]
pub fn candidate(package: &str) -> Option<String> {
    let text = output_of(
        Command::new("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", package]),
    )
    .ok()?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("Candidate:"))?
        .trim();
    (version != "(none)").then(|| version.rsplit(':').next().unwrap_or(version).to_owned())
}

/// Whether a package is installed.
#[must_use]
pub fn is_installed(package: &str) -> bool {
    output_of(Command::new("dpkg-query").args(["--show", "--showformat=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}

/// The packages with a new enough compiler, if there are any.
#[must_use]
pub fn compiler_packages() -> Option<CompilerPackages> {
    COMPILERS.iter().zip(CLIPPY).find_map(|(names, clippy)| {
        let rust = Version::parse(&candidate(names[0])?)?;
        (rust >= oldest_rust()).then(|| CompilerPackages {
            names: names.iter().map(ToString::to_string).collect(),
            clippy,
            rust,
            llvm: llvm_of(names[0]),
        })
    })
}

/// The LLVM that a compiler's package depends on, by the packages' dependencies.
fn llvm_of(package: &str) -> Option<u32> {
    let mut command = Command::new("apt-cache");
    command
        .env("LC_ALL", "C")
        .args(["depends", "--recurse", "--no-recommends", "--no-suggests"]);
    command.args([
        "--no-conflicts",
        "--no-breaks",
        "--no-replaces",
        "--no-enhances",
        package,
    ]);
    let text = output_of(&mut command).ok()?;
    text.lines().find_map(|line| {
        let number = line.trim().strip_prefix("Depends: libllvm")?;
        number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    })
}

/// The libraries that a package needs, without the package.
#[must_use]
pub fn libraries_of(package: &str) -> Vec<String> {
    let mut command = Command::new("apt-cache");
    command
        .env("LC_ALL", "C")
        .args(["depends", "--important", package]);
    output_of(&mut command)
        .unwrap_or_default()
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: lib"))
        // Scripts of a page that no test looks at.
        .filter(|name| !name.starts_with("js-"))
        .map(|name| format!("lib{name}"))
        .collect()
}

/// What installing packages would mean.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forecast {
    /// How much there is to download.
    pub megabytes: u64,
    /// Packages that are installed and would have to go.
    pub removes: Vec<String>,
}

/// Queries apt for what an installation would do.
#[must_use]
pub fn forecast(packages: &[String]) -> Forecast {
    let ask = |option: &str| {
        let mut command = Command::new("apt-get");
        command
            .env("LC_ALL", "C")
            .args(["install", "--no-install-recommends", "-qq", option])
            .args(packages);
        output_of(&mut command).unwrap_or_default()
    };
    // 'http://...' file size hash
    let sizes = ask("--print-uris");
    let bytes: u64 = sizes
        .lines()
        .filter_map(|line| line.split(' ').nth(2)?.parse::<u64>().ok())
        .sum();
    let simulation = ask("--simulate");
    let removes = simulation
        .lines()
        .filter_map(|line| line.strip_prefix("Remv ")?.split(' ').next());
    Forecast {
        megabytes: bytes.div_ceil(1_000_000),
        removes: removes.map(String::from).collect(),
    }
}
