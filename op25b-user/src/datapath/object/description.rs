//! The description of a loaded filter: JSON in one of its maps, which exists as long as the filter does.
//!
//! It names the policy that a program found in the kernel enforces, without a file that could be stale.

use std::path::PathBuf;

use aya::maps::{Array, Map, MapData};
use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{names::DESCRIPTION, values::DescriptionChunk};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::layout::Layout;
use crate::{
    datapath::{
        stats::RecordLayout,
        sys::{map::MapError, network_namespace::NetworkNamespace},
    },
    policy::ReachedDates,
};

/// The policy of a loaded filter, and the process that loaded it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Version of the op25b that loaded it.
    pub version: String,
    /// Process that loaded it.
    pub pid: u32,
    /// When it was loaded.
    pub loaded_at: Timestamp,
    /// The network namespace that it was loaded in; none if an earlier version loaded it.
    #[serde(default)]
    pub network_namespace: Option<NetworkNamespace>,
    /// The policy file, as an absolute path.
    pub policy_file: PathBuf,
    /// SHA-256 of that file when it was read, in hexadecimal.
    pub policy_sha256: String,
    /// The interfaces of the policy.
    #[serde(default)]
    pub interfaces: Vec<InterfaceSummary>,
    /// The pools, in the policy's order.
    pub pools: Vec<PoolSummary>,
    /// The dates of pools that were reached.
    #[serde(default)]
    pub reached: ReachedDates,
    /// The prefixes of each of them.
    #[serde(default)]
    pub pool_prefixes: Vec<Vec<IpNet>>,
    /// How many relays there are.
    pub relays: usize,
    /// How many exemptions there are.
    pub exemptions: usize,
    /// The expiry times of those exemptions that have one.
    pub exemption_ends: Vec<Timestamp>,
}

/// An interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSummary {
    /// The interface's name in the policy.
    pub name: String,
    /// Its role, as in the policy.
    pub role: String,
}

/// A pool as `status` shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PoolSummary {
    /// The pool's name.
    pub name: String,
    /// The pool's mode, as in the policy.
    pub mode: String,
    /// How many prefixes it has.
    pub prefixes: usize,
    /// Whether its subscribers have records.
    #[serde(default = "yes")]
    pub remembered: bool,
}

/// Earlier versions remember all pools' subscribers.
fn yes() -> bool {
    true
}

/// Why a description could not be read.
#[derive(Debug, Error)]
pub(crate) enum DescriptionError {
    /// Its map cannot be read.
    #[error(transparent)]
    Map(#[from] MapError),
    /// Another version wrote something else there.
    #[error("map {DESCRIPTION}: {0}")]
    Json(#[from] serde_json::Error),
}

/// The content of the map: the description, and the layout of the other maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    /// The description.
    #[serde(flatten)]
    pub(crate) description: Description,
    /// The layout.
    pub(crate) layout: Layout,
    /// The layout of the subscribers' records; none if this op25b cannot read it.
    #[serde(default, deserialize_with = "RecordLayout::if_understood")]
    pub(crate) records: Option<RecordLayout>,
}

impl Described {
    /// The content for a filter that this op25b loads.
    pub(crate) fn new(description: Description, records: RecordLayout) -> Self {
        Self {
            description,
            layout: Layout::current(),
            records: Some(records),
        }
    }

    /// Splits the text into the map's values. Fails if a path is not UTF-8.
    pub(crate) fn to_chunks(&self) -> serde_json::Result<Vec<DescriptionChunk>> {
        let text = serde_json::to_vec(self)?;
        let size = size_of::<DescriptionChunk>();
        Ok(text
            .chunks(size)
            .map(|part| {
                let mut chunk = [0; size_of::<DescriptionChunk>()];
                chunk[..part.len()].copy_from_slice(part);
                chunk
            })
            .collect())
    }

    /// Reads the description from its map.
    pub(crate) fn read(map: MapData) -> Result<Self, DescriptionError> {
        let read = || -> Result<Vec<DescriptionChunk>, aya::maps::MapError> {
            let chunks = Array::<_, DescriptionChunk>::try_from(Map::Array(map))?;
            chunks.iter().collect()
        };
        let chunks = read().map_err(MapError::read(DESCRIPTION))?;
        Ok(Self::from_chunks(chunks.into_iter())?)
    }

    /// Joins the map's values.
    fn from_chunks(chunks: impl Iterator<Item = DescriptionChunk>) -> serde_json::Result<Self> {
        let mut text: Vec<u8> = chunks.flatten().collect();
        // Cuts off the padding of the last chunk; JSON text contains no zero byte.
        text.truncate(text.iter().position(|byte| *byte == 0).unwrap_or(text.len()));
        serde_json::from_slice(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_survives_the_map_whatever_its_length() {
        for length in 0..600 {
            let description = Description {
                version: "1".repeat(length),
                pid: 1,
                loaded_at: Timestamp::UNIX_EPOCH,
                network_namespace: NetworkNamespace::current().ok(),
                policy_file: "/etc/op25b/policy.yaml".into(),
                policy_sha256: "00".into(),
                interfaces: vec![InterfaceSummary {
                    name: "eth1".into(),
                    role: "subscriber".into(),
                }],
                pools: vec![PoolSummary {
                    name: "a".into(),
                    mode: "enforce".into(),
                    prefixes: 1,
                    remembered: true,
                }],
                reached: ReachedDates::default(),
                pool_prefixes: vec![vec!["198.51.100.0/24".parse().unwrap()]],
                relays: 1,
                exemptions: 1,
                exemption_ends: vec![Timestamp::UNIX_EPOCH],
            };
            let described = Described::new(description, RecordLayout::empty());
            let chunks = described.to_chunks().unwrap();
            assert_eq!(Described::from_chunks(chunks.into_iter()).unwrap(), described);
        }
    }

    #[test]
    fn a_description_of_an_earlier_version_names_no_network_namespace() {
        let text = r#"{"version":"0.1.0","pid":1,"loaded_at":"2026-01-01T00:00:00Z","policy_file":"/p","policy_sha256":"00",
            "pools":[],"relays":0,"exemptions":0,"exemption_ends":[]}"#;
        let description: Description = serde_json::from_str(text).unwrap();
        assert_eq!(description.network_namespace, None);
    }
}
