//! The thread that records the history: it reads the records of the filter every few seconds, and writes a bucket when it ends.
//!
//! A bucket ends in two steps, so that its sketches are complete: the program is told that the next one begins with the next second,
//! and the records are read once that has come. What cannot be written stays in the open bucket, which becomes longer.

mod keeping;

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender},
    time::{Duration, Instant},
};

use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::values::Subscriber;
use thiserror::Error;
use tokio::sync::oneshot;
use tracing::info;

pub(super) use self::keeping::kept_for;

use self::keeping::KEEP;
use super::{
    bucket::OpenBucket,
    pools::Pools,
    progress::Progress,
    recent::Recent,
    times::{Times, timestamp},
    writer::Writer,
};
use crate::{
    daemon::alerts::{Examination, Examiner},
    datapath::{MapError, RecentRecords},
    enforcer::LiveRecords,
    policy::{History, Privacy},
    store::{
        Deleted, StoreError,
        activity::{Begun, Counted, Forget},
    },
};

/// How often the records are read.
const PASS: Duration = Duration::from_secs(5);
/// They are read for at most one part in so many of the time.
const SHARE: u32 = 20;
/// A clock that is set back does not have the thread run without a pause.
const LEAST_WAIT: Duration = Duration::from_millis(10);
/// How many records are read before it is examined whether they were moved meanwhile.
const CHUNK: usize = 4096;
/// The longest time without a reading, in seconds, that is not said in the log.
const GAP: u32 = 60;

/// What the thread is told.
pub(super) enum Command {
    /// To record in this way from now on, or not at all, and to keep it as long as this.
    Keep(Option<History>, Privacy),
    /// To end the part of the open bucket of these subscribers, and to answer then.
    Cut(Vec<IpNet>, oneshot::Sender<()>),
    /// To remove what is to be forgotten, and to answer with how much that was, or why it is not.
    Forget(Vec<Forget>, Forgotten),
    /// To write what is open, and to end.
    End(SyncSender<()>),
}

/// What was forgotten, or why it was not.
pub(super) type Forgotten = oneshot::Sender<Result<Deleted, String>>;

/// Why something is not recorded.
#[derive(Debug, Error)]
enum NotRecorded {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot read the records of subscribers: {0}")]
    Map(#[from] MapError),
    #[error("cannot read the clock: {0}")]
    Clock(#[from] nix::Error),
    #[error("the history has not begun; try again")]
    NotBegun,
}

/// The thread's state.
pub(super) struct Recorder {
    history: Option<History>,
    privacy: Privacy,
    live: LiveRecords,
    writer: Writer,
    progress: Progress,
    records: Option<RecentRecords>,
    open: OpenBucket,
    recent: Recent,
    pools: Pools,
    alerts: Examiner,
    /// Whether what was written is continued: it is known what the records had counted then. Without a history, whether that
    /// is forgotten.
    is_ready: bool,
    /// Records that had packets since then are to be read, as the kernel notes times.
    since: u32,
    /// When the next bucket begins, if the program was told.
    next_begin: Option<u32>,
    keep_at: Instant,
    /// The clocks when it was examined last how much is kept.
    kept: Times,
}

impl Recorder {
    pub(super) fn new(
        live: LiveRecords,
        writer: Writer,
        progress: Progress,
        alerts: Examiner,
        (history, privacy): (Option<History>, Privacy),
    ) -> nix::Result<Self> {
        let times = Times::now()?;
        Ok(Self {
            history,
            privacy,
            live,
            writer,
            progress,
            records: None,
            open: OpenBucket::new(0, 0),
            recent: Recent::default(),
            pools: Pools::default(),
            alerts,
            is_ready: false,
            since: times.noted(),
            next_begin: None,
            keep_at: Instant::now() + KEEP,
            kept: times,
        })
    }

    /// Records until it is told to end, or nobody is left who could tell it.
    pub(super) fn run(mut self, commands: &Receiver<Command>) {
        let mut wait = Duration::ZERO;
        loop {
            let command = match commands.recv_timeout(wait) {
                Ok(command) => Some(command),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let begin = Instant::now();
            self.progress.begin();
            let (done, ended) = match command {
                None => (self.step(), None),
                Some(Command::Keep(history, privacy)) => {
                    self.privacy = privacy;
                    (self.keep_as(history).and_then(|()| self.step()), None)
                }
                Some(Command::Cut(subscribers, done)) => {
                    let cut = self.cut(&subscribers);
                    if cut.is_ok() {
                        // The client may have gone away.
                        let _ = done.send(());
                    }
                    (cut, None)
                }
                Some(Command::Forget(forget, forgotten)) => {
                    let deleted = self.forget(&forget);
                    // As above.
                    let _ = forgotten.send(deleted.as_ref().copied().map_err(|error| format!("{error}")));
                    (deleted.map(|_| ()), None)
                }
                Some(Command::End(ended)) => (self.end(), Some(ended)),
            };
            self.progress.end();
            match done {
                Err(error) => self
                    .progress
                    .note_trouble(Some(format!("{:#}", anyhow::Error::from(error)))),
                Ok(()) if self.writer.may_try() => self.progress.note_trouble(None),
                // As long as nothing is tried, what failed last still does.
                Ok(()) => {}
            }
            if let Some(ended) = ended {
                // The daemon may not wait any longer.
                let _ = ended.send(());
                return;
            }
            wait = self.wait(begin.elapsed());
        }
    }

    /// How long to wait after work that took so long.
    fn wait(&self, took: Duration) -> Duration {
        let wait = PASS.max(took * SHARE);
        let due = Times::now().ok().and_then(|times| {
            let history = self.history.as_ref()?;
            let due = match self.next_begin {
                Some(begin) => times.until(begin),
                None if !self.writer.may_try() => return None,
                None => times.until_unix(self.open.start() + history.bucket.as_secs()),
            };
            Some(Duration::from_nanos(u64::try_from(due).unwrap_or(0)))
        });
        due.map_or(wait, |due| wait.min(due)).max(LEAST_WAIT)
    }

    /// Reads the records, and does what is due.
    fn step(&mut self) -> Result<(), NotRecorded> {
        let times = Times::now()?;
        self.follow_filter(times)?;
        let Some(history) = self.history else {
            self.pass(times, false)?;
            return self.stay_off(times);
        };
        if self.writer.may_try() {
            self.get_ready(times)?;
        }
        self.pass(times, true)?;
        if self.writer.may_try() && self.is_ready {
            match self.next_begin {
                Some(begin) if self.since >= begin => self.end_bucket(&history, begin, times)?,
                None if Times::bucket_of(times.unix(), history.bucket) != self.open.start() => {
                    self.announce(times.noted() + 1)?;
                }
                None if self.open.is_full() => self.write(&history, times)?,
                Some(_) | None => {}
            }
            self.keep_if_due(&history, times)?;
        }
        Ok(())
    }

    /// Takes the records of a filter that has replaced the one before.
    fn follow_filter(&mut self, times: Times) -> Result<(), NotRecorded> {
        let Some(records) = self.live.take() else {
            return Ok(());
        };
        self.records = Some(records);
        if let Some(history) = self.history
            && self.open.begin() == 0
        {
            let start = Times::bucket_of(times.unix(), history.bucket);
            self.open = OpenBucket::new(start, times.noted_at(start));
        }
        // Its map may be a new one.
        self.tell_begin(self.next_begin.unwrap_or(self.open.begin()))
    }

    /// Has the sketches of the next bucket begin.
    fn announce(&mut self, begin: u32) -> Result<(), NotRecorded> {
        self.next_begin = Some(begin);
        self.tell_begin(begin)
    }

    fn tell_begin(&mut self, begin: u32) -> Result<(), NotRecorded> {
        match &mut self.records {
            Some(records) => Ok(records.begin_bucket(begin)?),
            None => Ok(()),
        }
    }

    /// Notes the records that had packets since they were read last, for the history if it is recorded, and for alerts. If they are moved
    /// meanwhile, that is repeated later.
    fn pass(&mut self, times: Times, is_recorded: bool) -> Result<(), NotRecorded> {
        // What is not read stays in the kernel.
        if self.open.is_full() && !self.writer.may_try() {
            return Ok(());
        }
        let (since, now) = (self.since, times.noted());
        let (Some(records), Some(policy)) = (&self.records, self.progress.policy()) else {
            return Ok(());
        };
        if !is_recorded && policy.alerts.is_none() {
            return Ok(());
        }
        let (open, recent, pools) = (&mut self.open, &mut self.recent, self.pools.of(&policy));
        let time_of_day = |noted| timestamp(times.first(noted));
        let mut examination = self.alerts.begin(&policy, pools, (since, now), &time_of_day);
        let read = in_chunks(records, &self.live, since, |chunk| {
            for (subscriber, record) in chunk {
                if is_recorded {
                    open.note(*subscriber, record, since);
                    recent.note(*subscriber, record);
                }
                if let Some(examination) = &mut examination {
                    examination.note(*subscriber, record);
                }
            }
            Ok(())
        })?;
        if let Some(mut examination) = examination.filter(Examination::is_of_exempt) {
            let mut exempt = Vec::new();
            records.each_exempt(|subscriber, syns| exempt.push((subscriber, syns)))?;
            examination.note_exempt(&exempt);
        }
        if is_recorded {
            let counts = recent.by_pool(pools, policy.pools.len(), now);
            self.progress.note_blocked(policy, counts);
        }
        if let Some(ipv6_records) = read {
            self.since = times.noted();
            self.progress.note_ipv6_records(ipv6_records);
        }
        Ok(())
    }

    /// Opens the database, and finds out what the records had counted when its last bucket was written.
    fn get_ready(&mut self, times: Times) -> Result<(), NotRecorded> {
        let Some(records) = self.records.as_ref().filter(|_| !self.is_ready) else {
            return Ok(());
        };
        match self.writer.begun()? {
            Begun::Yes { read_until } => {
                if times.noted() > read_until.saturating_add(GAP) {
                    let (from, to) = (timestamp(times.first(read_until)), Timestamp::now());
                    info!(
                        "the history was not recorded from {from:.0} to {to:.0}: what was counted meanwhile is in the bucket of each \
                         subscriber's last packet"
                    );
                }
                self.since = self.since.min(read_until);
            }
            Begun::InAnotherBoot => {
                self.writer.pause()?;
                self.writer.begin(times.read_until(0))?;
                self.since = 0;
            }
            Begun::No => {
                let writer = &mut self.writer;
                let read = in_chunks(records, &self.live, 0, |chunk| {
                    let counted =
                        |(subscriber, record): &(IpNet, Subscriber)| (*subscriber, Counted::of(record));
                    writer.learn(&chunk.iter().map(counted).collect::<Vec<_>>())
                })?;
                if read.is_none() {
                    return Ok(());
                }
                self.writer.begin(times.read_until(times.noted()))?;
                self.open.written(times.noted());
                self.since = times.noted();
            }
        }
        self.is_ready = true;
        Ok(self.writer.note_kept()?)
    }

    /// Writes the bucket that has ended, and opens the next one.
    fn end_bucket(&mut self, history: &History, begin: u32, times: Times) -> Result<(), NotRecorded> {
        // If it fails, this bucket is continued.
        self.next_begin = None;
        self.write(history, times)?;
        let start = Times::bucket_of(times.unix(), history.bucket);
        self.open.next(start, begin);
        Ok(())
    }

    /// Writes what is noted of the open bucket.
    fn write(&mut self, history: &History, times: Times) -> Result<(), NotRecorded> {
        let readings = self.open.readings(times, history.bucket);
        let written = self.writer.write(&readings, times.read_until(self.since));
        // The database may be another one now.
        self.is_ready &= written.is_ok();
        written?;
        self.open.written(self.since);
        Ok(())
    }

    /// Without a history: forgets what records had counted, and removes what becomes too old.
    fn stay_off(&mut self, times: Times) -> Result<(), NotRecorded> {
        if !self.writer.may_try() {
            return Ok(());
        }
        if !self.is_ready {
            self.writer.pause()?;
            self.is_ready = true;
        }
        self.keep_if_due(&History::default(), times)
    }

    /// Records in another way from now on.
    fn keep_as(&mut self, history: Option<History>) -> Result<(), NotRecorded> {
        let before = std::mem::replace(&mut self.history, history);
        if before.is_some() == history.is_some() {
            return Ok(());
        }
        let written = match before {
            Some(before) => self.write_open(&before),
            None => Ok(()),
        };
        let times = Times::now()?;
        self.is_ready = false;
        self.next_begin = None;
        self.since = times.noted();
        self.open = match &self.history {
            Some(history) => {
                let start = Times::bucket_of(times.unix(), history.bucket);
                OpenBucket::new(start, times.noted() + 1)
            }
            None => OpenBucket::new(0, 0),
        };
        self.tell_begin(self.open.begin())?;
        written
    }

    /// Ends the part of these subscribers: what they do from now on is in another one.
    fn cut(&mut self, subscribers: &[IpNet]) -> Result<(), NotRecorded> {
        let times = Times::now()?;
        let Some(records) = &self.records else {
            return Ok(());
        };
        for net in subscribers {
            let mut found = self.open.active_in(*net);
            let own = if net.addr().is_ipv4() {
                32
            } else {
                records.ipv6_prefix()
            };
            if let Ok(own) = IpNet::new(net.network(), own)
                && net.prefix_len() >= own.prefix_len()
            {
                found.push(own.trunc());
            }
            found.sort_unstable();
            found.dedup();
            for subscriber in found {
                let Some(still) = self.live.still() else { continue };
                let record = records.of(subscriber)?;
                if self.live.still() == Some(still) {
                    self.open
                        .cut(subscriber, record.as_ref(), self.since, times.noted());
                }
            }
        }
        Ok(())
    }

    /// Writes what is open, as the daemon ends.
    fn end(&mut self) -> Result<(), NotRecorded> {
        match self.history {
            Some(history) => self.write_open(&history),
            None => Ok(()),
        }
    }

    /// Reads the records, and writes what is open.
    fn write_open(&mut self, history: &History) -> Result<(), NotRecorded> {
        let times = Times::now()?;
        self.follow_filter(times)?;
        self.get_ready(times)?;
        self.pass(times, true)?;
        if self.is_ready {
            self.write(history, times)
        } else {
            Ok(())
        }
    }
}

/// Reads the records that had packets since a time, and gives them to `note` in chunks. Returns how many IPv6 records there are, if none
/// of all records was moved meanwhile; a chunk of which one may have been is given to nobody, as are those after it.
fn in_chunks(
    records: &RecentRecords,
    live: &LiveRecords,
    since: u32,
    mut note: impl FnMut(&[(IpNet, Subscriber)]) -> Result<(), StoreError>,
) -> Result<Option<u64>, NotRecorded> {
    let Some(still) = live.still() else {
        return Ok(None);
    };
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut done = Ok(true);
    let mut give = |chunk: &mut Vec<(IpNet, Subscriber)>| {
        if matches!(done, Ok(true)) {
            let is_still = live.still() == Some(still);
            done = if is_still {
                note(chunk).map(|()| true)
            } else {
                Ok(false)
            };
        }
        chunk.clear();
    };
    let ipv6_records = records.each_since(since, |subscriber, record| {
        chunk.push((subscriber, record));
        if chunk.len() == CHUNK {
            give(&mut chunk);
        }
    })?;
    give(&mut chunk);
    Ok(done?.then_some(ipv6_records))
}
