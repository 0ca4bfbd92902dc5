//! What the kernel reports of a loaded program.

use std::{collections::BTreeSet, fs, os::fd::AsFd as _};

use aya::programs::ProgramInfo;
use op25b::{
    datapath::{Description, Filter, requirements},
    policy::{self, Role},
};
use op25b_common::names::{SUBSCRIBER_PROGRAM, UPLINK_PROGRAM};
use op25b_testlab::bpf;
use serde::Serialize;

use crate::{configurations::Configuration, stack};

/// The numbers of one program in one configuration.
#[derive(Debug, Serialize)]
pub struct Measured {
    pub program: &'static str,
    pub configuration: &'static str,
    /// Instructions left when the verifier has removed what is never reached.
    pub instructions: u32,
    /// Those of them in functions that nothing calls.
    #[serde(skip)]
    pub uncalled: usize,
    /// Instructions that the verifier went through, on all ways together.
    pub verified: u32,
    /// Bytes of stack on the deepest way through its functions.
    pub stack: u32,
    /// Maps that the instructions left refer to.
    pub maps: usize,
    /// Bytes of machine code, 0 without a JIT compiler.
    pub jited: u32,
}

/// Loads both programs and measures them.
pub fn both(configuration: &Configuration) -> [Measured; 2] {
    if let Err(missing) = requirements::check() {
        panic!("this test loads the XDP program into the kernel: {missing}");
    }
    let text = configuration.policy();
    let policy = match policy::parse("policy.yaml", &text) {
        Ok(loaded) => loaded.policy,
        Err(report) => panic!("{text}\n{report}"),
    };
    let description = Description::new("/nowhere/policy.yaml");
    let compiled = policy::compile(&policy).unwrap();
    let mut filter = Filter::load(&compiled, &description, configuration.options)
        .unwrap_or_else(|error| panic!("{}: the program does not load: {error:?}", configuration.name));
    [
        (Role::Subscriber, SUBSCRIBER_PROGRAM),
        (Role::Uplink, UPLINK_PROGRAM),
    ]
    .map(|(role, program)| {
        let info = filter.program_info(role).unwrap();
        let (instructions, reached) = instructions(&info);
        Measured {
            program,
            configuration: configuration.name,
            instructions: instructions.len().try_into().unwrap(),
            verified: info.verified_instruction_count().unwrap(),
            uncalled: instructions.len() - reached.len(),
            stack: stack::depth(&instructions, &reached),
            maps: maps(&instructions).len(),
            jited: info.size_jitted(),
        }
    })
}

/// Whether the kernel compiles programs to machine code.
pub fn is_jit_on() -> bool {
    let setting = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").unwrap();
    setting.trim() != "0"
}

/// The object that the build script made and the library holds.
const OBJECT: &str = concat!(env!("OUT_DIR"), "/op25b");

/// Its contents.
pub fn object() -> Vec<u8> {
    fs::read(OBJECT).unwrap()
}

/// Its size in bytes.
pub fn object_size() -> u64 {
    fs::metadata(OBJECT).unwrap().len()
}

/// An instruction of a loaded program (`struct bpf_insn`).
#[derive(Clone, Copy)]
pub struct Instruction {
    pub code: u8,
    pub destination: u8,
    pub source: u8,
    pub offset: i16,
    pub immediate: i32,
}

impl Instruction {
    /// `dst = imm64`, in two instructions: of a map (1), or of a map's value (2), as its source register marks it.
    const LOAD_64_BITS: u8 = 0x18;

    fn read([code, registers, low, high, immediate @ ..]: [u8; 8]) -> Self {
        Self {
            code,
            destination: registers & 0x0f,
            source: registers >> 4,
            offset: i16::from_ne_bytes([low, high]),
            immediate: i32::from_ne_bytes(immediate),
        }
    }

    fn map(self) -> Option<i32> {
        (self.code == Self::LOAD_64_BITS && matches!(self.source, 1 | 2)).then_some(self.immediate)
    }
}

/// The ids of the maps that instructions refer to. Those that the kernel lists are more: all that the code named
/// before a part of it was removed.
fn maps(instructions: &[Instruction]) -> BTreeSet<i32> {
    instructions
        .iter()
        .copied()
        .filter_map(Instruction::map)
        .collect()
}

/// The program as the verifier left it, and the indexes of the instructions that may be run.
fn instructions(program: &ProgramInfo) -> (Vec<Instruction>, BTreeSet<usize>) {
    let fd = program.fd().unwrap();
    let bytes = bpf::translated(fd.as_fd()).unwrap();
    let reached = bpf::reached(&bytes);
    (bytes.into_iter().map(Instruction::read).collect(), reached)
}
