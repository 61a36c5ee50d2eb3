//! The socket for sd_notify(3): datagrams at a name in the abstract namespace, which needs no
//! directory that could be written and no permission of files. Whoever sends says who he is by the
//! kernel's word.

use super::identity::{open_files_now, seed};
use crate::notification::MESSAGE_BYTES_MAX;
use crate::process::Pid;
use nix::errno::Errno;
use nix::sys::socket::sockopt::{Linger, PassCred};
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, UnixAddr, UnixCredentials,
    bind, recvmsg, sendto, setsockopt, socket,
};
use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Descriptors that come with a message are closed at once; the kernel passes no more than these.
const DESCRIPTORS_MAX: usize = 253;

/// So many descriptors are left for everything else, or a quarter of what there may be: who would use
/// up all of them gets no socket.
const LEFT_MIN: u64 = 32;

/// Who has sent a message, by the kernel's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sender {
    /// Its number; it may be gone by now.
    pub pid: Pid,
    /// Its real user id. Only root can name another one than its own.
    pub uid: u32,
}

/// What was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// From this process.
    Message(Sender, Vec<u8>),
    /// It is too long, or its sender is not one of this pid namespace.
    Useless,
    /// Nothing is there.
    Nothing,
}

/// Where processes tell what they are at.
#[derive(Debug)]
pub struct NotifySocket {
    socket: OwnedFd,
    name: String,
}

impl NotifySocket {
    /// Under a name that nobody can have taken before.
    ///
    /// # Errors
    /// No socket can be made: the kernel's limits.
    pub fn open() -> io::Result<NotifySocket> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
        // The kernel gives the lowest number that is free.
        let number = u64::from(socket.as_raw_fd().unsigned_abs());
        let most = open_files_now();
        if number.saturating_add(LEFT_MIN.min(most / 4)) >= most {
            return Err(Errno::EMFILE.into());
        }
        setsockopt(&socket, PassCred, &true)?;
        let name = format!("circus/notify/{:016x}{:016x}", seed(), seed());
        bind(socket.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
        Ok(NotifySocket { socket, name: format!("@{name}") })
    }

    /// As `NOTIFY_SOCKET` has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The next message.
    pub fn receive(&self) -> Received {
        let mut control = nix::cmsg_space!(UnixCredentials, [RawFd; DESCRIPTORS_MAX]);
        let mut bytes = [0; MESSAGE_BYTES_MAX];
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let fd = self.socket.as_raw_fd();
        let Ok(received) = recvmsg::<()>(fd, &mut parts, Some(&mut control), flags) else {
            return Received::Nothing;
        };
        let mut sender = None;
        for message in received.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::ScmCredentials(who) => {
                    sender = Pid::new(who.pid()).map(|pid| Sender { pid, uid: who.uid() });
                }
                ControlMessageOwned::ScmRights(all) => close_all(all),
                _ => {}
            }
        }
        let is_whole = !received.flags.contains(MsgFlags::MSG_TRUNC);
        let length = received.bytes;
        match sender.filter(|_| is_whole) {
            Some(sender) => Received::Message(sender, bytes[..length].to_vec()),
            None => Received::Useless,
        }
    }
}

impl AsFd for NotifySocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// To whom a sender waits for, its closing is the sign that its messages were read.
fn close_all(descriptors: Vec<RawFd>) {
    for fd in descriptors {
        // SAFETY: the kernel has just made it for us, and nobody else knows it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        // A connection that is to linger would keep whoever closes it last until all was delivered.
        let linger = libc::linger { l_onoff: 0, l_linger: 0 };
        let _ = setsockopt(&fd, Linger, &linger);
    }
}

/// Tell something to whoever has started us: `address` is a path or, with a leading `@`, a name.
///
/// # Errors
/// As sendto(2): nobody is there, nobody reads.
pub fn tell(address: &[u8], message: &[u8]) -> io::Result<()> {
    let to = match address.strip_prefix(b"@") {
        Some(name) => UnixAddr::new_abstract(name)?,
        None => UnixAddr::new(address)?,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Datagram, flags, None)?;
    sendto(socket.as_raw_fd(), message, &to, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_with_the_pid_of_its_sender() {
        let socket = NotifySocket::open().expect("a socket");
        assert_eq!(socket.receive(), Received::Nothing);
        tell(socket.name().as_bytes(), b"READY=1").expect("sent");
        let (pid, uid) = (crate::sys::identity::pid(), crate::sys::identity::uid());
        let us = Sender { pid, uid };
        assert_eq!(socket.receive(), Received::Message(us, b"READY=1".to_vec()));
        let long = vec![b'x'; MESSAGE_BYTES_MAX + 1];
        tell(socket.name().as_bytes(), &long).expect("sent");
        tell(socket.name().as_bytes(), b"STATUS=x").expect("sent");
        assert_eq!(socket.receive(), Received::Useless);
        assert_eq!(socket.receive(), Received::Message(us, b"STATUS=x".to_vec()));
        assert!(tell(b"@circus/nobody", b"READY=1").is_err());
    }

    #[test]
    fn descriptors_that_come_along_are_closed() {
        use nix::sys::socket::{ControlMessage, sendmsg};
        use std::io::IoSlice;
        let socket = NotifySocket::open().expect("a socket");
        let (read, write) = nix::unistd::pipe().expect("a pipe");
        let flags = SockFlag::SOCK_CLOEXEC;
        let from =
            super::socket(AddressFamily::Unix, SockType::Datagram, flags, None).expect("one");
        let name = socket.name().trim_start_matches('@');
        let to = UnixAddr::new_abstract(name.as_bytes()).expect("a name");
        let descriptors = [write.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let text = [IoSlice::new(b"BARRIER=1")];
        let sent = sendmsg(from.as_raw_fd(), &text, &rights, MsgFlags::empty(), Some(&to));
        sent.expect("sent");
        drop(write);
        assert_ne!(socket.receive(), Received::Nothing);
        let mut byte = [0];
        assert_eq!(nix::unistd::read(&read, &mut byte), Ok(0), "nobody holds the other end");
    }
}
