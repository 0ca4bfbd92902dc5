//! Logging what the program reports about single packets.

use std::io;

use anyhow::Context as _;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};
use tokio::io::{Interest, unix::AsyncFd};

use crate::{
    datapath::{Filter, LogLevel},
    policy::Nat64,
};

/// The reader of one filter's packet log; of none, if it is off.
pub(in crate::daemon) struct PacketLog(Option<AsyncFd<EbpfLogger<Translated>>>);

/// The process's logger, for lines that end with a destination: one that is translated has its IPv4 address after it.
struct Translated {
    nat64: Nat64,
    logger: &'static dyn Log,
}

impl Log for Translated {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.nat64.prefixes().is_empty() {
            return self.logger.log(record);
        }
        let line = record.args().to_string();
        let destination = line.rsplit(' ').next().and_then(|word| word.parse().ok());
        let translated = destination.and_then(|address| self.nat64.extract(address));
        match translated {
            Some(translated) => self.logger.log(
                &Record::builder()
                    .metadata(record.metadata().clone())
                    .module_path(record.module_path())
                    .file(record.file())
                    .line(record.line())
                    .args(format_args!("{line} ({translated})"))
                    .build(),
            ),
            None => self.logger.log(record),
        }
    }

    fn flush(&self) {
        self.logger.flush();
    }
}

impl PacketLog {
    /// A reader of nothing.
    pub(in crate::daemon) fn off() -> Self {
        Self(None)
    }

    pub(in crate::daemon) fn of(filter: &mut Filter, level: LogLevel, nat64: &Nat64) -> anyhow::Result<Self> {
        if level == LogLevel::Off {
            return Ok(Self::off());
        }
        let logger = Translated {
            nat64: nat64.clone(),
            logger: log::logger(),
        };
        let reader = filter
            .take_diagnostics(logger)
            .context("cannot read the packet log")?;
        // SAFETY: the reader owns its ring buffer, whose descriptor stays open and unchanged during its lifetime.
        let reader = unsafe { AsyncFd::register_with_interest(reader, Interest::READABLE) };
        Ok(Self(Some(reader.context("cannot wait for the packet log")?)))
    }

    /// Waits for entries and logs them; waits for ever if the packet log is off.
    pub(in crate::daemon) async fn log_entries(&mut self) -> io::Result<()> {
        match &mut self.0 {
            Some(reader) => {
                let mut guard = reader.readable_mut().await?;
                // In this order: an entry that arrives during the flush makes the reader ready again.
                guard.clear_ready();
                guard.get_inner_mut().flush();
                Ok(())
            }
            None => std::future::pending().await,
        }
    }
}
