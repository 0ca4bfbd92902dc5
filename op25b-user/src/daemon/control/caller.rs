//! Looks up the name of a change's caller, and reads the request's idempotency key.

use axum::{
    Extension,
    extract::FromRequestParts,
    http::{HeaderMap, HeaderName, request::Parts},
};

use super::{server::Credentials, shared::Shared};
use crate::{api::Problem, daemon::request::Caller, store::Actor};

/// The header with the key (draft-ietf-httpapi-idempotency-key-header).
const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The longest key, in characters.
const LONGEST_KEY: usize = 255;

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Problem> {
        let Extension(credentials) = Extension::<Credentials>::from_request_parts(parts, shared)
            .await
            .map_err(|_| Problem::internal("the connection has no credentials"))?;
        let uid = credentials.uid;
        let key = key(&parts.headers)?;
        let actor = Actor {
            uid,
            name: shared.names.of(uid).await,
        };
        Ok(Self { actor, key })
    }
}

/// Reads the key: a quoted string (RFC 9651) as in the draft, or bare as most clients send it.
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
            "Idempotency-Key must be a single key of 1 to {LONGEST_KEY} characters, such as \
             \"8e03978e-40d5-43e8-bc93-6894a57f9324\""
        ))),
    }
}

/// Unescapes the content of a quoted string: only quotes and backslashes are escaped.
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

/// Whether a byte may occur in a bare key.
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
}
