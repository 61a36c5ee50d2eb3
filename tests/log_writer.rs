//! The real log writer, with a socket and pipes from us in place of circusd: every line arrives once,
//! whole, and nobody who is slow or gone holds up the others.

#![allow(clippy::disallowed_methods)]

#[path = "log_writer/files.rs"]
mod files;

#[path = "log_writer/lines.rs"]
mod lines;

#[path = "log_writer/memory.rs"]
mod memory;

#[path = "log_writer/obstacles.rs"]
mod obstacles;

#[path = "log_writer/quiet.rs"]
mod quiet;

#[path = "log_writer/role.rs"]
mod role;
