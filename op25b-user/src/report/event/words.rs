//! How the enumerations and addresses of an event are written in its document, and read from it.

use std::fmt;

use op25b_common::{Reason, Tunnel, Verdict};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

use crate::policy::{Role, Word};

/// The flags of a TCP segment (RFC 9293 section 3.1), written as a list of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The word of each flag, the lowest bit first.
    const WORDS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];

    fn words(self) -> impl Iterator<Item = &'static str> {
        let words = Self::WORDS.into_iter().enumerate();
        words
            .filter(move |(bit, _)| self.0 & (1 << bit) != 0)
            .map(|(_, word)| word)
    }
}

impl fmt::Display for TcpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.words().collect();
        f.pad(&words.join(","))
    }
}

impl Serialize for TcpFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.words())
    }
}

impl<'de> Deserialize<'de> for TcpFlags {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.iter().try_fold(Self(0), |flags, word| {
            let bit = Self::WORDS.iter().position(|known| known == word);
            let bit = bit.ok_or_else(|| D::Error::custom(format!("there is no TCP flag {word:?}")))?;
            Ok(Self(flags.0 | 1 << bit))
        })
    }
}

impl PartialSchema for TcpFlags {
    fn schema() -> RefOr<Schema> {
        let word = ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(Self::WORDS));
        Schema::Array(ArrayBuilder::new().items(word).build()).into()
    }
}

impl ToSchema for TcpFlags {}

/// An enumeration that documents write as words.
pub(super) trait Named: Copy + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// Its word.
    fn name(self) -> &'static str;

    /// The value with a word.
    fn read<E: Error>(word: &str) -> Result<Self, E> {
        let mut all = Self::ALL.iter().copied();
        let found = all.find(|value| value.name() == word);
        found.ok_or_else(|| E::custom(format!("the word {word:?} is not known")))
    }
}

/// Words for enumerations that have them.
macro_rules! named {
    ($($name:ident: $all:expr;)*) => {$(
        impl Named for $name {
            const ALL: &'static [Self] = $all;

            fn name(self) -> &'static str {
                self.name()
            }
        }
    )*};
}

named! {
    Reason: &Self::ALL;
    Verdict: &[Self::Pass, Self::Drop, Self::Reject];
    Role: <Self as Word>::ALL;
    Tunnel: &Self::ALL;
}

/// A value by its word.
pub(super) mod named {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Named;

    pub(in super::super) fn serialize<T: Named, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(value.name())
    }

    pub(in super::super) fn deserialize<'de, T: Named, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        T::read(&String::deserialize(deserializer)?)
    }
}

/// Values by their words.
pub(super) mod all_named {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::Named;

    pub(in super::super) fn serialize<T: Named, S: Serializer>(
        values: &[T],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| value.name()))
    }

    pub(in super::super) fn deserialize<'de, T: Named, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<T>, D::Error> {
        let words = Vec::<String>::deserialize(deserializer)?;
        words.iter().map(|word| T::read(word)).collect()
    }
}
