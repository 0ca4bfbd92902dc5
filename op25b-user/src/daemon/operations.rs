//! Records the operations on the filter in the store. No disk delays an operation: a thread writes, and a failure is a fault.

use std::{
    collections::VecDeque,
    mem,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use tokio::{
    sync::oneshot::{self, Receiver, error::TryRecvError},
    task::spawn_blocking,
};
use tracing::warn;

use crate::{
    datapath::LoadedBy,
    fault::{FaultKind, Faults},
    store::{Actor, Operation, OperationKind, StoreError},
};

/// How long after a failure the next attempt is.
const RETRY: Duration = Duration::from_mins(1);
/// A write that takes longer than this is a fault.
const SLOW: Duration = Duration::from_secs(30);
/// The most operations that wait for the store.
const MOST: usize = 1000;

/// Writes an operation; called in a thread that may wait for the disk.
pub(super) type WriteOperation = Arc<dyn Fn(&Operation) -> Result<(), StoreError> + Send + Sync>;

/// The operations that are not written yet, and the thread that writes.
pub(super) struct Operations {
    write: WriteOperation,
    faults: Faults,
    pending: VecDeque<Operation>,
    /// How many were given up, as too many waited.
    lost: usize,
    writing: Option<Writing>,
    not_before: Instant,
}

/// A thread that writes.
struct Writing {
    since: Instant,
    result: Receiver<Result<(), Unwritten>>,
}

/// What a thread could not write, and why.
struct Unwritten {
    operations: VecDeque<Operation>,
    error: StoreError,
}

impl Operations {
    pub(super) fn new(write: WriteOperation, faults: Faults) -> Self {
        Self {
            write,
            faults,
            pending: VecDeque::new(),
            lost: 0,
            writing: None,
            not_before: Instant::now(),
        }
    }

    /// Records an operation, soon and in order.
    pub(super) fn note(&mut self, operation: Operation) {
        self.pending.push_back(operation);
        self.drop_oldest();
        self.not_before = Instant::now();
        self.tick();
    }

    /// Records that a daemon enforces a policy now.
    pub(super) fn note_start(&mut self, policy: &Path) {
        let policy = policy.display().to_string();
        self.note(Operation::now(OperationKind::Start, Actor::op25b()).with_detail(policy));
    }

    /// Starts writing what is pending, and evaluates what was written. The daemon calls this every second.
    pub(super) fn tick(&mut self) {
        let now = Instant::now();
        if let Some(Writing { since, result }) = &mut self.writing {
            match result.try_recv() {
                Ok(result) => self.written(result, now),
                Err(TryRecvError::Closed) => self.writing = None,
                Err(TryRecvError::Empty) if now - *since > SLOW => {
                    let what = "the disk of the exemption store does not answer".to_owned();
                    self.raise(&what);
                }
                Err(TryRecvError::Empty) => {}
            }
        }
        if self.writing.is_some() || self.pending.is_empty() || now < self.not_before {
            return;
        }
        let (operations, write) = (mem::take(&mut self.pending), Arc::clone(&self.write));
        let (sender, result) = oneshot::channel();
        spawn_blocking(move || {
            // The daemon may have ended.
            let _ = sender.send(write_all(&write, operations));
        });
        self.writing = Some(Writing { since: now, result });
    }

    /// Writes the rest and a last one when the daemon ends, in a thread that may wait for the disk.
    pub(super) fn write_last(&mut self, last: Operation) -> impl FnOnce() + Send + use<> {
        self.pending.push_back(last);
        let rest = mem::take(&mut self.pending);
        let (writing, write) = (self.writing.take(), Arc::clone(&self.write));
        move || {
            let before = writing.and_then(|writing| writing.result.blocking_recv().ok());
            let mut operations = match before {
                Some(Err(Unwritten { operations, .. })) => operations,
                Some(Ok(())) | None => VecDeque::new(),
            };
            operations.extend(rest);
            if let Err(Unwritten { operations, error }) = write_all(&write, operations) {
                warn!(
                    "the daemon ends, and {} not recorded: {error}",
                    match operations.len() {
                        1 => "its last operation is".to_owned(),
                        count => format!("its last {count} operations are"),
                    }
                );
            }
        }
    }

    fn written(&mut self, result: Result<(), Unwritten>, now: Instant) {
        self.writing = None;
        match result {
            Ok(()) => {
                self.lost = 0;
                self.faults.clear(FaultKind::OperationsNotRecorded);
            }
            Err(Unwritten {
                mut operations,
                error,
            }) => {
                // What came meanwhile is later.
                operations.append(&mut self.pending);
                self.pending = operations;
                self.drop_oldest();
                self.not_before = now + RETRY;
                self.raise(&error.to_string());
            }
        }
    }

    fn drop_oldest(&mut self) {
        while self.pending.len() > MOST {
            self.pending.pop_front();
            self.lost += 1;
        }
    }

    fn raise(&self, why: &str) {
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("; {lost} of them are lost, as too many wait"),
        };
        self.faults.raise(
            FaultKind::OperationsNotRecorded,
            format!(
                "reloads, pauses and other operations are done, and not recorded: {why}{lost}; this is retried every {RETRY:?}"
            ),
        );
    }
}

/// The operation that a reload was, of a policy with this digest, or refused.
pub(super) fn reload_operation(
    asked_by: &LoadedBy,
    policy_sha256: &str,
    refused: Option<&str>,
    goes_back_at: Option<Timestamp>,
) -> Operation {
    let op25b = Actor::op25b();
    let by = Actor {
        uid: asked_by.uid.unwrap_or(op25b.uid),
        name: asked_by.user.clone().unwrap_or(op25b.name),
    };
    let asked_by = &asked_by.what;
    let operation = match refused {
        None => Operation::now(OperationKind::Reload, by).with_detail(format!(
            "asked for by {asked_by}; the policy's SHA-256 is {policy_sha256}"
        )),
        Some(why) => Operation::now(OperationKind::ReloadRefused, by)
            .with_detail(format!("asked for by {asked_by}; {why}")),
    };
    Operation {
        until: goes_back_at.filter(|_| refused.is_none()),
        ..operation
    }
}

/// Writes operations up to the first that is refused.
fn write_all(write: &WriteOperation, mut operations: VecDeque<Operation>) -> Result<(), Unwritten> {
    while let Some(operation) = operations.front() {
        if let Err(error) = write(operation) {
            return Err(Unwritten { operations, error });
        }
        operations.pop_front();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::store::fake::actor;

    /// A store that fails as long as it is told to.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<(bool, Vec<String>)>>);

    impl Written {
        fn set_failing(&self, fails: bool) {
            self.0.lock().unwrap().0 = fails;
        }

        fn names(&self) -> Vec<String> {
            self.0.lock().unwrap().1.clone()
        }

        fn operations(&self, faults: &Faults) -> Operations {
            let this = self.clone();
            let write = move |operation: &Operation| {
                let (fails, names) = &mut *this.0.lock().unwrap();
                if *fails {
                    return Err(StoreError::Full {
                        path: "/var/lib/op25b/exemptions.db".into(),
                        why: "disk full".to_owned(),
                    });
                }
                names.extend(operation.detail.clone());
                Ok(())
            };
            Operations::new(Arc::new(write), faults.clone())
        }
    }

    fn operation(name: &str) -> Operation {
        Operation::now(OperationKind::Reload, actor()).with_detail(name)
    }

    /// Waits for the thread that writes.
    async fn settle(operations: &mut Operations) {
        if let Some(Writing { result, .. }) = operations.writing.take() {
            let result = result.await.unwrap();
            operations.written(result, Instant::now());
        }
    }

    #[tokio::test]
    async fn an_operation_that_the_store_refuses_is_a_fault_and_is_written_later_in_order() {
        let (written, faults) = (Written::default(), Faults::default());
        let mut operations = written.operations(&faults);
        operations.note(operation("first"));
        settle(&mut operations).await;
        assert_eq!(written.names(), ["first"]);

        written.set_failing(true);
        operations.note(operation("second"));
        operations.note(operation("third"));
        settle(&mut operations).await;
        let message = faults.list()[0].message.clone();
        assert!(
            message.contains("not recorded") && message.contains("no space left"),
            "{message}"
        );
        operations.tick();
        assert!(operations.writing.is_none(), "the next attempt comes later");

        written.set_failing(false);
        operations.note(operation("fourth"));
        settle(&mut operations).await;
        assert_eq!(written.names(), ["first", "second", "third", "fourth"]);
        assert_eq!(faults.list(), []);
    }

    #[tokio::test]
    async fn no_more_than_a_thousand_wait_and_the_rest_is_said_to_be_lost() {
        let (written, faults) = (Written::default(), Faults::default());
        let mut operations = written.operations(&faults);
        written.set_failing(true);
        for number in 0..MOST + 5 {
            operations.note(operation(&number.to_string()));
            settle(&mut operations).await;
        }
        assert!(faults.list()[0].message.contains("; 5 of them are lost"));
        written.set_failing(false);
        operations.tick();
        operations.note(operation("next to last"));
        let last = operations.write_last(operation("last"));
        spawn_blocking(last).await.unwrap();
        let names = written.names();
        assert_eq!((names.len(), names[0].as_str()), (MOST + 1, "6"));
        assert_eq!(names[MOST - 1..], ["next to last", "last"]);
    }
}
