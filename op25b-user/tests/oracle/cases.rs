//! Named cases, and those in which a difference was once found: oracle and program agree on all of them.
//!
//! They are files: `cases/*.yaml` are written by hand, `differences/*.yaml` by the differential test. The latter are
//! whole cases and not proptest's seeds, which mean something else as soon as a generator changes.

use std::{
    fs, io,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::Deserialize;

use crate::{
    differential::Difference,
    dissect::dissect,
    expected,
    policy::Policy,
    program::Program,
    verdict::{Answer, Reason, Role, Verdict, hex},
};

/// One frame under one policy.
#[derive(Debug, Deserialize)]
struct Case {
    /// What it shows, as a sentence.
    name: String,
    role: Role,
    /// The policy's text.
    policy: String,
    /// Hexadecimal, with `#` before remarks.
    frame: String,
    /// The answer by the documents; none in a case that the differential test saved.
    expect: Option<Expected>,
}

#[derive(Debug, Deserialize)]
struct Expected {
    verdict: Verdict,
    reason: Reason,
    rule: Option<usize>,
    /// The frame that is sent back, or none.
    output: Option<String>,
}

impl Case {
    fn policy(&self) -> Policy {
        Policy::read(&self.policy)
    }

    fn frame(&self) -> Vec<u8> {
        bytes(&self.frame)
    }

    /// What is written down, as a whole answer.
    fn written(&self) -> Option<Answer> {
        let expected = self.expect.as_ref()?;
        let output = match (expected.verdict, &expected.output) {
            (Verdict::Pass, _) => Some(self.frame()),
            (Verdict::Drop, _) => None,
            (Verdict::Reject, output) => {
                Some(bytes(output.as_ref().expect("a rejecting case has its output")))
            }
        };
        Some(Answer {
            verdict: expected.verdict,
            reason: expected.reason,
            rule: expected.rule,
            output,
        })
    }
}

/// The bytes of a text such as `45 00 # version, length and service`; `61*500` is one byte many times.
fn bytes(text: &str) -> Vec<u8> {
    let words = text
        .lines()
        .flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    words
        .flat_map(|word| match word.split_once('*') {
            Some((byte, count)) => digits(byte).repeat(count.parse().expect("a number of bytes")),
            None => digits(word),
        })
        .collect()
}

fn digits(word: &str) -> Vec<u8> {
    assert!(word.len().is_multiple_of(2), "half a byte in {word}");
    let byte = |at| u8::from_str_radix(&word[at..at + 2], 16);
    (0..word.len())
        .step_by(2)
        .map(|at| byte(at).unwrap_or_else(|error| panic!("{error}: {word}")))
        .collect()
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/oracle")
        .join(name)
}

/// All cases in a directory, in the order of its files' names.
fn read(name: &str) -> Vec<Case> {
    let directory = directory(name);
    let Ok(entries) = fs::read_dir(&directory) else {
        return Vec::new();
    };
    let mut files: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    let cases = files.iter().flat_map(|file| {
        let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        serde_yaml::from_str::<Vec<Case>>(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    });
    cases.collect()
}

/// Writes a difference down, for being answered from now on.
pub fn save(difference: &Difference) -> io::Result<PathBuf> {
    let policy = difference.policy.to_string();
    let policy = policy.trim_end().replace('\n', "\n    ");
    let (role, frame) = (difference.role.name(), hex(&difference.frame));
    let text = format!(
        "# Found by the differential test: state in the name what it shows, and keep it.\n\
         - name: a difference between the program and the oracle\n  role: {role}\n  \
         policy: |\n    {policy}\n  frame: |\n    {frame}\n"
    );
    let directory = directory("differences");
    let file = directory.join(format!("{}.yaml", Timestamp::now().as_nanosecond()));
    fs::create_dir_all(&directory)?;
    fs::write(&file, text)?;
    // The test may run through sudo, in another user's directory, who has to be able to edit the case.
    let owner = fs::metadata(env!("CARGO_MANIFEST_DIR"))?;
    for path in [&directory, &file] {
        chown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(file)
}

/// Fails with everything that is wrong.
fn assert_none(failures: &[String]) {
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_oracle_gives_the_answers_of_the_written_cases() {
    let cases = read("cases");
    assert!(cases.len() >= 12, "the cases are not there");
    let failures = cases.iter().filter_map(|case| {
        let frame = case.frame();
        let written = case.written().expect("a written case has its answer");
        let got = expected::expect(&case.policy(), case.role, &frame, Timestamp::now());
        let text = dissect(&frame);
        (got != written).then(|| format!("{}\n{text}written: {written:?}\noracle:  {got:?}\n", case.name))
    });
    assert_none(&failures.collect::<Vec<_>>());
}

#[test]
fn the_program_answers_the_written_and_the_saved_cases_as_the_oracle_does() {
    let mut cases = read("cases");
    cases.extend(read("differences"));
    // Loading takes longer than all frames: a policy is loaded once.
    cases.sort_by(|one, other| one.policy.cmp(&other.policy));
    let cases = cases.chunk_by(|one, other| one.policy == other.policy);
    let failures = cases.flat_map(|cases| {
        let (mut program, policy) = (Program::load(&cases[0].policy), cases[0].policy());
        let differences = cases.iter().map(move |case| {
            let difference = Difference::find(&mut program, &policy, case.role, &case.frame())?;
            Some(format!("{}\n{}", case.name, difference.report()))
        });
        differences.flatten()
    });
    assert_none(&failures.collect::<Vec<_>>());
}
