//! Where sockets may be bound: nothing of anybody else is taken away, and nobody gets in who should not.

#![allow(clippy::disallowed_methods)]

use circus::process::Pid;
use circus::sys::directory::{Directory, FileKind, Passable};
use circus::sys::identity;
use circus::sys::listen::{self, Attempt, Listener, Obstacle, Rights};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const ONLY_US: Rights = Rights { mode: 0o600, owner: None };
const ENOENT: i32 = 2;
const EACCES: i32 = 13;
const EROFS: i32 = 30;

/// Removed with all that is in it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("endpoints-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).expect("a folder");
        Folder(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_string()
    }

    fn directory(&self) -> Directory {
        Directory::of(&self.path("x")).expect("it is there").0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn listen_in(folder: &Folder, name: &str) -> Result<Listener, Obstacle> {
    listen::unix(&folder.directory(), name, &ONLY_US)
}

fn mode(path: impl AsRef<Path>) -> u32 {
    fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
}

fn is_root() -> bool {
    identity::uid() == 0
}

#[test]
fn a_lock_is_held_by_one_and_says_by_whom() {
    let folder = Folder::new("lock");
    let lock = folder.directory().lock("a.lock").expect("free");
    let us = Pid::new(std::process::id() as i32);
    let taken = folder.directory().lock("a.lock").expect_err("taken");
    assert_eq!(taken, Obstacle::Locked(us));
    assert_eq!(mode(folder.path("a.lock")), 0o600);
    folder.directory().lock("b.lock").expect("another name is another lock");
    drop(lock);
    fs::write(folder.path("a.lock"), "no number").expect("it stays");
    drop(folder.directory().lock("a.lock").expect("free again"));
    let text = fs::read_to_string(folder.path("a.lock")).expect("it stays");
    assert_eq!(text.trim_end().parse().ok().and_then(Pid::new), us);
}

#[test]
fn what_has_the_name_of_a_lock_and_is_none_is_not_written_to() {
    let folder = Folder::new("suspect");
    fs::write(folder.path("precious"), "precious").expect("a file");
    symlink(folder.path("precious"), folder.path("link.lock")).expect("a link");
    fs::hard_link(folder.path("precious"), folder.path("twin.lock")).expect("a link");
    fs::create_dir(folder.path("folder.lock")).expect("a folder");
    let _listener = UnixListener::bind(folder.path("socket.lock")).expect("a socket");
    for name in ["link.lock", "twin.lock", "folder.lock", "socket.lock"] {
        let refused = folder.directory().lock(name).expect_err(name);
        assert_eq!(refused, Obstacle::SuspectLock, "{name}");
    }
    assert_eq!(fs::read(folder.path("precious")).expect("a file"), b"precious");
    if is_root() {
        fs::write(folder.path("other.lock"), "").expect("a file");
        std::os::unix::fs::chown(folder.path("other.lock"), Some(12_345), None).expect("root");
        let refused = folder.directory().lock("other.lock").expect_err("of another user");
        assert_eq!(refused, Obstacle::SuspectLock);
    }
}

#[test]
fn a_socket_that_nobody_serves_is_replaced() {
    let folder = Folder::new("stale");
    drop(UnixListener::bind(folder.path("x")).expect("a socket"));
    assert!(fs::symlink_metadata(folder.path("x")).expect("left").file_type().is_socket());
    let listener = listen_in(&folder, "x").expect("replaced");
    UnixStream::connect(folder.path("x")).expect("somebody listens");
    drop(listener);
    assert!(!fs::exists(folder.path("x")).expect("the folder is readable"));
}

#[test]
fn a_socket_that_somebody_serves_stays_his() {
    let folder = Folder::new("served");
    let theirs = UnixListener::bind(folder.path("stream")).expect("a socket");
    let _datagrams = UnixDatagram::bind(folder.path("datagram")).expect("a socket");
    for name in ["stream", "datagram"] {
        assert_eq!(listen_in(&folder, name).expect_err(name), Obstacle::Served, "{name}");
    }
    // The question itself, which is closed again.
    theirs.accept().expect("a connection");
    let mut client = UnixStream::connect(folder.path("stream")).expect("still served");
    let (mut server, _) = theirs.accept().expect("a connection");
    client.write_all(b"!").expect("sent");
    let mut byte = [0];
    server.read_exact(&mut byte).expect("received");
    UnixDatagram::unbound()
        .and_then(|socket| socket.send_to(b"!", folder.path("datagram")))
        .expect("still served");
}

#[test]
fn a_server_with_more_clients_than_it_takes_is_a_server() {
    let folder = Folder::new("crowd");
    let theirs = listen_in(&folder, "x").expect("free");
    let mut clients = Vec::new();
    for _ in 0..4096 {
        let Ok(client) = non_blocking_client(&folder.path("x")) else { break };
        clients.push(client);
    }
    assert!(clients.len() < 4096, "there is a limit");
    assert_eq!(listen_in(&folder, "x").expect_err("served"), Obstacle::Served);
    drop(theirs);
}

fn non_blocking_client(path: &str) -> nix::Result<std::os::fd::OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    let socket = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_NONBLOCK, None)?;
    connect(std::os::fd::AsRawFd::as_raw_fd(&socket), &UnixAddr::new(path)?)?;
    Ok(socket)
}

#[test]
fn whatever_else_is_there_stays() {
    let folder = Folder::new("foreign");
    fs::write(folder.path("file"), "precious").expect("a file");
    fs::create_dir(folder.path("folder")).expect("a folder");
    drop(UnixListener::bind(folder.path("stale")).expect("a socket"));
    symlink(folder.path("stale"), folder.path("link")).expect("a link");
    symlink(folder.path("absent"), folder.path("nowhere")).expect("a link");
    for (name, kind) in [
        ("file", FileKind::Regular),
        ("folder", FileKind::Directory),
        ("link", FileKind::Link),
        ("nowhere", FileKind::Link),
    ] {
        let before = fs::symlink_metadata(folder.path(name)).expect("there").ino();
        assert_eq!(listen_in(&folder, name).expect_err(name), Obstacle::Occupied(kind), "{name}");
        let after = fs::symlink_metadata(folder.path(name)).expect("there").ino();
        assert_eq!(before, after, "{name}");
    }
    assert!(fs::symlink_metadata(folder.path("stale")).is_ok());
    assert!(!fs::exists(folder.path("absent")).expect("the folder is readable"));
    assert_eq!(fs::read(folder.path("file")).expect("a file"), b"precious");
}

#[test]
fn only_our_own_file_is_removed_at_the_end() {
    let folder = Folder::new("end");
    let listener = listen_in(&folder, "x").expect("free");
    fs::remove_file(folder.path("x")).expect("there");
    fs::write(folder.path("x"), "precious").expect("a file");
    drop(listener);
    assert_eq!(fs::read(folder.path("x")).expect("still there"), b"precious");
}

#[test]
fn a_socket_has_the_mode_and_owner_that_were_asked_for() {
    let folder = Folder::new("rights");
    for mode_wanted in [0o600, 0o660, 0o666, 0o622] {
        let rights = Rights { mode: mode_wanted, owner: None };
        let listener = listen::unix(&folder.directory(), "x", &rights).expect("free");
        assert_eq!(mode(folder.path("x")), mode_wanted);
        drop(listener);
    }
    let other = Rights { mode: 0o640, owner: Some((12_345, Some(54_321))) };
    let result = listen::unix(&folder.directory(), "x", &other);
    if is_root() {
        let _listener = result.expect("root may give it away");
        let metadata = fs::symlink_metadata(folder.path("x")).expect("there");
        assert_eq!((metadata.uid(), metadata.gid()), (12_345, 54_321));
        assert_eq!(mode(folder.path("x")), 0o640);
    } else {
        assert!(matches!(result, Err(Obstacle::Refused(Attempt::Own, _))), "{result:?}");
        assert!(!fs::exists(folder.path("x")).expect("the folder is readable"));
    }
}

#[test]
fn sockets_do_not_block_and_stay_with_us() {
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let folder = Folder::new("flags");
    let unix = listen_in(&folder, "x").expect("free");
    let (tcp, _) = listen::tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    for socket in [&unix, &tcp] {
        let flags = fcntl(socket.as_fd(), FcntlArg::F_GETFL).expect("open");
        assert!(OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
        let flags = fcntl(socket.as_fd(), FcntlArg::F_GETFD).expect("open");
        assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
    }
}

#[test]
fn a_private_directory_keeps_others_out() {
    let folder = Folder::new("private");
    let path = folder.path("circus");
    Directory::own(&path).expect("made");
    assert_eq!(mode(&path), 0o700);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("ours");
    let directory = Directory::own(&path).expect("ours");
    assert_eq!(mode(&path), 0o777, "it may be another circusd's, who has the lock");
    for (passable, restricted) in
        [(Passable::No, 0o700), (Passable::ToGroup, 0o710), (Passable::ToAll, 0o711)]
    {
        directory.restrict(passable).expect("ours");
        assert_eq!(mode(&path), restricted);
    }
}

#[test]
fn links_files_and_directories_of_others_are_no_private_directories() {
    let folder = Folder::new("public");
    let (target, link) = (folder.path("target"), folder.path("link"));
    fs::create_dir(&target).expect("a folder");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).expect("ours");
    symlink(&target, &link).expect("a link");
    fs::write(folder.path("file"), "").expect("a file");
    let refused = |path: &str| Directory::own(path).expect_err(path);
    assert_eq!(refused(&link), Obstacle::NoDirectory);
    assert_eq!(refused(&folder.path("file")), Obstacle::NoDirectory);
    assert_eq!(mode(&target), 0o755, "nothing is changed through a link");
    if is_root() {
        std::os::unix::fs::chown(&target, Some(12_345), None).expect("root");
        assert_eq!(refused(&target), Obstacle::BelongsTo(12_345));
    }
    let absent = folder.path("absent/circus");
    assert_eq!(refused(&absent), Obstacle::Refused(Attempt::MakeDirectory, ENOENT));
}

#[test]
fn a_directory_that_is_exchanged_meanwhile_is_noticed() {
    let folder = Folder::new("exchanged");
    let path = folder.path("circus");
    let directory = Directory::own(&path).expect("made");
    fs::rename(&path, folder.path("away")).expect("ours");
    fs::create_dir(&path).expect("ours");
    let refused = listen::unix(&directory, "x", &ONLY_US).expect_err("not in the one we know");
    assert_eq!(refused, Obstacle::Refused(Attempt::Bind, ENOENT));
}

/// In a mount namespace of its own, if we are root: nothing else stops root.
#[test]
fn where_nothing_can_be_written_the_kernel_is_quoted() {
    const INSIDE: &str = "ENDPOINTS_TEST_READ_ONLY";
    if let Ok(path) = std::env::var(INSIDE) {
        let mount = ["-t", "tmpfs", "-o", "ro", "none", &path];
        assert!(Command::new("mount").args(mount).status().is_ok_and(|status| status.success()));
        return check_unwritable(&path, EROFS);
    }
    let folder = Folder::new("unwritable");
    let path = folder.path("");
    if !is_root() {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o500)).expect("ours");
        return check_unwritable(&path, EACCES);
    }
    let ourselves = std::env::current_exe().expect("a path");
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private"]).stdin(Stdio::null());
    let possible = inside.arg("true").status().is_ok_and(|status| status.success());
    if !possible {
        println!("SKIPPED: unshare may not make a mount namespace here");
        return;
    }
    let mut inside = Command::new("unshare");
    inside.args(["--mount", "--propagation", "private"]).stdin(Stdio::null()).arg(ourselves);
    inside.args(["--exact", "where_nothing_can_be_written_the_kernel_is_quoted"]);
    let output = inside.env(INSIDE, &path).output().expect("it ran before");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn check_unwritable(path: &str, errno: i32) {
    let refused = Directory::own(&format!("{path}/circus")).expect_err("a folder");
    assert_eq!(refused, Obstacle::Refused(Attempt::MakeDirectory, errno));
    let (directory, name) = Directory::of(path.trim_end_matches('/')).expect("it is there");
    let inside = Directory::of(&format!("{}/x", directory.path(name))).expect("it is there").0;
    let refused = inside.lock("x.lock").expect_err("a file");
    assert_eq!(refused, Obstacle::Refused(Attempt::Lock, errno));
    let refused = listen::unix(&inside, "x", &ONLY_US).expect_err("a socket");
    assert_eq!(refused, Obstacle::Refused(Attempt::Bind, errno));
}

#[test]
fn paths_that_do_not_fit_are_refused() {
    let folder = Folder::new("long");
    let refused = listen_in(&folder, &"x".repeat(108)).expect_err("too long");
    assert_eq!(refused, Obstacle::TooLong);
    let refused = Directory::of(&folder.path("absent/x")).expect_err("no directory");
    assert_eq!(refused, Obstacle::Refused(Attempt::OpenDirectory, ENOENT));
}

#[test]
fn tcp_ports_are_bound_once() {
    let (_listener, port) =
        listen::tcp(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
    let refused = listen::tcp(SocketAddr::from(([127, 0, 0, 1], port))).expect_err("taken");
    assert!(matches!(refused, Obstacle::Refused(Attempt::Bind, _)), "{refused:?}");
}

#[test]
fn every_address_of_version_6_means_those_of_version_4_too() {
    match listen::tcp(SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))) {
        Ok((_listener, port)) => drop(TcpStream::connect(("127.0.0.1", port)).expect("listens")),
        Err(obstacle) => println!("SKIPPED: no version 6 here: {obstacle:?}"),
    }
}

#[test]
fn a_network_interface_stands_for_its_address() {
    let address = listen::interface("lo", 7).expect("every machine has it");
    assert_eq!(address, SocketAddr::from(([127, 0, 0, 1], 7)));
    assert_eq!(listen::interface("nosuchif0", 7), Err(Obstacle::NoInterface));
}

#[test]
fn two_can_be_discovered_at_one_port() {
    let group = [239, 219, 251, 97].into();
    let port = 12_000 + (std::process::id() % 20_000) as u16;
    match listen::discovery(group, port) {
        Ok(_one) => drop(listen::discovery(group, port).expect("beside the other")),
        Err(obstacle @ Obstacle::Refused(Attempt::Join, _)) => {
            println!("SKIPPED: no network for groups here: {obstacle:?}");
        }
        Err(obstacle) => panic!("{obstacle:?}"),
    }
}
