//! Whether anybody takes connections at a local socket, without ever waiting for it.

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Connect to the socket at `path`, and close it again. A full queue is somebody, too.
///
/// # Errors
/// As connect(2): nothing is there, nobody listens, we may not.
pub fn check(path: &Path) -> io::Result<()> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    match connect(socket.as_raw_fd(), &UnixAddr::new(path)?) {
        Ok(()) | Err(Errno::EAGAIN | Errno::EINPROGRESS) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
