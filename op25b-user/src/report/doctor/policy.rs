//! The policy file, the room that it needs, and its interfaces.

use std::path::{Path, PathBuf};

use super::{Check, Grade, Line, interfaces, room};
use crate::{
    datapath::pinned_programs,
    policy::{File, ReadError},
};

/// What was examined, and how it is.
#[derive(Debug, Default)]
pub(crate) struct Examined {
    /// The policy file; none if there was none.
    pub(crate) policy: Option<PathBuf>,
    /// The interfaces that the policy names.
    pub(crate) interfaces: Vec<String>,
    /// What was found, section by section.
    pub(crate) lines: Vec<Line>,
}

impl Examined {
    /// How many lines have a grade.
    pub(crate) fn count(&self, grade: Grade) -> usize {
        self.lines.iter().filter(|line| line.result == grade).count()
    }
}

/// Examines a policy file for this machine.
pub(super) fn lines(
    policy: Option<(&Path, Result<File, ReadError>)>,
    bpffs: &Path,
    lines: &mut Vec<Line>,
) -> Examined {
    let Some((path, read)) = policy else {
        let message = "there is no policy file, so that no interface was examined: `--policy FILE` names one";
        lines.push(Line::unknown(Check::Policy, message));
        return Examined::default();
    };
    let mut examined = Examined {
        policy: Some(path.to_owned()),
        ..Examined::default()
    };
    match read {
        Ok(file) => {
            let message = format!("{} has no errors", path.display());
            lines.push(Line::ok(Check::Policy, message));
            let programs = pinned_programs(bpffs).unwrap_or_default();
            lines.extend(room::lines(&file, !programs.is_empty()));
            let policy = &file.policy;
            examined.interfaces = policy
                .interfaces
                .iter()
                .map(|interface| interface.name.clone())
                .collect();
            match interfaces::all(policy) {
                Ok(found) => lines.extend(found),
                Err(error) => {
                    let message = format!("the interfaces cannot be examined: {error:#}");
                    lines.push(Line::unknown(Check::Interface, message));
                }
            }
        }
        Err(error) => {
            let remedy = match &error {
                ReadError::Unreadable { .. } => "`--policy FILE` names the policy file".to_owned(),
                _ => format!("`op25b check {}` lists every error", path.display()),
            };
            lines.push(Line::fail(Check::Policy, error.in_one_line(), remedy));
        }
    }
    examined
}
