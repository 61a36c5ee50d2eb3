//! Listening sockets for the endpoints: unix sockets with the mode and owner that were asked for
//! before anybody can connect, tcp ports, and the port for discovery. All are non-blocking and reach
//! no program that is not given them.

use super::directory::{Directory, FileKind, SocketFile};
use crate::process::Pid;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;
use nix::sys::socket::{
    AddressFamily, Backlog, IpMembershipRequest, SockFlag, SockType, SockaddrIn, SockaddrIn6,
    UnixAddr, bind, connect, getsockname, listen, setsockopt, socket, sockopt,
};
use nix::sys::stat::{Mode, fchmod, umask};
use nix::unistd::{Gid, Uid, fchownat};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// What keeps a socket from being bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// Another circusd serves there, and this is its pid if it has said so.
    Locked(Option<Pid>),
    /// Some program listens there.
    Served,
    /// Something is there that is no socket.
    Occupied(FileKind),
    /// What should be a directory is none, or only a link to one.
    NoDirectory,
    /// The directory is this user's.
    BelongsTo(u32),
    /// What has the name of the lock is no plain file of ours.
    SuspectLock,
    /// The file system gives everything the permissions that it likes.
    NoPermissions,
    /// The path is too long for a socket.
    TooLong,
    /// There is no network interface of that name.
    NoInterface,
    /// The network interface has no address.
    NoAddress,
    /// The host has no address.
    NoHost,
    /// The kernel refuses, with this error number.
    Refused(Attempt, i32),
}

impl Obstacle {
    pub(super) fn refused(attempt: Attempt, errno: Errno) -> Obstacle {
        Obstacle::Refused(attempt, errno as i32)
    }
}

/// What the kernel can refuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A new directory.
    MakeDirectory,
    /// Looking into a directory.
    OpenDirectory,
    /// Keeping others out of a directory.
    Tighten,
    /// The lock file.
    Lock,
    /// Asking a socket that is there whether anybody serves it.
    Ask,
    /// Removing a socket that nobody serves.
    Remove,
    /// The socket itself.
    Bind,
    /// Its owner.
    Own,
    /// Joining the group for discovery.
    Join,
    /// Binding it to a network interface.
    Interface,
}

/// What a unix socket's file looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// Permissions.
    pub mode: u32,
    /// User and group, where they are not ours.
    pub owner: Option<(u32, Option<u32>)>,
}

/// A listening socket; the file of a unix one is removed with it.
#[derive(Debug)]
pub struct Listener {
    socket: OwnedFd,
    _file: Option<SocketFile>,
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Connections that wait for the gateway; more are refused, or wait on the clients' side.
const BACKLOG: i32 = 512;

/// Listen at a path. A socket that nobody serves is replaced; whatever else is there stays. Whoever
/// calls this has the lock, or two could replace each other's.
///
/// # Errors
/// Something else is there, or the kernel refuses.
pub fn unix(directory: &Directory, name: &str, rights: &Rights) -> Result<Listener, Obstacle> {
    let path = directory.path(name);
    let address = UnixAddr::new(path.as_str()).map_err(|_| Obstacle::TooLong)?;
    let socket = new_socket(AddressFamily::Unix, SockType::Stream)?;
    match bind_with_mode(&socket, &address, rights.mode) {
        Err(Errno::EADDRINUSE) => {
            let another = || new_socket(AddressFamily::Unix, SockType::Stream);
            clear(directory, name, &address, another)?;
            bind_with_mode(&socket, &address, rights.mode).map_err(refused_bind)?;
        }
        result => result.map_err(refused_bind)?,
    }
    // Seen through the directory that was looked at: it is really there.
    let file = SocketFile::ours(directory, name, rights.mode)?;
    if let Some((uid, gid)) = rights.owner {
        let (uid, gid) = (Some(Uid::from_raw(uid)), gid.map(Gid::from_raw));
        fchownat(directory.descriptor(), name, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)
            .map_err(|errno| Obstacle::refused(Attempt::Own, errno))?;
    }
    // Before this nobody can connect.
    start(&socket)?;
    Ok(Listener { socket, _file: Some(file) })
}

/// Listen at a port of an address. Returns the port too, which is the kernel's choice for 0.
///
/// # Errors
/// The kernel refuses.
pub fn tcp(address: SocketAddr) -> Result<(Listener, u16), Obstacle> {
    let socket = match address {
        SocketAddr::V4(address) => {
            let socket = new_socket(AddressFamily::Inet, SockType::Stream)?;
            setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(refused_bind)?;
            bind(socket.as_raw_fd(), &SockaddrIn::from(address)).map_err(refused_bind)?;
            socket
        }
        SocketAddr::V6(address) => {
            let socket = new_socket(AddressFamily::Inet6, SockType::Stream)?;
            setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(refused_bind)?;
            // Every address means those of version 4 too, whatever the system's default is.
            let only_v6 = !address.ip().is_unspecified();
            setsockopt(&socket, sockopt::Ipv6V6Only, &only_v6).map_err(refused_bind)?;
            bind(socket.as_raw_fd(), &SockaddrIn6::from(address)).map_err(refused_bind)?;
            socket
        }
    };
    start(&socket)?;
    let port = match address.port() {
        0 => bound_port(&socket).map_err(refused_bind)?,
        port => port,
    };
    Ok((Listener { socket, _file: None }, port))
}

/// The address of a network interface, with a port: the first of version 4, else of version 6.
///
/// # Errors
/// There is none.
pub fn interface(name: &str, port: u16) -> Result<SocketAddr, Obstacle> {
    let entries = getifaddrs().map_err(|_| Obstacle::NoInterface)?;
    let ours: Vec<_> = entries.filter(|entry| entry.interface_name == name).collect();
    if ours.is_empty() {
        return Err(Obstacle::NoInterface);
    }
    let is_up = |flags: InterfaceFlags| flags.contains(InterfaceFlags::IFF_UP);
    let addresses =
        || ours.iter().filter(|entry| is_up(entry.flags)).filter_map(|entry| entry.address);
    let v4 = addresses().find_map(|address| Some(IpAddr::V4(address.as_sockaddr_in()?.ip())));
    // An address that only means something together with the interface is no address for clients.
    let v6 = addresses()
        .filter_map(|address| Some(address.as_sockaddr_in6()?.ip()))
        .find(|address| !address.is_unicast_link_local())
        .map(IpAddr::V6);
    v4.or(v6).map(|address| SocketAddr::new(address, port)).ok_or(Obstacle::NoAddress)
}

/// A socket that gets the questions of those who look for us, beside others who are looked for.
///
/// # Errors
/// The kernel refuses, or there is no network to join the group in.
pub fn discovery(group: Ipv4Addr, port: u16) -> Result<OwnedFd, Obstacle> {
    let socket = new_socket(AddressFamily::Inet, SockType::Datagram)?;
    let everywhere = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port));
    setsockopt(&socket, sockopt::ReuseAddr, &true)
        .and_then(|()| setsockopt(&socket, sockopt::ReusePort, &true))
        .and_then(|()| setsockopt(&socket, sockopt::IpMulticastTtl, &255))
        .and_then(|()| bind(socket.as_raw_fd(), &everywhere))
        .map_err(refused_bind)?;
    setsockopt(&socket, sockopt::IpAddMembership, &IpMembershipRequest::new(group, None))
        .map_err(|errno| Obstacle::refused(Attempt::Join, errno))?;
    Ok(socket)
}

fn new_socket(family: AddressFamily, kind: SockType) -> Result<OwnedFd, Obstacle> {
    socket(family, kind, SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK, None)
        .map_err(refused_bind)
}

/// A unix socket's file gets the socket's own mode without what the mask forbids, so nothing has to be
/// changed by path later, where somebody else's file could be by then.
pub(super) fn bind_with_mode(socket: &OwnedFd, address: &UnixAddr, mode: u32) -> nix::Result<()> {
    let mode = Mode::from_bits_truncate(mode);
    fchmod(socket, mode)?;
    // What a mask in use leaves alone.
    if mode & !(Mode::S_IRUSR | Mode::S_IWUSR) == Mode::empty() {
        return bind(socket.as_raw_fd(), address);
    }
    let mask = umask(Mode::empty());
    let result = bind(socket.as_raw_fd(), address);
    umask(mask);
    result
}

/// Make room where something is in the way, if that is a socket that nobody serves.
pub(super) fn clear(
    directory: &Directory,
    name: &str,
    address: &UnixAddr,
    new_socket: impl FnOnce() -> Result<OwnedFd, Obstacle>,
) -> Result<(), Obstacle> {
    let status = match directory.status(name) {
        Ok(status) => status,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(Obstacle::refused(Attempt::Ask, errno)),
    };
    match FileKind::of(&status) {
        FileKind::Socket => {}
        kind => return Err(Obstacle::Occupied(kind)),
    }
    let question = new_socket()?;
    match connect(question.as_raw_fd(), address) {
        Err(Errno::ECONNREFUSED) => {}
        Err(Errno::ENOENT) => return Ok(()),
        // It has more clients than it can take, or speaks in datagrams.
        Ok(()) | Err(Errno::EAGAIN | Errno::EINPROGRESS | Errno::EPROTOTYPE) => {
            return Err(Obstacle::Served);
        }
        Err(errno) => return Err(Obstacle::refused(Attempt::Ask, errno)),
    }
    directory.remove(name).map_err(|errno| Obstacle::refused(Attempt::Remove, errno))
}

fn start(socket: &OwnedFd) -> Result<(), Obstacle> {
    Backlog::new(BACKLOG).and_then(|backlog| listen(socket, backlog)).map_err(refused_bind)
}

fn bound_port(socket: &OwnedFd) -> nix::Result<u16> {
    let address: nix::sys::socket::SockaddrStorage = getsockname(socket.as_raw_fd())?;
    let v4 = address.as_sockaddr_in().map(SockaddrIn::port);
    Ok(v4.or(address.as_sockaddr_in6().map(SockaddrIn6::port)).unwrap_or_default())
}

fn refused_bind(errno: Errno) -> Obstacle {
    Obstacle::refused(Attempt::Bind, errno)
}
