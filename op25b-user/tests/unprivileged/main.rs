//! What needs neither root nor a kernel, in one program, since linking one takes less time than linking eight: the policy reader,
//! the compiled tables, the XDP program's parsers, and the commands that work without a filter.
#![allow(clippy::unwrap_used, reason = "in a test, a failed helper is a failed test")]

mod check_command;
mod command;
mod documents;
mod exempt_command;
mod export_command;
mod fuzz_lock;
mod json_document;
mod json_errors;
mod notices_command;
mod parser;
mod policy_diagnostics;
mod policy_examples;
mod policy_kernel_agreement;
mod policy_lists;
mod policy_robustness;
mod policy_tables;
mod prometheus;
mod reliability_document;
mod report_command;
mod report_in_chromium;
mod rollout_command;
mod sessions_command;
mod texts;
