//! What others may do to a socket that is shared, and to its file.

use crate::control::{ask, operate, with_endpoints};
use crate::serving::{by_tcp, by_unix, free_port, port, serve, serving};
use crate::world::{Running, namespaces_are_possible, until};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
};
use std::fs::{self, Permissions};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};

fn rewrite(run: &Running, ini: &str) {
    run.write("circus.ini", &with_endpoints(&ini.replace("SERVE", serve())));
}

fn by_port(host: &str, port: u16, more: &str) -> String {
    format!(
        "[socket:web]\nhost = {host}\nport = {port}\n\
         [watcher:w]\ncmd = SERVE $(circus.sockets.web)\n{more}"
    )
}

#[test]
fn nobody_has_the_permissions_of_another_file_changed() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = |mode: &str| {
        format!(
            "[socket:web]\npath = @/web.sock\nmode = {mode}\n[watcher:w]\ncmd = SERVE $(circus.sockets.web)\n"
        )
    };
    let mut run = serving(&ini("0600")).start();
    run.wait_for_log("w started");
    let path = run.folder().join("web.sock");
    by_unix(&path);
    let secret = run.folder().join("secret");
    fs::write(&secret, "s3cret").expect("written");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).expect("changed");
    fs::remove_file(&path).expect("it is there");
    symlink(&secret, &path).expect("a link");
    rewrite(&run, &ini("0666"));
    operate(&run, "reloadconfig");
    run.wait_for_log("somebody has removed its file");
    let mode = fs::metadata(&secret).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    run.stop();
}

#[test]
fn a_change_of_port_whose_reload_comes_to_nothing_can_be_undone() {
    if !namespaces_are_possible() {
        return;
    }
    let [old, new] = [free_port(), free_port()];
    let mut run = serving(&by_port("127.0.0.1", old, "")).start();
    run.wait_for_log("w started");
    by_tcp(old);
    // The new ones are never ready, so the old one stays with its socket.
    rewrite(&run, &by_port("127.0.0.1", new, "ready = notify\nready_timeout = 600\n"));
    operate(&run, "reloadconfig");
    until("the new one is there", || TcpStream::connect(("127.0.0.1", new)).is_ok());
    rewrite(&run, &by_port("127.0.0.1", old, ""));
    operate(&run, "reloadconfig");
    assert_eq!(port(&run, "web"), old);
    by_tcp(old);
    run.stop();
}

#[test]
fn an_address_in_other_words_is_the_same_and_one_that_cannot_be_had_is_told() {
    if !namespaces_are_possible() {
        return;
    }
    let port = free_port();
    let mut run = serving(&by_port("127.0.0.1", port, "")).start();
    run.wait_for_log("w started");
    by_tcp(port);
    rewrite(&run, &by_port("localhost", port, ""));
    operate(&run, "reloadconfig --waiting");
    by_tcp(port);
    rewrite(&run, &by_port("", port, ""));
    let said = ask(&run, "reloadconfig --waiting");
    assert_ne!(said.code, 0);
    assert!(said.err.contains("our own socket web has that port"), "{}", said.err);
    by_tcp(port);
    run.stop();
}

#[test]
fn a_socket_that_a_process_has_shut_down_listens_again_for_the_next() {
    if !namespaces_are_possible() {
        return;
    }
    let port = free_port();
    let code = "import socket; socket.socket(fileno=3).shutdown(2); input()";
    let bad = format!(
        "[watcher:bad]\ncmd = python3 -IS -c '{code}'\nuse_sockets = web\nautostart = False\n\
         respawn = False\n"
    );
    let mut run = serving(&by_port("127.0.0.1", port, &bad)).start();
    run.wait_for_log("w started");
    by_tcp(port);
    operate(&run, "start bad");
    until("it is shut down", || TcpStream::connect(("127.0.0.1", port)).is_err());
    operate(&run, "restart w --waiting");
    by_tcp(port);
    run.stop();
}

#[test]
fn nobody_is_waited_for_to_learn_that_a_path_is_served() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[socket:web]\npath = @/web.sock\nblocking = True\n[watcher:w]\ncmd = sleep 1000\n";
    let world = serving(ini);
    // It has as many clients as it takes.
    let kind = (AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_NONBLOCK);
    let new = || socket(kind.0, kind.1, kind.2, None).expect("a socket");
    let address = UnixAddr::new(&world.write("x", "").with_file_name("web.sock")).expect("short");
    let server = new();
    bind(server.as_raw_fd(), &address).expect("bound");
    listen(&server, Backlog::new(0).expect("none")).expect("listens");
    let clients: Vec<_> = std::iter::repeat_with(new)
        .take_while(|client| connect(client.as_raw_fd(), &address).is_ok())
        .collect();
    let mut run = world.start();
    assert_eq!(run.exit_code(), 2);
    let said = format!("{}{}", run.log(), run.file("err"));
    assert!(said.contains("another program serves it"), "{said}");
    drop((server, clients));
}
