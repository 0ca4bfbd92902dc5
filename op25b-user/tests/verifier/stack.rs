//! The stack that a loaded program takes, with the functions that it calls.
//!
//! The verifier computes it, but reports it only in a log that is not available for a program that loads. So it is read off
//! the instructions: for each function, the lowest address under the frame pointer that it computes or
//! touches; then the deepest way through the calls, added up as the kernel does (`check_max_stack_depth`).

use std::collections::{BTreeMap, BTreeSet};

use crate::measure::Instruction;

/// The register that points to the frame's upper end.
const FRAME_POINTER: u8 = 10;
const CALL: u8 = 0x85;
/// The source register of a call that is one of the program's own functions (`BPF_PSEUDO_CALL`).
const OWN_FUNCTION: u8 = 1;
const EXIT: u8 = 0x95;
const JUMP: u8 = 0x05;
/// `dst = src`, and `dst += imm`, in 64 bits.
const COPY: u8 = 0xbf;
const ADD: u8 = 0x07;
/// Each frame's size is rounded up to this by older kernels and by those without a JIT compiler; by newer ones to 16.
const ALIGNMENT: u32 = 32;

/// Bytes on the deepest way, from the program's entry on. What is not reached is in functions that nothing calls, between the others.
pub fn depth(instructions: &[Instruction], reached: &BTreeSet<usize>) -> u32 {
    let calls = reached
        .iter()
        .filter_map(|&index| callee(index, instructions[index]));
    let starts: BTreeSet<usize> = calls.chain([0]).collect();
    let ends = starts.iter().copied().skip(1).chain([instructions.len()]);
    let functions = starts.iter().zip(ends).map(|(&start, end)| {
        let body = reached
            .range(start..end)
            .map(|&index| (index, instructions[index]));
        (start, Function::read(body))
    });
    deepest(&functions.collect(), 0)
}

struct Function {
    frame: u32,
    calls: Vec<usize>,
}

impl Function {
    fn read(body: impl Iterator<Item = (usize, Instruction)>) -> Self {
        // Which registers hold an address in the frame, and which one.
        let mut addresses = [None; 11];
        addresses[usize::from(FRAME_POINTER)] = Some(0_i32);
        let mut lowest = 0;
        let mut calls = Vec::new();
        for (index, instruction) in body {
            let (destination, source) = (
                usize::from(instruction.destination),
                usize::from(instruction.source),
            );
            match (instruction.code, instruction.code & 0x07) {
                (COPY, _) => addresses[destination] = addresses[source],
                (ADD, _) => {
                    addresses[destination] = addresses[destination].map(|at| at + instruction.immediate);
                }
                (CALL, _) => {
                    calls.extend(callee(index, instruction));
                    // What a call leaves in them is no address in this frame.
                    addresses[..6].fill(None);
                }
                // After these comes what is reached from elsewhere, with other registers.
                (EXIT | JUMP, _) => addresses[..usize::from(FRAME_POINTER)].fill(None),
                // Loads: the source is the address, the destination gets something else.
                (_, 0x01) => {
                    lowest = lowest.min(touched(addresses[source], instruction.offset));
                    addresses[destination] = None;
                }
                // Stores.
                (_, 0x02 | 0x03) => lowest = lowest.min(touched(addresses[destination], instruction.offset)),
                // Other arithmetic, and 64-bit constants.
                (_, 0x00 | 0x04 | 0x07) => addresses[destination] = None,
                _ => {}
            }
            lowest = addresses.iter().flatten().copied().fold(lowest, i32::min);
        }
        Self {
            // Also for a function that uses none.
            frame: lowest.unsigned_abs().max(1).next_multiple_of(ALIGNMENT),
            calls,
        }
    }
}

/// The address that is touched at this distance from one in the frame; the frame's upper end for one elsewhere.
fn touched(address: Option<i32>, offset: i16) -> i32 {
    address.map_or(0, |at| at + i32::from(offset))
}

/// The index of the first instruction of the function that is called.
fn callee(index: usize, instruction: Instruction) -> Option<usize> {
    // For a dump the kernel writes the distance into the offset's field.
    (instruction.code == CALL && instruction.source == OWN_FUNCTION).then(|| {
        (index + 1)
            .checked_add_signed(isize::from(instruction.offset))
            .unwrap()
    })
}

fn deepest(functions: &BTreeMap<usize, Function>, start: usize) -> u32 {
    let function = &functions[&start];
    let below = function.calls.iter().map(|callee| deepest(functions, *callee));
    function.frame + below.max().unwrap_or(0)
}
