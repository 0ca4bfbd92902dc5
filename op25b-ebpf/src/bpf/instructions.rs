//! Instructions that Rust does not offer for BPF: its atomic types have only loads and stores there, and it reads unaligned
//! numbers byte by byte.

use core::arch::asm;

/// The same number, of which the compiler knows nothing from here on.
///
/// The verifier follows less than the compiler: what is compared and what is used has to be the same register.
#[must_use]
#[inline(always)]
pub fn opaque(mut number: u64) -> u64 {
    // SAFETY: a move that changes nothing. (With no instruction at all, two lines of source would share an offset in the
    // line information, which the kernel refuses.)
    unsafe { asm!("{0} = {0}", inout(reg) number, options(pure, nomem, nostack, preserves_flags)) };
    number
}

/// Returns from the function into which this is compiled (`BPF_EXIT`).
///
/// # Safety
///
/// The function returns a 32-bit number, of this meaning.
#[inline(always)]
pub unsafe fn exit(result: u32) -> ! {
    // SAFETY: the caller's. The kernel frees the stack, and there is nothing else to be left as it was.
    unsafe { asm!("exit", in("r0") u64::from(result), options(noreturn, nomem, nostack)) }
}

/// Adds to a number that other CPUs add to as well (`BPF_ADD`, Linux 3.18).
///
/// # Safety
///
/// The pointer is valid for writes and aligned.
#[inline(always)]
pub unsafe fn atomic_add(number: *mut u32, value: u32) {
    // SAFETY: the caller's; the instruction touches nothing else.
    unsafe {
        asm!("lock *(u32 *)({0} + 0) += {1}", in(reg) number, in(reg) u64::from(value), options(nostack));
    };
}

/// Sets bits of a number in which other CPUs set bits as well (`BPF_OR`, Linux 5.12).
///
/// # Safety
///
/// The pointer is valid for writes and aligned.
#[inline(always)]
pub unsafe fn atomic_or(number: *mut u64, bits: u64) {
    // SAFETY: the caller's; the instruction touches nothing else.
    unsafe { asm!("lock *(u64 *)({0} + 0) |= {1}", in(reg) number, in(reg) bits, options(nostack)) };
}

/// Replaces a number at once, also for programs that preempt this one: its value before (`BPF_XCHG`, Linux 5.12).
///
/// # Safety
///
/// The pointer is valid for reads and writes, and aligned.
#[inline(always)]
pub unsafe fn exchange(number: *mut u64, mut value: u64) -> u64 {
    // SAFETY: the caller's. As the block may touch any memory, the compiler moves no access to the other side of it.
    unsafe { asm!("{0} = xchg_64({1} + 0, {0})", inout(reg) value, in(reg) number, options(nostack)) };
    value
}

macro_rules! load_at {
    ($name:ident, $number:ty, $instruction:literal) => {
        /// Reads a number that need not be aligned, `BASE + AT` bytes after a pointer.
        ///
        /// The distance is part of the instruction: all that is read from one pointer takes one register.
        ///
        /// # Safety
        ///
        /// The bytes there can be read.
        #[inline(always)]
        pub unsafe fn $name<const BASE: usize, const AT: isize>(from: *const u8) -> $number {
            let number: u64;
            // SAFETY: the caller's; the verifier checks the access, and allows it where Linux has
            // `HAVE_EFFICIENT_UNALIGNED_ACCESS` (x86-64, arm64, ...).
            unsafe {
                asm!(
                    $instruction,
                    out(reg) number,
                    in(reg) from,
                    at = const BASE.cast_signed() + AT,
                    options(pure, readonly, nostack, preserves_flags)
                );
            }
            // SAFETY: the instruction fills the register's other bits with zeros.
            unsafe { <$number>::try_from(number).unwrap_unchecked() }
        }
    };
}

load_at!(load_u8_at, u8, "{0} = *(u8 *)({1} + {at})");
load_at!(load_u16_at, u16, "{0} = *(u16 *)({1} + {at})");
load_at!(load_u32_at, u32, "{0} = *(u32 *)({1} + {at})");
load_at!(load_u64_at, u64, "{0} = *(u64 *)({1} + {at})");
