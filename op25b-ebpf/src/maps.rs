//! The maps that user space fills and reads, and the globals that it sets before loading.
//!
//! Names are those of [`op25b_common::names`]. Sizes are set by the loader to the policy's.

use aya_ebpf::{
    Global,
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_COMMON_LRU},
    btf_maps::{Array, HashMap, LpmTrie, LruHashMap, PerCpuArray, PerCpuHashMap, RingBuf},
    macros::btf_map,
};
use op25b_common::{
    Action, MAX_BLOCKED_PORTS, TableRoot,
    counters::{
        ANSWER_SLOTS, COUNTER_VALUES, InterfaceSet, OTHER_POOLS, POOL_COUNTER_SLOTS, POOL_SLOTS, PacketCells,
    },
    event::{Allowance, EVENT_COUNT_SLOTS, PacketEvent, SENDERS_IN_SET, ShowEvents},
    framing::{ETHERTYPE_VLAN, MAX_VLAN_TPIDS},
    keys::{AddressV4, AddressV6, DestinationKey},
    lpm::{BitmapNode, CompressedPath, PAGE_ENTRIES, ROOT_ENTRIES},
    not_ip::{NOT_IP_INTERFACES, NotIpFrames},
    values::{
        Class, Decision, DescriptionChunk, DestinationEntry, MISS_SLOTS, Moment, Phases, Subscriber,
        SubscriberBlock,
    },
};

/// User space writes these as memory: a policy with a million entries does not take a million system calls.
const MAPPED: usize = BPF_F_MMAPABLE as usize;

#[btf_map]
pub static ROOTS: Array<[u32; ROOT_ENTRIES], { TableRoot::COUNT }, MAPPED> = Array::new();
#[btf_map]
pub static PAGES: Array<[u32; PAGE_ENTRIES], 1, MAPPED> = Array::new();
#[btf_map]
pub static SPARSE: Array<BitmapNode, 1, MAPPED> = Array::new();
#[btf_map]
pub static PATHS: Array<CompressedPath, 1, MAPPED> = Array::new();
#[btf_map]
pub static CLASSES: Array<Class, 1, MAPPED> = Array::new();
#[btf_map]
pub static PHASES: Array<Phases, 1, MAPPED> = Array::new();
#[btf_map]
pub static DESTINATIONS_V4: LpmTrie<DestinationKey<AddressV4>, DestinationEntry, 1> = LpmTrie::new();
#[btf_map]
pub static DESTINATIONS_V6: LpmTrie<DestinationKey<AddressV6>, DestinationEntry, 1> = LpmTrie::new();

#[btf_map]
pub static SUBSCRIBERS: Array<SubscriberBlock, 1, MAPPED> = Array::new();
/// Each CPU has a free list of its own: a flood from ever new addresses does not make CPUs wait for one another.
#[btf_map]
pub static SUBSCRIBERS_LRU: LruHashMap<u64, Subscriber, 1, { BPF_F_NO_COMMON_LRU as usize }> =
    LruHashMap::new();
#[btf_map]
pub static MISSES_V6: PerCpuArray<u64, MISS_SLOTS> = PerCpuArray::new();

/// With a list in common: exempt subscribers are few, and the map need not have room for each CPU's.
#[btf_map]
pub static EXEMPT_SYNS: LruHashMap<u64, u32, 1> = LruHashMap::new();

#[btf_map]
pub static TUNNELS_BY_IF: HashMap<u32, u32, 1> = HashMap::new();
#[btf_map]
pub static ANSWERS: PerCpuArray<u64, 1> = PerCpuArray::new();

#[btf_map]
pub static COUNTERS: PerCpuArray<InterfaceSet, COUNTER_VALUES> = PerCpuArray::new();
#[btf_map]
pub static POOL_COUNTERS: PerCpuArray<PacketCells, POOL_COUNTER_SLOTS> = PerCpuArray::new();
#[btf_map]
pub static ANSWER_COUNTS: PerCpuArray<u64, ANSWER_SLOTS> = PerCpuArray::new();
#[btf_map]
pub static NOT_IP: PerCpuHashMap<u32, NotIpFrames, NOT_IP_INTERFACES> = PerCpuHashMap::new();
#[btf_map]
pub static CLOCK: Array<i64, 1> = Array::new();
#[btf_map]
pub static BUCKET: Array<u32, 1> = Array::new();
#[btf_map]
pub static MOMENT: PerCpuArray<Moment, 1> = PerCpuArray::new();
#[btf_map]
pub static DECISION: Array<Decision, 1> = Array::new();
/// Written and read by user space alone; see [`crate::stats::name_maps`] for why the program names it.
#[btf_map]
pub static DESCRIPTION: Array<DescriptionChunk, 1> = Array::new();

/// As large as a ring buffer can be everywhere; the loader sets its size where there are events.
const ONE_PAGE: usize = 4096;

#[btf_map]
pub static EVENTS: RingBuf<PacketEvent, ONE_PAGE> = RingBuf::new();
#[btf_map]
pub static EVENT_COUNTS: PerCpuArray<u64, EVENT_COUNT_SLOTS> = PerCpuArray::new();
#[btf_map]
pub static ALLOWANCES: PerCpuArray<u64, { Allowance::COUNT }> = PerCpuArray::new();
#[btf_map]
pub static EVENT_TURN: PerCpuArray<u64, 2> = PerCpuArray::new();
#[btf_map]
pub static EVENT_SENDERS: PerCpuArray<[u64; SENDERS_IN_SET], 1> = PerCpuArray::new();

#[unsafe(no_mangle)]
pub static BLOCKED_PORTS: [Global<u16>; MAX_BLOCKED_PORTS] = [const { Global::new(0) }; MAX_BLOCKED_PORTS];
#[unsafe(no_mangle)]
pub static BLOCKED_PORT_COUNT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static DROP_UNINSPECTABLE: Global<u8> = Global::new(1);
#[unsafe(no_mangle)]
pub static DROP_UNLISTED: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static MATCH_NEW: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static ACTION: Global<u8> = Global::new(Action::Drop as u8);
#[unsafe(no_mangle)]
pub static BLOCK_INBOUND: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static SUBSCRIBER_BITS: Global<u32> = Global::new(64);
#[unsafe(no_mangle)]
pub static COUNT_EXEMPT: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static TUNNELS: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static VLAN_TPIDS: [Global<u16>; MAX_VLAN_TPIDS] =
    [const { Global::new(ETHERTYPE_VLAN) }; MAX_VLAN_TPIDS];
#[unsafe(no_mangle)]
pub static MPLS: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static ROUTER_V4: Global<AddressV4> = Global::new([0; 4]);
#[unsafe(no_mangle)]
pub static ROUTER_V6: Global<AddressV6> = Global::new([0; 16]);
#[unsafe(no_mangle)]
pub static ANSWER_INTERVAL: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static ANSWER_BURST: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static SLOT_OF_POOL: [Global<u16>; POOL_SLOTS] = [const { Global::new(OTHER_POOLS) }; POOL_SLOTS];
#[unsafe(no_mangle)]
pub static TRACE: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static SHOW_EVENTS: Global<u8> = Global::new(ShowEvents::None as u8);
#[unsafe(no_mangle)]
pub static ALLOWANCE_INTERVALS: [Global<u64>; Allowance::COUNT] =
    [const { Global::new(1) }; Allowance::COUNT];
#[unsafe(no_mangle)]
pub static ALLOWANCE_DEPTHS: [Global<u64>; Allowance::COUNT] = [const { Global::new(1) }; Allowance::COUNT];
