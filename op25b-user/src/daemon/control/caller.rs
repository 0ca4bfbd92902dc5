//! Who asks for a change: allowed to, known by name, and with the key by which a repetition is known.

use std::sync::Arc;

use axum::{
    Extension,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};
use nix::unistd::{Uid, User};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{Shared, limits, peer::Peer, socket::GROUP};
use crate::{api::Problem, daemon::request::Caller, store::Actor};

/// The header with the key (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long a key may be.
const LONGEST_KEY: usize = 255;

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Extension(peer) = Extension::<Peer>::from_request_parts(parts, shared)
            .await
            .map_err(|_| Problem::internal("it is not known who asks"))?;
        if !peer.may_change {
            return Err(Problem::forbidden(format!(
                "user {} may only read: changes are for root and the members of the group {GROUP} \
                 (`usermod -aG {GROUP} USER`, and log in again)",
                peer.uid
            )));
        }
        let key = key(&parts.headers)?;
        let actor = Actor {
            uid: peer.uid,
            name: shared.names.of(peer.uid).await,
        };
        Ok(Self { actor, key })
    }
}

/// Looks users up, one at a time.
#[derive(Clone)]
pub(super) struct Names(Arc<Semaphore>);

impl Default for Names {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Names {
    /// The user's name; the number again if the system knows none, or does not say so in time.
    async fn of(&self, uid: u32) -> String {
        let turn = Arc::clone(&self.0);
        let name = async move {
            let turn = turn.acquire_owned().await.ok()?;
            let lookup = spawn_blocking(move || {
                // Kept until the system answers, also if nobody waits for it any more: no second thread gets stuck.
                let _turn = turn;
                User::from_uid(Uid::from_raw(uid)).ok().flatten()
            });
            Some(lookup.await.ok()??.name)
        };
        let name = timeout(limits::NAME_TIME, name).await.ok().flatten();
        name.unwrap_or_else(|| uid.to_string())
    }
}

/// The key: as the draft has it, a string in quotes (RFC 9651), or without them as most clients send it.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let key = value.to_str().ok().and_then(|value| {
        let value = value.trim_matches([' ', '\t']);
        match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted.strip_suffix('"')?),
            None => value.bytes().all(is_bare).then(|| value.to_owned()),
        }
    });
    let key = key.filter(|key| (1..=LONGEST_KEY).contains(&key.len()));
    match (key, values.next()) {
        (Some(key), None) => Ok(Some(key)),
        _ => Err(Problem::bad_request(format!(
            "Idempotency-Key must be one key of 1 to {LONGEST_KEY} characters, such as \
             \"8e03978e-40d5-43e8-bc93-6894a57f9324\""
        ))),
    }
}

/// What stands between quotes, where only quotes and backslashes are escaped.
fn unquoted(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.push(characters.next().filter(|next| matches!(next, '"' | '\\'))?),
            '"' => return None,
            ' '..='~' => plain.push(character),
            _ => return None,
        }
    }
    Some(plain)
}

/// What a key without quotes is made of.
fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/=".contains(&byte)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Result<Option<String>, u16> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(KEY, HeaderValue::from_str(value).unwrap());
        }
        key(&headers).map_err(|problem| problem.status)
    }

    #[test]
    fn a_key_is_quoted_or_bare() {
        assert_eq!(read(&[]), Ok(None));
        let longest = "k".repeat(LONGEST_KEY);
        for (text, key) in [
            ("\"8e03978e-40d5\"", "8e03978e-40d5"),
            ("8e03978e-40d5", "8e03978e-40d5"),
            (r#""a \"b\" \\c, d""#, r#"a "b" \c, d"#),
            (&longest, &longest),
        ] {
            assert_eq!(read(&[text]), Ok(Some(key.to_owned())), "{text}");
        }
        let too_long = "k".repeat(LONGEST_KEY + 1);
        for text in [
            "",
            "\"\"",
            "\"open",
            "two words",
            "a,b",
            "a;b=c",
            r#""\n""#,
            &too_long,
        ] {
            assert_eq!(read(&[text]), Err(400), "{text}");
        }
        assert_eq!(read(&["a", "b"]), Err(400));
    }

    #[tokio::test]
    async fn a_user_without_a_name_goes_by_the_number() {
        let names = Names::default();
        assert_eq!(names.of(0).await, "root");
        assert_eq!(names.of(3_999_999_999).await, "3999999999");
    }
}
