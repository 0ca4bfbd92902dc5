//! Sending to other hosts: over TLS, and again after a failure.

pub(in crate::cli) mod back_off;
pub(in crate::cli) mod tls;
