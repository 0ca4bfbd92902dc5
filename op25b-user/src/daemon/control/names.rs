//! Looks up the names of users, in bounded time.

use std::sync::Arc;

use nix::unistd::{Uid, User};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::limits;

/// Looks up user names, one at a time.
#[derive(Clone)]
pub(super) struct Names(Arc<Semaphore>);

impl Default for Names {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Names {
    /// The user's name; their number if the system has none or does not answer in time.
    pub(super) async fn of(&self, uid: u32) -> String {
        let turn = Arc::clone(&self.0);
        let name = async move {
            let turn = turn.acquire_owned().await.ok()?;
            let lookup = spawn_blocking(move || {
                // Held until the system answers, even after the caller has gone: at most one thread is blocked by it.
                let _turn = turn;
                User::from_uid(Uid::from_raw(uid)).ok().flatten()
            });
            Some(lookup.await.ok()??.name)
        };
        let name = timeout(limits::NAME_TIME, name).await.ok().flatten();
        name.unwrap_or_else(|| uid.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_user_without_a_name_goes_by_the_number() {
        let names = Names::default();
        assert_eq!(names.of(0).await, "root");
        assert_eq!(names.of(3_999_999_999).await, "3999999999");
    }
}
