//! `cargo xtask mutants`: do the tests notice when the XDP program judges wrongly?

mod list;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use clap::Args as ClapArgs;

use self::list::MUTANTS;
use crate::{
    paths, process,
    setup::{self, Purpose},
    suite,
};

/// Breaks a copy of the XDP program in known ways, one at a time, and demands that tests fail each time.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The copy is below cargo's target directory, where its build is kept for the next time: the first run takes minutes
longer. Each mutant is a replacement in xtask/src/mutants/list.rs that has to match exactly once.
Exit codes: 0 every mutant was noticed; 1 some were not, and their names are shown; 2 it could not be run.")]
pub struct Args {
    /// Only mutants with this in their names.
    name: Option<String>,
}

/// One way of breaking the program.
struct Mutant {
    /// What is wrong then, in a few words.
    name: &'static str,
    /// Below op25b-ebpf/src.
    file: &'static str,
    /// This text, which occurs once,
    from: &'static str,
    /// becomes this one.
    to: &'static str,
}

/// The test targets that have to notice, in the order in which they are run.
const TARGETS: [&str; 2] = ["datapath", "oracle"];

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    let through_sudo = suite::privileges()?;
    let meant: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| args.name.as_ref().is_none_or(|name| mutant.name.contains(name)))
        .collect();
    ensure!(!meant.is_empty(), "no mutant has such a name");
    let copy = Copy::make(&paths::target()?.join("mutants"), through_sudo)?;

    for mutant in &meant {
        mutant.applied(&copy.original(mutant)?)?;
    }
    println!("==> without a mutant");
    for target in TARGETS {
        let failed = copy.failing(target)?;
        ensure!(failed.is_empty(), "tests fail as it is: {}", failed.join(", "));
    }
    let mut unnoticed = Vec::new();
    for mutant in meant {
        println!("==> {}", mutant.name);
        let start = Instant::now();
        let counts = copy.with(mutant, || {
            TARGETS
                .map(|target| copy.failing(target))
                .into_iter()
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        for (target, failed) in TARGETS.iter().zip(&counts) {
            println!("    {target}: {}", summary(failed));
        }
        println!("    {} s", start.elapsed().as_secs());
        if counts.iter().all(Vec::is_empty) {
            unnoticed.push(mutant.name);
        }
    }
    for name in &unnoticed {
        eprintln!("cargo xtask mutants: no test notices this: {name}");
    }
    Ok(if unnoticed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How many tests failed, and one of them.
fn summary(failed: &[String]) -> String {
    match failed {
        [] => "notices nothing".into(),
        [only] => format!("1 test fails, {only}"),
        [first, ..] => format!("{} tests fail, such as {first}", failed.len()),
    }
}

/// A copy of the workspace, to be broken.
struct Copy {
    workspace: PathBuf,
    target: PathBuf,
    through_sudo: bool,
}

impl Copy {
    fn make(directory: &Path, through_sudo: bool) -> anyhow::Result<Self> {
        let workspace = directory.join("workspace");
        match fs::remove_dir_all(&workspace) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", workspace.display()));
            }
            _ => copy_directory(paths::workspace(), &workspace)?,
        }
        Ok(Self {
            workspace,
            target: directory.join("target"),
            through_sudo,
        })
    }

    fn path(&self, mutant: &Mutant) -> PathBuf {
        self.workspace.join("op25b-ebpf/src").join(mutant.file)
    }

    /// The file that a mutant is in, as it is without.
    fn original(&self, mutant: &Mutant) -> anyhow::Result<String> {
        let path = self.path(mutant);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Does something while the copy has this mutant.
    fn with<T>(&self, mutant: &Mutant, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        let path = self.path(mutant);
        let original = self.original(mutant)?;
        let broken = mutant.applied(&original)?;
        let write = |text| fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()));
        write(broken)?;
        let result = work();
        write(original)?;
        result
    }

    /// The tests of a target that fail.
    fn failing(&self, target: &str) -> anyhow::Result<Vec<String>> {
        let mut build = self.cargo_test(target);
        build.arg("--no-run");
        // A mutant that no compiler takes proves nothing.
        process::run_quietly(&mut build)?;
        let mut test = self.cargo_test(target);
        suite::run_tests_through(&mut test, self.through_sudo)?;
        // A difference is not kept, so it need not become small.
        test.env(NO_SHRINKING, "1");
        let output = test
            .output()
            .with_context(|| format!("cannot run `{}`", process::shown(&test)))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let failed = failed_tests(&said);
        ensure!(
            output.status.success() == failed.is_empty(),
            "`{}` neither passed nor told which tests failed:\n{said}",
            process::shown(&test)
        );
        Ok(failed)
    }

    fn cargo_test(&self, target: &str) -> Command {
        let mut command = Command::new("cargo");
        command
            .args(["test", "--package", "op25b", "--test", target, "--target-dir"])
            .arg(&self.target)
            .current_dir(&self.workspace);
        command
    }
}

/// Tells the differential test to show a difference as it is found.
const NO_SHRINKING: &str = "OP25B_NO_SHRINKING";

/// The names in a test binary's lines such as `test policy::it_works ... FAILED`.
fn failed_tests(output: &str) -> Vec<String> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"))
        .map(str::to_owned)
        .collect()
}

/// Copies sources, with their times, so that cargo builds only what has changed since the last copy.
pub(crate) fn copy_directory(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (name, path) = (entry.file_name(), entry.path());
        // What is built, wherever it is, and what git keeps.
        if name == ".git" || path.join("CACHEDIR.TAG").is_file() {
            continue;
        }
        let copy = to.join(&name);
        if path.is_dir() {
            copy_directory(&path, &copy)?;
        } else {
            let times = || -> std::io::Result<()> {
                fs::copy(&path, &copy)?;
                let modified = entry.metadata()?.modified()?;
                fs::File::options()
                    .write(true)
                    .open(&copy)?
                    .set_modified(modified)
            };
            times().with_context(|| format!("cannot copy {}", path.display()))?;
        }
    }
    Ok(())
}

impl Mutant {
    /// The file's text with the mutant in it.
    fn applied(&self, original: &str) -> anyhow::Result<String> {
        let times = original.matches(self.from).count();
        ensure!(
            times == 1,
            "{}: the text to be replaced occurs {times} times in {}, not once",
            self.name,
            self.file
        );
        Ok(original.replace(self.from, self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_fits_the_program_as_it_is() {
        for mutant in MUTANTS {
            let path = paths::workspace().join("op25b-ebpf/src").join(mutant.file);
            let original = fs::read_to_string(&path).unwrap();
            assert_ne!(mutant.applied(&original).unwrap(), original, "{}", mutant.name);
        }
    }

    #[test]
    fn failed_tests_are_read_from_what_the_test_binary_prints() {
        let output =
            "running 3 tests\ntest a::b ... ok\ntest c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed";
        assert_eq!(failed_tests(output), ["c"]);
    }
}
