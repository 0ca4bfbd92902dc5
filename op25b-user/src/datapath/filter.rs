//! A filter loaded by this process: it lives as long as the value does.

use aya::{
    Ebpf,
    maps::{Map, MapData, MapError, PerCpuArray},
    programs::ProgramInfo,
};
use aya_log::EbpfLogger;
use op25b_common::{
    Reason,
    names::{CLOCK, COUNTERS, DECISION},
    values::Decision,
};

use serde::{Serialize, Serializer};

use super::{Description, LoadError, LoadOptions, clock, load};
use crate::policy::Compiled;

/// Packets by reason, summed over all CPUs; only counted reasons appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counters(Vec<(Reason, u64)>);

impl Counters {
    /// Reads the counters' map.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub(super) fn read(map: &Map) -> Result<Self, MapError> {
        let counters = PerCpuArray::<&MapData, u64>::try_from(map)?;
        let counted = Reason::ALL.into_iter().filter(|reason| reason.is_counted());
        counted
            .map(|reason| Ok((reason, counters.get(&(reason as u32), 0)?.iter().sum())))
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
        })
    }

    /// What the kernel says of the loaded program.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn program_info(&mut self) -> Result<ProgramInfo, LoadError> {
        Ok(self.program()?.info()?)
    }

    pub(super) fn program(&mut self) -> Result<&mut aya::programs::Xdp, LoadError> {
        load::program(&mut self.ebpf)
    }

    pub(super) fn map(&self, name: &'static str) -> Result<&Map, LoadError> {
        self.ebpf.map(name).ok_or(LoadError::Missing { name })
    }

    /// The packets judged so far.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn counters(&self) -> Result<Counters, LoadError> {
        Counters::read(self.map(COUNTERS)?).map_err(|source| LoadError::Fill {
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
