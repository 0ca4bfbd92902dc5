//! The maps that user space fills and reads, and the globals that it sets before loading.
//!
//! Names are those of [`op25b_common::names`]. The tries' sizes are set by the loader to the policy's.

use aya_ebpf::{
    Global,
    btf_maps::{Array, HashMap, LpmTrie, PerCpuArray},
    macros::btf_map,
};
use op25b_common::{
    MAX_BLOCKED_PORTS,
    keys::{AddressV4, AddressV6, DestinationKey},
    values::{
        COUNTER_SLOTS, Decision, DescriptionChunk, DestinationEntry, ExemptionEntry, PoolEntry, RelayEntry,
    },
};

#[btf_map]
pub static POOLS_V4: LpmTrie<AddressV4, PoolEntry, 1> = LpmTrie::new();
#[btf_map]
pub static POOLS_V6: LpmTrie<AddressV6, PoolEntry, 1> = LpmTrie::new();
#[btf_map]
pub static RELAYS_V4: LpmTrie<AddressV4, RelayEntry, 1> = LpmTrie::new();
#[btf_map]
pub static RELAYS_V6: LpmTrie<AddressV6, RelayEntry, 1> = LpmTrie::new();
#[btf_map]
pub static EXEMPTIONS_V4: LpmTrie<AddressV4, ExemptionEntry, 1> = LpmTrie::new();
#[btf_map]
pub static EXEMPTIONS_V6: LpmTrie<AddressV6, ExemptionEntry, 1> = LpmTrie::new();
#[btf_map]
pub static DESTINATIONS_V4: LpmTrie<DestinationKey<AddressV4>, DestinationEntry, 1> = LpmTrie::new();
#[btf_map]
pub static DESTINATIONS_V6: LpmTrie<DestinationKey<AddressV6>, DestinationEntry, 1> = LpmTrie::new();

#[btf_map]
pub static TUNNELS_BY_IF: HashMap<u32, u32, 1> = HashMap::new();
#[btf_map]
pub static ANSWERS: PerCpuArray<u64, 1> = PerCpuArray::new();

#[btf_map]
pub static COUNTERS: PerCpuArray<u64, COUNTER_SLOTS> = PerCpuArray::new();
#[btf_map]
pub static CLOCK: Array<i64, 1> = Array::new();
#[btf_map]
pub static DECISION: Array<Decision, 1> = Array::new();
/// Written and read by user space alone; see [`crate::account::trace`] for why the program names it.
#[btf_map]
pub static DESCRIPTION: Array<DescriptionChunk, 1> = Array::new();

#[unsafe(no_mangle)]
pub static BLOCKED_PORTS: Global<[u16; MAX_BLOCKED_PORTS]> = Global::new([0; MAX_BLOCKED_PORTS]);
#[unsafe(no_mangle)]
pub static BLOCKED_PORT_COUNT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static DROP_UNINSPECTABLE: Global<u8> = Global::new(1);
#[unsafe(no_mangle)]
pub static DROP_UNLISTED: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static ENFORCED_FROM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static MATCH_NEW: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static ACTION: Global<u8> = Global::new(op25b_common::action::DROP);
#[unsafe(no_mangle)]
pub static BLOCK_INBOUND: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static TUNNELS: Global<u8> = Global::new(0);
#[unsafe(no_mangle)]
pub static ROUTER_V4: Global<AddressV4> = Global::new([0; 4]);
#[unsafe(no_mangle)]
pub static ROUTER_V6: Global<AddressV6> = Global::new([0; 16]);
#[unsafe(no_mangle)]
pub static ANSWER_INTERVAL: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static ANSWER_BURST: Global<u64> = Global::new(1);
#[unsafe(no_mangle)]
pub static TRACE: Global<u8> = Global::new(0);
