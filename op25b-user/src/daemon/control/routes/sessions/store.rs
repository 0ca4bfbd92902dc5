//! Stores the sessions of an import, in a thread that may wait for the disk.

use std::path::Path;

use axum::body::Bytes;
use tokio::sync::mpsc;
use tracing::warn;

use super::super::super::limits;
use crate::{
    api::{ImportedSessions, NewSession, Problem, RowProblem},
    session::Session,
    store::{
        StoreError,
        sessions::{Added, Import, OpenedSessions, Sessions},
    },
};

/// The longest line of a body, in bytes.
const LONGEST: usize = 64 << 10;

/// A part of a body.
pub(super) enum Chunk {
    Data(Bytes),
    /// The body is complete.
    End,
}

/// The lines of a body that arrives in chunks.
struct Lines {
    chunks: mpsc::Receiver<Chunk>,
    /// What is not yet read.
    buffer: Vec<u8>,
    read: usize,
    is_complete: bool,
}

impl Lines {
    /// The next line without its end; `None` at the end of the body.
    fn next(&mut self) -> Result<Option<&[u8]>, Problem> {
        let mut searched = self.read;
        let end = loop {
            let end = self.buffer[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(end) = end {
                break searched + end;
            }
            searched = self.buffer.len();
            if self.is_complete {
                if self.read == searched {
                    return Ok(None);
                }
                self.buffer.push(b'\n');
                continue;
            }
            if searched - self.read > LONGEST {
                return Err(Problem::invalid(format!("a line is longer than {LONGEST} bytes")));
            }
            self.buffer.drain(..self.read);
            searched -= self.read;
            self.read = 0;
            match self.chunks.blocking_recv() {
                Some(Chunk::Data(data)) => self.buffer.extend_from_slice(&data),
                Some(Chunk::End) => self.is_complete = true,
                None => return Err(Problem::bad_request("the body is incomplete")),
            }
        };
        let line = self.read..end;
        self.read = end + 1;
        Ok(Some(&self.buffer[line]))
    }
}

/// Opens the sessions, with a warning if those before are lost.
pub(super) fn open(state_dir: &Path) -> Result<(Sessions, Vec<String>), StoreError> {
    let OpenedSessions { sessions, lost } = Sessions::open(state_dir)?;
    let mut warnings = Vec::new();
    if let Some(lost) = lost {
        let text = format!("the sessions before are lost, and are to be imported again: {lost}");
        warn!("{text}");
        warnings.push(text);
    }
    Ok((sessions, warnings))
}

/// Stores sessions, all of them or none.
pub(super) fn store(
    state_dir: &Path,
    dry_run: bool,
    chunks: mpsc::Receiver<Chunk>,
) -> Result<ImportedSessions, Problem> {
    let (mut sessions, warnings) = open(state_dir)?;
    let mut import = sessions.import()?;
    add_all(&mut import, chunks)?;
    let Added {
        added,
        extended,
        unchanged,
    } = import.added();
    let survey = import.survey()?;
    if !dry_run {
        import.commit()?;
    }
    Ok(ImportedSessions {
        dry_run,
        added,
        extended,
        unchanged,
        survey,
        warnings,
    })
}

/// Adds the session of each line; the mistakes in the first lines that have some otherwise.
fn add_all(import: &mut Import<'_>, chunks: mpsc::Receiver<Chunk>) -> Result<(), Problem> {
    let mut lines = Lines {
        chunks,
        buffer: Vec::new(),
        read: 0,
        is_complete: false,
    };
    let mut wrong = Vec::new();
    let mut number = 0;
    while let Some(line) = lines.next()? {
        number += 1;
        if line.trim_ascii().is_empty() {
            continue;
        }
        match session(line) {
            Ok(session) if wrong.is_empty() => import.add(&session)?,
            Ok(_) => {}
            Err(detail) => wrong.push(RowProblem { line: number, detail }),
        }
        if wrong.len() == limits::ROWS_REPORTED {
            break;
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    Err(Problem::invalid_rows(
        "nothing was imported: some lines are no sessions",
        wrong,
    ))
}

fn session(line: &[u8]) -> Result<Session, String> {
    let session: NewSession = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    session.read()
}
