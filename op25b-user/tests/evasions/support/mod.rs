//! The bot, its access line, its packets, and the lab that the tests run in.

pub mod bot;
pub mod concentrator;
pub mod line;
pub mod packet;
pub mod segment;
pub mod server;
pub mod stage;
