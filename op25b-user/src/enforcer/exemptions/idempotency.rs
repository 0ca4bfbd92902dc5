//! Idempotency: a request that is sent again, because its answer was lost, is not done again.

use jiff::Timestamp;
use ulid::Ulid;

use super::{commit::Access, refusal::Refusal, requester::Requester};
use crate::{
    enforcer::{host::Host, state::Enforcer},
    store::{Earlier, Record, RequestKey, StoreError},
};

impl Enforcer {
    /// The record that an earlier request with the same key has changed.
    pub(super) async fn changed_by(
        &mut self,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Option<Record>, Refusal> {
        let Some(changed) = self.all_changed_by(requester, host).await? else {
            return Ok(None);
        };
        let Some(id) = changed.first().copied() else {
            return Ok(None);
        };
        Ok(self
            .with_store(Access::Read, host, move |store| store.get(id))
            .await??)
    }

    /// The records that an earlier request with the same key has changed. Without one, the change is ready to be computed.
    ///
    /// This is the first step of every change: what is stored and not enforced must not be answered as done, and nothing must
    /// be decided without what could not be read before. While only the kernel is behind, other changes go on.
    pub(super) async fn all_changed_by(
        &mut self,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Option<Vec<Ulid>>, Refusal> {
        let changed = self.done_before(requester, host).await?;
        if changed.is_none() {
            self.make_index(host).await?;
        }
        Ok(changed)
    }

    async fn done_before(
        &mut self,
        requester: &Requester,
        host: &mut impl Host,
    ) -> Result<Option<Vec<Ulid>>, Refusal> {
        self.check_disk().map_err(Refusal::Stalled)?;
        self.note_replacement();
        let caught_up = if self.active_set_is_stale {
            self.load_again(host).await
        } else {
            Ok(())
        };
        let Some(request) = requester.request.clone() else {
            return outcome(None, caught_up);
        };
        let (uid, key) = (request.uid, request.key.clone());
        let earlier = self
            .with_store(Access::Read, host, move |store| {
                store.earlier(uid, &key, Timestamp::now())
            })
            .await??;
        let is_lagging = |earlier: &Earlier| earlier.changed.iter().any(|id| self.lagging.contains(id));
        let caught_up = if caught_up.is_ok() && earlier.as_ref().is_some_and(is_lagging) {
            self.load_again(host).await
        } else {
            caught_up
        };
        outcome(earlier.map(|earlier| (request, earlier)), caught_up)
    }
}

/// The records that an earlier request with the same key has changed, given whether the kernel has what is stored.
fn outcome(
    earlier: Option<(RequestKey, Earlier)>,
    caught_up: anyhow::Result<()>,
) -> Result<Option<Vec<Ulid>>, Refusal> {
    match (earlier, caught_up) {
        (Some((request, earlier)), _) if earlier.digest != request.digest => Err(Refusal::KeyReused),
        (earlier, Ok(())) => Ok(earlier.map(|(_, earlier)| earlier.changed)),
        (Some(_), Err(error)) => Err(Refusal::not_enforced_yet(&error)),
        (None, Err(error)) => Err(match error.downcast::<StoreError>() {
            Ok(error) => Refusal::Store(error),
            Err(error) => Refusal::Kernel(format!(
                "nothing was changed: the kernel is behind the exemption store: {error:#}"
            )),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(digest: &str) -> RequestKey {
        RequestKey {
            uid: 0,
            key: "k".to_owned(),
            digest: digest.to_owned(),
        }
    }

    fn earlier(digest: &str) -> Earlier {
        Earlier {
            digest: digest.to_owned(),
            changed: vec![Ulid::from(7_u128)],
        }
    }

    fn failure() -> anyhow::Result<()> {
        Err(anyhow::anyhow!("sub0 has another program"))
    }

    #[test]
    fn a_repeated_request_is_done_only_if_the_kernel_has_it() {
        let repeated = || Some((request("remove"), earlier("remove")));
        let done = outcome(repeated(), Ok(())).unwrap();
        assert_eq!(done, Some(vec![Ulid::from(7_u128)]));
        let Err(Refusal::Kernel(why)) = outcome(repeated(), failure()) else {
            panic!("it passes for done");
        };
        assert!(
            why.starts_with("the change is stored but not yet in the kernel: sub0 has another program"),
            "{why}"
        );
    }

    #[test]
    fn a_request_that_was_never_stored_is_refused_as_such_while_the_kernel_is_behind() {
        assert_eq!(outcome(None, Ok(())).unwrap(), None);
        let Err(Refusal::Kernel(why)) = outcome(None, failure()) else {
            panic!("it is not refused while the kernel is behind");
        };
        assert!(why.starts_with("nothing was changed: "), "{why}");
    }

    #[test]
    fn a_key_that_was_used_for_something_else_is_refused_whatever_the_kernel_has() {
        for caught_up in [Ok(()), failure()] {
            let outcome = outcome(Some((request("add 1"), earlier("add 2"))), caught_up);
            assert!(matches!(outcome, Err(Refusal::KeyReused)), "{outcome:?}");
        }
    }
}
