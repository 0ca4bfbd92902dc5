//! A filter loaded by this process; dropping the value unloads it unless it is pinned or attached.

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
    Reason,
    event::ShowEvents,
    names::{CLOCK, EVENT_COUNTS, EVENTS, SUBSCRIBER_PROGRAM, UPLINK_PROGRAM},
};

use super::{
    description::Description,
    error::LoadError,
    load::{self, LoadOptions, Reused},
    maps,
    store_revision::StoreRevision,
    tables::Tables,
    tunnels::Tunnels,
};
use crate::{
    datapath::{
        events::{EventCounts, EventReader},
        stats::{PoolSlots, RecordLayout},
    },
    lpm::Usage,
    policy::{Compiled, Handling, Role},
};

/// A program with its policy in the kernel. Dropping it unloads it, unless a link or a pin holds it.
#[derive(Debug)]
pub struct Filter {
    ebpf: Ebpf,
    pub(super) tunnels: Tunnels,
    /// The layout of the subscribers' records.
    pub(crate) records: RecordLayout,
    /// The slots of pools in the map of their counters.
    pub(super) pool_slots: PoolSlots,
    /// The names of the policy's pools, in its order.
    pub(super) pools: Vec<String>,
    tables: Tables,
    /// The policy's constants in the program.
    constants: Compiled,
    /// Which revision of the exemption store it enforces; none for a program for test runs.
    store_revision: Option<StoreRevision>,
}

impl Filter {
    /// Loads the program with a compiled policy, attached to no interface.
    pub fn load(
        compiled: &Compiled,
        description: &Description,
        options: LoadOptions,
    ) -> Result<Self, LoadError> {
        Self::load_with(compiled, description, options, &Reused::default())
    }

    /// Loads the program, sharing maps of a filter before.
    pub fn load_with(
        compiled: &Compiled,
        description: &Description,
        options: LoadOptions,
        reused: &Reused,
    ) -> Result<Self, LoadError> {
        let (ebpf, pool_slots) = load::load(compiled, description, options, reused)?;
        Ok(Self {
            ebpf,
            pool_slots,
            pools: description.pools.iter().map(|pool| pool.name.clone()).collect(),
            tunnels: Tunnels::new(&compiled.settings),
            records: RecordLayout::of(compiled),
            tables: Tables::new(Usage::of(&compiled.tables)),
            constants: compiled.without_tables(),
            store_revision: Some(StoreRevision::create()?),
        })
    }

    /// Loads the object once more, with the maps of this filter's policy that are pinned in a directory, recording decisions.
    pub(crate) fn beside(&self, pinned: &Path) -> Result<Ebpf, LoadError> {
        let maps = load::POLICY_MAPS.map(|name| (name, pinned.join(name)));
        load::create_beside(&self.constants, &Reused::maps(maps.into()))
    }

    /// The kernel's information on the loaded program for interfaces of this role.
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

    pub(crate) fn ebpf_mut(&mut self) -> &mut Ebpf {
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

    /// Notes which revision of the exemption store the filter enforces.
    pub(crate) fn set_store_revision(&mut self, revision: u64) -> Result<(), LoadError> {
        match &mut self.store_revision {
            Some(map) => Ok(map.set(revision)?),
            None => Ok(()),
        }
    }

    /// The map with the revision of the exemption store.
    pub(crate) fn store_revision_fd(&self) -> Option<BorrowedFd<'_>> {
        self.store_revision.as_ref().and_then(StoreRevision::fd)
    }

    /// Sets the offset of the time of day from the boot-time clock, in nanoseconds.
    pub fn set_clock(&mut self, boot_to_unix: i64) -> Result<(), LoadError> {
        maps::fill_array(&mut self.ebpf, CLOCK, &[boot_to_unix])
    }

    /// Whether packets with this reason that come in on interfaces of this role have events: each is shown, lost or sampled out.
    #[must_use]
    pub fn has_events(&self, role: Role, reason: Reason) -> bool {
        let Compiled {
            show_events,
            unlisted,
            ..
        } = &self.constants;
        *show_events != ShowEvents::None
            && match reason {
                Reason::Blocked | Reason::Monitored | Reason::Uninspectable => true,
                Reason::Exempt => *show_events == ShowEvents::FilteredAndExempt,
                Reason::NotPooled => *unlisted == Handling::Drop && role == Role::Subscriber,
                _ => false,
            }
    }

    /// The reader of its events. It can be taken once; `None` if it has been, or if there are no events.
    pub fn take_events(&mut self) -> Result<Option<EventReader>, LoadError> {
        if self.constants.show_events == ShowEvents::None {
            return Ok(None);
        }
        let map = self.ebpf.take_map(EVENTS);
        Ok(map.map(EventReader::new).transpose()?)
    }

    /// How many events there were.
    pub fn event_counts(&self) -> Result<EventCounts, LoadError> {
        Ok(EventCounts::read(self.map(EVENT_COUNTS)?)?)
    }

    /// The reader of the program's diagnostics, which writes to a logger. It can be taken once.
    pub fn take_diagnostics<T: log::Log>(&mut self, logger: T) -> Result<EbpfLogger<T>, aya_log::Error> {
        EbpfLogger::init_with_logger(&mut self.ebpf, logger)
    }
}

/// The name of the program for interfaces of this role.
pub(crate) fn program_name(role: Role) -> &'static str {
    match role {
        Role::Subscriber => SUBSCRIBER_PROGRAM,
        Role::Uplink => UPLINK_PROGRAM,
    }
}
