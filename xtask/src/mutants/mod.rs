//! `cargo xtask mutants`: breaks the XDP program in known ways, and checks that tests fail.

mod build_and_test;
mod list;
mod workspace_copy;

use std::{process::ExitCode, time::Instant};

use anyhow::{bail, ensure};
use clap::Args as ClapArgs;
use op25b_host::paths;

use self::{
    build_and_test::{Copy, Object},
    list::mutants,
};
use crate::{
    setup::{self, Purpose},
    suite,
};

/// Break a copy of the XDP program in known ways, one at a time, and check that tests fail each time.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
The copy is in cargo's target directory, where its build is kept for the next run: the first run takes minutes longer.
Each mutant is a text replacement in xtask/src/mutants/list that has to match exactly once and has to change the
program. The table at the end is for docs/testing.md.
Exit codes: 0 every mutant was detected; 1 some were not, and their names are shown; 2 failed to run.")]
pub struct Args {
    /// Only mutants with this text in their names.
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

/// The test targets that have to fail, in the order in which they are run.
const TARGETS: [&str; 2] = ["datapath", "oracle"];

/// Runs the command.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    setup::ensure(Purpose::Test)?;
    let through_sudo = suite::privileges()?;
    let meant: Vec<_> = mutants()
        .filter(|mutant| args.name.as_ref().is_none_or(|name| mutant.name.contains(name)))
        .collect();
    ensure!(!meant.is_empty(), "no mutant has such a name");
    let copy = Copy::make(
        paths::workspace(),
        &paths::target()?.join("mutants"),
        through_sudo,
    )?;

    for mutant in &meant {
        mutant.applied(&copy.original(mutant)?)?;
    }
    println!("==> without a mutant");
    let mut built = Built::default();
    let sound = copy.build()?;
    for target in TARGETS {
        copy.pass(target)?;
    }
    built.add("no mutant", sound.clone())?;
    let mut results = Vec::new();
    for mutant in meant {
        println!("==> {}", mutant.name);
        let start = Instant::now();
        let failed = copy.with(mutant, || {
            built.add(mutant.name, copy.build()?)?;
            TARGETS
                .map(|target| copy.failing(target))
                .into_iter()
                .collect::<anyhow::Result<Vec<_>>>()
        })?;
        for (target, failed) in TARGETS.iter().zip(&failed) {
            println!("    {target}: {}", summary(failed));
        }
        println!("    {} s", start.elapsed().as_secs());
        results.push((mutant.name, failed));
    }
    ensure!(
        copy.build()? == sound,
        "the program is not the one from before the mutants: something of them was left behind"
    );
    print!("\n{}", table(&results));
    let unnoticed: Vec<_> = results
        .iter()
        .filter(|(_, failed)| failed.iter().all(Vec::is_empty))
        .collect();
    for (name, _) in &unnoticed {
        eprintln!("cargo xtask mutants: no test detects this: {name}");
    }
    Ok(if unnoticed.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The programs that were tested so far, and with which mutant.
#[derive(Default)]
struct Built(Vec<(&'static str, Object)>);

impl Built {
    /// Adds one, which has to be another than all before: else it is one of those, and was not built again.
    fn add(&mut self, name: &'static str, object: Object) -> anyhow::Result<()> {
        if let Some((other, _)) = self.0.iter().find(|(_, built)| *built == object) {
            bail!("{name}: this is the same program as with {other}");
        }
        self.0.push((name, object));
        Ok(())
    }
}

/// How many tests failed, and one of them.
fn summary(failed: &[String]) -> String {
    match failed {
        [] => "no test fails".into(),
        [only] => format!("1 test fails, {only}"),
        [first, ..] => format!("{} tests fail, such as {first}", failed.len()),
    }
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

/// In Markdown, to be read here and pasted into docs/testing.md.
fn table(results: &[(&str, Vec<Vec<String>>)]) -> String {
    use std::fmt::Write as _;

    let mut text = format!("| mutant | {} |\n| --- | --- | --- |\n", TARGETS.join(" | "));
    for (name, failed) in results {
        let cells: Vec<_> = failed.iter().map(|failed| cell(failed)).collect();
        // Writing to a string does not fail.
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text
}

fn cell(failed: &[String]) -> String {
    match failed {
        [] => "none".into(),
        [only] => format!("`{only}`"),
        [first, rest @ ..] => format!("`{first}` and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn every_mutant_fits_the_program_as_it_is() {
        for mutant in mutants() {
            let path = paths::workspace().join("op25b-ebpf/src").join(mutant.file);
            let original = fs::read_to_string(&path).unwrap();
            assert_ne!(mutant.applied(&original).unwrap(), original, "{}", mutant.name);
        }
    }

    #[test]
    fn the_documents_table_has_a_row_for_every_mutant_and_no_other() {
        let text = fs::read_to_string(paths::workspace().join("docs/testing.md")).unwrap();
        let (_, rows) = text
            .split_once("| mutant | datapath | oracle |\n| --- |")
            .unwrap();
        let rows = rows.lines().skip(1).take_while(|line| line.starts_with('|'));
        let documented: Vec<_> = rows.map(|row| row.split(" | ").next().unwrap()).collect();
        let names: Vec<_> = mutants().map(|mutant| format!("| {}", mutant.name)).collect();
        assert_eq!(documented, names);
    }

    #[test]
    fn the_table_names_a_test_of_each_target() {
        let failed = [vec!["a::b".into(), "a::c".into()], vec![]];
        let rows = table(&[("a mutant", failed.to_vec())]);
        assert!(
            rows.ends_with("| a mutant | `a::b` and 1 more | none |\n"),
            "{rows}"
        );
    }

    #[test]
    fn a_program_that_was_not_built_again_is_an_error() {
        let mut built = Built::default();
        built.add("a", vec![1]).unwrap();
        built.add("b", vec![2]).unwrap();
        let error = built.add("c", vec![1]).unwrap_err().to_string();
        assert_eq!(error, "c: this is the same program as with a");
    }
}
