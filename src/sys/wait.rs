//! Collecting children that ended: ours and those that we adopted.

use crate::process::{Ending, Pid};
use crate::signal::Signal;

/// What a wait found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// This child ended and is reaped: its number may be another process's from now on.
    Ended(Pid, Ending),
    /// This child was stopped by a signal.
    Stopped(Pid),
    /// There are children, none has ended.
    Nothing,
    /// There is no child at all.
    NoChild,
}

/// Reap one child, if one has ended; tell of one that was stopped.
///
/// waitpid(2) itself, as the usual wrapper loses a child that a real-time signal killed.
pub fn wait_any() -> Waited {
    let flags = libc::WNOHANG | libc::WUNTRACED;
    let mut status = 0;
    // SAFETY: `status` is ours to write.
    let pid = unsafe { libc::waitpid(-1, &mut status, flags) };
    let Some(pid) = Pid::new(pid) else {
        // All signals are blocked, so the only error is that there is no child.
        return if pid == 0 { Waited::Nothing } else { Waited::NoChild };
    };
    if libc::WIFSTOPPED(status) {
        return Waited::Stopped(pid);
    }
    let ending = match Signal::from_number(i64::from(libc::WTERMSIG(status))) {
        Some(signal) if libc::WIFSIGNALED(status) => Ending::Killed(signal),
        _ => Ending::Exited(libc::WEXITSTATUS(status) as u8),
    };
    Waited::Ended(pid, ending)
}
