//! The sockets of a configuration: bound by us, used by the processes that inherit them. We never
//! read from them; we only look whether somebody waits.

use super::directory::{Directory, SocketFile};
use super::fds;
use super::hosts::{HOSTS, addresses};
use super::listen::{Attempt, Obstacle, bind_with_mode, clear};
use crate::config::settings::{SocketKind, SocketPlace, SocketSettings};
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::socket::{
    SockaddrIn, SockaddrIn6, SockaddrStorage, UnixAddr, bind, getsockname, setsockopt, sockopt,
};
use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A socket that is bound; the file of a unix one is removed with it.
#[derive(Debug)]
pub struct BoundSocket {
    socket: OwnedFd,
    file: Option<SocketFile>,
    address: Option<SocketAddr>,
    listens: bool,
    /// What it was bound for.
    bound_for: SocketSettings,
}

impl AsFd for BoundSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Who waits at a socket; `None` is what the kernel does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Queue {
    /// Connections that wait to be accepted.
    pub waiting: Option<u32>,
    /// So many may wait: the backlog, or the system's limit.
    pub most: Option<u32>,
    /// Connections or datagrams that were dropped because too many waited.
    pub dropped: Option<u32>,
}

/// What a socket is bound for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be used.
    Service,
    /// To keep its port, and have nobody connect: others share it by `SO_REUSEPORT`.
    Reservation,
}

impl BoundSocket {
    /// Bind it, and listen. `port` takes the place of the one in the settings.
    ///
    /// # Errors
    /// Something else is there, the host is not known, or the kernel refuses.
    pub fn bind(
        settings: &SocketSettings,
        port: Option<u16>,
        purpose: Purpose,
    ) -> Result<BoundSocket, Obstacle> {
        let mut bound = match &settings.place {
            SocketPlace::Unix { path, mode, owner, group, .. } => {
                unix(settings, path, *mode, (*owner, *group))?
            }
            SocketPlace::Internet { is_v6, host, port: configured, interface } => {
                let address = SocketAddr::new(
                    address(*is_v6, host).ok_or(Obstacle::NoHost)?,
                    port.unwrap_or(*configured),
                );
                internet(settings, address, interface.as_deref())?
            }
        };
        bound.listens = settings.kind.listens() && purpose == Purpose::Service;
        bound.listen(settings.backlog)?;
        Ok(bound)
    }

    /// What may change while it is in use: backlog, blocking, permissions and owner of its file.
    ///
    /// # Errors
    /// The kernel refuses; some of it may be changed by then.
    pub fn adjust(&self, settings: &SocketSettings) -> Result<(), Obstacle> {
        self.renew(settings)?;
        match (&settings.place, &self.file) {
            // One that somebody has removed has no permissions.
            (SocketPlace::Unix { mode, owner, group, .. }, Some(file)) if file.is_there() => {
                file.change(*mode, (*owner, *group))
            }
            (_, _) => Ok(()),
        }
    }

    /// As its settings want it, whatever the processes that share it have made of it: one of them may
    /// have shut it down for all.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn renew(&self, settings: &SocketSettings) -> Result<(), Obstacle> {
        self.listen(settings.backlog)?;
        let flags = fcntl(&self.socket, FcntlArg::F_GETFL).map_err(refused)?;
        let mut flags = OFlag::from_bits_retain(flags);
        flags.set(OFlag::O_NONBLOCK, !settings.blocking);
        flags.remove(OFlag::O_ASYNC);
        fcntl(&self.socket, FcntlArg::F_SETFL(flags)).map(drop).map_err(refused)
    }

    /// It can be what these settings ask for.
    pub fn can_become(&self, settings: &SocketSettings) -> bool {
        let serves = self.listens || !settings.kind.listens();
        serves && (self.bound_for.can_become(settings) || self.is_at(settings))
    }

    /// The same place in other words: `localhost` and its number.
    fn is_at(&self, settings: &SocketSettings) -> bool {
        let SocketPlace::Internet { is_v6, host, port, interface } = &settings.place else {
            return false;
        };
        let SocketPlace::Internet { interface: its, .. } = &self.bound_for.place else {
            return false;
        };
        let fixed = |it: &SocketSettings| (it.kind, it.protocol, it.so_reuseport);
        let address = address(*is_v6, host).map(|host| SocketAddr::new(host, *port));
        fixed(&self.bound_for) == fixed(settings) && its == interface && address == self.address
    }

    /// Nobody has removed the file of a unix socket, or put another one in its place.
    pub fn has_its_file(&self) -> bool {
        self.file.as_ref().is_none_or(SocketFile::is_there)
    }

    /// Where it is bound, if that is a port.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// Who waits for whoever reads it, as far as the kernel tells.
    pub fn queue(&self) -> Queue {
        let fd = self.socket.as_raw_fd();
        let mut queue = Queue::default();
        // SAFETY: plain numbers, for which zero is a value.
        let mut info: libc::tcp_info = unsafe { core::mem::zeroed() };
        if self.listens
            && self.address.is_some()
            && read_option(fd, libc::IPPROTO_TCP, libc::TCP_INFO, &mut info).is_some()
        {
            // Of a socket that listens, these are what waits, and the most that may.
            (queue.waiting, queue.most) = (Some(info.tcpi_unacked), Some(info.tcpi_sacked));
        }
        const SO_MEMINFO: i32 = 55;
        const DROPS: usize = 8;
        let mut memory = [0u32; 9];
        if self.address.is_some()
            && read_option(fd, libc::SOL_SOCKET, SO_MEMINFO, &mut memory).is_some()
        {
            queue.dropped = Some(memory[DROPS]);
        }
        queue
    }

    fn listen(&self, backlog: u32) -> Result<(), Obstacle> {
        if !self.listens {
            return Ok(());
        }
        // SAFETY: only numbers; the kernel cuts the backlog to its own limit.
        let result = unsafe { libc::listen(self.socket.as_raw_fd(), backlog as i32) };
        Errno::result(result).map(drop).map_err(refused)
    }
}

/// The whole structure, or nothing.
fn read_option<T>(fd: i32, level: i32, name: i32, into: &mut T) -> Option<()> {
    let mut length = size_of::<T>() as libc::socklen_t;
    // SAFETY: as many bytes as `length` says are ours to write, and any of them is a value.
    let result = unsafe {
        libc::getsockopt(fd, level, name, core::ptr::from_mut(into).cast(), &raw mut length)
    };
    (result == 0).then_some(())
}

fn unix(
    settings: &SocketSettings,
    path: &str,
    mode: u32,
    owner: (Option<u32>, Option<u32>),
) -> Result<BoundSocket, Obstacle> {
    let (directory, name) = Directory::of(path)?;
    let address = UnixAddr::new(path).map_err(|_| Obstacle::TooLong)?;
    let socket = new_socket(libc::AF_UNIX, settings)?;
    match bind_with_mode(&socket, &address, mode) {
        Err(Errno::EADDRINUSE) => {
            // PID 1 waits for nobody, whatever the configuration says.
            let asking = SocketSettings { blocking: false, ..settings.clone() };
            clear(&directory, name, &address, || new_socket(libc::AF_UNIX, &asking))?;
            bind_with_mode(&socket, &address, mode).map_err(refused)?;
        }
        result => result.map_err(refused)?,
    }
    let file = SocketFile::ours(&directory, name, mode)?;
    file.change(mode, owner)?;
    let bound_for = settings.clone();
    Ok(BoundSocket { socket, file: Some(file), address: None, listens: false, bound_for })
}

fn internet(
    settings: &SocketSettings,
    address: SocketAddr,
    interface: Option<&str>,
) -> Result<BoundSocket, Obstacle> {
    let family = if address.is_ipv6() { libc::AF_INET6 } else { libc::AF_INET };
    let socket = new_socket(family, settings)?;
    setsockopt(&socket, sockopt::ReuseAddr, &true).map_err(refused)?;
    if settings.so_reuseport {
        setsockopt(&socket, sockopt::ReusePort, &true).map_err(refused)?;
    }
    if let Some(name) = interface {
        setsockopt(&socket, sockopt::BindToDevice, &OsString::from(name)).map_err(|errno| {
            match errno {
                Errno::ENODEV => Obstacle::NoInterface,
                errno => Obstacle::refused(Attempt::Interface, errno),
            }
        })?;
    }
    let fd = socket.as_raw_fd();
    match address {
        SocketAddr::V4(address) => bind(fd, &SockaddrIn::from(address)),
        SocketAddr::V6(address) => {
            // Every address means those of version 4 too, whatever the system's default is.
            let only_v6 = !address.ip().is_unspecified();
            setsockopt(&socket, sockopt::Ipv6V6Only, &only_v6)
                .and_then(|()| bind(fd, &SockaddrIn6::from(address)))
        }
    }
    .map_err(refused)?;
    let bound: SockaddrStorage = getsockname(fd).map_err(refused)?;
    let v4 = bound.as_sockaddr_in().map(SockaddrIn::port);
    let port = v4.or(bound.as_sockaddr_in6().map(SockaddrIn6::port));
    let address = SocketAddr::new(address.ip(), port.unwrap_or(address.port()));
    let bound_for = settings.clone();
    Ok(BoundSocket { socket, file: None, address: Some(address), listens: false, bound_for })
}

/// The first of its family.
fn address(is_v6: bool, host: &str) -> Option<IpAddr> {
    if host.is_empty() || host == "*" {
        return Some(match is_v6 {
            true => Ipv6Addr::UNSPECIFIED.into(),
            false => Ipv4Addr::UNSPECIFIED.into(),
        });
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    addresses(host).into_iter().find(|address| address.is_ipv6() == is_v6)
}

/// With a number above those that a process finds its own at.
fn new_socket(family: i32, settings: &SocketSettings) -> Result<OwnedFd, Obstacle> {
    let kind = match settings.kind {
        SocketKind::Stream => libc::SOCK_STREAM,
        SocketKind::Datagram => libc::SOCK_DGRAM,
        SocketKind::Raw => libc::SOCK_RAW,
        SocketKind::Rdm => libc::SOCK_RDM,
        SocketKind::SeqPacket => libc::SOCK_SEQPACKET,
    };
    let flags = libc::SOCK_CLOEXEC | if settings.blocking { 0 } else { libc::SOCK_NONBLOCK };
    let protocol = settings.protocol.map_or(0, i32::from);
    // SAFETY: only numbers; a returned descriptor is ours.
    let socket = unsafe {
        let fd = Errno::result(libc::socket(family, kind | flags, protocol)).map_err(refused)?;
        OwnedFd::from_raw_fd(fd)
    };
    fds::high(socket.as_fd())
        .map_err(|error| refused(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE))))
}

/// What to say where a host has no address.
pub fn no_host(host: &str, is_v6: bool) -> String {
    let version = if is_v6 { 6 } else { 4 };
    match addresses(host).is_empty() {
        true => format!("{host} is neither a number nor a name in {HOSTS}"),
        false => format!("{host} has no address of version {version}; see option family"),
    }
}

fn refused(errno: Errno) -> Obstacle {
    Obstacle::refused(Attempt::Bind, errno)
}
