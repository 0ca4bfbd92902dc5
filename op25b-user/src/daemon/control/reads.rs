//! Reads the store for clients: in threads of their own, a few at a time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::{JoinError, JoinHandle, spawn_blocking},
    time::timeout,
};
use tracing::error;

use super::limits;
use crate::{
    api::Problem,
    store::{Records, StoreError},
};

/// Opens the store for one response.
pub(in crate::daemon) type OpenReader = Arc<dyn Fn() -> Result<Box<dyn Records>, StoreError> + Send + Sync>;

/// The readers of the store.
#[derive(Clone)]
pub(super) struct Readers {
    open: OpenReader,
    turns: Arc<Semaphore>,
    /// The turns of work that does not read the store: it does not wait for the store's disk.
    other_turns: Arc<Semaphore>,
    /// The turn of a reader for what an answer can do without: the other readers are left to the rest.
    brief_turn: Arc<Semaphore>,
    /// How long the store may take.
    time: Duration,
    /// The same for what an answer can do without.
    brief_time: Duration,
    /// How many readers have not returned within their time, and still occupy a thread.
    stalled: Arc<AtomicUsize>,
}

impl Readers {
    pub(super) fn new(open: OpenReader) -> Self {
        Self {
            open,
            turns: Arc::new(Semaphore::new(limits::READERS)),
            other_turns: Arc::new(Semaphore::new(limits::READERS)),
            brief_turn: Arc::new(Semaphore::new(1)),
            time: limits::READ_TIME,
            brief_time: limits::BRIEF_TIME,
            stalled: Arc::default(),
        }
    }

    /// Reads the store in a thread of its own. A disk that does not answer in time is an error; the thread ends when it does.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        self.read_within(limits::TURN, self.time, work).await
    }

    /// The same for what an answer can do without: it waits for seconds only.
    pub(super) async fn read_briefly<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let time = self.brief_time;
        let turn = timeout(time, Arc::clone(&self.brief_turn).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(stalled(time));
        };
        let work = move |store: &dyn Records| {
            let _turn = turn;
            work(store)
        };
        self.read_within(time, time, work).await
    }

    async fn read_within<T: Send + 'static>(
        &self,
        turn: Duration,
        time: Duration,
        work: impl FnOnce(&dyn Records) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        // No turn comes while all readers wait for the disk.
        if self.all_are_stalled() {
            return Err(stalled(self.time));
        }
        let open = Arc::clone(&self.open);
        let started = start(&self.turns, turn, move || work(&*open()?)).await;
        let mut read = match started {
            Err(_) if self.all_are_stalled() => return Err(stalled(self.time)),
            started => started?,
        };
        if let Ok(ended) = timeout(time, &mut read).await {
            return result_of(ended)?.map_err(Problem::from);
        }
        let count = Arc::clone(&self.stalled);
        let rest = self.time.saturating_sub(time);
        if rest.is_zero() {
            tokio::spawn(until_it_returns(read, count));
        } else {
            tokio::spawn(async move {
                if timeout(rest, &mut read).await.is_err() {
                    until_it_returns(read, count).await;
                }
            });
        }
        Err(stalled(time))
    }

    fn all_are_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire) >= limits::READERS
    }

    /// Does other work that takes long in a thread of its own.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        result_of(start(&self.other_turns, limits::TURN, work).await?.await)
    }
}

/// Starts a thread when it has its turn.
async fn start<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    turn: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Problem> {
    let turn = timeout(turn, Arc::clone(turns).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(Problem::busy("too many requests read at once; try again"));
    };
    Ok(spawn_blocking(move || {
        let _turn = turn;
        work()
    }))
}

fn result_of<T>(ended: Result<T, JoinError>) -> Result<T, Problem> {
    ended.map_err(|error| {
        error!(%error, "reading for a client failed");
        Problem::internal("reading failed; see the daemon's log")
    })
}

/// Counts a reader as stalled, from now until it returns.
fn until_it_returns<T>(read: JoinHandle<T>, count: Arc<AtomicUsize>) -> impl Future<Output = ()> {
    count.fetch_add(1, Ordering::AcqRel);
    async move {
        // Whatever it has read, nobody waits for it any more.
        let _ = read.await;
        count.fetch_sub(1, Ordering::AcqRel);
    }
}

fn stalled(time: Duration) -> Problem {
    Problem::store_unavailable(format!(
        "the disk of the exemption store has not answered within {} s; what is enforced is not affected",
        time.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::{api::ProblemKind, store::fake::Fake};

    #[tokio::test]
    async fn a_disk_that_does_not_answer_is_a_problem_until_it_does() {
        let (answer, hung) = mpsc::channel::<()>();
        let hung = Mutex::new(hung);
        let open: OpenReader = Arc::new(move || {
            // As long as the disk hangs.
            let _ = hung.lock().map(|hung| hung.recv());
            Ok(Box::new(Fake::default()) as Box<dyn Records>)
        });
        let readers = Readers {
            time: Duration::from_millis(20),
            ..Readers::new(open)
        };
        for _ in 0..limits::READERS {
            let problem = readers.read(|store| store.revision()).await.unwrap_err();
            assert!(problem.is(ProblemKind::StoreUnavailable), "{problem:?}");
        }
        assert_eq!(readers.stalled.load(Ordering::Acquire), limits::READERS);
        let problem = readers.read(|store| store.revision()).await.unwrap_err();
        assert!(problem.is(ProblemKind::StoreUnavailable), "{problem:?}");
        drop(answer);
        while readers.stalled.load(Ordering::Acquire) > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(readers.read(|store| store.revision()).await.unwrap(), 0);
    }
    #[tokio::test]
    async fn what_an_answer_can_do_without_is_waited_for_briefly_and_takes_one_reader() {
        let (answer, hung) = mpsc::channel::<()>();
        let hung = Mutex::new(hung);
        let readers = Readers {
            time: Duration::from_secs(2),
            brief_time: Duration::from_millis(20),
            ..Readers::new(Arc::new(move || {
                let _ = hung.lock().map(|hung| hung.recv());
                Ok(Box::new(Fake::default()) as Box<dyn Records>)
            }))
        };
        let start = Instant::now();
        for _ in 0..=limits::READERS {
            let read = readers.read_briefly(|store| store.revision()).await;
            assert!(read.unwrap_err().is(ProblemKind::StoreUnavailable));
        }
        assert!(start.elapsed() < readers.time);
        assert_eq!(readers.turns.available_permits(), limits::READERS - 1);
        assert_eq!(readers.stalled.load(Ordering::Acquire), 0);
        while readers.stalled.load(Ordering::Acquire) == 0 {
            sleep(Duration::from_millis(20)).await;
        }
        drop(answer);
        assert_eq!(readers.read(|store| store.revision()).await.unwrap(), 0);
        assert_eq!(readers.read_briefly(|store| store.revision()).await.unwrap(), 0);
    }
}
