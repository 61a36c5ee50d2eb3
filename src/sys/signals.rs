//! Signals to us are not delivered to handlers: all are blocked for good and read from a signalfd.
//! So no code of ours ever runs in a handler, nothing can run one between clone and exec, and every
//! real-time signal works. (A pipe written to by handlers, as the usual crates do it, would run
//! those in a new process that still shares our memory.)

use crate::moment::Moment;
use crate::signal::Signal;
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Every signal, those that libc keeps for itself too.
const ALL: u64 = u64::MAX;

/// Block every signal that can be blocked. Done first of all: what comes before would be lost.
pub fn block_all() {
    set_mask(ALL);
}

fn set_mask(mask: u64) {
    // SAFETY: `mask` is the kernel's own set of 8 bytes.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const mask,
            core::ptr::null::<u64>(),
            8usize,
        );
    }
}

/// The kernel's own structure: on x86-64 and AArch64 its first word is the handler.
#[repr(C)]
#[derive(Default)]
struct KernelAction {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

/// Give every ignored signal its default disposition, also the two that libc keeps for itself:
/// whoever started us with posix_spawn(3) has left one of them ignored. A process that we start
/// inherits what is ignored here; nothing acts on a signal here, as all are blocked.
///
/// `ignored`: the set of them, the lowest bit for signal 1, where it is known.
pub fn reset_dispositions(ignored: Option<u64>) {
    let ignored = ignored.unwrap_or(ALL);
    let action = KernelAction::default();
    const OLD: *mut KernelAction = core::ptr::null_mut();
    for number in (1..=64).filter(|number| ignored >> (number - 1) & 1 == 1) {
        // SAFETY: the structure is the kernel's, its mask of 8 bytes; what cannot be changed is
        // refused without effect.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, number, &raw const action, OLD, 8usize);
        }
    }
}

/// One received signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Which.
    pub signal: Signal,
    /// The sender's process id as seen here; 0 for the kernel or another pid namespace.
    pub sender: u32,
}

/// Wait until a signal comes or `until` has come; for ever if that is `None`.
pub fn wait(until: Option<Moment>) -> Option<Received> {
    let mask = ALL;
    let timeout = until.map(super::clock::time_until);
    let timeout = timeout.as_ref().map_or(core::ptr::null(), core::ptr::from_ref);
    // SAFETY: plain numbers, for which zero is a value.
    let mut info: libc::siginfo_t = unsafe { core::mem::zeroed() };
    // SAFETY: `mask` is the kernel's own set of 8 bytes, `info` is ours to write, and a null
    // timeout is allowed.
    let number = unsafe {
        libc::syscall(libc::SYS_rt_sigtimedwait, &raw const mask, &raw mut info, timeout, 8usize)
    };
    let signal = Signal::from_number(number)?;
    // SAFETY: for kernel-made signals the field holds zero or another number: only compared.
    let sender = unsafe { info.si_pid() } as u32;
    Some(Received { signal, sender })
}

/// All signals to this process.
#[derive(Debug)]
pub struct SignalFd(OwnedFd);

impl SignalFd {
    /// Open it; the signals must be blocked.
    pub fn new() -> io::Result<SignalFd> {
        SignalFd::of(ALL)
    }

    /// Only this signal, which is blocked from now on; for programs that leave the others alone.
    pub fn only(signal: Signal) -> io::Result<SignalFd> {
        let mask = 1u64 << (signal.number() - 1);
        // SAFETY: `mask` is the kernel's own set of 8 bytes.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigprocmask,
                libc::SIG_BLOCK,
                &raw const mask,
                core::ptr::null::<u64>(),
                8usize,
            );
        }
        SignalFd::of(mask)
    }

    fn of(mask: u64) -> io::Result<SignalFd> {
        let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
        // SAFETY: `mask` is the kernel's own set of 8 bytes; a returned descriptor is ours.
        unsafe {
            let fd = libc::syscall(libc::SYS_signalfd4, -1, &raw const mask, 8usize, flags);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(SignalFd(OwnedFd::from_raw_fd(fd as i32)))
        }
    }

    /// Read what has come: `each` is called for every signal.
    pub fn read(&self, mut each: impl FnMut(Received)) {
        const BATCH: usize = 16;
        let size = size_of::<libc::signalfd_siginfo>();
        loop {
            // SAFETY: the structure is plain numbers, for which zero is a value.
            let mut batch: [libc::signalfd_siginfo; BATCH] = unsafe { core::mem::zeroed() };
            // SAFETY: the buffer is as large as said.
            let length =
                unsafe { libc::read(self.0.as_raw_fd(), batch.as_mut_ptr().cast(), size * BATCH) };
            let count = usize::try_from(length).unwrap_or(0) / size;
            for info in batch.iter().take(count) {
                if let Some(signal) = Signal::from_number(i64::from(info.ssi_signo)) {
                    each(Received { signal, sender: info.ssi_pid });
                }
            }
            if count < BATCH {
                return;
            }
        }
    }
}

impl AsFd for SignalFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Send a signal to a process. Errors: no such process, not permitted.
pub fn send(pid: crate::process::Pid, signal: Signal) -> Result<(), Errno> {
    // SAFETY: no memory is involved; `Pid` is never 0 or negative, so it is one process.
    Errno::result(unsafe { libc::kill(pid.number(), signal.number()) }).map(drop)
}

/// Send a signal to a process only if its parent is still `parent`, so that it cannot be another
/// one that got its number. Errors: no such process, not permitted; or it is no process but a thread.
pub fn send_to_child_of(
    parent: crate::process::Pid,
    pid: crate::process::Pid,
    signal: Signal,
) -> Result<(), Errno> {
    // SAFETY: a returned descriptor is ours.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.number(), 0) };
    let pidfd = match pidfd {
        // SAFETY: just opened, and nobody else has it.
        0.. => Ok(unsafe { OwnedFd::from_raw_fd(pidfd as i32) }),
        _ => Err(Errno::last()),
    };
    // After it was opened: what is true now is true of the process that is signalled.
    if super::procfs::parent(pid) != Some(parent) {
        return Err(Errno::ESRCH);
    }
    let result = pidfd.and_then(|pidfd| {
        // SAFETY: the descriptor is open; a null siginfo is allowed.
        Errno::result(unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                pidfd.as_raw_fd(),
                signal.number(),
                core::ptr::null::<libc::siginfo_t>(),
                0,
            )
        })
    });
    match result {
        Ok(_) => Ok(()),
        // Not known before Linux 5.3, or not allowed by a filter: the number has to do.
        Err(Errno::ENOSYS | Errno::EPERM) => send(pid, signal),
        Err(error) => Err(error),
    }
}

/// Stop this process until somebody continues it. PID 1 of a namespace is not stopped.
pub fn stop_self() {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(libc::getpid(), libc::SIGSTOP) };
}

/// Send a signal to every process that we may signal in this pid namespace, but us.
pub fn send_to_all(signal: Signal) {
    // SAFETY: no memory is involved; -1 means all others.
    unsafe { libc::kill(-1, signal.number()) };
}

/// Send a signal to every process of this process's group.
pub fn send_to_group(leader: crate::process::Pid, signal: Signal) {
    // SAFETY: no memory is involved.
    unsafe { libc::kill(-leader.number(), signal.number()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::Pid;

    #[test]
    fn a_signal_for_a_child_reaches_neither_threads_nor_other_processes() {
        let us = super::super::identity::pid();
        let parent = super::super::procfs::parent(us).expect("we have one");
        let winch = Signal::parse("WINCH").expect("a signal that nobody minds");
        // This test runs in a thread of its own, whose number is no process's.
        let thread = Pid::new(nix::unistd::gettid().as_raw()).expect("positive");
        assert_ne!(thread, us);
        assert_eq!(super::super::procfs::parent(thread), Some(parent), "so it seems");
        assert!(send_to_child_of(parent, thread, winch).is_err());
        assert_eq!(send_to_child_of(parent, us, winch), Ok(()));
        assert_eq!(send_to_child_of(us, us, winch), Err(Errno::ESRCH));
        let mut child = std::process::Command::new("sleep").arg("300").spawn().expect("a process");
        let pid = Pid::new(child.id() as i32).expect("positive");
        assert_eq!(send_to_child_of(us, pid, Signal::KILL), Ok(()));
        child.wait().expect("it is our child");
        assert_eq!(send_to_child_of(us, pid, Signal::KILL), Err(Errno::ESRCH));
    }
}
