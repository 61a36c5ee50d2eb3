//! Circus for containers: the library that the programs share. This is the map of the house.
//!
//! | room | what is in it |
//! |---|---|
//! | `config` | ini text → settings; the one table of options; what to execute for a process |
//! | `supervisor` | decides: `handle(event, now)` → actions; slots, watchers, order, stop, reload, reports |
//! | `wire` | frames between circusd and its gateway, as bytes and back |
//! | `sys` | the only unsafe code but for `bin/circusctl/zeromq.rs`: spawn, wait, signals, poll, /proc, cgroup readings, terminal |
//! | `moment`, `process`, `signal` | plain words that all rooms use |
//! | `bin/circusctl` | what speaks ZeroMQ: the client, and the gateway between clients and circusd |
//! | `bin/circusd` | acts as PID 1: event loop, log, command line, `--check` |
//!
//! How a death becomes a new process: `bin/circusd/shell.rs` reaps it and delivers
//! `Event::Ended` → `supervisor/lives.rs` counts it (`slot.rs` decides what follows), asks for a
//! survey of what was left behind, and then for `Action::Spawn` → `bin/circusd/launcher.rs` turns
//! settings into a plan → `sys/spawn.rs` makes the process.
//!
//! To add an option: a row in `config/options`, a field in `config/settings.rs`, and whoever acts on
//! it. To tell people something new: a variant in `supervisor/report.rs`.
//!
//! **Holds everywhere.** Programs use the library, never the other way. `supervisor` knows only
//! `config` and plain words; it has no I/O, clock, threads or chance of its own. PID 1 is one
//! thread and waits in one place, `Shell::wait` (and a fifth of
//! a second at the end, for whoever reads the log). `tests/tidy.rs` keeps the first two.
//!
//! **Deliberately absent.** Signal handlers: all signals are blocked and read (`sys/signals.rs`). An
//! ini crate: Circus's line rules and positions are the whole parser (`config/ini.rs`). Anything
//! that ticks. Commands, sockets, log capture and readiness are not here yet; a configuration that
//! asks for them is checked, and told so at start.

pub mod commands;
pub mod config;
pub mod moment;
pub mod process;
pub mod signal;
pub mod supervisor;
pub mod sys;
pub mod wire;
