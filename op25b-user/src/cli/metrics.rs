//! `op25b metrics`: print the metrics of the daemon or, without one, of what the kernel enforces.

use std::{
    ffi::OsString,
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{self, ExitCode},
};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio::time::timeout;

use super::{daemon::block_on, directories::of_the_filter_here, paths::Paths};
use crate::{
    daemon::{
        client::{Client, ClientError},
        control::PROMPT,
    },
    report::{Metrics, MetricsFormat, status},
};

/// What the file of metrics may be read by: the node exporter runs as a user of its own.
const MODE: u32 = 0o644;

/// Print metrics in Prometheus's text format.
///
/// With a daemon the output is the same as that of `GET /v1/metrics` at the control socket, with `op25b_up 1`. Without one, or if
/// it does not answer within 2 s, it is what the kernel shows, with `op25b_up 0`: the state of each interface and pool, and the packets.
/// A use is the textfile collector of Prometheus's node exporter, for which deploy/ has a service and a timer.
#[derive(Debug, ClapArgs)]
#[command(after_help = "\
Examples:
  op25b metrics | grep blocked
  op25b metrics --output /var/lib/prometheus/node-exporter/op25b.prom

Requires root, or membership in the group op25b and a running daemon (`op25b run`).
Exit codes: 0 printed, with or without a daemon; 2 failed, and a file is as it was.")]
pub struct Args {
    /// Write to this file instead, which is replaced as a whole: a reader finds the one before or the new one.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    paths: Paths,
}

pub(super) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let paths = of_the_filter_here(&args.paths)?;
    let text = block_on(read(&paths))??;
    match &args.output {
        Some(path) => {
            replace(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => anstream::stdout().lock().write_all(text.as_bytes())?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The daemon's page or, if it does not answer, the kernel's.
async fn read(paths: &Paths) -> anyhow::Result<String> {
    let client = Client::new(&paths.runtime_dir);
    let error = match timeout(PROMPT, client.metrics()).await {
        Ok(Ok(text)) => return Ok(text),
        Ok(Err(error)) => error.into(),
        Err(_) => anyhow::anyhow!("the daemon does not answer within {PROMPT:?}"),
    };
    match status(&paths.bpffs) {
        Ok(kernel) => Ok(Metrics::of_kernel(kernel.status).to_text(MetricsFormat::Text)?),
        // Who may not read the kernel needs the daemon, and to be permitted to ask it.
        Err(_) if is_forbidden(&error) => Err(error),
        Err(kernel) => Err(error.context(format!("{:#}", anyhow::Error::new(kernel)))),
    }
}

fn is_forbidden(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(ClientError::is_forbidden)
}

/// Replaces a file as a whole. The draft's name does not end as those do that the node exporter reads.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut draft = OsString::from(path);
    draft.push(format!(".{}", process::id()));
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(MODE)
            .open(&draft)?;
        // Whatever the umask is.
        file.set_permissions(Permissions::from_mode(MODE))?;
        file.write_all(text)?;
        fs::rename(&draft, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&draft);
    }
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt as _;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("op25b.prom");
        replace(&path, b"op25b_up 0\n").unwrap();
        let first = path.metadata().unwrap();
        replace(&path, b"op25b_up 1\n").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"op25b_up 1\n");
        assert_ne!(path.metadata().unwrap().ino(), first.ino());
        assert_eq!(path.metadata().unwrap().mode() & 0o777, MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        // A directory is in its place: what was written is removed.
        let taken = folder.path().join("taken.prom");
        fs::create_dir(&taken).unwrap();
        replace(&taken, b"op25b_up 1\n").unwrap_err();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
