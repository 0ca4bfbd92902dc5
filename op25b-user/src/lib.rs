//! Outbound port 25 blocking (OP25B) in XDP: the library behind the `op25b` command.
//!
//! [`policy`] turns YAML into a validated policy and map entries and knows nothing of the kernel, [`lpm`] builds its prefix tables; [`datapath`]
//! loads, attaches and reads the XDP program and knows nothing of YAML; [`report`] says what a filter in the
//! kernel is doing; [`store`] keeps exemptions that were added at run time; [`daemon`] joins them to keep a filter up to
//! date; [`api`] is what it is asked and answers; [`cli`] is what people type.

pub mod api;
pub mod cli;
pub mod daemon;
pub mod datapath;
mod enforcer;
pub mod exemption;
pub mod lpm;
pub mod policy;
pub mod report;
pub mod store;
