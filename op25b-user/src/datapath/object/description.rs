//! The description of a loaded filter: JSON in one of its maps, which exists as long as the filter does.
//!
//! It names the policy that a program found in the kernel enforces, without a file that could be stale.

mod exemption_ends;

use std::{
    fmt,
    net::IpAddr,
    path::{self, Path, PathBuf},
};

use aya::maps::{Array, Map, MapData};
use ipnet::IpNet;
use jiff::Timestamp;
use op25b_common::{
    names::DESCRIPTION,
    values::{DescriptionChunk, UnixSeconds},
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

pub use self::exemption_ends::ExemptionEnds;
use super::layout::Layout;
use crate::{
    datapath::{
        stats::{PoolSlots, RecordLayout},
        sys::{bpf::map::MapError, network_namespace::NetworkNamespace},
    },
    policy::{Handling, Pauses, ReachedDates},
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
    /// The lists that the file names, as absolute paths.
    #[serde(default)]
    pub lists: Vec<PathBuf>,
    /// What had the policy loaded; none if an earlier version loaded it.
    #[serde(default)]
    pub loaded_by: Option<LoadedBy>,
    /// The directories of the process that loaded it, and its store; none if an earlier version loaded it.
    #[serde(default)]
    pub directories: Option<Directories>,
    /// The interfaces of the policy.
    #[serde(default)]
    pub interfaces: Vec<InterfaceSummary>,
    /// The pools, in the policy's order.
    pub pools: Vec<PoolSummary>,
    /// The dates of pools that were reached.
    #[serde(default)]
    pub reached: ReachedDates,
    /// What is done with sources in no pool, as in the policy; none if an earlier version loaded the filter.
    #[serde(default)]
    pub unlisted: Option<String>,
    /// The pauses. The program ends them by itself: those whose end is past are over.
    #[serde(flatten)]
    pub pauses: Pauses,
    /// The prefixes of each of them.
    #[serde(default)]
    pub pool_prefixes: Vec<Vec<IpNet>>,
    /// How many relays there are.
    pub relays: usize,
    /// How many exemptions there are.
    pub exemptions: usize,
    /// When those exemptions end.
    #[serde(flatten)]
    pub exemption_ends: ExemptionEnds,
}

/// What had a policy loaded, when and for whom. A generation that is loaded again for the store keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoadedBy {
    /// When the policy was read.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `start`, `reload`, `SIGHUP` or `watch`.
    pub what: String,
    /// The user who asked for it at the control socket.
    #[serde(default)]
    pub uid: Option<u32>,
    /// That user's name; the number if the system has none.
    #[serde(default)]
    pub user: Option<String>,
}

/// The directories of a daemon, as absolute paths, and the store in one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directories {
    /// Where its filter is pinned.
    pub pins: PathBuf,
    /// Where its control socket is.
    pub runtime: PathBuf,
    /// Where its store of exemptions is.
    pub state: PathBuf,
    /// The identity of that store; none as long as it could not be read.
    #[serde(default)]
    pub store: Option<String>,
}

/// An interface of the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceSummary {
    /// The interface's name in the policy.
    pub name: String,
    /// Its role, as in the policy.
    pub role: String,
    /// Its XDP mode, as in the policy; none if an earlier version loaded the filter.
    #[serde(default)]
    pub xdp: Option<String>,
    /// Whether it may be missing; none if an earlier version loaded the filter.
    #[serde(default)]
    pub wait: Option<bool>,
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
    /// When enforcement towards every destination begins, as in the policy.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub enforce_from: Option<Timestamp>,
    /// Its phases, as in the policy; empty for a pool that is enforced or monitored as a whole.
    #[serde(default)]
    pub phases: Vec<PhaseSummary>,
}

/// A phase of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PhaseSummary {
    /// When it begins; null for one without a date.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// To how many destination prefixes it is restricted; 0 for every destination.
    pub only_to: usize,
    /// An address that it has and those before it have not, for which the tables are asked.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub sample: Option<IpAddr>,
}

/// Earlier versions remember all pools' subscribers.
fn yes() -> bool {
    true
}

impl Description {
    /// The description of a filter whose policy file this process loads now, without anything of the policy.
    #[must_use]
    pub fn new(policy_file: impl Into<PathBuf>) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            loaded_at: Timestamp::now(),
            network_namespace: None,
            policy_file: policy_file.into(),
            policy_sha256: String::new(),
            lists: Vec::new(),
            loaded_by: None,
            directories: None,
            interfaces: Vec::new(),
            pools: Vec::new(),
            reached: ReachedDates::default(),
            unlisted: None,
            pauses: Pauses::default(),
            pool_prefixes: Vec::new(),
            relays: 0,
            exemptions: 0,
            exemption_ends: ExemptionEnds::default(),
        }
    }

    /// When the policy was loaded. A generation that is loaded again for the store or a pause has the same policy.
    #[must_use]
    pub fn policy_loaded_at(&self) -> Timestamp {
        self.loaded_by.as_ref().map_or(self.loaded_at, |by| by.at)
    }

    /// Until when sources in no pool pass that the policy has dropped, as the program represents it: the end of a pause of everything.
    #[must_use]
    pub fn unlisted_paused_until(&self) -> Option<UnixSeconds> {
        let is_dropped = self.unlisted.as_deref() == Some(Handling::Drop.name());
        let pause = self.pauses.of_everything().filter(|_| is_dropped);
        pause.map(|pause| pause.end().unix_seconds())
    }
}

impl Directories {
    /// Those of this process, whose store is not open yet; `None` if one has a name that is not UTF-8, which JSON cannot have.
    #[must_use]
    pub fn new(pins: &Path, runtime: &Path, state: &Path) -> Option<Self> {
        let named = |directory: &Path| {
            let absolute = path::absolute(directory).ok()?;
            absolute.to_str().map(PathBuf::from)
        };
        Some(Self {
            pins: named(pins)?,
            runtime: named(runtime)?,
            state: named(state)?,
            store: None,
        })
    }
}

impl LoadedBy {
    /// Something that asks for itself, now.
    #[must_use]
    pub fn now(what: &str) -> Self {
        Self {
            at: Timestamp::now(),
            what: what.to_owned(),
            uid: None,
            user: None,
        }
    }
}

impl fmt::Display for LoadedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match (&self.user, self.uid) {
            (Some(user), Some(uid)) if *user != uid.to_string() => write!(f, " by {user} (uid {uid})"),
            (_, Some(uid)) => write!(f, " by uid {uid}"),
            (Some(user), None) => write!(f, " by {user}"),
            (None, None) => Ok(()),
        }
    }
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
    /// The slots of pools in the map of their counters; none if an earlier version loaded the filter.
    #[serde(default)]
    pub(crate) pool_slots: PoolSlots,
}

impl Described {
    /// The content for a filter that this op25b loads.
    pub(crate) fn new(description: Description, records: RecordLayout) -> Self {
        Self {
            description,
            layout: Layout::current(),
            records: Some(records),
            pool_slots: PoolSlots::default(),
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
                network_namespace: NetworkNamespace::current().ok(),
                lists: vec!["/etc/op25b/customers.csv".into()],
                loaded_by: Some(LoadedBy::now("start")),
                directories: Directories::new(
                    Path::new("/sys/fs/bpf/op25b"),
                    Path::new("/run/op25b"),
                    Path::new("/var/lib/op25b"),
                ),
                interfaces: vec![InterfaceSummary {
                    name: "eth1".into(),
                    role: "subscriber".into(),
                    xdp: Some("auto".into()),
                    wait: Some(true),
                }],
                pools: vec![PoolSummary {
                    name: "a".into(),
                    mode: "enforce".into(),
                    prefixes: 1,
                    remembered: true,
                    enforce_from: Some(Timestamp::UNIX_EPOCH),
                    phases: Vec::new(),
                }],
                pool_prefixes: vec![vec!["198.51.100.0/24".parse().unwrap()]],
                relays: 1,
                exemptions: 1,
                exemption_ends: [Timestamp::UNIX_EPOCH].into_iter().collect(),
                ..Description::new("/etc/op25b/policy.yaml")
            };
            let described = Described::new(description, RecordLayout::empty());
            let chunks = described.to_chunks().unwrap();
            assert_eq!(Described::from_chunks(chunks.into_iter()).unwrap(), described);
        }
    }

    #[test]
    fn a_description_of_an_earlier_version_lacks_what_that_did_not_know() {
        let text = r#"{"version":"0.1.0","pid":1,"loaded_at":"2026-01-01T00:00:00Z","policy_file":"/p","policy_sha256":"00",
            "interfaces":[{"name":"eth1","role":"subscriber"}],"pools":[{"name":"a","mode":"enforce","prefixes":1}],
            "relays":0,"exemptions":0,"exemption_ends":[]}"#;
        let description: Description = serde_json::from_str(text).unwrap();
        assert_eq!(description.network_namespace, None);
        assert_eq!(
            (description.loaded_by, description.lists, description.directories),
            (None, Vec::<PathBuf>::new(), None)
        );
        let interface = &description.interfaces[0];
        assert_eq!((&interface.xdp, interface.wait), (&None, None));
        assert_eq!(description.pools[0].enforce_from, None);
    }

    #[test]
    fn who_had_a_policy_loaded_is_named_with_the_number_unless_that_is_the_name() {
        let by = |user: Option<&str>, uid| {
            let loaded_by = LoadedBy {
                uid,
                user: user.map(str::to_owned),
                ..LoadedBy::now("reload")
            };
            loaded_by.to_string()
        };
        assert_eq!(by(None, None), "reload");
        assert_eq!(by(Some("alice"), Some(1000)), "reload by alice (uid 1000)");
        assert_eq!(by(Some("1000"), Some(1000)), "reload by uid 1000");
    }
}
