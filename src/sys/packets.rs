//! A connection between two of our own processes that keeps packets apart and carries descriptors.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, setsockopt, socketpair, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// More than one comes with no packet; those that are more are closed.
const DESCRIPTORS_MAX: usize = 8;

/// Two ends, both non-blocking. `bytes_max` is the longest packet that has room.
///
/// # Errors
/// The kernel's limits.
pub fn pair(bytes_max: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)?;
    for end in [&ours, &theirs] {
        // What the kernel does not allow is cut to its limit, which is as much as we ask for.
        let _ = setsockopt(end, sockopt::SndBuf, &(2 * bytes_max));
    }
    Ok((ours, theirs))
}

/// Send a packet without blocking, and a descriptor with it.
///
/// # Errors
/// There is no room (`WouldBlock`), or nobody is there.
pub fn send(to: BorrowedFd<'_>, packet: &[u8], passed: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let descriptors: Vec<RawFd> = passed.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&descriptors)];
    let control = if descriptors.is_empty() { &rights[..0] } else { &rights[..] };
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg::<()>(to.as_raw_fd(), &[IoSlice::new(packet)], control, flags, None)?;
    Ok(())
}

/// What was received.
#[derive(Debug)]
pub struct Received {
    /// So many bytes; 0 is the end.
    pub length: usize,
    /// It was longer than there was room for.
    pub is_cut: bool,
    /// What came with it.
    pub descriptor: Option<OwnedFd>,
}

/// The next packet; `None` if there is none yet.
///
/// # Errors
/// The connection is broken.
pub fn receive(from: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Option<Received>> {
    let mut control = nix::cmsg_space!([RawFd; DESCRIPTORS_MAX]);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let received = match recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut control), flags) {
        Err(Errno::EAGAIN | Errno::EINTR) => return Ok(None),
        result => result?,
    };
    let mut descriptors = Vec::new();
    for message in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(all) = message {
            // SAFETY: the kernel has just made them for us, and nobody else knows them.
            descriptors.extend(all.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    Ok(Some(Received {
        length: received.bytes,
        is_cut: received.flags.contains(MsgFlags::MSG_TRUNC),
        descriptor: descriptors.into_iter().next(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn packets_stay_apart_and_a_descriptor_comes_with_its_own() {
        let (ours, theirs) = pair(1000).expect("a pair");
        let (read, write) = super::super::fds::pipe().expect("a pipe");
        send(ours.as_fd(), b"one", None).expect("sent");
        send(ours.as_fd(), b"two", Some(write.as_fd())).expect("sent");
        let mut buffer = [0; 8];
        let one = receive(theirs.as_fd(), &mut buffer).expect("works").expect("one");
        assert_eq!((one.length, &buffer[..3], one.descriptor.is_none()), (3, &b"one"[..], true));
        let two = receive(theirs.as_fd(), &mut buffer).expect("works").expect("two");
        let descriptor = two.descriptor.expect("it came along");
        super::super::fds::write(descriptor.as_fd(), b"x").expect("written");
        let mut byte = [0];
        assert_eq!(super::super::fds::read(read.as_fd(), &mut byte).expect("read"), 1);
        assert!(receive(theirs.as_fd(), &mut buffer).expect("works").is_none());
        send(ours.as_fd(), b"longer than there is room", None).expect("sent");
        assert!(receive(theirs.as_fd(), &mut buffer).expect("works").expect("cut").is_cut);
        drop(ours);
        let end = receive(theirs.as_fd(), &mut buffer).expect("works").expect("the end");
        assert_eq!(end.length, 0);
    }
}
