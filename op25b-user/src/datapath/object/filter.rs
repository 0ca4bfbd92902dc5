//! A filter loaded by this process, which is gone with the value unless it is pinned.

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    path::Path,
};

use aya::{
    Ebpf,
    maps::{Map, MapData},
    programs::ProgramInfo,
};
use aya_log::EbpfLogger;
use op25b_common::{
    names::{CLOCK, DECISION, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM},
    values::Decision,
};

use super::{
    description::Description,
    error::LoadError,
    load::{self, LoadOptions, Reused},
    maps,
    tables::Tables,
};
use crate::{
    datapath::stats::RecordLayout,
    lpm::Used,
    policy::{Compiled, Role},
};

/// A program with its policy in the kernel. Dropping it removes it, unless a link or a pin holds it.
#[derive(Debug)]
pub struct Filter {
    ebpf: Ebpf,
    /// What is looked into, by the interface's name: the program goes by indices, which are known when it is attached.
    tunnels: Vec<(String, u8)>,
    /// Whose records are where.
    pub(crate) records: RecordLayout,
    tables: Tables,
    /// What was compiled into the program.
    constants: Compiled,
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
        Self::load_with(compiled, description, options, &Reused::default())
    }

    /// The same with maps of a filter before.
    ///
    /// # Errors
    ///
    /// [`LoadError`]; nothing is left in the kernel then.
    pub fn load_with(
        compiled: &Compiled,
        description: &Description,
        options: LoadOptions,
        reused: &Reused,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            ebpf: load::load(compiled, description, options, reused)?,
            tunnels: compiled.tunnels.clone(),
            records: RecordLayout::of(compiled),
            tables: Tables::new(Used::by(&compiled.tables)),
            constants: compiled.without_tables(),
        })
    }

    /// Loads the program once more to read this one's policy, from the maps that are pinned in a directory.
    pub(crate) fn beside(&self, pinned: &Path) -> Result<Self, LoadError> {
        let maps = load::POLICY_MAPS.map(|name| (name, pinned.join(name)));
        let policy_maps = Reused(maps.into());
        Ok(Self {
            ebpf: load::load_beside(&self.constants, &policy_maps)?,
            tunnels: Vec::new(),
            records: RecordLayout::of(&self.constants),
            tables: Tables::new(Used::by(&self.constants.tables)),
            constants: self.constants.clone(),
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

    pub(crate) fn program(&mut self, role: Role) -> Result<&mut aya::programs::Xdp, LoadError> {
        load::program(&mut self.ebpf, program_name(role))
    }

    pub(crate) fn program_fd(&mut self, role: Role) -> Result<BorrowedFd<'_>, LoadError> {
        Ok(self.program(role)?.fd()?.as_fd())
    }

    pub(crate) fn map_fd(&self, name: &'static str) -> Result<BorrowedFd<'_>, LoadError> {
        Ok(self.map_data(name)?.fd().as_fd())
    }

    /// One of the maps that outlive a filter or describe it.
    pub(crate) fn map_data(&self, name: &'static str) -> Result<&MapData, LoadError> {
        maps::data(self.map(name)?).ok_or(LoadError::Missing { name })
    }

    /// Looks into tunnels on the interface of this name and index as the policy says.
    pub(crate) fn set_tunnels(&mut self, name: &str, index: u32) -> Result<(), LoadError> {
        match self.tunnels.iter().find(|(interface, _)| interface == name) {
            Some((_, kinds)) => maps::fill_tunnels(&mut self.ebpf, index, *kinds),
            None => Ok(()),
        }
    }

    /// Forgets the tunnels of an interface that is gone.
    pub(crate) fn forget_tunnels(&mut self, index: u32) -> Result<(), LoadError> {
        maps::forget_tunnels(&mut self.ebpf, index)
    }

    /// Looks into all tunnels that any interface does on the one of this index.
    pub(crate) fn set_all_tunnels(&mut self, index: u32) -> Result<(), LoadError> {
        let kinds = self.tunnels.iter().fold(0, |all, (_, kinds)| all | kinds);
        maps::fill_tunnels(&mut self.ebpf, index, kinds)
    }

    pub(super) fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// The object and its tables.
    pub(super) fn parts_mut(&mut self) -> (&mut Ebpf, &mut Tables) {
        (&mut self.ebpf, &mut self.tables)
    }

    pub(super) fn ebpf(&self) -> &Ebpf {
        &self.ebpf
    }

    pub(crate) fn map(&self, name: &'static str) -> Result<&Map, LoadError> {
        maps::map(&self.ebpf, name)
    }

    /// Tells the program by how much the time of day, as Unix time in nanoseconds, is ahead of the boot-time clock.
    ///
    /// # Errors
    ///
    /// The kernel's answer.
    pub fn set_clock(&mut self, boot_to_unix: i64) -> Result<(), LoadError> {
        maps::fill_array(&mut self.ebpf, CLOCK, &[boot_to_unix])
    }

    pub(crate) fn set_decision(&mut self, decision: Decision) -> Result<(), LoadError> {
        maps::fill_array(&mut self.ebpf, DECISION, &[decision])
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
pub(crate) fn program_name(role: Role) -> &'static str {
    match role {
        Role::Subscriber => SUBSCRIBER_PROGRAM,
        Role::Uplink => UPLINK_PROGRAM,
    }
}
