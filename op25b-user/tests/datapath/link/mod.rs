//! What lies between Ethernet and IP besides the usual tags and `PPPoE` sessions, and what is counted of frames that are not IP.

mod mpls;
mod not_ip;
mod own_tags;
mod snap;
