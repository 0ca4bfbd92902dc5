//! A filter loaded by this process: it lives as long as the value does.

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray},
    programs::ProgramInfo,
};
use aya_log::EbpfLogger;
use op25b_common::{
    Reason,
    names::{CLOCK, COUNTERS, DECISION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM},
    values::Decision,
};

use serde::{Serialize, Serializer};

use super::{Description, LoadError, LoadOptions, change::Tables, clock, load};
use crate::policy::{Compiled, Role, table::Used};

/// Packets by reason, summed over all CPUs; only counted reasons appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(Vec<(Reason, u64)>);

impl Counters {
    /// Reads the counters' map.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub(super) fn read(map: &Map, role: Role) -> Result<Self, MapError> {
        let counters = PerCpuArray::<&MapData, u64>::try_from(map)?;
        #[expect(clippy::cast_possible_truncation, reason = "there are eleven reasons")]
        let first = match role {
            Role::Subscriber => 0,
            Role::Uplink => Reason::COUNT as u32,
        };
        let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
        counted
            .map(|reason| Ok((reason, counters.get(&(first + reason as u32), 0)?.iter().sum())))
            .collect::<Result<_, MapError>>()
            .map(Self)
    }

    /// The counted reasons in the order of the verdict table, each with its packets.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.0.iter().copied()
    }

    /// The packets judged for this reason, 0 for one that is not counted.
    #[must_use]
    pub fn packets(&self, reason: Reason) -> u64 {
        self.iter()
            .find(|(counted, _)| *counted == reason)
            .map_or(0, |(_, packets)| packets)
    }
}

/// An object with one member for each reason, in the order of the verdict table.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|(reason, packets)| (reason.name(), packets)))
    }
}

/// A program with its policy in the kernel. Dropping it detaches and removes everything.
#[derive(Debug)]
pub struct Filter {
    ebpf: Ebpf,
    /// What is looked into, by the interface's name: the program goes by indices, which are known when it is attached.
    tunnels: Vec<(String, u8)>,
    pub(super) tables: Tables,
}

impl Filter {
    /// Loads the program with a compiled policy; nothing is attached yet.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; nothing is left in the kernel then.
    pub fn load(
        compiled: &Compiled,
        description: &Description,
        options: LoadOptions,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            ebpf: load::load(compiled, description, options)?,
            tunnels: compiled.tunnels.clone(),
            tables: Tables::new(Used::by(&compiled.tables)),
        })
    }

    /// What the kernel says of the loaded program for interfaces of this role.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn program_info(&mut self, role: Role) -> Result<ProgramInfo, LoadError> {
        Ok(self.program(role)?.info()?)
    }

    pub(super) fn program(&mut self, role: Role) -> Result<&mut aya::programs::Xdp, LoadError> {
        load::program(&mut self.ebpf, program_name(role))
    }

    /// Looks into tunnels on the interface of this name and index as the policy says.
    pub(super) fn set_tunnels(&mut self, name: &str, index: u32) -> Result<(), LoadError> {
        match self.tunnels.iter().find(|(interface, _)| interface == name) {
            Some((_, kinds)) => load::fill_tunnels(&mut self.ebpf, index, *kinds),
            None => Ok(()),
        }
    }

    /// Looks into all tunnels that any interface does on the one of this index.
    pub(super) fn set_all_tunnels(&mut self, index: u32) -> Result<(), LoadError> {
        let kinds = self.tunnels.iter().fold(0, |all, (_, kinds)| all | kinds);
        load::fill_tunnels(&mut self.ebpf, index, kinds)
    }

    pub(super) fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    pub(super) fn map(&self, name: &'static str) -> Result<&Map, LoadError> {
        self.ebpf.map(name).ok_or(LoadError::Missing { name })
    }

    /// The packets judged so far on interfaces of this role.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn counters(&self, role: Role) -> Result<Counters, LoadError> {
        Counters::read(self.map(COUNTERS)?, role).map_err(|source| LoadError::Fill {
            map: COUNTERS,
            source,
        })
    }

    /// Tells the program the time of day anew, for when the system's clock was set.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn refresh_clock(&mut self) -> Result<(), LoadError> {
        load::fill_array(&mut self.ebpf, CLOCK, &[clock::boot_to_unix()?])
    }

    pub(super) fn set_decision(&mut self, decision: Decision) -> Result<(), LoadError> {
        load::fill_array(&mut self.ebpf, DECISION, &[decision])
    }

    /// The reader of the program's diagnostics, which writes to the process's logger.
    ///
    /// # Errors
    ///
    /// aya-log's, if it was taken before.
    pub fn take_diagnostics(&mut self) -> Result<EbpfLogger<&'static dyn log::Log>, aya_log::Error> {
        EbpfLogger::init(&mut self.ebpf)
    }
}

/// The name of the program for interfaces of this role.
pub(super) fn program_name(role: Role) -> &'static str {
    match role {
        Role::Subscriber => SUBSCRIBER_PROGRAM,
        Role::Uplink => UPLINK_PROGRAM,
    }
}
