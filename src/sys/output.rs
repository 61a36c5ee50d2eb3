//! Writing to a descriptor that others share, such as our standard output, without ever waiting.
//!
//! It must not be made non-blocking itself: the flag belongs to the open file, and every process
//! that inherited it would see its own writes fail.

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How writes are kept from waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The descriptor is ours alone and non-blocking, or a regular file.
    Plain,
    /// A socket: each send says that it does not wait.
    Socket,
    /// A pipe or terminal that could not be opened a second time: the kernel is told with each
    /// write, or asked before.
    Shared,
}

/// Something to write to.
#[derive(Debug)]
pub struct Output {
    fd: OwnedFd,
    way: Way,
    /// Old kernels cannot be told with the write.
    ask_first: bool,
}

impl Output {
    /// Write to what is behind this descriptor.
    ///
    /// # Errors
    /// It is closed.
    pub fn shared(fd: BorrowedFd<'_>) -> io::Result<Output> {
        let kind = SFlag::from_bits_truncate(fstat(fd)?.st_mode) & SFlag::S_IFMT;
        let way = match kind {
            SFlag::S_IFREG => Way::Plain,
            SFlag::S_IFSOCK => Way::Socket,
            _ => Way::Shared,
        };
        if way == Way::Shared {
            let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
            let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
            if let Ok(fd) = open(path.as_str(), flags, Mode::empty()) {
                return Ok(Output { fd, way: Way::Plain, ask_first: false });
            }
        }
        Ok(Output { fd: fd.try_clone_to_owned()?, way, ask_first: false })
    }

    /// Append to a file, made if it is not there.
    ///
    /// # Errors
    /// It cannot be opened for writing.
    pub fn append(path: &str) -> io::Result<Output> {
        // Not O_NONBLOCK for what is there already: opening a pipe that nobody reads would fail,
        // which is what we want rather than to wait.
        let flags = OFlag::O_WRONLY
            | OFlag::O_APPEND
            | OFlag::O_CREAT
            | OFlag::O_NONBLOCK
            | OFlag::O_CLOEXEC
            | OFlag::O_NOCTTY;
        let fd = open(path, flags, Mode::from_bits_truncate(0o644))?;
        Ok(Output { fd, way: Way::Plain, ask_first: false })
    }

    /// Send datagrams through this non-blocking socket.
    pub fn socket(fd: OwnedFd) -> Output {
        Output { fd, way: Way::Socket, ask_first: false }
    }

    /// Write what fits now. `WouldBlock`: nothing does.
    ///
    /// # Errors
    /// Whatever the kernel says; a pipe without reader is `BrokenPipe`.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.way {
            Way::Plain => Ok(nix::unistd::write(&self.fd, bytes)?),
            Way::Socket => self.send(bytes),
            Way::Shared if self.ask_first => self.write_if_ready(bytes),
            Way::Shared => match self.write_nowait(bytes) {
                Err(error) if error.kind() == ErrorKind::Unsupported => {
                    self.ask_first = true;
                    self.write_if_ready(bytes)
                }
                result => result,
            },
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the buffer is as large as said.
        let sent =
            unsafe { libc::send(self.fd.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn write_nowait(&self, bytes: &[u8]) -> io::Result<usize> {
        let part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        // SAFETY: one part, as large as said, which the kernel only reads; -1 is no position.
        let written =
            unsafe { libc::pwritev2(self.fd.as_raw_fd(), &part, 1, -1, libc::RWF_NOWAIT) };
        usize::try_from(written).map_err(|_| match io::Error::last_os_error() {
            error if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
                ErrorKind::Unsupported.into()
            }
            error => error,
        })
    }

    /// A pipe that is ready takes PIPE_BUF bytes without waiting.
    fn write_if_ready(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut entry = libc::pollfd { fd: self.fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 };
        // SAFETY: one entry, as said; it does not wait.
        let ready = unsafe { libc::poll(&mut entry, 1, 0) };
        if ready == 1 && entry.revents & libc::POLLOUT == 0 {
            // An error without room: nobody will ever read it.
            return Err(ErrorKind::BrokenPipe.into());
        }
        if ready != 1 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let part = &bytes[..bytes.len().min(libc::PIPE_BUF)];
        Ok(nix::unistd::write(&self.fd, part)?)
    }
}

impl AsFd for Output {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
