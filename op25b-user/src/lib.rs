//! Outbound port 25 blocking (OP25B) in XDP: the library of the `op25b` command.
//!
//! [`policy`] turns YAML into a validated policy and map entries, without the kernel; [`lpm`] builds its prefix tables;
//! [`datapath`] loads, attaches and reads the XDP program, without YAML; [`exemption`] is the type of an exemption's terms,
//! [`store`] keeps those that were added at run time; [`session`] says who had which address and when; [`fault`] is what lasts and an operator must see, [`recent_warnings`] what was
//! logged last; `webhook` is what alerts are sent to, `collector` what events are forwarded to; `enforcer` is what is enforced now, and every change of it; [`time`] reads and shows times and durations;
//! [`daemon`] is the event loop over it, with the control socket, whose bodies are in [`api`]; [`metrics_server`] is the process
//! that serves metrics over TCP; [`report`] reads what a filter
//! does; [`schema`] names JSON documents; [`cli`] is the command line.

pub mod api;
mod byte_size;
pub mod cli;
mod collector;
mod counted;
pub mod daemon;
pub mod datapath;
mod end_signals;
mod enforcer;
pub mod exemption;
pub mod fault;
mod http_server;
pub mod lpm;
pub mod metrics_server;
mod pem;
pub mod policy;
pub mod recent_warnings;
mod remote_host;
pub mod report;
pub mod schema;
pub mod session;
mod state_dir;
pub mod store;
pub mod time;
mod webhook;
