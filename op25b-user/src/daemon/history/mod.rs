//! The history of what subscribers do: a thread reads the records of the filter and writes buckets to the state directory. What it reads
//! is examined for alerts as well.
//!
//! The daemon never waits for it, and the filter needs none of it.

mod bucket;
mod pools;
mod progress;
mod recent;
mod recorder;
#[cfg(test)]
mod tests;
mod times;
mod writer;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Sender, channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::Context as _;
use ipnet::IpNet;
use tokio::sync::oneshot;

use self::{
    progress::Progress,
    recorder::{Command, Forgotten, Recorder, kept_for},
    writer::Writer,
};
use super::alerts::{Examiner, Feed};
use crate::{
    byte_size::ByteSize,
    enforcer::{Enforcer, LiveRecords},
    fault::Faults,
    policy::{History, Policy, Privacy},
    report::HistoryReport,
    store::activity::Forget,
};

/// How long the last bucket may keep the daemon from ending.
const END_TIME: Duration = Duration::from_secs(1);

/// The thread that records, once it is started.
#[derive(Default)]
pub(super) struct HistoryThread {
    thread: Option<Running>,
    progress: Progress,
    /// How the thread was told to record.
    told: Option<History>,
    /// How long it was told to keep it.
    privacy: Privacy,
    alerts: Feed,
}

struct Running {
    commands: Sender<Command>,
    handle: JoinHandle<()>,
}

impl HistoryThread {
    /// Starts the thread. It keeps the privileges that this one has.
    pub(super) fn start(&mut self, state_dir: &Path, enforcer: &Enforcer) {
        let policy = enforcer.policy();
        self.progress.follow(policy);
        match start(
            state_dir.to_owned(),
            enforcer.live_records(),
            self.progress.clone(),
            Examiner::new(self.alerts.clone()),
            (policy.history, policy.privacy),
        ) {
            Ok(running) => self.thread = Some(running),
            Err(error) => self.progress.note_trouble(Some(format!("{error:#}"))),
        }
        (self.told, self.privacy) = (policy.history, policy.privacy);
    }

    /// Follows the policy, and reports what is wrong. The daemon calls this every second.
    pub(super) fn tick(&mut self, enforcer: &Enforcer) {
        self.progress.follow(enforcer.policy());
        let (history, privacy) = (enforcer.policy().history, enforcer.policy().privacy);
        self.alerts.hub.keep_for(privacy.shortest());
        if enforcer.policy().alerts.is_none() {
            self.alerts.hub.forget(|_| true);
        }
        if (self.told, self.privacy) != (history, privacy) {
            (self.told, self.privacy) = (history, privacy);
            self.tell(Command::Keep(history, privacy));
        }
        if self
            .thread
            .as_ref()
            .is_some_and(|thread| thread.handle.is_finished())
        {
            self.progress
                .note_trouble(Some("its thread has ended".to_owned()));
        }
        self.report_faults(enforcer.faults());
    }

    /// The newest alerts, how many there were, and who sends them.
    pub(super) fn alerts(&self) -> Feed {
        self.alerts.clone()
    }

    fn report_faults(&self, faults: &Faults) {
        self.progress.report(faults);
    }

    /// Ends the part of the open bucket of these subscribers: what they do from now on is in another one, as another customer
    /// has the address. It is answered once that is done.
    pub(super) fn cut(&self, subscribers: Vec<IpNet>, done: oneshot::Sender<()>) {
        self.tell(Command::Cut(subscribers, done));
    }

    /// Has what is to be forgotten removed. The answer is how much that was, or why it was not; none if there is no thread any more.
    pub(super) fn forget(&self, forget: Vec<Forget>, forgotten: Forgotten) {
        self.tell(Command::Forget(forget, forgotten));
    }

    fn tell(&self, command: Command) {
        if let Some(thread) = &self.thread {
            // One that has ended is a fault.
            let _ = thread.commands.send(command);
        }
    }

    /// Writes what is open, for a thread that may wait for the disk.
    pub(super) fn end(&self) -> impl FnOnce() + Send + use<> {
        let commands = self.thread.as_ref().map(|thread| thread.commands.clone());
        move || {
            let (ended, has_ended) = sync_channel(1);
            if let Some(commands) = commands
                && commands.send(Command::End(ended)).is_ok()
            {
                // What is not written is written after the next start, in another bucket.
                let _ = has_ended.recv_timeout(END_TIME);
            }
        }
    }

    /// A policy, and of how many subscribers of each of its pools packets were blocked in the last five minutes; `None` if that is not
    /// known, as no history is recorded.
    pub(super) fn blocked(&self) -> Option<(Arc<Policy>, Vec<u64>)> {
        self.told?;
        self.progress.blocked()
    }

    /// How many IPv6 subscribers have a record; `None` if that is not known, as no history is recorded.
    pub(super) fn ipv6_records(&self) -> Option<u64> {
        self.told?;
        self.progress.ipv6_records()
    }

    /// What the daemon reports of the history; `None` if none is recorded.
    pub(super) fn report(&self) -> Option<HistoryReport> {
        let history = self.told?;
        let History {
            bucket,
            max_size: ByteSize(max_bytes),
            ..
        } = history;
        let kept = self.progress.kept();
        let (kept, is_full) = kept.map_or((None, false), |(kept, is_full)| (Some(kept), is_full));
        Some(HistoryReport {
            bucket_seconds: bucket.as_secs(),
            keep_seconds: kept_for(&history, self.privacy).as_secs(),
            max_bytes,
            bytes: kept.map(|kept| kept.size),
            rows: kept.map(|kept| kept.rows),
            oldest: kept.and_then(|kept| kept.oldest),
            newest: kept.and_then(|kept| kept.newest),
            is_full,
        })
    }
}

fn start(
    state_dir: PathBuf,
    live: LiveRecords,
    progress: Progress,
    alerts: Examiner,
    kept: (Option<History>, Privacy),
) -> anyhow::Result<Running> {
    const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
    let boot = fs::read_to_string(BOOT_ID).with_context(|| format!("cannot read {BOOT_ID}"))?;
    let writer = Writer::new(state_dir, boot.trim().to_owned(), progress.clone());
    let recorder = Recorder::new(live, writer, progress, alerts, kept)?;
    let (commands, told) = channel();
    let handle = thread::Builder::new()
        .name("history".to_owned())
        .spawn(move || recorder.run(&told))
        .context("cannot start a thread")?;
    Ok(Running { commands, handle })
}
