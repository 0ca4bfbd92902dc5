//! A request that is sent again, since its answer was lost, is not done again.

use serde::Serialize;
use ulid::Ulid;

use super::{super::policy_file, Refusal};
use crate::{
    daemon::{Daemon, request::Asker},
    store::{Record, RequestKey},
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
    pub(super) fn key(&self, asker: &Asker) -> Option<RequestKey> {
        Some(RequestKey {
            uid: asker.actor.uid,
            key: asker.key.clone()?,
            digest: self.0.clone(),
        })
    }
}

impl Daemon {
    /// The record that an earlier request with the same key changed.
    pub(super) async fn repeated(
        &mut self,
        asker: &Asker,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Record>, Refusal> {
        let Some(changed) = self.changed_earlier(asker, fingerprint).await? else {
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
        asker: &Asker,
        fingerprint: &Fingerprint,
    ) -> Result<Option<Vec<Ulid>>, Refusal> {
        if self.behind.is_some() {
            self.load_anew().await.map_err(|error| {
                Refusal::Broken(format!(
                    "nothing was changed: the kernel does not have yet what is stored already: {error:#}"
                ))
            })?;
        }
        let Some(key) = asker.key.clone() else {
            return Ok(None);
        };
        let uid = asker.actor.uid;
        let earlier = self.with_store(move |store| store.earlier(uid, &key)).await??;
        match earlier {
            None => Ok(None),
            Some(earlier) if earlier.digest == fingerprint.0 => Ok(Some(earlier.changed)),
            Some(_) => Err(Refusal::KeyReused),
        }
    }
}
