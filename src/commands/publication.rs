//! What subscribers are told.

use crate::process::Pid;

/// What has happened to a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    Add,
    Remove,
    Spawn { pid: Pid },
    Kill { pid: Pid },
    Reap { pid: Pid, exit_code: i32 },
    Start,
    Stop,
    Reload,
    Updated,
    Backoff { pid: Option<Pid>, reason: String, delay_ms: u64 },
    GiveUp { reason: String },
    Completed,
    Ready,
}
