//! Loads the program with the tables of a compiled policy into the kernel, attached to no interface.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use aya::{
    Ebpf, EbpfError, EbpfLoader,
    maps::MapType,
    programs::{ProgramError, Xdp},
};
use aya_obj::generated::bpf_map_type;
use op25b_common::{
    MAX_BLOCKED_PORTS,
    counters::{OTHER_POOLS, POOL_SLOTS},
    event::{SENDER_SETS, ShowEvents},
    framing::{ETHERTYPE_VLAN, MAX_VLAN_TPIDS, MPLS_HERE},
    keys::{AddressV4, AddressV6},
    names::{
        ACTION, ALLOWANCE_DEPTHS, ALLOWANCE_INTERVALS, ANSWER_BURST, ANSWER_INTERVAL, BLOCK_INBOUND,
        BLOCKED_PORT_COUNT, BLOCKED_PORTS, CLASSES, CLOCK, COUNT_EXEMPT, DESCRIPTION, DESTINATIONS_V4,
        DESTINATIONS_V6, DROP_UNINSPECTABLE, DROP_UNLISTED, EVENT_SENDERS, EVENTS, EXEMPT_SYNS, LOG_LEVEL,
        MATCH_NEW, MPLS, PAGES, PATHS, PHASES, POOL_COUNTERS, ROOTS, ROUTER_V4, ROUTER_V6, SHOW_EVENTS,
        SLOT_OF_POOL, SPARSE, SUBSCRIBER_BITS, SUBSCRIBER_PROGRAM, SUBSCRIBERS, SUBSCRIBERS_LRU, TRACE,
        TUNNELS, TUNNELS_BY_IF, UPLINK_PROGRAM, VLAN_TPIDS,
    },
    values::SubscriberBlock,
};

use super::{
    description::{Described, Description},
    error::LoadError,
    filter::program_name,
    image,
    maps::{copy_to_array, fill_array, fill_trie, map_mut},
};
use crate::{
    datapath::{
        events::Allowances,
        stats::{PoolSlots, RecordLayout, clear_slots, lru_entries},
        sys::{
            bpf::{
                map::{Shape, max_entries},
                possible_cpus::{CpusError, possible_cpus},
            },
            clock,
        },
    },
    policy::{Compiled, Handling, Prohibit, Role},
};

/// The program, compiled by the build script; aligned as the ELF parser requires.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/op25b"));

/// What the program does besides enforcing the policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoadOptions {
    /// Which diagnostics the program logs; none costs nothing, because the verifier removes the code.
    pub log: LogLevel,
    /// Whether the program records each decision, for [`crate::datapath::TestRunner`].
    pub trace: bool,
}

/// How much the program logs about single packets, to find a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    #[default]
    Off,
    /// One line for a packet that is counted: of each sender one a second, and no more than there may be events.
    Debug,
}

impl LogLevel {
    /// The number that aya-log compares statements with.
    fn number(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::Debug => aya_log::Level::Debug as u8,
        }
    }
}

/// What a filter shares with the one before.
#[derive(Clone, Debug, Default)]
pub struct Reused {
    /// Maps by their names and pins; it creates all others.
    pub(crate) maps: Vec<(&'static str, PathBuf)>,
    /// The slots of pools in the map of their counters.
    pub(crate) pool_slots: PoolSlots,
    /// The names of the pools that are counted there as long as filters before run.
    pub(crate) pools_in_use: BTreeSet<String>,
}

impl Reused {
    /// These maps alone.
    pub(crate) fn maps(maps: Vec<(&'static str, PathBuf)>) -> Self {
        Self {
            maps,
            ..Self::default()
        }
    }
}

/// Loads the program with these tables. Returns the slots of pools in the map of their counters, too.
pub(crate) fn load(
    compiled: &Compiled,
    description: &Description,
    options: LoadOptions,
    reused: &Reused,
) -> Result<(Ebpf, PoolSlots), LoadError> {
    let pools = description.pools.iter().map(|pool| pool.name.as_str());
    let assigned = reused.pool_slots.assign(pools, &reused.pools_in_use);
    let described = Described {
        pool_slots: assigned.slots.clone(),
        ..Described::new(description.clone(), RecordLayout::of(compiled))
    };
    let chunks = described.to_chunks()?;
    let mut ebpf = create(compiled, &assigned.of_pools, chunks.len(), options, reused)?;
    clear_slots(map_mut(&mut ebpf, POOL_COUNTERS)?, &assigned.new)?;

    let tables = &compiled.tables;
    copy_to_array(&ebpf, ROOTS, &tables.roots)?;
    copy_to_array(&ebpf, PAGES, &tables.pages)?;
    copy_to_array(&ebpf, SPARSE, &tables.bitmap_nodes)?;
    copy_to_array(&ebpf, PATHS, &tables.paths)?;
    copy_to_array(&ebpf, CLASSES, &compiled.classes)?;
    copy_to_array(&ebpf, PHASES, &compiled.phases)?;
    fill_trie(&mut ebpf, DESTINATIONS_V4, &compiled.destinations_v4)?;
    fill_trie(&mut ebpf, DESTINATIONS_V6, &compiled.destinations_v6)?;
    fill_array(&mut ebpf, DESCRIPTION, &chunks)?;
    fill_array(&mut ebpf, CLOCK, &[clock::boot_to_unix()?])?;

    for name in [SUBSCRIBER_PROGRAM, UPLINK_PROGRAM] {
        program(&mut ebpf, name)?
            .load()
            .map_err(|error| refusal(name, error))?;
    }
    Ok((ebpf, assigned.slots))
}

/// Maps that hold the policy: another program that uses them enforces the same one.
pub(crate) const POLICY_MAPS: [&str; 10] = [
    ROOTS,
    PAGES,
    SPARSE,
    PATHS,
    CLASSES,
    PHASES,
    DESTINATIONS_V4,
    DESTINATIONS_V6,
    TUNNELS_BY_IF,
    CLOCK,
];

/// How a program is loaded that is only asked.
const ASKED: LoadOptions = LoadOptions {
    log: LogLevel::Off,
    trace: true,
};

/// Creates the object with the maps of another filter's policy, recording decisions. Its programs are loaded when they are
/// needed, by [`load_program`].
pub(crate) fn create_beside(compiled: &Compiled, policy_maps: &Reused) -> Result<Ebpf, LoadError> {
    create(compiled, &[OTHER_POOLS; POOL_SLOTS], 0, ASKED, policy_maps)
}

/// The same as another process loaded it, with the constants of its program: the content of the maps that are made of the
/// object's sections with constants, by name. None if the sections of this op25b's object have other sizes.
pub(crate) fn create_as(
    constants: &BTreeMap<String, Vec<u8>>,
    policy_maps: &Reused,
) -> Result<Option<Ebpf>, LoadError> {
    let Some(object) = image::with_constants(OBJECT, constants)? else {
        return Ok(None);
    };
    let (trace, log_level) = (u8::from(ASKED.trace), ASKED.log.number());
    let show_events = ShowEvents::None as u8;
    let mut loader = EbpfLoader::new();
    loader
        .override_global(TRACE, &trace, true)
        .override_global(SHOW_EVENTS, &show_events, true)
        .override_global(LOG_LEVEL, &log_level, true);
    for (name, path) in &policy_maps.maps {
        loader.map_pin_path(name, path.as_path());
    }
    Ok(Some(loader.load(object.bytes())?))
}

/// Loads one of an object's programs.
pub(crate) fn load_program(ebpf: &mut Ebpf, role: Role) -> Result<(), LoadError> {
    let name = program_name(role);
    program(ebpf, name)?.load().map_err(|error| refusal(name, error))
}

/// The verifier's refusal with the last lines of its log, which lists every instruction.
fn refusal(program: &'static str, error: ProgramError) -> LoadError {
    const LAST_LINES: usize = 4;
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => {
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
            LoadError::Refused {
                program,
                source: io_error,
                log: lines[lines.len().saturating_sub(LAST_LINES)..].join(" / "),
            }
        }
        error => error.into(),
    }
}

/// Creates the maps, sized to the policy, and sets the globals.
fn create(
    compiled: &Compiled,
    slot_of_pool: &[u16; POOL_SLOTS],
    chunks: usize,
    options: LoadOptions,
    reused: &Reused,
) -> Result<Ebpf, LoadError> {
    // Unused slots repeat the first port.
    let mut ports = [compiled.blocked_ports.first().copied().unwrap_or_default(); MAX_BLOCKED_PORTS];
    for (slot, port) in ports.iter_mut().zip(&compiled.blocked_ports) {
        *slot = *port;
    }
    let port_count = max_entries(compiled.blocked_ports.len().min(MAX_BLOCKED_PORTS));
    let drop_uninspectable = u8::from(compiled.drop_uninspectable);
    let drop_unlisted = u8::from(compiled.unlisted == Handling::Drop);
    let match_new = u8::from(compiled.match_new);
    let block_inbound = u8::from(compiled.block_inbound);
    let action = compiled.action as u8;
    let settings = compiled.settings.iter().fold(0, |all, (_, here)| all | here);
    let [tunnels, ..] = settings.to_le_bytes();
    let mpls = u8::from(settings & MPLS_HERE != 0);
    // Unused slots repeat the usual tag.
    let mut vlan_tpids = [ETHERTYPE_VLAN; MAX_VLAN_TPIDS];
    for (slot, tpid) in vlan_tpids.iter_mut().zip(&compiled.vlan_tpids) {
        *slot = *tpid;
    }
    let subscriber_bits = u32::from(compiled.ipv6_prefix);
    let count_exempt = u8::from(compiled.counted_exempt > 0);
    let answers = Answers::new(compiled.prohibit, compiled.reset_rate);
    let show_events = shown(compiled, options) as u8;
    let allowances = Allowances::new();
    let trace = u8::from(options.trace);
    let log_level = options.log.number();

    let sizes = sizes(compiled, chunks, options)?;

    let mut loader = EbpfLoader::new();
    loader
        .override_global(BLOCKED_PORTS, &ports[..], true)
        .override_global(BLOCKED_PORT_COUNT, &port_count, true)
        .override_global(DROP_UNINSPECTABLE, &drop_uninspectable, true)
        .override_global(DROP_UNLISTED, &drop_unlisted, true)
        .override_global(MATCH_NEW, &match_new, true)
        .override_global(BLOCK_INBOUND, &block_inbound, true)
        .override_global(ACTION, &action, true)
        .override_global(SUBSCRIBER_BITS, &subscriber_bits, true)
        .override_global(COUNT_EXEMPT, &count_exempt, true)
        .override_global(TUNNELS, &tunnels, true)
        .override_global(VLAN_TPIDS, &vlan_tpids[..], true)
        .override_global(MPLS, &mpls, true)
        .override_global(ROUTER_V4, &answers.router_v4, true)
        .override_global(ROUTER_V6, &answers.router_v6, true)
        .override_global(ANSWER_INTERVAL, &answers.interval, true)
        .override_global(ANSWER_BURST, &answers.burst, true)
        .override_global(SHOW_EVENTS, &show_events, true)
        .override_global(ALLOWANCE_INTERVALS, &allowances.intervals[..], true)
        .override_global(ALLOWANCE_DEPTHS, &allowances.depths[..], true)
        .override_global(SLOT_OF_POOL, &slot_of_pool[..], true)
        .override_global(TRACE, &trace, true)
        .override_global(LOG_LEVEL, &log_level, true);
    for (name, entries) in sizes {
        loader.map_max_entries(name, entries);
    }
    for (name, path) in &reused.maps {
        loader.map_pin_path(name, path.as_path());
    }
    Ok(loader.load(OBJECT)?)
}

/// Which packets are shown: those that a program for questions is asked about have no events.
fn shown(compiled: &Compiled, options: LoadOptions) -> ShowEvents {
    let logged = match options.log {
        LogLevel::Off => ShowEvents::None,
        LogLevel::Debug => ShowEvents::Logged,
    };
    match compiled.show_events {
        events @ (ShowEvents::Filtered | ShowEvents::FilteredAndExempt) if !options.trace => events,
        _ => logged,
    }
}

/// The maps that are sized to a policy, and how many entries each has.
fn sizes(
    compiled: &Compiled,
    chunks: usize,
    options: LoadOptions,
) -> Result<[(&'static str, u32); 14], CpusError> {
    let most = if options.trace {
        TRACED_SUBSCRIBERS
    } else {
        u32::MAX
    };
    let records = compiled
        .record_index
        .end
        .max(compiled.record_index_v6.end)
        .min(most as usize);
    let possible_cpus = possible_cpus()?;
    let lru_records = lru_entries(&compiled.lru_v6, possible_cpus).min(most);
    let shown = shown(compiled, options);
    let has_events = !matches!(shown, ShowEvents::None | ShowEvents::Logged);
    Ok([
        (PAGES, with_room(compiled.tables.pages.len())),
        (SPARSE, with_room(compiled.tables.bitmap_nodes.len())),
        (PATHS, with_room(compiled.tables.paths.len())),
        (CLASSES, with_room(compiled.classes.len())),
        (PHASES, max_entries(compiled.phases.len())),
        (SUBSCRIBERS, max_entries(SubscriberBlock::count(records))),
        (SUBSCRIBERS_LRU, lru_records),
        (EXEMPT_SYNS, compiled.counted_exempt.clamp(1, most)),
        (DESTINATIONS_V4, with_room(compiled.destinations_v4.len())),
        (DESTINATIONS_V6, with_room(compiled.destinations_v6.len())),
        (TUNNELS_BY_IF, room_for_tunnels(compiled)),
        (DESCRIPTION, max_entries(chunks)),
        (
            EVENTS,
            if has_events {
                Allowances::ring_bytes(possible_cpus)
            } else {
                // Rounded up to a page.
                1
            },
        ),
        (
            EVENT_SENDERS,
            max_entries(if shown == ShowEvents::None { 1 } else { SENDER_SETS }),
        ),
    ])
}

/// The kernel memory that the maps of a policy will take, about, and how many maps there are. Nothing is loaded.
pub fn expected_memory(compiled: &Compiled) -> Result<(u64, usize), LoadError> {
    let mut sizes = BTreeMap::from(sizes(compiled, 1, LoadOptions::default())?);
    let object = aya_obj::Object::parse(OBJECT).map_err(EbpfError::ParseError)?;
    let possible_cpus = possible_cpus()?;
    let mut bytes = 0;
    for (name, map) in &object.maps {
        let kind = bpf_map_type::try_from(map.map_type()).ok();
        let kind = kind.and_then(|kind| MapType::try_from(kind).ok());
        let shape = Shape {
            kind: kind.unwrap_or(MapType::Unspecified),
            key_size: map.key_size(),
            value_size: map.value_size(),
            max_entries: sizes.remove(name.as_str()).unwrap_or(map.max_entries()),
        };
        bytes += shape.bytes(possible_cpus);
    }
    match sizes.into_keys().next() {
        Some(name) => Err(LoadError::Missing { name }),
        None => Ok((bytes, object.maps.len())),
    }
}

/// The rate of replies and the source addresses of those of `action: prohibit`, in the program's units.
struct Answers {
    router_v4: AddressV4,
    router_v6: AddressV6,
    /// Nanoseconds that a reply takes from the token bucket; 0 if there is no limit.
    interval: u64,
    /// Nanoseconds that the bucket holds.
    burst: u64,
}

impl Answers {
    /// The bucket holds a tenth of a second's replies, and at least this many.
    const LEAST_BURST: u64 = 10;

    fn new(prohibit: Option<Prohibit>, reset_rate: Option<u32>) -> Self {
        let address = |prohibit: Prohibit| (prohibit.router_v4, prohibit.router_v6);
        let (v4, v6) = prohibit.map_or((None, None), address);
        let rate = prohibit.map(|prohibit| prohibit.rate).or(reset_rate);
        let interval = rate.map_or(0, |rate| 1_000_000_000 / u64::from(rate));
        let tenth = u64::from(rate.unwrap_or_default() / 10);
        Self {
            router_v4: v4.map_or([0; 4], |address| address.octets()),
            router_v6: v6.map_or([0; 16], |address| address.octets()),
            interval,
            burst: interval * tenth.max(Self::LEAST_BURST),
        }
    }
}

/// How many records each map has in test runs, where creating larger ones would only take time.
const TRACED_SUBSCRIBERS: u32 = 1 << 12;

/// The size of a map with room for changes while the program runs: an eighth more, and at least `LEAST` entries more.
fn with_room(entries: usize) -> u32 {
    const LEAST: usize = 4096;
    max_entries(entries + (entries / 8).max(LEAST))
}

/// The size of the map of settings: the interfaces, with room for their ports.
fn room_for_tunnels(compiled: &Compiled) -> u32 {
    match compiled.settings.len() {
        0 => 1,
        interfaces => with_room(interfaces),
    }
}

/// One of the programs inside the object.
pub(crate) fn program<'e>(ebpf: &'e mut Ebpf, name: &'static str) -> Result<&'e mut Xdp, LoadError> {
    let program = ebpf.program_mut(name).ok_or(LoadError::Missing { name })?;
    Ok(program.try_into()?)
}
