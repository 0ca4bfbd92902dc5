//! Questions to the disk of the state directory, which may hang: each is waited for a limited time.

use std::{
    fs,
    path::{self, Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::Context as _;

/// As much as the main thread has.
const STACK: usize = 8 << 20;

/// What `work`, which waits for the disk, returns in a thread of its own; an error if it has not returned in time.
///
/// `begin_thread` is called in that thread, which may outlive this call.
pub(crate) fn in_time<T: Send + 'static>(
    time: Duration,
    begin_thread: fn(),
    work: impl FnOnce() -> T + Send + 'static,
) -> anyhow::Result<T> {
    let (sender, result) = mpsc::sync_channel(1);
    thread::Builder::new()
        .name("state-dir".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            begin_thread();
            // Nobody may wait for it any more.
            let _ = sender.send(work());
        })
        .context("cannot start a thread")?;
    result
        .recv_timeout(time)
        .with_context(|| format!("the disk of the state directory has not answered within {time:?}"))
}

/// Whether two paths are of one directory. One that does not exist is compared by its name. `None` if the names differ and the disk
/// does not answer in time.
pub(crate) fn is_same_directory(
    one: &Path,
    other: &Path,
    time: Duration,
    begin_thread: fn(),
) -> Option<bool> {
    is_same_by(one, other, time, begin_thread, |path| fs::canonicalize(path).ok())
}

/// The same with what looks up a directory, which may wait for its disk.
fn is_same_by(
    one: &Path,
    other: &Path,
    time: Duration,
    begin_thread: fn(),
    look_up: impl Fn(&Path) -> Option<PathBuf> + Send + 'static,
) -> Option<bool> {
    let named = [one, other].map(|path| path::absolute(path).unwrap_or_else(|_| path.to_owned()));
    if named[0] == named[1] {
        return Some(true);
    }
    let compare = move || {
        let real = named.map(|path| look_up(&path).unwrap_or(path));
        real[0] == real[1]
    };
    in_time(time, begin_thread, compare).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    const TIME: Duration = Duration::from_mins(1);

    #[test]
    fn the_same_directory_by_another_name_is_the_same() {
        let is_same = |one, other| is_same_directory(Path::new(one), Path::new(other), TIME, || ());
        assert_eq!(is_same("/proc/../proc", "/proc"), Some(true));
        assert_eq!(is_same("/no/such", "/no/other"), Some(false));
    }

    #[test]
    fn a_disk_that_hangs_is_not_asked_for_equal_names_and_not_waited_for_otherwise() {
        let hangs = |_: &Path| loop {
            thread::park();
        };
        let state = Path::new("/disk/state");
        let start = Instant::now();
        assert_eq!(
            is_same_by(state, Path::new("/disk/./state/"), TIME, || (), hangs),
            Some(true)
        );
        assert_eq!(
            is_same_by(
                state,
                Path::new("/disk/other"),
                Duration::from_millis(10),
                || (),
                hangs
            ),
            None
        );
        assert!(start.elapsed() < TIME);
    }

    #[test]
    fn a_disk_that_does_not_answer_is_waited_for_no_longer_than_allowed() {
        let (_hangs, never) = mpsc::channel::<()>();
        let time = Duration::from_millis(10);
        let error = in_time(time, || (), move || never.recv()).unwrap_err();
        assert!(
            error.to_string().contains("has not answered within 10ms"),
            "{error}"
        );
        assert_eq!(in_time(Duration::from_mins(1), || (), || 25).unwrap(), 25);
    }
}
