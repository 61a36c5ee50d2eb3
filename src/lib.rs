//! Circus for containers: the library that the programs share. This is the map of the house.
//!
//! | room | what is in it |
//! |---|---|
//! | `commands` | bytes of a request → a command; answers and publications → bytes |
//! | `config` | ini text → settings; the one table of options; what to execute for a process |
//! | `supervisor` | decides: `handle(event, now)` → actions; slots, watchers, operations, order, stop, reload, reports |
//! | `curve` | keys for tcp endpoints, as they are in files |
//! | `wire` | frames between circusd and its gateway, as bytes and back |
//! | `sys` | the only unsafe code (but `bin/circusctl/zeromq.rs`): spawn, wait, signals, poll, sockets, /proc, cgroup |
//! | `moment`, `notification`, `pattern`, `process`, `signal`, `sort` | plain words that all rooms use |
//! | `bin/circusctl` | what speaks ZeroMQ: the client, and the gateway between clients and circusd |
//! | `bin/circusd` | acts as PID 1: event loop, control plane, log, command line, `--check` |
//!
//! How a death becomes a new process: `bin/circusd/shell.rs` reaps it and delivers
//! `Event::Ended` → `supervisor/lives.rs` counts it (`slot.rs` decides what follows), asks for a
//! survey of what was left behind, and then for `Action::Spawn` → `bin/circusd/launcher.rs` turns
//! settings into a plan → `sys/spawn.rs` makes the process.
//!
//! How a request becomes an answer: `bin/circusctl/gateway.rs` gets it from libzmq → a frame of `wire` →
//! `bin/circusd/gateway.rs` → `bin/circusd/control.rs` has `commands` parse it, and answers what is
//! known (`supervisor/read.rs`, `config`, `figures.rs`); the rest is an `Event` → `supervisor/command.rs`
//! says what it means for which watchers, `operation.rs` carries it out, one after the other for each
//! watcher → `Action::Answer`, and the same way back.
//!
//! How a process becomes ready: `supervisor/vitals.rs` knows what one is waited for, `probes.rs`
//! asks for a probe when there is room → `bin/circusd/errands.rs` sends one (`probe.rs`, or a command)
//! and brings back what it said; or the process says so itself → `notifications.rs`, where
//! `shell/notices.rs` looks at who may. Then `depend.rs` opens gates.
//!
//! How a hook is called: whoever comes to a point that has one asks `supervisor/hooks.rs`, which notes
//! what waits for it (`calls.rs` has the line) → `Action::Hook` → `bin/circusd/shell/calls.rs`, `hook.rs` and `errands.rs` run it
//! → `Event::HookReturned`, and what has waited goes on, or does not.
//!
//! How a socket comes to its processes: `config/sockets.rs` says who gets which → `bin/circusd/sockets.rs`
//! has them bound (`sys/socket.rs`) and gives them to `shell/launches.rs` → `sys/spawn.rs`. Who comes to a
//! watcher that starts on demand is seen by `shell/demand.rs`, and `supervisor/demand.rs` decides.
//!
//! To add an option: a row in `config/options`, a field in `config/settings.rs`, and whoever acts on
//! it. To tell people something new: a variant in `supervisor/report.rs`. To add a command: a variant
//! in `commands/command.rs`, and the compiler shows the rest.
//!
//! **Holds everywhere.** Programs use the library, never the other way. `supervisor` knows only
//! `commands`, `config` and plain words; it has no I/O, clock, threads or chance of its own. PID 1 is one
//! thread and waits in one place, `Shell::wait` (and a part of
//! a second at the end, for whoever reads the log or waits for an answer). `tests/tidy.rs` keeps the first two.
//!
//! **Deliberately absent.** Signal handlers: all signals are blocked and read (`sys/signals.rs`). An
//! ini crate: Circus's line rules and positions are the whole parser (`config/ini.rs`). Anything
//! that ticks. ZeroMQ in PID 1. Log capture and plugins are not here yet; a configuration
//! that asks for them is checked, and told so at start.

pub mod commands;
pub mod config;
pub mod curve;
pub mod moment;
pub mod notification;
pub mod pattern;
pub mod process;
pub mod signal;
pub mod sort;
pub mod supervisor;
pub mod sys;
pub mod wire;
