//! A machine with one of the kernels, and what is tested there.

use std::time::Instant;

use op25b_host::paths;

use super::{
    super::{
        image::Image,
        kernel::Kernel,
        machine::{Machine, Options},
    },
    part::Part,
    programs::Programs,
    row::Row,
};

/// A kernel that is tested.
pub struct Guest<'a> {
    image: &'a Image,
    kernel: Kernel,
    /// Its own name for itself, once it has booted.
    release: String,
}

impl<'a> Guest<'a> {
    /// That has not booted yet.
    pub fn new(image: &'a Image, kernel: Kernel) -> Self {
        Self {
            image,
            kernel,
            release: kernel.name().to_owned(),
        }
    }

    /// Runs the parts, and returns its release and what came of them; a machine that does not boot is a row, too.
    pub fn test(mut self, parts: &[Part], programs: &Programs, all: bool) -> (String, Vec<Row>) {
        let start = Instant::now();
        let rows = self.run(parts, programs, all).unwrap_or_else(|error| {
            let sentence = format!("{error:#}");
            vec![Row::of("boot", &sentence, false, start.elapsed())]
        });
        (self.release, rows)
    }

    fn boot(&self) -> anyhow::Result<Machine> {
        let options = Options {
            label: Some(self.kernel.name().to_owned()),
            ..Options::default()
        };
        Machine::boot(self.image, self.kernel, &options)
    }

    /// Runs the parts. After one that was cut off, the next one has a machine that has just booted.
    fn run(&mut self, parts: &[Part], programs: &Programs, all: bool) -> anyhow::Result<Vec<Row>> {
        let start = Instant::now();
        let mut machine = self.boot()?;
        machine.output("uname -r")?.trim().clone_into(&mut self.release);
        let took = start.elapsed();
        machine.say(&format!(
            "==> Linux {}, after {:.0} s",
            self.release,
            took.as_secs_f64()
        ));
        if !self.kernel.is_supported() {
            return Ok(vec![self.refusal(&mut machine, programs)?]);
        }
        let mut rows: Vec<Row> = Vec::new();
        for part in parts {
            if rows.last().is_some_and(|row| row.is_stuck) {
                drop(machine);
                machine = self.boot()?;
            }
            rows.push(part.run(&mut machine, programs, all));
        }
        Ok(rows)
    }

    /// A kernel that lacks what op25b needs has to be refused by the name of what it lacks, and nothing attached.
    fn refusal(&self, machine: &mut Machine, programs: &Programs) -> anyhow::Result<Row> {
        let start = Instant::now();
        let policy = paths::workspace().join("policies/lab.yaml");
        let answer = machine.run(&format!(
            "{} run --policy {}",
            programs.op25b().display(),
            policy.display()
        ))?;
        machine.say(&answer.text);
        // The first one in the order in which they are tried.
        let names_it = answer.text.contains(&format!(
            "this kernel ({}) lacks the helper bpf_xdp_load_bytes, which Linux 5.18 brought",
            self.release
        ));
        Ok(Row::of(
            "refusal",
            "the kernel is refused by the name of the first feature that it lacks",
            answer.code == 2 && names_it,
            start.elapsed(),
        ))
    }
}
