//! What is in the way: readers that have stopped, full disks, folders that are not there.

use crate::role::{Folder, Role, assert_complete, until, write_lines};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

fn read_all(mut read: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        read.read_to_end(&mut text).expect("read");
        text
    })
}

#[test]
fn a_reader_that_has_stopped_holds_up_nobody_else() {
    let folder = Folder::new("stopped");
    let path = folder.path("log");
    let (read, write) = std::io::pipe().expect("a pipe");
    let mut role = Role::start(write.into());
    let (_, stuck) = role.open("stuck", 1, &[("class", "StdoutStream")]);
    let stuck = write_lines(stuck, "s".to_owned(), 50_000);
    let (id, free) = role.open("free", 1, &[("filename", &path)]);
    write_lines(free, "f".to_owned(), 50_000).join().expect("written");
    role.closed(id);
    assert_complete(&fs::read(&path).expect("the file"), &["f".to_owned()], 50_000);
    assert!(!stuck.is_finished(), "it waits");
    let reader = read_all(read);
    stuck.join().expect("written");
    role.finish();
    assert_complete(&reader.join().expect("read"), &["s".to_owned()], 50_000);
}

#[test]
fn what_is_dropped_is_counted_where_it_is_missing() {
    let (read, write) = std::io::pipe().expect("a pipe");
    let mut role = Role::start(write.into());
    let options = [("class", "StdoutStream"), ("overflow", "drop")];
    let (id, pipe) = role.open("web", 2, &options);
    write_lines(pipe, "s".to_owned(), 50_000).join().expect("nobody waits");
    until("memory has the last line", || {
        let (lines, ..) = role.tail(None, 1, None);
        lines.first().is_some_and(|line| line.text.starts_with("s 49999 ")).then_some(())
    });
    role.drained(id);
    role.closed(id);
    let reader = read_all(read);
    role.finish();
    let text = String::from_utf8(reader.join().expect("read")).expect("text");
    let (mut whole, mut missing) = (0, 0);
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("circus: ") {
            let (count, rest) = rest.split_once(" lines (").expect("a count");
            assert!(rest.ends_with(" bytes) of web.2 stdout are missing here"), "{line}");
            missing += count.parse::<usize>().expect("a number");
        } else {
            assert!(line.starts_with("s ") && line.ends_with(&"x".repeat(70)), "{line}");
            whole += 1;
        }
    }
    assert!(missing > 10_000 && whole > 100);
    assert_eq!(whole + missing, 50_000);
}

#[test]
fn nobody_waits_for_a_reader_that_is_gone() {
    let (read, write) = std::io::pipe().expect("a pipe");
    drop(read);
    let mut role = Role::start(write.into());
    let (id, pipe) = role.open("web", 1, &[("class", "StdoutStream")]);
    write_lines(pipe, "s".to_owned(), 50_000).join().expect("nobody waits");
    role.noted("cannot write to standard output");
    role.closed(id);
    assert_eq!(role.notes(), 0, "it is said once");
}

#[test]
fn who_reads_again_is_told_all_that_is_missing() {
    let folder = Folder::new("again");
    let path = folder.path("fifo");
    nix::unistd::mkfifo(&*path, nix::sys::stat::Mode::S_IRWXU).expect("a fifo");
    let open = || {
        let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
        fs::OpenOptions::new().read(true).custom_flags(flags).open(&path).expect("the fifo")
    };
    let reader = open();
    let write = fs::OpenOptions::new().write(true).open(&path).expect("the fifo");
    let mut role = Role::start(write.into());
    drop(reader);
    let (id, mut pipe) = role.open("web", 1, &[("class", "StdoutStream")]);
    pipe.write_all(&b"line\n".repeat(1000)).expect("nobody waits");
    role.noted("cannot write to standard output");
    let mut reader = open();
    let (mut text, mut count) = (Vec::new(), 1000);
    until("it is read again", || {
        pipe.write_all(b"line\n").expect("nobody waits");
        count += 1;
        // Nothing yet is no error here.
        let _ = reader.read_to_end(&mut text);
        text.ends_with(b"line\n").then_some(())
    });
    role.noted("is written to again");
    drop(pipe);
    role.closed(id);
    role.finish();
    reader.read_to_end(&mut text).expect("the rest");
    let text = String::from_utf8(text).expect("text");
    let (mut whole, mut missing) = (0, 0);
    for line in text.lines() {
        match line.strip_prefix("circus: ").and_then(|line| line.split_once(" lines")) {
            Some((lines, _)) => missing += lines.parse::<usize>().expect("a number"),
            None => whole += 1,
        }
    }
    assert_eq!(whole + missing, count, "{missing} are said to be missing");
}

#[test]
fn a_folder_that_is_not_there_is_told_and_waited_for() {
    let folder = Folder::new("missing");
    let path = folder.path("sub/log");
    let mut role = Role::start(Stdio::null());
    let (id, pipe) = role.open("web", 1, &[("filename", &path)]);
    assert!(role.noted("cannot write to").contains("whoever writes there waits"));
    let writer = write_lines(pipe, "s".to_owned(), 50_000);
    fs::create_dir(folder.path("sub")).expect("a folder");
    writer.join().expect("written");
    role.noted("is written to again");
    role.closed(id);
    assert_complete(&fs::read(&path).expect("the file"), &["s".to_owned()], 50_000);
}

#[test]
fn a_full_disk_that_is_freed_is_written_to_again() {
    let folder = Folder::new("full");
    let script = "mount -t tmpfs -o size=300k none \"$0\" && exec \"$1\" log-writer";
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]);
    command.arg(&folder.0).arg(env!("CARGO_BIN_EXE_circusd"));
    let probe =
        Command::new("unshare").args(["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !probe.is_ok_and(|output| output.status.success()) {
        println!("no file system can be made here: left out");
        return;
    }
    let mut role = Role::start_as(&mut command, Stdio::null());
    let path = folder.path("log");
    let other = folder.path("filler");
    let seen = |path: &str| format!("/proc/{}/root{path}", role.child.id());
    let (log, filler) = (seen(&path), seen(&other));
    let (first, mut pipe) = role.open("fill", 1, &[("filename", &other)]);
    pipe.write_all(&[b'x'; 200_000]).expect("written");
    drop(pipe);
    role.closed(first);
    let options = [("filename", &*path)];
    let (id, pipe) = role.open("web", 1, &options);
    let writer = write_lines(pipe, "s".to_owned(), 2_000);
    let note = role.noted("cannot write to");
    assert!(note.contains("No space left"), "{note}");
    writer.join().expect("there is room in the pipe");
    fs::remove_file(&filler).expect("freed");
    role.noted("is written to again");
    role.closed(id);
    assert_complete(&fs::read(&log).expect("the file"), &["s".to_owned()], 2_000);
    assert_eq!(role.notes(), 0, "each is said once");
}

#[test]
fn a_syslog_daemon_may_come_and_go() {
    let folder = Folder::new("syslog");
    let place = folder.path("socket");
    let target = format!("syslog://{place}?local3");
    let options = [("class", "SyslogStream"), ("filename", &*target)];
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &options);
    role.noted("cannot write to syslog at");
    pipe.write_all(b"one\n").expect("written");
    let receive = |daemon: &UnixDatagram| {
        let mut buffer = [0; 1000];
        let length = daemon.recv(&mut buffer).expect("a message");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let daemon = UnixDatagram::bind(&place).expect("a socket");
    let message = receive(&daemon);
    assert!(message.starts_with("<158>") && message.ends_with("]: one"), "{message}");
    role.noted("is written to again");
    drop(daemon);
    fs::remove_file(&place).expect("it is gone");
    let daemon = UnixDatagram::bind(&place).expect("a socket");
    pipe.write_all(b"two\nthree").expect("written");
    assert!(receive(&daemon).ends_with("]: two"));
    assert_eq!(role.drained(id).as_deref(), Some("three"));
    assert!(receive(&daemon).ends_with("]: three"));
}

#[test]
fn what_is_there_is_written_when_it_has_to_end() {
    for by_word in [true, false] {
        let folder = Folder::new("end");
        let path = folder.path("log");
        let mut role = Role::start(Stdio::null());
        // One that has its file for itself, one that has not.
        let mut pipes = Vec::new();
        for (wid, options) in
            [&[("filename", &*path)][..], &[("filename", &*path), ("prefix", "%(wid)s")]]
                .into_iter()
                .enumerate()
        {
            let (_, mut pipe) = role.open("web", wid as u32, options);
            pipe.write_all(&b"line\n".repeat(10_000)).expect("written");
            pipe.write_all(b"no end").expect("written");
            pipes.push(pipe);
        }
        match by_word {
            true => role.finish(),
            false => role.leave(),
        }
        let text = fs::read_to_string(&path).expect("the file");
        let count = |line: &str| text.lines().filter(|other| *other == line).count();
        assert_eq!((count("line"), count("1 line")), (10_000, 10_000));
        assert_eq!((count("no end"), count("1 no end")), (1, 1));
    }
}
