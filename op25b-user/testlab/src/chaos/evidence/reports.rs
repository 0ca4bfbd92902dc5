//! What op25b reports about its interfaces: at the control socket, as metrics and by its commands.

use std::{
    collections::BTreeMap,
    fmt,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::chaos::{moment::Moment, stage::daemon::Service};

/// How long a report may take.
pub const PROMPT: Duration = Duration::from_millis(1_500);
/// How often the sampler asks the daemon, and how often it runs a command.
const EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Where a report came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// `GET /v1/status`.
    Api,
    /// `GET /v1/metrics`.
    Metrics,
    /// `op25b status --json`.
    Command,
}

/// Which interfaces are enforced, as one source reports it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The source.
    pub source: Source,
    /// When it was asked.
    pub from: Moment,
    /// When the answer was there.
    pub until: Moment,
    /// By name.
    pub enforced: BTreeMap<String, bool>,
    /// The process that answered, where that is known.
    pub pid: Option<u32>,
    /// The state of the whole, where it is reported.
    pub overall: Option<String>,
    /// An interface about which two parts of the report differ.
    pub torn: Option<String>,
}

impl Report {
    /// Asks a source; an error if it does not answer in time.
    pub fn ask(source: Source, service: &Service) -> anyhow::Result<Self> {
        let from = Moment::now();
        let mut report = Self {
            source,
            from,
            until: from,
            enforced: BTreeMap::new(),
            pid: None,
            overall: None,
            torn: None,
        };
        match source {
            Source::Api => report.read_api(&get(&service.socket(), "/v1/status")?)?,
            Source::Metrics => report.enforced = metrics(&get(&service.socket(), "/v1/metrics")?),
            Source::Command => report.read_command(service)?,
        }
        report.until = Moment::now();
        Ok(report)
    }

    fn read_api(&mut self, text: &str) -> anyhow::Result<()> {
        let status: Value = serde_json::from_str(text).context("GET /v1/status did not return JSON")?;
        let interfaces = status["interfaces"].as_array().context("no interfaces")?;
        self.enforced = interfaces
            .iter()
            .filter_map(|interface| {
                let name = interface["name"].as_str()?.to_owned();
                Some((name, interface["state"] == "enforced"))
            })
            .collect();
        self.pid = status["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
        self.overall = status["state"].as_str().map(str::to_owned);
        Ok(())
    }

    fn read_command(&mut self, service: &Service) -> anyhow::Result<()> {
        let answer = service.ask(PROMPT * 4, &["status", "--json"])?;
        let answer = answer.context("op25b status did not end in time")?;
        // 3: enforced on no interface; 4: on some.
        ensure!(
            matches!(answer.code, Some(0 | 3 | 4)),
            "op25b status failed: {}",
            answer.stderr
        );
        let status: Value =
            serde_json::from_str(&answer.stdout).context("op25b status did not print JSON")?;
        let filters = ["filters", "unreadable"].into_iter();
        let filters = filters.flat_map(|part| status[part].as_array().into_iter().flatten());
        for interface in filters.flat_map(|filter| filter["interfaces"].as_array().into_iter().flatten()) {
            if let Some(name) = interface["name"].as_str() {
                self.enforced.insert(name.to_owned(), true);
            }
        }
        let enforcement = &status["enforcement"];
        self.overall = enforcement["state"].as_str().map(str::to_owned);
        for interface in enforcement["interfaces"].as_array().into_iter().flatten() {
            if let Some(name) = interface["name"].as_str() {
                let is_enforced = interface["state"] == "enforced";
                if is_enforced != self.claims(name) {
                    self.torn = Some(name.to_owned());
                }
                *self.enforced.entry(name.to_owned()).or_default() |= is_enforced;
            }
        }
        Ok(())
    }

    /// Whether it calls an interface enforced.
    pub fn claims(&self, name: &str) -> bool {
        self.enforced.get(name).copied().unwrap_or_default()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            source,
            from,
            until,
            enforced,
            overall,
            ..
        } = self;
        write!(f, "{source:?} asked at {from}, answered at {until}: {enforced:?}")?;
        match overall {
            Some(overall) => write!(f, ", in all {overall}"),
            None => Ok(()),
        }
    }
}

/// The gauges of interfaces in a page of metrics.
fn metrics(page: &str) -> BTreeMap<String, bool> {
    let lines = page
        .lines()
        .filter_map(|line| line.strip_prefix("op25b_interface_enforced{"));
    let gauges = lines.filter_map(|line| {
        let (labels, value) = line.rsplit_once('}')?;
        // There may be labels beside it.
        let name = labels.split("interface=\"").nth(1)?.split('"').next()?;
        Some((name.to_owned(), value.trim() == "1"))
    });
    let mut enforced = BTreeMap::new();
    for (name, is_enforced) in gauges {
        *enforced.entry(name).or_default() |= is_enforced;
    }
    enforced
}

/// The body of the answer to a request.
pub fn get(socket: &Path, path: &str) -> anyhow::Result<String> {
    let deadline = Instant::now() + PROMPT;
    let mut stream = UnixStream::connect(socket).context("cannot connect to the control socket")?;
    stream.set_write_timeout(Some(PROMPT))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .context("cannot send a request")?;
    let mut answer = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        ensure!(!left.is_zero(), "no answer to GET {path} after {PROMPT:?}");
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut buffer).context("cannot read an answer")? {
            0 => break,
            count => answer.extend(&buffer[..count]),
        }
    }
    let answer = String::from_utf8(answer).context("an answer that is no text")?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("an answer without an end")?;
    ensure!(head.starts_with("HTTP/1.1 200 "), "GET {path}: {head}");
    Ok(body.to_owned())
}

/// Asks every source again and again; dropping it ends that.
pub struct Sampler {
    reports: Arc<Mutex<Vec<Report>>>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Sampler {
    /// Starts it.
    pub fn start(service: &Arc<Service>) -> Self {
        let reports = Arc::default();
        let stop = Arc::default();
        let thread = |every: Duration, sources: &'static [Source]| {
            let (reports, stop): (Arc<Mutex<Vec<Report>>>, Arc<AtomicBool>) =
                (Arc::clone(&reports), Arc::clone(&stop));
            let service = Arc::clone(service);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    for source in sources {
                        // One that does not answer claims nothing.
                        if let Ok(report) = Report::ask(*source, &service) {
                            reports
                                .lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(report);
                        }
                    }
                    thread::sleep(every);
                }
            })
        };
        let threads = vec![
            thread(EVERY.0, &[Source::Api, Source::Metrics]),
            thread(EVERY.1, &[Source::Command]),
        ];
        Self {
            reports,
            stop,
            threads,
        }
    }

    /// The reports since the last call.
    pub fn take(&self) -> Vec<Report> {
        std::mem::take(&mut *self.reports.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauges_of_interfaces_are_read_whatever_other_labels_they_have() {
        let page = "\
# TYPE op25b_interface_enforced gauge
op25b_interface_enforced{interface=\"sub0\",mode=\"native\"} 1
op25b_interface_enforced{mode=\"\",interface=\"corp0\"} 0
op25b_interface_interferences_total{interface=\"up0\"} 1
";
        let expected = [("corp0".to_owned(), false), ("sub0".to_owned(), true)];
        assert_eq!(metrics(page), BTreeMap::from(expected));
    }
}
