//! The program in real containers, seen from outside: what `docker` shows is what counts.
//!
//! Needs a Docker engine on this machine; without one every test says that it was skipped.
//! `CIRCUS_REQUIRE_DOCKER=1` makes that a failure. `CIRCUSD=FILE` tests another static binary.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

mod container;
mod deadline;
mod docker;
mod image;
mod terminal;

mod configuration;
mod control;
mod entrypoint;
mod examples;
mod job_control;
mod listeners;
mod load;
mod network;
mod operators;
mod order;
mod original;
mod restrictions;
mod sockets;
mod watchers;
