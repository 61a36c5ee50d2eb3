//! The real program with real processes: as PID 1 of a private pid namespace, and as a plain
//! process. Nothing here sleeps to synchronise: facts are waited for, with generous deadlines.
//!
//! What is random prints its seed; `SEED=` runs one again.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[path = "pid1/world.rs"]
mod world;

#[path = "pid1/process.rs"]
mod process;

#[path = "pid1/random.rs"]
mod random;

#[path = "pid1/stopping.rs"]
mod stopping;

#[path = "pid1/trees.rs"]
mod trees;

#[path = "pid1/failures.rs"]
mod failures;

#[path = "pid1/lives.rs"]
mod lives;

#[path = "pid1/hooks.rs"]
mod hooks;

#[path = "pid1/starting.rs"]
mod starting;

#[path = "pid1/signals.rs"]
mod signals;

#[path = "pid1/entrypoint.rs"]
mod entrypoint;

#[path = "pid1/settings.rs"]
mod settings;

#[path = "pid1/users.rs"]
mod users;

#[path = "pid1/outputs.rs"]
mod outputs;

#[path = "pid1/syslog.rs"]
mod syslog;

#[path = "pid1/storms.rs"]
mod storms;

#[path = "pid1/limits.rs"]
mod limits;

#[path = "pid1/regressions.rs"]
mod regressions;

#[path = "pid1/operator.rs"]
mod operator;

#[path = "pid1/control.rs"]
mod control;

#[path = "pid1/daemons.rs"]
mod daemons;

#[path = "pid1/dependants.rs"]
mod dependants;

#[path = "pid1/gateways.rs"]
mod gateways;

#[path = "pid1/reconfigure.rs"]
mod reconfigure;

#[path = "pid1/readiness.rs"]
mod readiness;

#[path = "pid1/notifications.rs"]
mod notifications;

#[path = "pid1/termination.rs"]
mod termination;

#[path = "pid1/serving.rs"]
mod serving;

#[path = "pid1/streams.rs"]
mod streams;

#[path = "pid1/sharing.rs"]
mod sharing;

#[path = "pid1/sockets.rs"]
mod sockets;

#[path = "pid1/seats.rs"]
mod seats;

#[path = "pid1/demand.rs"]
mod demand;

#[path = "pid1/moving.rs"]
mod moving;
