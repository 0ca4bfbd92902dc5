//! The scenarios, in `xtask/scenarios`.

use std::time::{Duration, Instant};

use op25b_host::paths;

use super::{super::machine::Machine, programs::Programs, row::Row};

const SCENARIOS: [&str; 4] = ["bond", "l2tp", "pppoe", "vlan"];

/// How long one may take.
const LIMIT: Duration = Duration::from_mins(5);

/// Runs them.
pub fn run(machine: &mut Machine, programs: &Programs) -> anyhow::Result<Row> {
    let mut row = Row::default();
    for scenario in SCENARIOS {
        let script = paths::workspace().join(format!("xtask/scenarios/{scenario}.sh"));
        let start = Instant::now();
        let answer = machine.show(
            &format!("bash {} {}", script.display(), programs.op25b().display()),
            LIMIT,
        )?;
        machine.say(&format!("{scenario}: {:.0} s", start.elapsed().as_secs_f64()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scenario_is_there() {
        for scenario in SCENARIOS {
            let path = paths::workspace().join(format!("xtask/scenarios/{scenario}.sh"));
            assert!(std::fs::exists(&path).unwrap(), "{}", path.display());
        }
    }
}
