//! Packets over a local socket, with a descriptor where one belongs to them.

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, setsockopt, socketpair, sockopt,
};
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// What was received.
#[derive(Debug)]
pub struct Packet {
    /// Its length; 0 is the end.
    pub length: usize,
    /// What came with it.
    pub descriptor: Option<OwnedFd>,
    /// Something came with it that could not be taken: we have too many descriptors.
    pub lost_descriptor: bool,
}

/// Two ends that keep packets apart, the longest of which is this long. No program gets them by itself.
///
/// # Errors
/// There are no more descriptors.
pub fn pair(bytes_max: usize) -> io::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    for end in [&ours, &theirs] {
        // As much as the kernel allows; it counts more than the bytes.
        let _ = setsockopt(end, sockopt::SndBuf, &(2 * bytes_max));
    }
    Ok((ours, theirs))
}

/// Send one without waiting.
///
/// # Errors
/// `WouldBlock`, or the other end is gone.
pub fn send(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    descriptor: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    let number = descriptor.map(|fd| [fd.as_raw_fd()]);
    let rights = number.as_ref().map(|number| [ControlMessage::ScmRights(number)]);
    let control = rights.as_ref().map_or(&[][..], |rights| rights);
    sendmsg::<()>(socket.as_raw_fd(), &[IoSlice::new(bytes)], control, flags, None)?;
    Ok(())
}

/// Receive one without waiting.
///
/// # Errors
/// `WouldBlock`, or the other end is gone.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<Packet> {
    let mut control = nix::cmsg_space!([i32; 4]);
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut parts = [IoSliceMut::new(buffer)];
    let fd = socket.as_raw_fd();
    let received = loop {
        match recvmsg::<()>(fd, &mut parts, Some(&mut control), flags) {
            Err(Errno::EINTR) => {}
            result => break result?,
        }
    };
    let lost_descriptor = received.flags.contains(MsgFlags::MSG_CTRUNC);
    let mut descriptors = Vec::new();
    for message in received.cmsgs().into_iter().flatten() {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel has just made them for us.
            descriptors.extend(numbers.iter().map(|fd| unsafe { OwnedFd::from_raw_fd(*fd) }));
        }
    }
    // Others than the first one are closed.
    let descriptor = descriptors.into_iter().next();
    Ok(Packet { length: received.bytes, descriptor, lost_descriptor })
}
