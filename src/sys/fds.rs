//! The descriptors that we were started with.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, SealFlag, fcntl, open};
use nix::sys::socket::{AddressFamily, Shutdown, SockFlag, SockType, shutdown, socketpair};
use nix::sys::stat::Mode;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

/// Make sure that 0, 1 and 2 are open, so that nothing of ours ever gets these numbers, and that
/// no other descriptor reaches a process that we start. Returns `/dev/null`, if there is one, and
/// whether standard input was closed.
pub fn settle() -> (Option<OwnedFd>, bool) {
    close_on_exec_from(3);
    let mut stdin_was_closed = false;
    loop {
        let null = open("/dev/null", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty()).ok();
        // Where there is no /dev/null, a place holder that can be neither read nor written.
        let holder = || open("/", OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty()).ok();
        let is_null = null.is_some();
        let Some(opened) = null.or_else(holder) else { return (None, stdin_was_closed) };
        // The kernel gives the lowest number that is free.
        if opened.as_raw_fd() > 2 {
            return (Some(opened).filter(|_| is_null), stdin_was_closed);
        }
        stdin_was_closed |= opened.as_raw_fd() == 0;
        let _ = fcntl(&opened, FcntlArg::F_SETFD(FdFlag::empty()));
        let _ = opened.into_raw_fd();
    }
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

/// A pipe that no program gets: (read end, write end), both non-blocking.
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?)
}

/// A pipe for what another program writes: (read end, non-blocking; write end for it, which blocks
/// as every program expects).
pub fn pipe_for_output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

/// A file without a name that holds this, to be read from its beginning and never changed. Unlike a
/// pipe it takes any amount at once.
pub fn sealed(bytes: &[u8]) -> io::Result<OwnedFd> {
    const MFD_NOEXEC_SEAL: libc::c_uint = 8;
    let create = |flags| {
        // SAFETY: the name is a string.
        let fd = unsafe { libc::memfd_create(c"told".as_ptr(), libc::MFD_CLOEXEC | flags) };
        // SAFETY: the kernel has just made it for us.
        if fd < 0 { Err(Errno::last()) } else { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) }
    };
    let file = match create(MFD_NOEXEC_SEAL) {
        // Before Linux 6.3.
        Err(Errno::EINVAL) => create(libc::MFD_ALLOW_SEALING)?,
        made => made?,
    };
    let mut file = std::fs::File::from(file);
    file.write_all(bytes)?;
    file.rewind()?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals | SealFlag::F_SEAL_SEAL))?;
    Ok(file.into())
}

/// No descriptor that a new process is to have has a number this high.
pub const HIGH: RawFd = 64;

/// The same file under a number of at least `HIGH`.
pub fn high(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    from(fd, HIGH)
}

/// The same file under a number of at least `lowest`.
pub fn from(fd: BorrowedFd<'_>, lowest: RawFd) -> io::Result<OwnedFd> {
    let number = fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(lowest))?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Two ends of a connection: ours is non-blocking, the other is not.
pub fn connection() -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::Stream, None, SockFlag::SOCK_CLOEXEC)?;
    fcntl(&ours, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((ours, theirs))
}

/// Write without blocking.
pub fn write(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    Ok(nix::unistd::write(fd, bytes)?)
}

/// Nothing more will be written to this connection.
pub fn finish(fd: BorrowedFd<'_>) {
    let _ = shutdown(fd.as_raw_fd(), Shutdown::Write);
}

/// Read without blocking; `Ok(0)` is the end.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(fd, buffer)?)
}

/// Make a pipe's read end ready for one reader who never waits, and the pipe as large as the kernel
/// allows up to this. Whoever writes to it notices nothing.
pub fn settle_pipe(fd: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    // It may not be a pipe, or there may be too many large ones.
    let _ = fcntl(fd, FcntlArg::F_SETPIPE_SZ(bytes));
    Ok(())
}

/// Bytes that can be read now.
pub fn readable_bytes(fd: BorrowedFd<'_>) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one number into ours.
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if result == 0 { usize::try_from(bytes).unwrap_or_default() } else { 0 }
}
