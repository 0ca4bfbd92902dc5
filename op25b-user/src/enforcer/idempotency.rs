//! A request that is sent again, since its answer was lost, is not done again.

use serde::Serialize;
use ulid::Ulid;

use super::{Refusal, apply::not_enforced_yet};
use crate::{
    daemon::{Daemon, policy_file, request::Caller},
    store::{Earlier, Record, RequestKey},
};

/// What was asked for, as a digest.
pub(super) struct Fingerprint(String);

impl Fingerprint {
    pub(super) fn new(what: &str, request: &impl Serialize) -> Self {
        // What came as JSON can be written as JSON.
        let text = serde_json::to_string(request).unwrap_or_default();
        Self(policy_file::digest(format!("{what} {text}").as_bytes()))
    }

    /// What the store is to remember it by.
    pub(super) fn key(&self, caller: &Caller) -> Option<RequestKey> {
        Some(RequestKey {
            uid: caller.actor.uid,
            key: caller.key.clone()?,
            digest: self.0.clone(),
        })
    }

    /// The records that an earlier request with the same key changed, given whether the kernel has what is stored.
    fn outcome(
        &self,
        earlier: Option<Earlier>,
        caught_up: anyhow::Result<()>,
    ) -> Result<Option<Vec<Ulid>>, Refusal> {
        if earlier.as_ref().is_some_and(|earlier| earlier.digest != self.0) {
            return Err(Refusal::KeyReused);
        }
        match (earlier, caught_up) {
            (earlier, Ok(())) => Ok(earlier.map(|earlier| earlier.changed)),
            (Some(_), Err(error)) => Err(not_enforced_yet(&error)),
            (None, Err(error)) => Err(Refusal::Broken(format!(
                "nothing was changed: the kernel does not have yet what is stored already: {error:#}"
            ))),
        }
    }
}

impl Daemon {
    /// The record that an earlier request with the same key changed.
    pub(super) async fn repeated(
        &mut self,
        caller: &Caller,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Record>, Refusal> {
        let Some(changed) = self.changed_earlier(caller, fingerprint).await? else {
            return Ok(None);
        };
        let Some(id) = changed.first().copied() else {
            return Ok(None);
        };
        Ok(self.with_store(move |store| store.get(id)).await??)
    }

    /// The records that an earlier request with the same key changed.
    ///
    /// The first step of every change, so the kernel has caught up with the store after it: what was stored and not enforced
    /// must not be answered as done, and what the daemon has not read must not be judged by.
    pub(super) async fn changed_earlier(
        &mut self,
        caller: &Caller,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Vec<Ulid>>, Refusal> {
        let caught_up = if self.behind.is_some() {
            self.load_anew().await
        } else {
            Ok(())
        };
        let earlier = match caller.key.clone() {
            None => None,
            Some(key) => {
                let uid = caller.actor.uid;
                self.with_store(move |store| store.earlier(uid, &key)).await??
            }
        };
        fingerprint.outcome(earlier, caught_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earlier(fingerprint: &Fingerprint) -> Earlier {
        Earlier {
            digest: fingerprint.0.clone(),
            changed: vec![Ulid::from(7_u128)],
        }
    }

    fn failure() -> anyhow::Result<()> {
        Err(anyhow::anyhow!("sub0 has another program"))
    }

    #[test]
    fn a_repeated_request_is_done_only_if_the_kernel_has_it() {
        let asked = Fingerprint::new("remove", &("id", "reason"));
        let done = asked.outcome(Some(earlier(&asked)), Ok(())).unwrap();
        assert_eq!(done, Some(vec![Ulid::from(7_u128)]));
        let Err(Refusal::Broken(why)) = asked.outcome(Some(earlier(&asked)), failure()) else {
            panic!("it passes for done");
        };
        assert!(
            why.starts_with("it is stored, and the kernel does not have it yet: sub0 has another program"),
            "{why}"
        );
    }

    #[test]
    fn a_request_that_was_never_stored_is_told_so_while_the_kernel_is_behind() {
        let asked = Fingerprint::new("remove", &("id", "reason"));
        assert_eq!(asked.outcome(None, Ok(())).unwrap(), None);
        let Err(Refusal::Broken(why)) = asked.outcome(None, failure()) else {
            panic!("it would be judged by what is not known");
        };
        assert!(why.starts_with("nothing was changed: "), "{why}");
    }

    #[test]
    fn a_key_that_was_used_for_something_else_is_refused_whatever_the_kernel_has() {
        let (asked, other) = (Fingerprint::new("add", &1), Fingerprint::new("add", &2));
        for caught_up in [Ok(()), failure()] {
            let outcome = asked.outcome(Some(earlier(&other)), caught_up);
            assert!(matches!(outcome, Err(Refusal::KeyReused)), "{outcome:?}");
        }
    }
}
