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

/// The same, and `before` is told who is about to be reaped while the number is still its own, and
/// so is its group's. One system call more.
pub fn wait_any_after(before: impl FnOnce(Pid)) -> Waited {
    let look = libc::WEXITED | libc::WSTOPPED | libc::WNOHANG;
    // SAFETY: plain numbers, for which zero is a value.
    let mut found: libc::siginfo_t = unsafe { core::mem::zeroed() };
    // SAFETY: `found` is ours to write.
    let result = unsafe { libc::waitid(libc::P_ALL, 0, &mut found, look | libc::WNOWAIT) };
    if result < 0 {
        return Waited::NoChild;
    }
    // SAFETY: waitid has filled in this part, or left it zero.
    let Some(pid) = Pid::new(unsafe { found.si_pid() }) else { return Waited::Nothing };
    if found.si_code == libc::CLD_STOPPED {
        let stopped = libc::WSTOPPED | libc::WNOHANG;
        // Only this news is taken: if it ends now, that is for the next time.
        // SAFETY: `found` is ours to write.
        unsafe { libc::waitid(libc::P_PID, pid.number() as libc::id_t, &mut found, stopped) };
        return Waited::Stopped(pid);
    }
    before(pid);
    reap(pid.number())
}

/// Reap one child, if one has ended; tell of one that was stopped.
///
/// waitpid(2) itself, as the usual wrapper loses a child that a real-time signal killed.
pub fn wait_any() -> Waited {
    reap(-1)
}

/// This one, or any with -1.
fn reap(which: libc::pid_t) -> Waited {
    let flags = libc::WNOHANG | libc::WUNTRACED;
    let mut status = 0;
    // SAFETY: `status` is ours to write.
    let pid = unsafe { libc::waitpid(which, &mut status, flags) };
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
