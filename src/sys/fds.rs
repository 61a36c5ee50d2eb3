//! The descriptors that we were started with.

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::{dup2_stderr, dup2_stdin, dup2_stdout};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};

/// Make sure that 0, 1 and 2 are open, so that nothing of ours ever gets these numbers, and that
/// no other descriptor reaches a process that we start. Returns `/dev/null`, if there is one, and
/// which of 0, 1 and 2 were closed.
pub fn settle() -> (Option<OwnedFd>, [bool; 3]) {
    close_on_exec_from(3);
    let closed = [0, 1, 2].map(|fd| !is_open(fd));
    let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).ok();
    // Where there is no /dev/null, a place holder that can be neither read nor written.
    let holder = || open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty());
    let Some(filler) = null.or_else(|| holder().ok()) else { return (None, closed) };
    let is_null = filler_is_null(&filler);
    if closed[0] {
        let _ = dup2_stdin(&filler);
    }
    if closed[1] {
        let _ = dup2_stdout(&filler);
    }
    if closed[2] {
        let _ = dup2_stderr(&filler);
    }
    // It may have got one of the three numbers itself.
    let moved = fcntl(&filler, FcntlArg::F_DUPFD_CLOEXEC(3));
    if filler.as_raw_fd() <= 2 {
        let _ = fcntl(&filler, FcntlArg::F_SETFD(FdFlag::empty()));
        let _ = filler.into_raw_fd();
    }
    // SAFETY: just duplicated, and nobody else has it.
    let moved = moved.ok().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) });
    (moved.filter(|_| is_null), closed)
}

fn filler_is_null(fd: &OwnedFd) -> bool {
    fcntl(fd, FcntlArg::F_GETFL)
        .is_ok_and(|flags| !OFlag::from_bits_retain(flags).contains(OFlag::O_PATH))
}

fn is_open(fd: i32) -> bool {
    // SAFETY: only asks about the number, and fails if it is closed.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Without a loop over all numbers: with a limit of a thousand million that would take minutes.
fn close_on_exec_from(first: u32) {
    const CLOSE_RANGE_CLOEXEC: libc::c_uint = 4;
    // SAFETY: no memory is involved; descriptors stay open.
    let result =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, CLOSE_RANGE_CLOEXEC) };
    if result == 0 {
        return;
    }
    // Before Linux 5.11.
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers: Vec<i32> =
        entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok()).collect();
    for fd in numbers.into_iter().filter(|fd| *fd >= first as i32) {
        // SAFETY: only sets a flag, and fails if it is closed.
        unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) };
    }
}

/// A pipe that no other process gets: (read end, write end), the read end non-blocking.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&read, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((read, write))
}

/// Read without blocking; `Ok(0)` is the end.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(fd, buffer)?)
}
