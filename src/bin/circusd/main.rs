//! circusd.
fn main() {}
