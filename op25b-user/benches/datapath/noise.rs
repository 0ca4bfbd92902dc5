//! How much a program that does nothing varied over a run: what is smaller than that was not seen.

use std::fmt;

use op25b_testlab::sample::Sample;
use serde::Serialize;

/// The medians of one program in the rows of a part.
#[derive(Debug, Serialize)]
pub struct Noise {
    /// The part.
    of: &'static str,
    /// The program.
    program: &'static str,
    /// Nanoseconds.
    ns: Sample,
    /// The largest median over the smallest, less one.
    spread: f64,
}

impl Noise {
    /// That of a program, by its medians; `None` with less than two.
    pub fn of(part: &'static str, program: &'static str, medians: Vec<f64>) -> Option<Self> {
        if medians.len() < 2 {
            return None;
        }
        let ns = Sample::of(medians)?;
        Some(Self {
            of: part,
            program,
            ns,
            spread: ns.max / ns.min - 1.0,
        })
    }
}

impl fmt::Display for Noise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Noise: {} took {:.1} ns, {:.1} to {:.1} over the run ({:.0} %).",
            self.program,
            self.ns.median,
            self.ns.min,
            self.ns.max,
            100.0 * self.spread
        )
    }
}
