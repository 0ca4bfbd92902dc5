//! The signature of a request, as Standard Webhooks (<https://www.standardwebhooks.com>) has it.

use std::{fs, path::Path};

use anyhow::{Context as _, anyhow};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// The secret that the receiver has, too.
pub(crate) struct Secret(Hmac<Sha256>);

impl Secret {
    /// What its file has to have.
    pub(crate) const WANTED: &str = "write whsec_ and the Base64 text of 24 to 64 random bytes into it, such as that of `echo \
        whsec_$(openssl rand -base64 32)`";

    /// That of a file.
    pub(crate) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).ok_or_else(|| anyhow!("{} has no secret: {}", path.display(), Self::WANTED))
    }

    /// Parses one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.trim().strip_prefix(PREFIX)?).ok()?;
        let key = Some(key).filter(|key| (24..=64).contains(&key.len()))?;
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    /// The header `webhook-signature` of a request with this id, time in Unix seconds and body.
    pub(crate) fn sign(&self, id: &str, time: i64, body: &[u8]) -> String {
        let signed = self.authenticate(&[id.as_bytes(), b".", time.to_string().as_bytes(), b".", body]);
        format!("v1,{}", STANDARD.encode(signed))
    }

    /// The digest that stands for a text.
    pub(crate) fn digest(&self, text: &str) -> String {
        STANDARD.encode(self.authenticate(&[b"digest ", text.as_bytes()]))
    }

    fn authenticate(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut digest = self.0.clone();
        for part in parts {
            digest.update(part);
        }
        digest.finalize().into_bytes().into()
    }
}

#[cfg(test)]
impl Secret {
    /// One of some bytes.
    pub(crate) fn fake() -> Self {
        Self(Hmac::new_from_slice(&[7; 32]).unwrap())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of its reference implementations.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
        let signed = secret.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_c2hvcnQ=",
        ] {
            assert!(Secret::parse(text).is_none(), "{text}");
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(&path, "x").unwrap();
        let refusal = format!("{:#}", Secret::of_file(&path).err().unwrap());
        assert!(refusal.contains("openssl rand -base64 32"), "{refusal}");
    }
}
