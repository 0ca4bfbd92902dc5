//! `cargo xtask`: everything around building op25b.

fn main() {}
