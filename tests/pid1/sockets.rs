//! Sockets that circusd binds, and what of them its processes get.

use crate::control::{ask, operate, operated, with_endpoints};
use crate::serving::{
    SERVER, by_message, by_tcp, by_udp, by_unix, free_port, port, serve, serving, shown,
};
use crate::world::{Running, World, namespaces_are_possible, until};
use nix::sys::socket::SockType;
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};

/// What is at a path of its folder.
fn at(run: &Running, name: &str) -> PathBuf {
    run.folder().join(name)
}

fn is_socket(run: &Running, name: &str) -> bool {
    std::fs::symlink_metadata(at(run, name)).is_ok_and(|it| it.file_type().is_socket())
}

#[test]
fn every_kind_of_socket_is_served_by_who_inherits_it() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:tcp]
host = 127.0.0.1
port = 0
[socket:tcp6]
family = AF_INET6
host = ::1
port = 0
[socket:lo]
host = 0.0.0.0
port = 0
interface = lo
[socket:both]
family = AF_INET6
host = ::
port = 0
[socket:udp]
host = 127.0.0.1
port = 0
type = sock_dgram
[socket:stream]
path = @/stream.sock
[socket:packet]
path = packet.sock
type = SOCK_SEQPACKET
[socket:message]
path = @/message.sock
type = SOCK_DGRAM
[watcher:tcp]
cmd = SERVE $(circus.sockets.tcp) tcp
[watcher:tcp6]
cmd = SERVE $(circus.sockets.tcp6) tcp6
[watcher:lo]
cmd = SERVE $(circus.sockets.lo) lo
[watcher:both]
cmd = SERVE $(circus.sockets.both) both
[watcher:udp]
cmd = SERVE $(circus.sockets.udp) udp
[watcher:stream]
cmd = SERVE $(circus.sockets.stream) stream
[watcher:packet]
cmd = SERVE $(circus.sockets.packet) packet
[watcher:message]
cmd = SERVE $(circus.sockets.message) message
";
    let mut run = serving(ini).start();
    assert!(by_tcp(port(&run, "tcp")).ends_with(" tcp"));
    for name in ["lo", "both"] {
        assert!(by_tcp(port(&run, name)).ends_with(name), "{name}");
    }
    let to = (Ipv6Addr::LOCALHOST, port(&run, "tcp6"));
    let stream = TcpStream::connect(to).expect("it listens");
    assert!(crate::serving::answer(stream).expect("an answer").ends_with(" tcp6"));
    assert!(by_udp(port(&run, "udp")).ends_with(" udp"));
    assert!(by_unix(&at(&run, "stream.sock")).ends_with(" stream"));
    assert!(by_message(SockType::SeqPacket, &at(&run, "packet.sock")).ends_with(" packet"));
    assert!(by_message(SockType::Datagram, &at(&run, "message.sock")).ends_with(" message"));
    let names = ["stream.sock", "packet.sock", "message.sock"];
    names.iter().for_each(|name| assert!(is_socket(&run, name), "{name}"));
    run.send("TERM");
    assert_eq!(run.exit_code(), 0);
    names.iter().for_each(|name| assert!(!at(&run, name).exists(), "{name} is left"));
}

#[test]
fn exactly_the_sockets_that_a_process_asks_for_reach_it_from_3_on() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:a]
host = 127.0.0.1
port = 0
[socket:b]
path = @/b.sock
[socket:c]
path = @/c2.sock
type = SOCK_DGRAM
[watcher:none]
cmd = sleep 901
[watcher:one]
cmd = sleep 902 $(circus.sockets.b)
[watcher:two]
cmd = sleep 903
use_sockets = c, A
[watcher:all]
cmd = sleep 904
use_sockets = True
[watcher:both]
cmd = sleep 905 $(circus.sockets.b)
use_sockets = c
[watcher:stdin]
cmd = sleep 906
stdin_socket = a
[watcher:reversed]
cmd = sleep 907 $(circus.sockets.c) $(circus.sockets.a)
use_sockets = True
";
    let mut run = operated(ini).start();
    let inode = |name: &str| {
        let fd = shown(&run, name)["fd"].as_u64().expect("a number") as u32;
        run.process.descriptors()[&fd].clone()
    };
    let [a, b, c] = ["a", "b", "c"].map(inode);
    for (command, expected) in [
        ("sleep 901", vec![]),
        ("sleep 902 3", vec![&b]),
        ("sleep 903", vec![&a, &c]),
        ("sleep 904", vec![&a, &b, &c]),
        ("sleep 905 3", vec![&b, &c]),
        ("sleep 907 4 3", vec![&a, &c]),
    ] {
        let process = run.wait_for_child(command);
        let has = process.descriptors();
        let beyond: Vec<(&u32, &String)> = has.iter().filter(|(fd, _)| **fd > 2).collect();
        let numbers: Vec<u32> = (3..).take(expected.len()).collect();
        let expected: Vec<(&u32, &String)> = numbers.iter().zip(expected).collect();
        assert_eq!(beyond, expected, "{command}");
        assert_eq!(has[&0], "/dev/null");
        assert!(process.environment().keys().all(|name| !name.starts_with("LISTEN_")));
    }
    let has = run.wait_for_child("sleep 906").descriptors();
    assert_eq!((&has[&0], has.len()), (&a, 3), "its standard input, and nothing more");
    run.stop();
}

#[test]
fn with_listen_fds_a_process_is_told_their_number_and_names_and_that_they_are_for_itself() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:web]
host = 127.0.0.1
port = 0
[socket:admin]
path = @/admin.sock
[socket:other]
path = @/other.sock
[watcher:w]
cmd = sleep 901
use_sockets = web, admin
listen_fds = True
[watcher:user]
cmd = sleep 902
use_sockets = web
listen_fds = True
uid = 61010
gid = 61010
[watcher:none]
cmd = sleep 903
listen_fds = True
[env:user]
LISTEN_PID = 1
LISTEN_FDS = 77
";
    let mut run = operated(ini).start();
    for (command, count, names) in
        [("sleep 901", "2", "admin:web"), ("sleep 902", "1", "web"), ("sleep 903", "0", "")]
    {
        let process = run.wait_for_child(command);
        let environment = process.environment();
        let numbers = process.status("NSpid");
        let own = numbers.split(' ').next_back().expect("a number");
        assert_eq!(environment["LISTEN_PID"], own, "{command}");
        assert_eq!(environment["LISTEN_FDS"], count, "{command}");
        assert_eq!(environment["LISTEN_FDNAMES"], names, "{command}");
        let text = process.read("environ");
        let words = text.split('\0').filter(|line| line.starts_with("LISTEN_"));
        assert_eq!(words.count(), 3, "each once: {text}");
    }
    assert_eq!(run.wait_for_child("sleep 902").status("Uid"), "61010 61010 61010 61010");
    run.stop();
}

#[test]
fn what_a_socket_is_like_is_as_it_is_written() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "
[socket:a]
host = 127.0.0.1
port = 0
backlog = 7
[socket:b]
path = @/b.sock
blocking = True
umask = 022
[socket:c]
path = @/c2.sock
mode = 0604
owner = 61011
group = 61012
[watcher:w]
cmd = sleep 901
use_sockets = True
";
    let mut run = operated(ini).start();
    let process = run.wait_for_child("sleep 901");
    const NONBLOCKING: u32 = 0o4000;
    let flags = |fd: u32| {
        let text = process.read(&format!("fdinfo/{fd}"));
        let line = text.lines().find_map(|line| line.strip_prefix("flags:")).expect("its flags");
        u32::from_str_radix(line.trim(), 8).expect("octal")
    };
    assert_eq!([3, 4, 5].map(|fd| flags(fd) & NONBLOCKING != 0), [true, false, true]);
    let data = |name: &str| std::fs::metadata(at(&run, name)).expect("it is there");
    assert_eq!(data("b.sock").permissions().mode() & 0o7777, 0o755);
    let c = data("c2.sock");
    assert_eq!((c.permissions().mode() & 0o7777, c.uid(), c.gid()), (0o604, 61011, 61012));
    assert_eq!(shown(&run, "a")["backlog"], 7);
    let port = port(&run, "a");
    let mut table = std::process::Command::new("ss");
    if let Ok(output) = table.args(["-Hltn", &format!("sport = :{port}")]).output() {
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(text.split_whitespace().nth(2), Some("7"), "{text}");
    }
    run.stop();
}

#[test]
fn by_default_a_unix_socket_is_not_for_everybody() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated("[socket:a]\npath = @/a.sock\n[watcher:w]\ncmd = sleep 901\n")
        .through(&["sh", "-c", "umask 0; exec \"$@\"", "sh"])
        .start();
    run.wait_for_child("sleep 901");
    let mode = std::fs::metadata(at(&run, "a.sock")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    run.stop();
}

/// It does not start, and says why; nothing was executed.
#[track_caller]
fn is_refused(world: World, reasons: &[&str]) -> Running {
    let mut run = world.start();
    let code = run.exit_code();
    let said = format!("{}{}", run.log(), run.file("err"));
    assert!(code != 0 && code < 128, "{code}: {said}");
    for reason in reasons {
        assert!(said.contains(reason), "{reason}: {said}");
    }
    assert!(!at(&run, "started").exists(), "nothing was started");
    assert!(!at(&run, "first.sock").exists(), "what was bound is unbound");
    assert!(!said.contains("panicked"), "{said}");
    run
}

const BLOCKED: &str = "
[socket:a]
path = @/first.sock
[socket:web]
path = @/web.sock
[watcher:w]
cmd = touch @/started
";

#[test]
fn a_socket_whose_server_is_gone_is_replaced() {
    if !namespaces_are_possible() {
        return;
    }
    for replace in ["", "replace = True\n"] {
        let ini = format!(
            "[socket:web]\npath = @/web.sock\n{replace}[socket:dgram]\npath = @/dgram.sock\n\
             type = SOCK_DGRAM\n[watcher:w]\ncmd = SERVE $(circus.sockets.web)\n"
        );
        let world = serving(&ini);
        drop(UnixListener::bind(world.folder.join("web.sock")).expect("it is free"));
        drop(UnixDatagram::bind(world.folder.join("dgram.sock")).expect("it is free"));
        let mut run = world.start();
        run.wait_for_log("w started");
        assert_ne!(by_unix(&at(&run, "web.sock")), "");
        run.stop();
        assert!(!at(&run, "web.sock").exists());
    }
}

#[test]
fn a_socket_that_somebody_serves_is_never_replaced() {
    if !namespaces_are_possible() {
        return;
    }
    for replace in ["", "\nreplace = True"] {
        let world = operated(&BLOCKED.replace("web.sock", &format!("web.sock{replace}")));
        let path = world.folder.join("web.sock");
        let _live = UnixListener::bind(&path).expect("it is free");
        let number = |path: &Path| std::fs::metadata(path).expect("it is there").ino();
        let before = number(&path);
        let _run = is_refused(world, &["socket web (", "web.sock)"]);
        assert_eq!(number(&path), before);
    }
}

#[test]
fn another_file_in_its_place_is_left_alone() {
    if !namespaces_are_possible() {
        return;
    }
    for replace in ["", "\nreplace = True"] {
        let world = operated(&BLOCKED.replace("web.sock", &format!("web.sock{replace}")));
        world.write("web.sock", "precious");
        let run = is_refused(world, &["socket web ("]);
        assert_eq!(run.file("web.sock"), "precious");
    }
}

#[test]
fn an_address_that_is_in_use_is_named_and_nothing_starts() {
    if !namespaces_are_possible() {
        return;
    }
    let other = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = other.local_addr().expect("it is bound").port();
    let ini = BLOCKED.replace("path = @/web.sock", &format!("host = 127.0.0.1\nport = {port}"));
    is_refused(operated(&ini), &["socket web (", &port.to_string(), "in use"]);
    let ini = BLOCKED.replace("path = @/web.sock", "host = nobody.invalid\nport = 1");
    is_refused(operated(&ini), &["socket web (", "nobody.invalid"]);
    let ini = BLOCKED.replace("path = @/web.sock", "path = @/absent/web.sock");
    is_refused(operated(&ini), &["socket web (", "absent"]);
    let ini = BLOCKED.replace("path = @/web.sock", "host = 192.0.2.1\nport = 0");
    is_refused(operated(&ini), &["socket web ("]);
}

#[test]
fn the_file_of_a_socket_goes_with_quit_too() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated("[socket:a]\npath = @/a.sock\n[watcher:w]\ncmd = sleep 901\n").start();
    run.wait_for_child("sleep 901");
    operate(&run, "quit");
    assert_eq!(run.exit_code(), 0);
    assert!(!at(&run, "a.sock").exists());
}

#[test]
fn a_socket_is_the_standard_input_of_a_server_in_the_style_of_inetd() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[socket:a]\nhost = 127.0.0.1\nport = 0\n\
               [watcher:w]\ncmd = SERVE 0 stdin\nstdin_socket = a\nnumprocesses = 2\n";
    let mut run = serving(ini).start();
    assert!(by_tcp(port(&run, "a")).ends_with(" stdin"));
    run.stop();
}

#[test]
fn a_killed_container_starts_again_with_its_sockets_left_behind() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[socket:web]\npath = @/web.sock\n[socket:message]\npath = @/message.sock\n\
               type = SOCK_DGRAM\n[socket:packet]\npath = @/packet.sock\ntype = SOCK_SEQPACKET\n\
               [watcher:w]\ncmd = SERVE $(circus.sockets.web)\n";
    let folder = World::pid_1("");
    folder.write("serve.py", SERVER);
    let text = with_endpoints(&ini.replace("SERVE", serve()));
    let home = folder.folder.display().to_string();
    for _ in 0..5 {
        let mut run = World::pid_1(&text.replace('@', &home)).start();
        run.wait_for_log("w started");
        assert_ne!(by_unix(&folder.folder.join("web.sock")), "");
        run.send("KILL");
        until("it is gone", || run.has_ended());
        for name in ["web.sock", "message.sock", "packet.sock", "c.sock"] {
            let path = folder.folder.join(name);
            assert!(path.exists(), "{name} is left behind");
        }
    }
    let _ = std::fs::remove_dir_all(&folder.folder);
}

#[test]
fn of_a_socket_without_a_port_of_its_own_the_kernels_choice_is_shown() {
    if !namespaces_are_possible() {
        return;
    }
    let wanted = free_port();
    let ini = format!(
        "[socket:any]\nhost = 127.0.0.1\nport = 0\n[socket:this]\nhost = localhost\nport = {wanted}\n\
         [watcher:w]\ncmd = sleep 901\n"
    );
    let mut run = operated(&ini).start();
    run.wait_for_child("sleep 901");
    assert_ne!(port(&run, "any"), 0);
    let this = shown(&run, "this");
    assert_eq!((&this["host"], &this["port"]), (&"127.0.0.1".into(), &wanted.into()));
    assert_eq!(ask(&run, "listsockets").code, 0);
    run.stop();
}
