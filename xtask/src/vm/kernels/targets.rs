//! Tests of cargo's targets, in the guest: a module at a time, so that what one prints is not lost when the time is over.

use std::{
    collections::BTreeMap,
    process::Command,
    time::{Duration, Instant},
};

use op25b_host::{paths, process};

use super::{super::machine::Machine, programs::Programs, row::Row};

/// A target of cargo's, and which of its tests are chosen.
#[derive(Clone, Copy, Debug)]
pub struct Tests {
    /// The target.
    pub target: &'static str,
    /// Words of which a test's name has at least one; none for all tests.
    pub words: &'static [&'static str],
    /// Words of which it has none.
    pub skipped: &'static [&'static str],
}

/// How long the tests of one target may take.
const LIMIT: Duration = Duration::from_mins(20);
/// How much longer it may take until the guest says that they were ended.
const MARGIN: Duration = Duration::from_mins(2);

/// Runs them.
pub fn run(machine: &mut Machine, programs: &Programs, tests: Tests) -> anyhow::Result<Row> {
    let program = programs.test(tests.target)?;
    // The list needs no kernel: it is made here.
    let mut list = Command::new(program);
    list.args(["--list", "--format=terse"]).args(tests.words);
    for word in tests.skipped {
        list.args(["--skip", word]);
    }
    let modules = modules(&process::output_of(&mut list)?);
    let end = Instant::now() + LIMIT;
    let mut row = Row::default();
    for names in modules.into_values() {
        let left = end.saturating_duration_since(Instant::now());
        if row.is_stuck || left.is_zero() {
            row.not_reached.extend(names);
            continue;
        }
        let workspace = paths::workspace().display();
        let script = format!(
            "cd {workspace}/op25b-user
             export INSTA_WORKSPACE_ROOT={workspace} CARGO_MANIFEST_DIR={workspace}/op25b-user OP25B_FUZZ_SECONDS=20
             timeout --signal=KILL {} {} --exact {}",
            left.as_secs() + 1,
            program.display(),
            names.join(" ")
        );
        row.add(names, &machine.show(&script, left + MARGIN)?.text);
    }
    Ok(row)
}

/// The names in a list of tests, by the modules that they are in.
fn modules(list: &str) -> BTreeMap<String, Vec<String>> {
    let mut modules: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for name in list.lines().filter_map(|line| line.strip_suffix(": test")) {
        let module = name.split_once("::").map_or("", |(module, _)| module);
        modules
            .entry(module.to_owned())
            .or_default()
            .push(name.to_owned());
    }
    modules
}

impl Row {
    /// Adds what a test program prints of these tests.
    fn add(&mut self, names: Vec<String>, text: &str) {
        let results: BTreeMap<_, _> = text
            .lines()
            .filter_map(|line| line.strip_prefix("test ")?.rsplit_once(" ... "))
            .collect();
        let (mut passed, before) = (0, self.failed.len());
        for name in names {
            match results.get(name.as_str()) {
                Some(&"ok") => passed += 1,
                Some(&"FAILED") => self.failed.push(name),
                _ => self.not_reached.push(name),
            }
        }
        self.passed += passed;
        let came_to_its_end = text.lines().any(|line| line.starts_with("test result: "));
        self.is_stuck |= !came_to_its_end;
        if !came_to_its_end && passed + self.failed.len() == before {
            self.failed.push("the test program printed no result".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(text: &str) -> Row {
        let mut row = Row::default();
        row.add(["a::b", "a::c"].map(String::from).to_vec(), text);
        row
    }

    #[test]
    fn a_test_that_a_program_did_not_come_to_is_not_reached_whatever_passed_before() {
        let row =
            row("\nrunning 2 tests\ntest a::b ... ok\ntest a::c has been running for over 60 seconds\n");
        assert_eq!((row.passed, row.failed.len(), row.is_stuck), (1, 0, true));
        assert_eq!(row.not_reached, ["a::c"]);
        assert!(!row.is_good());
    }

    #[test]
    fn a_program_that_dies_at_once_has_failed() {
        let row = row("\nrunning 2 tests\n");
        assert_eq!((row.passed, row.failed.len(), row.not_reached.len()), (0, 1, 2));
    }

    #[test]
    fn tests_are_counted_by_their_results_and_failed_ones_named() {
        let row = row(
            "\nrunning 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed\n",
        );
        assert_eq!((row.passed, row.not_reached.len(), row.is_stuck), (1, 0, false));
        assert_eq!(row.failed, ["a::c"]);
    }

    #[test]
    fn the_tests_of_a_module_run_together() {
        let modules = modules("a::b: test\na::c::d: test\ne::f: test\ntop: test\n");
        let modules: Vec<_> = modules
            .into_iter()
            .map(|(module, names)| (module, names.len()))
            .collect();
        assert_eq!(modules, [(String::new(), 1), ("a".into(), 2), ("e".into(), 1)]);
    }
}
