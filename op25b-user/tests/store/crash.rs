//! What a store has acknowledged is there after its process was killed.

use std::{
    env,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};

use op25b::store::{Records as _, Store as _, sqlite};
use tempfile::tempdir;

use crate::{add, now, of, record};

/// Marks the test binary as the child.
const CHILD: &str = "OP25B_TEST_STORE";
const KILLS: u32 = 50;
/// A commit is recognised by how many changes it has: half of one would show.
const CHANGES: u32 = 5;

/// Commits and prints so until it is killed. It is no test by itself.
#[test]
fn child_that_commits() {
    let Ok(dir) = env::var(CHILD) else { return };
    let mut store = sqlite::open(Path::new(&dir)).store;
    let mut next = u32::try_from(store.revision().unwrap()).unwrap();
    println!("open");
    loop {
        let changes: Vec<_> = (0..CHANGES).map(|index| add(record(next + index))).collect();
        println!("{}", store.commit(&of(changes)).unwrap());
        // Backups are made meanwhile, too.
        let hour = jiff::SignedDuration::from_hours(i64::from(next / CHANGES));
        if next.is_multiple_of(4 * CHANGES) {
            store.backup_if_due(now() + hour).unwrap();
        }
        next += CHANGES;
    }
}

#[test]
fn nothing_that_was_answered_is_lost_by_a_kill_and_nothing_is_half_done() {
    let dir = tempdir().unwrap();
    let mut answered = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["crash::child_that_commits", "--exact", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Some are killed before they have opened it.
        if kill % 5 != 0 {
            while !lines.next().unwrap().unwrap().ends_with("open") {}
        }
        let killer = thread::spawn(move || {
            thread::sleep(Duration::from_micros(fastrand::u64(0..30_000)));
            child.kill().unwrap();
            child.wait().unwrap();
        });
        for line in lines.map_while(Result::ok) {
            answered = line.parse().unwrap_or(answered);
        }
        killer.join().unwrap();

        let opened = sqlite::open(dir.path());
        assert_eq!(opened.remarks, [""; 0], "kill {kill}");
        let revision = opened.store.revision().unwrap();
        assert!(revision >= answered, "{revision} of {answered}");
        assert_eq!(revision % u64::from(CHANGES), 0);
        let records = opened.store.not_removed().unwrap();
        let events = opened.store.events(None, 0, usize::MAX).unwrap();
        assert_eq!(records.len(), usize::try_from(revision).unwrap());
        assert!(records.iter().eq(events.iter().map(|event| &event.after)));
    }
    assert!(answered > 0);
}
