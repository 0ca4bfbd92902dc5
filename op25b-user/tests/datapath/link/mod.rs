//! What lies between Ethernet and IP besides tags and `PPPoE` sessions, and what is counted of frames that are not IP.

mod not_ip;
