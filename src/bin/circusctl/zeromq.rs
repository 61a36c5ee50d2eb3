//! What the crate `zmq` has no safe words for, as small safe functions: descriptors that we
//! inherit, options that it does not know, and two functions of libc as libzmq can bear them.

#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering};
use zmq_sys::{ZMQ_USE_FD, zmq_setsockopt};

/// Not in the crate's list of options.
const ZMQ_ZAP_ENFORCE_DOMAIN: u32 = 93;

/// A socket that whoever started us has left open under this number. Each number may be asked for
/// once.
pub fn inherited_socket(number: RawFd) -> Option<OwnedFd> {
    let mut kind: libc::c_int = 0;
    let mut size = size_of_val(&kind) as libc::socklen_t;
    // SAFETY: the kernel writes at most as many bytes as given, and none if this is no socket.
    let result = unsafe {
        libc::getsockopt(
            number,
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast::<libc::c_void>(),
            &raw mut size,
        )
    };
    // SAFETY: it is open, and nobody else in this process knows of it yet.
    (result == 0 && kind != 0).then(|| unsafe { OwnedFd::from_raw_fd(number) })
}

/// Give libzmq's numbers another start in each process: it forgets to. The clients of one gateway
/// who chose no identity would have those of the next one's, and a reply that is late the wrong
/// receiver.
pub fn seed() {
    let mut seed = 0u32;
    // SAFETY: the kernel writes as many bytes as given; any number will do.
    unsafe {
        libc::getrandom((&raw mut seed).cast(), size_of_val(&seed), libc::GRND_NONBLOCK);
        libc::srand(seed ^ libc::getpid() as u32);
    }
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

/// The numbers of descriptors that we keep book on.
pub const DESCRIPTORS_MAX: usize = 1024;

/// Connections that would get a descriptor from here on are closed at once. The kernel gives the
/// lowest number that is free, so this limits how many there are.
static LIMIT: AtomicI32 = AtomicI32::new(i32::MAX);
/// The listener for subscribers.
static SUBSCRIBERS: AtomicI32 = AtomicI32::new(-1);
/// How many connections were closed for the limit.
static TURNED_AWAY: AtomicU32 = AtomicU32::new(0);
/// What each connection is.
static PEERS: [AtomicU8; DESCRIPTORS_MAX] = [const { AtomicU8::new(CLIENT) }; DESCRIPTORS_MAX];
const CLIENT: u8 = 0;
const TRUSTED_SUBSCRIBER: u8 = 1;
const SUBSCRIBER: u8 = 2;

/// Turn connections away before descriptors run out: at most `DESCRIPTORS_MAX`. The last quarter is
/// for root and our own user, so that others cannot lock them out. And remember who comes through
/// the listener for subscribers.
pub fn limit_descriptors(count: usize, subscribers: RawFd) {
    LIMIT.store(count.min(DESCRIPTORS_MAX) as i32, Ordering::Relaxed);
    SUBSCRIBERS.store(subscribers, Ordering::Relaxed);
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
    let limit = LIMIT.load(Ordering::Relaxed);
    if limit == i32::MAX {
        return accepted;
    }
    if accepted < 0 {
        let error = std::io::Error::last_os_error().raw_os_error();
        let scarce = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM];
        if error.is_some_and(|error| scarce.contains(&error)) {
            std::thread::sleep(std::time::Duration::from_millis(20));
            set_errno(libc::EAGAIN);
        }
        return -1;
    }
    let is_subscriber = listener == SUBSCRIBERS.load(Ordering::Relaxed);
    let is_scarce = accepted >= limit - limit / 4;
    let is_trusted = (is_subscriber || is_scarce) && is_trusted(accepted);
    if accepted >= limit || is_scarce && !is_trusted {
        // SAFETY: just accepted, and nobody else has it.
        drop(unsafe { OwnedFd::from_raw_fd(accepted) });
        TURNED_AWAY.fetch_add(1, Ordering::Relaxed);
        set_errno(libc::ECONNABORTED);
        return -1;
    }
    let peer = match (is_subscriber, is_trusted) {
        (false, _) => CLIENT,
        (true, true) => TRUSTED_SUBSCRIBER,
        (true, false) => SUBSCRIBER,
    };
    PEERS[accepted as usize].store(peer, Ordering::Relaxed);
    accepted
}

/// In place of libc's function of that name, for libzmq: it would take subscriptions as fast as
/// they come, has no limit on them, needs fifty bytes for each of theirs and tells us when it is
/// too late. A subscriber has little to say: who says so much that the allowance of all is used up
/// is disconnected.
///
/// # Safety
/// As for the system call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn recv(
    connection: libc::c_int,
    buffer: *mut libc::c_void,
    length: libc::size_t,
    flags: libc::c_int,
) -> libc::ssize_t {
    const NOBODY: *mut libc::c_void = std::ptr::null_mut();
    // SAFETY: the arguments are the caller's; who sent it is not asked for.
    let received = unsafe {
        libc::syscall(libc::SYS_recvfrom, connection, buffer, length, flags, NOBODY, NOBODY)
    };
    let peer = usize::try_from(connection).ok().and_then(|number| PEERS.get(number));
    let allowance = match peer.map_or(CLIENT, |peer| peer.load(Ordering::Relaxed)) {
        TRUSTED_SUBSCRIBER => &ALLOWANCES[0],
        SUBSCRIBER => &ALLOWANCES[1],
        _ => return received as libc::ssize_t,
    };
    // As if the peer had closed it.
    if received > 0 && !allowance.take(received as u64) { 0 } else { received as libc::ssize_t }
}

/// For root and our own user, and for all others.
static ALLOWANCES: [Allowance; 2] = [const { Allowance::new() }; 2];

/// How much subscribers may say: a store that fills up again.
struct Allowance {
    bytes: AtomicU64,
    filled_ms: AtomicU64,
}

impl Allowance {
    /// Enough for a thousand subscribers who come at once, as they do when there is a new gateway.
    const BYTES_MAX: u64 = 256 << 10;
    const BYTES_A_MS: u64 = 32;

    const fn new() -> Allowance {
        Allowance { bytes: AtomicU64::new(Allowance::BYTES_MAX), filled_ms: AtomicU64::new(0) }
    }

    /// Only libzmq's one thread for connections is ever here.
    fn take(&self, count: u64) -> bool {
        let now_ms = circus::sys::clock::now().as_ms();
        let passed_ms = now_ms.saturating_sub(self.filled_ms.swap(now_ms, Ordering::Relaxed));
        let refill = passed_ms.saturating_mul(Allowance::BYTES_A_MS);
        let bytes = self.bytes.load(Ordering::Relaxed).saturating_add(refill);
        let bytes = bytes.min(Allowance::BYTES_MAX);
        self.bytes.store(bytes.saturating_sub(count), Ordering::Relaxed);
        bytes >= count
    }
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
