//! The key of the digests that stand for addresses in the record of operations.
//!
//! It is beside the store and in none of its backups: a copy of the store alone does not say which addresses the digests are of.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;
use hmac::{Hmac, Mac as _};
use ipnet::IpNet;
use rustix::rand::{GetRandomFlags, getrandom};
use sha2::Sha256;

use super::{atomic, read};

const NAME: &str = "audit.key";
const MODE: u32 = 0o600;
const BYTES: usize = 32;

/// The key.
pub(crate) struct AuditKey([u8; BYTES]);

impl AuditKey {
    /// The key of a state directory, made if there is none.
    pub(crate) fn of(state_dir: &Path) -> anyhow::Result<Self> {
        let path = state_dir.join(NAME);
        if let Some(found) = read(&path)? {
            let key = found.try_into();
            return key.map(Self).map_err(|_| {
                anyhow::anyhow!(
                    "{} is no key of {BYTES} bytes: remove it, so that another is made",
                    path.display()
                )
            });
        }
        let mut key = [0; BYTES];
        let filled =
            getrandom(&mut key, GetRandomFlags::empty()).context("the kernel has no random numbers")?;
        anyhow::ensure!(filled == BYTES, "the kernel has no random numbers");
        let written = atomic::replace_with_mode(&path, MODE, |file| file.write_all(&key));
        written.with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self(key))
    }

    /// The digest that stands for a prefix.
    pub(crate) fn digest(&self, prefix: IpNet) -> String {
        self.digest_of(&[&prefix.trunc().to_string()])
    }

    /// The digest that stands for a customer.
    pub(crate) fn digest_of_customer(&self, name: &str) -> String {
        self.digest_of(&["customer ", name])
    }

    /// The first half of a digest, in hexadecimal digits.
    fn digest_of(&self, parts: &[&str]) -> String {
        // A key of any length will do.
        let Ok(mut digest) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            return String::new();
        };
        for part in parts {
            digest.update(part.as_bytes());
        }
        let bytes = digest.finalize().into_bytes();
        let written = bytes.first_chunk().copied().unwrap_or_default();
        format!("{:032x}", u128::from_be_bytes(written))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[test]
    fn a_digest_is_the_same_until_the_key_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let first = AuditKey::of(dir.path()).unwrap().digest(net("198.51.100.7/32"));
        assert_eq!(first.len(), 32);
        let again = AuditKey::of(dir.path()).unwrap();
        assert_eq!(again.digest(net("198.51.100.7/32")), first);
        assert_ne!(again.digest(net("198.51.100.8/32")), first);
        assert_eq!(
            again.digest(net("2001:db8::1/64")),
            again.digest(net("2001:db8::/64"))
        );
        let customer = again.digest_of_customer("198.51.100.7/32");
        assert!(customer != first && customer.len() == 32);
        let path = dir.path().join(NAME);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
        fs::remove_file(&path).unwrap();
        let other = AuditKey::of(dir.path()).unwrap();
        assert_ne!(other.digest(net("198.51.100.7/32")), first);
        fs::write(&path, "short").unwrap();
        assert!(AuditKey::of(dir.path()).is_err());
    }
}
