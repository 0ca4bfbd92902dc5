//! Addresses and prefixes in documents: an address without its length, as people write it, or a prefix.

/// One.
pub(super) mod one {
    use ipnet::IpNet;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use crate::{api::shown_prefix, policy::parse_prefix};

    pub(in super::super) fn serialize<S: Serializer>(net: &IpNet, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&shown_prefix(*net))
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<IpNet, D::Error> {
        parse_prefix(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// One, or none.
pub(super) mod optional {
    use ipnet::IpNet;
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};

    use crate::{api::shown_prefix, policy::parse_prefix};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(in super::super) fn serialize<S: Serializer>(
        net: &Option<IpNet>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        net.map(shown_prefix).serialize(serializer)
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<IpNet>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let net = text.map(|text| parse_prefix(&text)).transpose();
        net.map_err(D::Error::custom)
    }
}
