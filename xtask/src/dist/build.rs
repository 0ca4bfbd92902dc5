//! Builds the program for packages: optimised, without symbols, and the same bytes in whichever directory.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use op25b_host::{paths, process, toolchain};

/// A build of the program.
#[derive(Clone)]
pub struct Build {
    /// The target directory, apart from that of other builds: flags differ.
    pub target_directory: PathBuf,
    /// The target triple. Named even if it is the host's, as the flags are then for the program alone, without build scripts.
    pub triple: String,
    /// Whether it is the version with another layout of its maps.
    pub other_layout: bool,
}

impl Build {
    /// A build below `work`, for this machine unless another one is named.
    pub fn new(work: &Path, triple: Option<&str>, other_layout: bool) -> anyhow::Result<Self> {
        let host = host()?;
        let build = Self {
            target_directory: work.join("build"),
            triple: triple.map_or_else(|| host.clone(), str::to_owned),
            other_layout,
        };
        if build.triple != host {
            build.ensure_buildable()?;
        }
        Ok(build)
    }

    /// Where cargo writes the program.
    pub fn directory(&self) -> PathBuf {
        self.target_directory.join(&self.triple).join("release")
    }

    /// The XDP program that is in it.
    pub fn object(&self) -> PathBuf {
        toolchain::bpf_directory(&self.target_directory.join(&self.triple)).join("op25b")
    }

    /// Whether the program is linked statically, which makes it one for every distribution.
    pub fn is_static(&self) -> bool {
        self.triple.ends_with("-musl")
    }

    /// Builds it.
    pub fn run(&self) -> anyhow::Result<()> {
        let mut command = Command::new("cargo");
        command
            .args([
                "build",
                "--release",
                "--locked",
                "--package",
                "op25b",
                "--bin",
                "op25b",
            ])
            .args(["--target", &self.triple, "--target-dir"])
            .arg(&self.target_directory)
            .env("CARGO_PROFILE_RELEASE_STRIP", "symbols");
        if self.other_layout {
            command.args(["--features", "op25b/other-layout"]);
        }
        eprintln!("==> {}", process::shown(&command));
        let prefixes = prefixes()?;
        let flags = |option: &str, separator: &str| {
            let flags: Vec<_> = prefixes
                .iter()
                .map(|(from, to)| format!("{option}={}={to}", from.display()))
                .collect();
            OsString::from(flags.join(separator))
        };
        command
            .env("CARGO_ENCODED_RUSTFLAGS", flags("--remap-path-prefix", "\u{1f}"))
            .env("CFLAGS", flags("-ffile-prefix-map", " "))
            .current_dir(paths::workspace());
        if let Some(linker) = self.cross_linker() {
            let name = self.triple.to_uppercase().replace('-', "_");
            command.env(format!("CARGO_TARGET_{name}_LINKER"), linker);
        }
        let status = command.status().context("cannot run cargo")?;
        ensure!(status.success(), "it could not be built: see above");
        Ok(())
    }

    /// `cargo xtask dist` of another directory, for the same machine.
    pub fn xtask(&self, source: &Path) -> Command {
        let mut command = Command::new("cargo");
        command
            .args([
                "run",
                "--quiet",
                "--package",
                "xtask",
                "--",
                "dist",
                "--target",
                &self.triple,
            ])
            // It would name the directory of the first build.
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(source);
        if self.other_layout {
            command.arg("--other-layout");
        }
        command
    }

    /// What links for another kind of machine.
    fn cross_linker(&self) -> Option<&'static str> {
        self.triple
            .starts_with("aarch64-unknown-linux-gnu")
            .then_some("aarch64-linux-gnu-gcc")
    }

    /// Says what is missing for another machine before anything is compiled.
    fn ensure_buildable(&self) -> anyhow::Result<()> {
        let triple = &self.triple;
        let mut rustc = Command::new("rustc");
        let library = process::output_of(rustc.args(["--print", "target-libdir", "--target", triple]))
            .with_context(|| format!("rustc does not know {triple}"))?;
        ensure!(
            Path::new(library.trim()).is_dir(),
            "Rust's standard library for {triple} is not installed: `rustup target add {triple}`"
        );
        let (compiler, package) = if self.is_static() {
            ("musl-gcc", "musl-tools")
        } else {
            (
                "aarch64-linux-gnu-gcc",
                "gcc-aarch64-linux-gnu and libc6-dev-arm64-cross",
            )
        };
        ensure!(
            toolchain::on_path(compiler).is_some(),
            "there is no {compiler}, which compiles SQLite for {triple}: install {package}"
        );
        Ok(())
    }
}

/// Directories of this machine that compilers write into what they compile, and what is written instead.
fn prefixes() -> anyhow::Result<[(PathBuf, &'static str); 2]> {
    let cargo = match env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => {
            PathBuf::from(env::var_os("HOME").context("neither CARGO_HOME nor HOME is set")?).join(".cargo")
        }
    };
    Ok([(cargo, "/cargo"), (paths::workspace().to_owned(), "/op25b")])
}

/// The triple of this machine.
fn host() -> anyhow::Result<String> {
    let text = process::output_of(Command::new("rustc").arg("-vV"))?;
    let triple = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(triple.context("`rustc -vV` names no host")?.to_owned())
}
