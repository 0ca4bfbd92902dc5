//! From a policy file to a validated policy, its map entries and its meaning. No kernel in here.
//!
//! ```text
//! text ── yaml ──> nodes ── record, block, entries, prefix, time ──> Policy ── lint ──> warnings
//!                                                                    │
//!                                             judge (the model) <────┴────> compile (map entries)
//! ```

mod block;
mod changes;
mod classes;
mod compile;
mod context;
mod diagnostic;
mod diff;
mod document;
mod end;
mod entries;
mod fold;
mod judge;
mod limits;
mod lint;
mod listed;
mod model;
mod prefix;
mod record;
mod render;
mod reporter;
mod somewhere;
mod source;
mod time;
pub(crate) mod written;
mod yaml;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, tz::TimeZone};
use thiserror::Error;

use self::source::{Source, Span};
pub use self::{
    changes::{Change, Rewritten, Rules},
    classes::{MOST_ADDRESSES, Places},
    compile::{CompileError, Compiled, Entry, compile},
    diagnostic::{Code, Diagnostic, Place, Report, Severity},
    diff::{Changes, Diff, Item, Items},
    end::end,
    judge::{Flow, Judgement, Rule, RuleDescription, judge},
    limits::ExemptionLimits,
    model::{
        Action, Block, Exemption, Handling, Inbound, Interface, Match, Policy, Pool, PoolMode, Position,
        Prefix, Prohibit, Relay, Role, Subscribers, Tunnel, Wait, Word, XdpMode,
    },
    prefix::prefix,
    somewhere::somewhere,
};

/// A policy that can be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// What in it is probably not what was meant.
    pub warnings: Report,
}

/// Why there is no policy.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The file is no policy; the report says why, and has the warnings as well.
    #[error("{}: the policy has errors", .0.file())]
    Invalid(Report),
}

/// Reads a policy file.
///
/// # Errors
///
/// [`LoadError`].
pub fn load(path: &Path) -> Result<Loaded, LoadError> {
    let bytes = fs::read(path).map_err(|source| LoadError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse_bytes(&path.display().to_string(), &bytes).map_err(LoadError::Invalid)
}

/// Reads a policy from a text; `file` is its name in the report. Dates are those of the system's time zone.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse(file: &str, text: &str) -> Result<Loaded, Report> {
    parse_at(file, text, Timestamp::now(), &TimeZone::system())
}

/// Reads a policy as if it were another time in another time zone.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse_at(file: &str, text: &str, now: Timestamp, time_zone: &TimeZone) -> Result<Loaded, Report> {
    document::read(file, text, now, time_zone)
}

/// Reads a policy from the bytes of a file.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Loaded, Report> {
    match str::from_utf8(bytes) {
        Ok(text) => parse(file, text),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            // What is valid up to there, with what comes after it made readable.
            let rest = String::from_utf8_lossy(&bytes[valid.len()..bytes.len().min(valid.len() + 80)]);
            let text = format!("{}{rest}", String::from_utf8_lossy(valid));
            let source = Source::new(&text);
            let span = Span {
                at: source.position(valid.len()),
                offset: valid.len(),
                length: 1,
            };
            let mut report = Report::new(file);
            report.add(Severity::Error, || {
                Diagnostic::new(Code::NotUtf8, "this file is not UTF-8 text")
                    .at(&source, span)
                    .hint("save it as UTF-8; `iconv -f SHIFT_JIS -t UTF-8` or the like converts it")
            });
            Err(report)
        }
    }
}
