//! What would go wrong on this machine, before a filter runs there: one line for each thing that was examined. Nothing is
//! attached or changed.

mod clock;
mod host;
mod interfaces;
mod line;
mod pins;
mod policy;
mod room;
mod service;

pub(crate) use interfaces::{AWAITED, shared as interfaces};
pub(crate) use line::{Check, Grade, Line, Section};
pub(crate) use policy::Examined;

use std::path::Path;

use crate::policy::{File, ReadError};

/// Examines this machine for a policy file, if there is one, and for pins in a directory.
pub(crate) fn examine(policy: Option<(&Path, Result<File, ReadError>)>, bpffs: &Path) -> Examined {
    let mut lines = host::lines();
    lines.push(pins::line(bpffs));
    lines.extend(clock::lines());
    let known = policy.as_ref().map(|(path, read)| {
        let policy = read.as_ref().ok().map(|file| &file.policy);
        (*path, policy)
    });
    lines.extend(service::lines(known));
    let examined = policy::lines(policy, bpffs, &mut lines);
    lines.sort_by_key(|line| line.check.section());
    Examined { lines, ..examined }
}
