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
    let serves =
        |read: &Result<File, ReadError>| read.as_ref().is_ok_and(|file| file.policy.metrics.is_some());
    lines.extend(service::lines(
        policy.as_ref().map(|(path, read)| (*path, serves(read))),
    ));
    let examined = policy::lines(policy, bpffs, &mut lines);
    lines.sort_by_key(|line| line.check.section());
    Examined { lines, ..examined }
}
