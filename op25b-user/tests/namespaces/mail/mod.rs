//! Mail servers and mail clients by other authors: Postfix, `OpenSMTPD` and swaks.

mod clients;
mod delivery;
mod post;
mod swaks;
