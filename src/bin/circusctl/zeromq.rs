//! What the crate `zmq` has no safe words for, as small safe functions: descriptors that we
//! inherit, options that it does not know, and `accept4` as libzmq can bear it.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use zmq_sys::{ZMQ_USE_FD, zmq_getsockopt, zmq_setsockopt};

/// Not in the crate's list of options.
const ZMQ_ZAP_ENFORCE_DOMAIN: u32 = 93;
const ZMQ_TOPICS_COUNT: u32 = 116;

/// A descriptor that whoever started us has left open under this number. Each number may be asked
/// for once.
pub fn inherited(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: only reads a flag, and fails if it is closed.
    let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
    // SAFETY: it is open, and nobody else in this process knows of it yet.
    (flags >= 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// What tells that something has changed in a socket.
pub fn descriptor(socket: &zmq::Socket) -> BorrowedFd<'_> {
    let number = socket.get_fd().expect("an open socket has one");
    // SAFETY: it is open as long as the socket.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Let `bind` take this listening socket and not make one.
pub fn use_listener(socket: &mut zmq::Socket, listener: OwnedFd) -> zmq::Result<()> {
    set_number(socket, ZMQ_USE_FD, listener.as_raw_fd())?;
    // libzmq closes it with the socket.
    std::mem::forget(listener);
    Ok(())
}

/// Refuse every peer as long as nobody answers for its domain.
pub fn enforce_domain(socket: &mut zmq::Socket) -> zmq::Result<()> {
    set_number(socket, ZMQ_ZAP_ENFORCE_DOMAIN, 1)
}

fn set_number(socket: &mut zmq::Socket, option: u32, number: i32) -> zmq::Result<()> {
    // SAFETY: the socket is open, and libzmq reads an int of the size given.
    let result = unsafe {
        zmq_setsockopt(
            socket.as_mut_ptr(),
            option as i32,
            (&raw const number).cast(),
            size_of_val(&number),
        )
    };
    if result == 0 { Ok(()) } else { Err(last_error()) }
}

/// How many different subscriptions an XPUB socket has, by its own count: peers can make it tell
/// of the end of subscriptions that never were.
pub fn subscriptions(socket: &mut zmq::Socket) -> u32 {
    let mut number = 0i32;
    let mut size = size_of_val(&number);
    // SAFETY: the socket is open, and libzmq writes an int of the size given.
    let result = unsafe {
        zmq_getsockopt(
            socket.as_mut_ptr(),
            ZMQ_TOPICS_COUNT as i32,
            (&raw mut number).cast(),
            &raw mut size,
        )
    };
    // If in doubt, somebody listens.
    if result == 0 { u32::try_from(number).unwrap_or(0) } else { 1 }
}

fn last_error() -> zmq::Error {
    // SAFETY: no memory is involved.
    zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() })
}

/// End the connection that libzmq has under this number: it sees that the peer has gone. If another
/// one has got the number meanwhile, that one connects again.
pub fn end_connection(number: RawFd) {
    // SAFETY: no memory is involved; whatever is no socket is left alone.
    unsafe { libc::shutdown(number, libc::SHUT_RDWR) };
}

/// Connections that would get a descriptor from here on are closed at once. The kernel gives the
/// lowest number that is free, so this limits how many there are.
static DESCRIPTORS_MAX: AtomicI32 = AtomicI32::new(i32::MAX);
/// How many were closed for that.
static TURNED_AWAY: AtomicU32 = AtomicU32::new(0);

/// Turn connections away before descriptors run out. The last quarter is for root and our own
/// user, so that others cannot lock them out.
pub fn limit_descriptors(count: i32) {
    DESCRIPTORS_MAX.store(count, Ordering::Relaxed);
}

/// How many connections were turned away since this was asked last.
pub fn turned_away() -> u32 {
    TURNED_AWAY.swap(0, Ordering::Relaxed)
}

/// In place of libc's function of that name, for libzmq: it aborts when a local socket reports that
/// there is no descriptor or no memory for a new connection, which any client could bring about, and
/// for others it tries again without a pause.
///
/// # Safety
/// As for the system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn accept4(
    listener: libc::c_int,
    address: *mut libc::sockaddr,
    length: *mut libc::socklen_t,
    flags: libc::c_int,
) -> libc::c_int {
    // SAFETY: the arguments are the caller's.
    let accepted = unsafe { libc::syscall(libc::SYS_accept4, listener, address, length, flags) }
        as libc::c_int;
    let limit = DESCRIPTORS_MAX.load(Ordering::Relaxed);
    if accepted < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        if limit != i32::MAX && error.is_some_and(|error| scarce.contains(&error)) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            set_errno(libc::EAGAIN);
        }
        return -1;
    }
    if accepted >= limit - limit / 4 && (accepted >= limit || !is_trusted(accepted)) {
        // SAFETY: just accepted, and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(accepted) });
        TURNED_AWAY.fetch_add(1, Ordering::Relaxed);
        set_errno(libc::ECONNABORTED);
        return -1;
    }
    accepted
}

/// Whether the peer is root or our own user, by the kernel's word.
fn is_trusted(connection: RawFd) -> bool {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = size_of_val(&peer) as libc::socklen_t;
    // SAFETY: the kernel writes at most as many bytes as given.
    let result = unsafe {
        libc::getsockopt(
            connection,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    result == 0 && (peer.uid == 0 || peer.uid == circus::sys::identity::uid())
}

fn set_errno(error: i32) {
    // SAFETY: libc's own place for this thread.
    unsafe { *libc::__errno_location() = error };
}
