//! Asks a filter that another process loaded: by its program on an interface, whether or not anything is pinned.

use std::{collections::BTreeMap, io, os::fd::AsFd as _};

use aya::{
    maps::{MapData, MapInfo},
    programs::{ProgramError, ProgramInfo, loaded_programs},
};
use op25b_common::names::{DESCRIPTION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};
use thiserror::Error;

use super::Asker;
use crate::{
    datapath::{
        object::{Described, Description, LoadError, POLICY_MAPS, Reused, create_as, program_name},
        sys::{
            bpf::{
                self,
                map::{MapError, MapOp},
            },
            bpffs::detached::DetachedBpffs,
        },
    },
    policy::Role,
};

/// What the names of the maps with a program's constants begin with.
const CONSTANTS: &str = ".rodata";

/// A program of op25b in the kernel.
#[derive(Debug)]
pub struct AttachedProgram {
    /// Its id.
    pub id: u32,
    /// The role of the interfaces that it is for.
    pub role: Role,
    info: ProgramInfo,
}

/// Why a filter cannot be asked.
#[derive(Debug, Error)]
pub enum AskError {
    /// The programs cannot be read.
    #[error("cannot read the BPF programs in the kernel (this needs root: CAP_SYS_ADMIN)")]
    Programs(#[source] ProgramError),
    /// Its maps cannot be read.
    #[error("cannot read the maps of program {program_id} (this needs root: CAP_SYS_ADMIN)")]
    Maps {
        /// The program.
        program_id: u32,
        /// The kernel's answer.
        source: MapError,
    },
    /// No file system for the maps can be made.
    #[error("cannot give the maps of program {program_id} a path (this needs root: CAP_SYS_ADMIN)")]
    Path {
        /// The program.
        program_id: u32,
        /// The kernel's answer.
        source: io::Error,
    },
    /// Another op25b loaded it.
    #[error(
        "program {program_id} was loaded by {}, which this op25b ({}) cannot ask: use that one, or enforce with this one \
         (`systemctl restart op25b`)",
        loader(version.as_deref()),
        env!("CARGO_PKG_VERSION")
    )]
    OtherBuild {
        /// The program.
        program_id: u32,
        /// The version that loaded it, if that can be read.
        version: Option<String>,
    },
    /// It cannot be loaded once more.
    #[error(transparent)]
    Load(#[from] LoadError),
}

/// What loaded a program that this op25b does not have.
fn loader(version: Option<&str>) -> String {
    match version {
        None => "another version of op25b".to_owned(),
        Some(env!("CARGO_PKG_VERSION")) => "another build of op25b".to_owned(),
        Some(version) => format!("another version of op25b, {version}"),
    }
}

/// The programs of op25b in the kernel, of every network namespace.
pub fn attached_programs() -> Result<Vec<AttachedProgram>, AskError> {
    let mut programs = Vec::new();
    for info in loaded_programs() {
        let info = match info {
            // It was unloaded after it was listed.
            Err(ProgramError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => {
                continue;
            }
            info => info.map_err(AskError::Programs)?,
        };
        let role = match info.name_as_str() {
            Some(SUBSCRIBER_PROGRAM) => Role::Subscriber,
            Some(UPLINK_PROGRAM) => Role::Uplink,
            _ => continue,
        };
        programs.push(AttachedProgram {
            id: info.id(),
            role,
            info,
        });
    }
    Ok(programs)
}

impl AttachedProgram {
    /// The description of its filter; an error if this op25b cannot read it.
    pub fn description(&self) -> Result<Description, AskError> {
        let maps = self.maps()?;
        let id = maps.get(DESCRIPTION).map(MapInfo::id);
        let map = id.ok_or_else(|| self.other_build(None))?;
        let map = MapData::from_id(map).map_err(|source| self.unreadable(DESCRIPTION, source))?;
        let described = Described::read(map).map_err(|_| self.other_build(None))?;
        Ok(described.description)
    }

    /// Loads the same program over the same maps, to be asked. `description` is that of its filter, and `all` are the programs in
    /// the kernel, of which another one of its filter may have maps that this one does not use.
    pub fn asker(&self, description: &Description, all: &[Self]) -> Result<Asker, AskError> {
        let other_build = || self.other_build(Some(description));
        let mut maps = self.maps()?;
        for other in all.iter().filter(|other| other.id != self.id) {
            // One that is gone by now had nothing that this one uses.
            let others = other.maps().unwrap_or_default();
            let id = |maps: &BTreeMap<String, MapInfo>| maps.get(DESCRIPTION).map(MapInfo::id);
            if id(&others) == id(&maps) {
                for (name, map) in others {
                    maps.entry(name).or_insert(map);
                }
            }
        }
        let file_system = DetachedBpffs::new().map_err(|source| self.without_path(source))?;
        let mut policy_maps = Vec::new();
        for name in POLICY_MAPS {
            // None of the filter's programs that are left uses one that is missing.
            if let Some(map) = self.open(&maps, name)? {
                let path = file_system.pin(map.fd().as_fd(), name);
                policy_maps.push((name, path.map_err(|source| self.without_path(source))?));
            }
        }
        let mut constants = BTreeMap::new();
        for (name, info) in &maps {
            if name.starts_with(CONSTANTS) {
                let map = MapData::from_id(info.id()).map_err(|source| self.unreadable(name, source))?;
                let value = bpf::only_value(map.fd().as_fd(), info.value_size());
                let value = value.map_err(|source| self.without_path(source))?;
                constants.insert(name.clone(), value);
            }
        }
        let ebpf = create_as(&constants, &Reused::maps(policy_maps))?.ok_or_else(other_build)?;
        let mut asker = Asker::new(ebpf);
        asker.prepare(self.role)?;
        // The kernel's digest of the instructions, before it takes out what the constants rule out.
        if asker.tag(self.role)? != self.info.tag() {
            return Err(other_build());
        }
        Ok(asker)
    }

    /// Its maps, by name.
    fn maps(&self) -> Result<BTreeMap<String, MapInfo>, AskError> {
        let ids = self.info.map_ids().map_err(AskError::Programs)?;
        let mut maps = BTreeMap::new();
        for id in ids.unwrap_or_default() {
            let info = MapInfo::from_id(id).map_err(|source| self.unreadable(&id.to_string(), source))?;
            if let Some(name) = info.name_as_str() {
                maps.insert(name.to_owned(), info);
            }
        }
        Ok(maps)
    }

    fn open(&self, maps: &BTreeMap<String, MapInfo>, name: &str) -> Result<Option<MapData>, AskError> {
        let map = maps.get(name).map(|info| MapData::from_id(info.id()));
        map.transpose().map_err(|source| self.unreadable(name, source))
    }

    fn unreadable(&self, name: &str, source: aya::maps::MapError) -> AskError {
        AskError::Maps {
            program_id: self.id,
            source: MapError {
                op: MapOp::Read,
                name: name.to_owned().into(),
                source,
            },
        }
    }

    fn without_path(&self, source: io::Error) -> AskError {
        AskError::Path {
            program_id: self.id,
            source,
        }
    }

    fn other_build(&self, description: Option<&Description>) -> AskError {
        AskError::OtherBuild {
            program_id: self.id,
            version: description.map(|description| description.version.clone()),
        }
    }
}

impl Asker {
    /// The kernel's digest of the program for this role.
    fn tag(&mut self, role: Role) -> Result<u64, LoadError> {
        let program = crate::datapath::object::program(&mut self.ebpf, program_name(role))?;
        Ok(program.info()?.tag())
    }
}
