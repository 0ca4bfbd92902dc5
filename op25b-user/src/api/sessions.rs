//! Sessions: a session to import, the outcome of an import, and a list.

use std::fmt;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use utoipa::ToSchema;

use crate::{
    session::{
        SKEW_SECONDS, Session,
        formats::{customer, prefix},
    },
    store::sessions::Survey,
};

/// What is known of a session: of one that is known already, as much as is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    /// The customer.
    #[schema(min_length = 1, example = "alice@example.net")]
    pub customer: String,
    /// The address or the prefix.
    #[schema(min_length = 2, max_length = 64, example = "198.51.100.7")]
    pub prefix: String,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// When it ended; absent or null if it is not known to have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
    /// Of one without an end: the last time at which it is known to have lasted. By default that is its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen: Option<Timestamp>,
}

impl From<Session> for NewSession {
    fn from(session: Session) -> Self {
        let Session {
            customer,
            prefix,
            start,
            end,
            seen,
        } = session;
        Self {
            customer,
            prefix: shown_prefix(prefix),
            start,
            end,
            seen: (end.is_none() && seen != start).then_some(seen),
        }
    }
}

/// An address without the length, as people write it, or a prefix.
pub(crate) fn shown_prefix(prefix: IpNet) -> String {
    if prefix.prefix_len() == prefix.max_prefix_len() {
        prefix.addr().to_string()
    } else {
        prefix.to_string()
    }
}

impl NewSession {
    /// The session; what is wrong with it otherwise.
    pub(crate) fn read(self) -> Result<Session, String> {
        let Self {
            customer: name,
            prefix: text,
            start,
            end,
            seen,
        } = self;
        let (customer, prefix) = (customer(&name)?, prefix(&text)?);
        match (end, seen) {
            (Some(end), _) if end < start => Err("it ends before it begins".to_owned()),
            (Some(_), Some(_)) => Err("`seen` is of a session without `end`".to_owned()),
            (None, Some(seen)) if seen < start => Err("it was seen before it began".to_owned()),
            (Some(end), None) => Ok(Session::ended(customer, prefix, start, end)),
            (None, seen) => Ok(Session::open(customer, prefix, start, seen.unwrap_or(start))),
        }
    }
}

/// That a session begins, lasts or ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionEvent {
    /// The customer.
    #[schema(min_length = 1, example = "alice@example.net")]
    pub customer: String,
    /// The address or the prefix.
    #[schema(min_length = 2, max_length = 64, example = "198.51.100.7")]
    pub prefix: String,
    /// When it began. By default now; of one that ended, when the one began that is known and lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub start: Option<Timestamp>,
    /// When it ended; absent or null as long as it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub end: Option<Timestamp>,
}

/// What becomes of sessions: one, or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
pub enum SessionEvents {
    /// Of one session.
    One(SessionEvent),
    /// Of several.
    Several(Vec<SessionEvent>),
}

// By hand, so that a mistake is named as one of a session.
impl<'de> Deserialize<'de> for SessionEvents {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Events;

        impl<'de> Visitor<'de> for Events {
            type Value = SessionEvents;

            fn expecting(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
                text.write_str("a session, or a list of sessions")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SessionEvents, A::Error> {
                SessionEvent::deserialize(MapAccessDeserializer::new(map)).map(SessionEvents::One)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, sequence: A) -> Result<SessionEvents, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(sequence)).map(SessionEvents::Several)
            }
        }

        deserializer.deserialize_any(Events)
    }
}

impl SessionEvent {
    /// The session at a time; what is wrong with it otherwise. `known` finds when the one began that lasts.
    pub(crate) fn read<E>(
        self,
        now: Timestamp,
        known: impl FnOnce(&str, IpNet) -> Result<Option<Timestamp>, E>,
    ) -> Result<Result<Session, String>, E> {
        let (customer, prefix) = match (customer(&self.customer), prefix(&self.prefix)) {
            (Ok(customer), Ok(prefix)) => (customer, prefix),
            (Err(wrong), _) | (_, Err(wrong)) => return Ok(Err(wrong)),
        };
        // Clocks of those that report sessions may differ from that of the router.
        let latest = now
            .saturating_add(SignedDuration::from_secs(SKEW_SECONDS))
            .unwrap_or(now);
        if self.start.max(self.end).is_some_and(|at| at > latest) {
            return Ok(Err("it is of the future".to_owned()));
        }
        let Some(end) = self.end else {
            let start = self.start.unwrap_or(now);
            return Ok(Ok(Session::open(customer, prefix, start, now.max(start))));
        };
        let start = match self.start {
            Some(start) => Some(start),
            None => known(&customer, prefix)?,
        };
        Ok(match start {
            None => Err("no session of this customer is known that lasts there: give its `start`".to_owned()),
            Some(start) if end < start => Err("it ends before it begins".to_owned()),
            Some(start) => Ok(Session::ended(customer, prefix, start, end)),
        })
    }
}

/// What became of sessions that were reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReportedSessions {
    /// How many were not known before.
    pub added: usize,
    /// How many were known to have lasted for a shorter time, or not to have ended.
    pub extended: usize,
    /// How many were known already.
    pub unchanged: usize,
    /// Warnings, such as that the sessions before were lost.
    pub warnings: Vec<String>,
}

/// The response to an import of sessions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportedSessions {
    /// Whether this only reports what would be done.
    pub dry_run: bool,
    /// How many sessions of the import were not known before.
    pub added: usize,
    /// How many were known to have lasted for a shorter time, or not to have ended.
    pub extended: usize,
    /// How many were known already.
    pub unchanged: usize,
    /// What is conspicuous about the sessions of the time that the import covers.
    pub survey: Survey,
    /// Warnings, such as that the sessions before were lost.
    pub warnings: Vec<String>,
}

/// Sessions, by prefix and start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionList {
    /// The sessions.
    pub items: Vec<Session>,
    /// Whether more match.
    pub more: bool,
}
