//! `cargo xtask vm kernels`: the tests and the scenarios on each kernel.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use clap::{Args as ClapArgs, ValueEnum};
use op25b_host::{paths, process};
use serde::Deserialize;

use super::{
    chosen,
    image::Image,
    kernel::Kernel,
    machine::{Machine, Options},
    table::Table,
};
use crate::setup::{self, Purpose};

/// Run tests and scenarios on each kernel.
///
/// The tests are those of `cargo xtask test` that the kernel matters for. The scenarios need modules that a kernel for development may
/// lack: bonds, VLAN devices, PPP over Ethernet and over L2TP.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The kernels; all, unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    kernel: Vec<Kernel>,
    /// The parts; all, unless some are named.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
}

/// A part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The programs in the kernel's verifier, in every configuration.
    Verifier,
    /// Single frames through the program.
    Datapath,
    /// Random frames and policies, compared with the oracle.
    Oracle,
    /// Attempts to get past the filter, over real stacks.
    Evasions,
    /// Start, stop, takeover and changes of interfaces.
    Lifecycle,
    /// Bonds, VLANs, PPP over Ethernet and over L2TP.
    Scenarios,
}

impl Part {
    const ALL: [Self; 6] = [
        Self::Verifier,
        Self::Datapath,
        Self::Oracle,
        Self::Evasions,
        Self::Lifecycle,
        Self::Scenarios,
    ];

    /// The target of cargo's, and the words that choose among its tests.
    const fn tests(self) -> Option<(&'static str, &'static [&'static str])> {
        Some(match self {
            Self::Verifier => ("verifier", &[]),
            Self::Datapath => ("datapath", &[]),
            Self::Oracle => ("oracle", &[]),
            Self::Evasions => ("evasions", &[]),
            Self::Lifecycle => (
                "namespaces",
                &[
                    "generic::",
                    "pins::",
                    "power_on::",
                    "reconcile::",
                    "starting::",
                    "stopping::",
                ],
            ),
            Self::Scenarios => return None,
        })
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// The scenarios, in `xtask/scenarios`.
const SCENARIOS: [&str; 4] = ["bond", "l2tp", "pppoe", "vlan"];

/// How long one target may take.
const LIMIT: Duration = Duration::from_mins(25);

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Demo)?;
    let kernels = chosen(&args.kernel, &Kernel::ALL);
    let parts = chosen(&args.only, &Part::ALL);
    let programs = Programs::build()?;
    let image = Image::get(false)?;
    let mut table = Table::new(&["kernel", "part", "passed", "failed", "seconds"]);
    let mut is_good = true;
    for kernel in kernels {
        let start = Instant::now();
        let mut machine = Machine::boot(&image, kernel, &Options::default())?;
        let release = machine.output("uname -r")?.trim().to_owned();
        println!(
            "==> Linux {release}, after {:.0} s",
            start.elapsed().as_secs_f64()
        );
        let rows = if kernel.is_supported() {
            let mut rows = Vec::new();
            for part in &parts {
                let row = part.run(&mut machine, &programs);
                if row.is_stuck {
                    machine = Machine::boot(&image, kernel, &Options::default())?;
                }
                rows.push(row);
            }
            rows
        } else {
            vec![refused(&mut machine, &programs, &release)?]
        };
        for row in rows {
            is_good &= row.failed.is_empty();
            table.row(&[
                release.clone(),
                row.part,
                row.passed.to_string(),
                row.failed.len().to_string(),
                format!("{:.0}", row.took.as_secs_f64()),
            ]);
            for failed in row.failed {
                println!("FAILED on Linux {release}: {failed}");
            }
        }
    }
    println!("\n{table}");
    Ok(if is_good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What came of a part.
#[derive(Debug, Default)]
struct Row {
    part: String,
    passed: usize,
    failed: Vec<String>,
    took: Duration,
    /// Whether it did not end, so that the machine does nothing else any more.
    is_stuck: bool,
}

impl Part {
    fn run(self, machine: &mut Machine, programs: &Programs) -> Row {
        println!("==> {}", self.name());
        let start = Instant::now();
        let result = match self.tests() {
            Some((target, words)) => tests(machine, programs, target, words),
            None => scenarios(machine, programs),
        };
        let row = result.unwrap_or_else(|error| Row {
            failed: vec![format!("{error:#}")],
            is_stuck: true,
            ..Row::default()
        });
        Row {
            part: self.name(),
            took: start.elapsed(),
            ..row
        }
    }
}

/// Runs the tests of a target whose names contain one of the words.
fn tests(machine: &mut Machine, programs: &Programs, target: &str, words: &[&str]) -> anyhow::Result<Row> {
    let program = programs.test(target)?;
    let workspace = paths::workspace().display();
    let script = format!(
        "cd {workspace}/op25b-user
         export INSTA_WORKSPACE_ROOT={workspace} CARGO_MANIFEST_DIR={workspace}/op25b-user OP25B_FUZZ_SECONDS=20
         {} {}",
        program.display(),
        words.join(" ")
    );
    Ok(read_tests(&machine.show(&script, LIMIT)?.text))
}

/// Reads what a test program prints; one without its last line has failed as a whole.
fn read_tests(text: &str) -> Row {
    let results = |word: &'static str| {
        text.lines().filter_map(move |line| {
            let (name, result) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
            (result == word).then(|| name.to_owned())
        })
    };
    let mut row = Row {
        passed: results("ok").count(),
        failed: results("FAILED").collect(),
        ..Row::default()
    };
    if !text.lines().any(|line| line.starts_with("test result: ")) {
        row.failed.push("the test program did not come to its end".into());
    }
    row
}

/// Runs the scenarios.
fn scenarios(machine: &mut Machine, programs: &Programs) -> anyhow::Result<Row> {
    let mut row = Row::default();
    for scenario in SCENARIOS {
        let script = paths::workspace().join(format!("xtask/scenarios/{scenario}.sh"));
        let answer = machine.show(
            &format!("bash {} {}", script.display(), programs.op25b.display()),
            LIMIT,
        )?;
        let before = row.failed.len();
        for line in answer.text.lines() {
            if line.starts_with("ok ") {
                row.passed += 1;
            } else if let Some(sentence) = line.strip_prefix("FAILED ") {
                row.failed.push(format!("{scenario}: {sentence}"));
            }
        }
        if !answer.is_good() && row.failed.len() == before {
            row.failed.push(format!("{scenario} ended with {}", answer.code));
        }
    }
    Ok(row)
}

/// A kernel that lacks what op25b needs has to be refused by the name of what it lacks, and nothing attached.
fn refused(machine: &mut Machine, programs: &Programs, release: &str) -> anyhow::Result<Row> {
    let start = Instant::now();
    let policy = paths::workspace().join("policies/lab.yaml");
    let answer = machine.run(&format!(
        "{} run --policy {}",
        programs.op25b.display(),
        policy.display()
    ))?;
    print!("{}", answer.text);
    // The first one in the order in which they are tried.
    let names_it = answer.text.contains(&format!(
        "this kernel ({release}) lacks the helper bpf_xdp_load_bytes, which Linux 5.18 brought"
    ));
    let sentence = "the kernel is refused by the name of the first feature that it lacks";
    let is_good = answer.code == 2 && names_it;
    Ok(Row {
        part: "refusal".into(),
        passed: usize::from(is_good),
        failed: if is_good {
            Vec::new()
        } else {
            vec![sentence.into()]
        },
        took: start.elapsed(),
        is_stuck: false,
    })
}

/// What runs in the guest.
#[derive(Debug)]
struct Programs {
    op25b: PathBuf,
    tests: BTreeMap<String, PathBuf>,
}

/// A line of cargo's.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

impl Programs {
    /// Builds them.
    fn build() -> anyhow::Result<Self> {
        let mut cargo = Command::new("cargo");
        cargo.args(["test", "--no-run", "--message-format=json-render-diagnostics"]);
        cargo.args(["--package", "op25b"]);
        for (target, _) in Part::ALL.into_iter().filter_map(Part::tests) {
            cargo.args(["--test", target]);
        }
        eprintln!("==> {}", process::shown(&cargo));
        let output = cargo
            .arg("--target-dir")
            .arg(paths::target()?)
            .current_dir(paths::workspace())
            .stderr(std::process::Stdio::inherit())
            .output()
            .context("cannot run cargo")?;
        ensure!(output.status.success(), "the tests cannot be built: see above");
        Self::read(&String::from_utf8_lossy(&output.stdout))
    }

    fn read(messages: &str) -> anyhow::Result<Self> {
        let mut tests = BTreeMap::new();
        let mut op25b = None;
        for line in messages.lines() {
            let message: Message = serde_json::from_str(line).context("cannot read what cargo prints")?;
            let (Some(target), Some(executable)) = (message.target, message.executable) else {
                continue;
            };
            if message.reason != "compiler-artifact" {
                continue;
            }
            if target.kind.iter().any(|kind| kind == "test") {
                tests.insert(target.name, executable);
            } else if target.name == "op25b" {
                op25b = Some(executable);
            }
        }
        let op25b = op25b.context("cargo has built no op25b")?;
        Ok(Self { op25b, tests })
    }

    fn test(&self, target: &str) -> anyhow::Result<&Path> {
        let program = self.tests.get(target);
        program
            .map(PathBuf::as_path)
            .with_context(|| format!("cargo has built no tests of {target}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_program_that_dies_has_failed_whatever_passed_before() {
        let text = "\nrunning 2 tests\ntest a::b ... ok\n";
        let row = read_tests(text);
        assert_eq!((row.passed, row.failed.len()), (1, 1));
    }

    #[test]
    fn tests_are_counted_by_their_results_and_failed_ones_named() {
        let text = "\nrunning 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed\n";
        let row = read_tests(text);
        assert_eq!((row.passed, row.failed), (1, vec!["a::c".to_owned()]));
    }

    #[test]
    fn the_programs_are_those_that_cargo_names() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"op25b","kind":["lib"]},"executable":null}
{"reason":"compiler-artifact","target":{"name":"op25b","kind":["bin"]},"executable":"/t/op25b"}
{"reason":"compiler-artifact","target":{"name":"oracle","kind":["test"]},"executable":"/t/oracle-1"}
{"reason":"build-finished","success":true}"#;
        let programs = Programs::read(messages).unwrap();
        assert_eq!(programs.op25b, Path::new("/t/op25b"));
        assert_eq!(programs.test("oracle").unwrap(), Path::new("/t/oracle-1"));
        assert!(programs.test("datapath").is_err());
    }

    #[test]
    fn every_scenario_is_there() {
        for scenario in SCENARIOS {
            let path = paths::workspace().join(format!("xtask/scenarios/{scenario}.sh"));
            assert!(std::fs::exists(&path).unwrap(), "{}", path.display());
        }
    }
}
