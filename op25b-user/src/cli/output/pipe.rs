//! What a command does whose output nobody reads any longer, as after `| head`: it ends as other programs do, by SIGPIPE.
//!
//! The signal is ignored until then. While a command runs, it would end it in the middle of a change, and a daemon that hangs up
//! would end its client.

use std::{error::Error, io};

use nix::sys::signal::Signal;

use crate::{cli::end_by::end_by, daemon::client::ClientError};

/// Whether an error is that nobody reads the output, however it is wrapped.
#[must_use]
pub fn is_broken(error: &anyhow::Error) -> bool {
    // A connection to the daemon that breaks is another thing, and is reported.
    let is_of_daemon = |cause: &(dyn Error + 'static)| cause.is::<ClientError>();
    !error.chain().any(is_of_daemon) && error.chain().any(is_broken_pipe)
}

fn is_broken_pipe(cause: &(dyn Error + 'static)) -> bool {
    let of_io = cause.downcast_ref::<io::Error>().map(io::Error::kind);
    // These do not have the error of the system among their causes.
    let of_json = || cause.downcast_ref::<serde_json::Error>()?.io_error_kind();
    let of_csv = || match cause.downcast_ref::<csv::Error>()?.kind() {
        csv::ErrorKind::Io(error) => Some(error.kind()),
        _ => None,
    };
    of_io.or_else(of_json).or_else(of_csv) == Some(io::ErrorKind::BrokenPipe)
}

/// Ends this process by SIGPIPE. Returns if that cannot be done.
pub fn end_by_signal() {
    end_by(Signal::SIGPIPE);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that nobody reads from.
    struct Closed;

    impl io::Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn an_output_that_nobody_reads_is_known_however_the_error_is_wrapped() {
        let pipe = || io::Error::from(io::ErrorKind::BrokenPipe);
        let json = serde_json::to_writer(Closed, &[1]).unwrap_err();
        let mut csv = csv::Writer::from_writer(Closed);
        let csv = csv
            .write_record(["a"])
            .and_then(|()| Ok(csv.flush()?))
            .unwrap_err();
        for error in [
            pipe().into(),
            anyhow::Error::new(pipe()).context("cannot write the result"),
            json.into(),
            csv.into(),
        ] {
            assert!(is_broken(&error), "{error:?}");
        }
        let daemon = ClientError::Connect {
            path: "/run/op25b/control.sock".into(),
            source: pipe(),
        };
        for error in [
            daemon.into(),
            anyhow::Error::new(io::Error::from(io::ErrorKind::NotFound)),
        ] {
            assert!(!is_broken(&error), "{error:?}");
        }
    }
}
