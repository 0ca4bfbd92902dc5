//! The results of all parts, as text and as JSON.

use serde::Serialize;

use crate::{forward, live, machine::Machine, start, test_run};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    machine: Machine,
    version: &'static str,
    /// The part `test-run`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub test_run: Vec<test_run::Row>,
    /// The part `live`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<live::Row>,
    /// The part `start`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<start::Row>,
    /// The part `forward`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub forward: Vec<forward::Row>,
}

impl Report {
    /// One in which nothing is measured yet.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            version: env!("CARGO_PKG_VERSION"),
            test_run: Vec::new(),
            live: Vec::new(),
            start: Vec::new(),
            forward: Vec::new(),
        }
    }

    /// Prints it.
    pub fn print(&self, as_json: bool) {
        if as_json {
            let json = serde_json::to_string_pretty(self);
            println!("{}", json.unwrap_or_else(|error| format!("\"{error}\"")));
            return;
        }
        println!("op25b {} on {}", self.version, self.machine);
        if !self.test_run.is_empty() {
            println!("\n{}", test_run::table(&self.test_run));
        }
        if !self.live.is_empty() {
            println!("\n{}", live::table(&self.live));
        }
        if !self.start.is_empty() {
            println!("\n{}", start::table(&self.start));
        }
        if !self.forward.is_empty() {
            println!("\n{}", forward::table(&self.forward));
        }
    }
}
