//! Framing on the wire: what the reports show of frames that are not IP.

mod no_ip;
