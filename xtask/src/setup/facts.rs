//! Collects facts about this machine that concern the build, the lab and the tests.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use op25b_host::{
    process::{self, find_program},
    runtime,
    toolchain::{self, Missing, Origin, Toolchain, on_path},
};

use super::{
    Purpose,
    apt::{self, CompilerPackages},
    unpacked,
};

/// A machine, as far as planning is concerned.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whether this process may install packages.
    pub root: bool,
    /// Whether there is rustup.
    pub rustup: bool,
    /// The toolchain that [`toolchain::OVERRIDE`] names.
    pub asked_for: Option<String>,
    /// The compiler for BPF.
    pub compiler: Result<Toolchain, Missing>,
    /// The linker; nothing is known without a compiler.
    pub linker: Option<Result<PathBuf, Missing>>,
    /// Facts from apt; `None` on a machine without apt.
    pub apt: Option<Apt>,
    /// Whether the LLVM that the linker has to be built with is installed.
    pub llvm_installed: bool,
    /// Programs of the lab that are missing, with their packages.
    pub lab_missing: Vec<&'static str>,
    /// What the tests need in addition, and is missing.
    pub tests_missing: TestsMissing,
}

/// Facts from apt. Queried only when something is missing: it is slow.
#[derive(Clone, Debug, Default)]
pub struct Apt {
    /// Whether there are package lists to look things up in.
    pub has_lists: bool,
    /// A compiler's packages.
    pub compiler: Option<CompilerPackages>,
    /// Whether these are installed already.
    pub compiler_installed: bool,
    /// The development packages for building the linker, of those that there are.
    pub llvm_dev: Vec<String>,
    /// The package with the compiler's clippy.
    pub clippy: Option<&'static str>,
    /// The libraries of packages to be unpacked that are not installed.
    pub libraries: Vec<String>,
}

/// A program that the tests run.
#[derive(Clone, Copy, Debug)]
pub struct TestProgram {
    /// What it is called.
    pub name: &'static str,
    /// Debian's package with it.
    pub package: &'static str,
    /// What it is for.
    pub why: &'static str,
}

/// The programs that the tests run and that need nothing else.
const PROGRAMS: [TestProgram; 4] = [
    TestProgram {
        name: "nft",
        package: "nftables",
        why: "the tests load policies/small-isp.nft",
    },
    TestProgram {
        name: "openssl",
        package: "openssl",
        why: "the commands of docs/observability.md that verify the signature of an alert",
    },
    TestProgram {
        name: "python3",
        package: "python3",
        why: "the receiver of webhooks that verifies their signatures",
    },
    TestProgram {
        name: "tmux",
        package: "tmux",
        why: "a terminal for the tests of op25b top",
    },
];

/// What only the tests need.
#[derive(Clone, Debug, Default)]
pub struct TestsMissing {
    /// Components of the compiler that compiles everything else.
    pub components: Vec<&'static str>,
    /// Clippy for the eBPF program.
    pub bpf_clippy: bool,
    /// The mail client.
    pub swaks: bool,
    /// Those of [`PROGRAMS`].
    pub programs: Vec<TestProgram>,
    /// The packages that are to be unpacked: mail servers and a name server.
    pub unpacked: Vec<&'static str>,
}

impl TestsMissing {
    /// Whether there is something.
    #[must_use]
    pub fn any(&self) -> bool {
        let more = self.bpf_clippy || self.swaks || !self.programs.is_empty();
        more || !self.components.is_empty() || !self.unpacked.is_empty()
    }
}

impl Facts {
    /// Looks at the machine.
    #[must_use]
    pub fn gather(purpose: Purpose) -> Self {
        let compiler = toolchain::find();
        let linker = compiler.as_ref().ok().map(toolchain::find_linker);
        let mut facts = Self {
            root: runtime::is_root(),
            rustup: on_path("rustup").is_some(),
            asked_for: env::var(toolchain::OVERRIDE).ok().filter(|name| !name.is_empty()),
            compiler,
            linker,
            apt: None,
            llvm_installed: false,
            lab_missing: Vec::new(),
            tests_missing: TestsMissing::default(),
        };
        if find_program("ip").is_none() {
            facts.lab_missing.push("iproute2");
        }
        if purpose >= Purpose::Test {
            facts.tests_missing = tests_missing(facts.compiler.as_ref().ok());
        }
        if facts.nothing_missing() {
            return facts;
        }
        facts.apt = apt::is_here().then(|| ask_apt(&facts));
        facts.llvm_installed = facts.llvm_is_installed();
        facts
    }

    /// Whether what the linker is built against is there: the library to link with, which Debian's compiler pulls in
    /// LLVM's programs without.
    fn llvm_is_installed(&self) -> bool {
        match &self.apt {
            Some(apt) if !apt.llvm_dev.is_empty() => {
                apt.llvm_dev.iter().all(|package| apt::is_installed(package))
            }
            _ => self
                .llvm()
                .is_some_and(|llvm| llvm_prefix(llvm).join("lib/libLLVM.so").is_file()),
        }
    }

    /// Whether the plan will be empty.
    #[must_use]
    pub fn nothing_missing(&self) -> bool {
        self.compiler.is_ok()
            && matches!(self.linker, Some(Ok(_)))
            && self.lab_missing.is_empty()
            && !self.tests_missing.any()
    }

    /// The LLVM that the linker needs: the compiler's, or that of the compiler that would be installed.
    #[must_use]
    pub fn llvm(&self) -> Option<u32> {
        match &self.compiler {
            Ok(toolchain) => Some(toolchain.llvm.major),
            Err(_) => self.apt.as_ref()?.compiler.as_ref()?.llvm,
        }
    }
}

/// Where Debian puts an LLVM.
#[must_use]
pub fn llvm_prefix(llvm: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{llvm}"))
}

fn ask_apt(facts: &Facts) -> Apt {
    let wanted = facts.compiler.is_err() || facts.tests_missing.bpf_clippy;
    let packages = wanted.then(apt::compiler_packages).flatten();
    let clippy = packages.as_ref().map(|packages| packages.clippy);
    let compiler = packages.filter(|_| facts.compiler.is_err());
    let llvm = match &facts.compiler {
        Ok(toolchain) => Some(toolchain.llvm.major),
        Err(_) => compiler.as_ref().and_then(|packages| packages.llvm),
    };
    let llvm_dev = llvm
        .into_iter()
        .flat_map(|llvm| [format!("llvm-{llvm}-dev"), format!("libpolly-{llvm}-dev")])
        .filter(|package| apt::candidate(package).is_some())
        .collect();
    Apt {
        // Every Debian has it, so without it there are no lists.
        has_lists: apt::candidate("iproute2").is_some() && package_lists_are_there(),
        compiler_installed: compiler
            .as_ref()
            .is_some_and(|packages| packages.names.iter().all(|package| apt::is_installed(package))),
        compiler,
        llvm_dev,
        clippy,
        libraries: missing_libraries(&facts.tests_missing.unpacked),
    }
}

fn missing_libraries(of: &[&str]) -> Vec<String> {
    let mut packages: Vec<_> = of.iter().flat_map(|package| apt::libraries_of(package)).collect();
    packages.sort();
    packages.dedup();
    packages.retain(|package| !apt::is_installed(package));
    packages
}

fn package_lists_are_there() -> bool {
    std::fs::read_dir("/var/lib/apt/lists").is_ok_and(|files| {
        files
            .filter_map(Result::ok)
            .any(|file| file.file_name().to_string_lossy().contains("Packages"))
    })
}

fn tests_missing(compiler: Option<&Toolchain>) -> TestsMissing {
    let works = |command: &mut Command| process::output_of(command).is_ok();
    let components = [("fmt", "rustfmt"), ("clippy", "clippy")]
        .into_iter()
        .filter(|(subcommand, _)| !works(Command::new("cargo").args([subcommand, "--version"])))
        .map(|(_, component)| component)
        .collect();
    TestsMissing {
        components,
        bpf_clippy: !compiler.is_some_and(has_clippy),
        swaks: find_program("swaks").is_none()
            || !works(Command::new("perl").args(["-e", "require IO::Socket::INET6"])),
        programs: PROGRAMS
            .into_iter()
            .filter(|needed| find_program(needed.name).is_none())
            .collect(),
        unpacked: unpacked::missing(),
    }
}

/// Whether the toolchain has a clippy of its own: rustup would offer another toolchain's in its place.
fn has_clippy(toolchain: &Toolchain) -> bool {
    match &toolchain.origin {
        Origin::Path => process::output_of(Command::new("clippy-driver").arg("--version")).is_ok(),
        Origin::Rustup(_) => process::output_of(toolchain.command("rustc").args(["--print", "sysroot"]))
            .is_ok_and(|sysroot| Path::new(sysroot.trim()).join("bin/clippy-driver").is_file()),
    }
}
