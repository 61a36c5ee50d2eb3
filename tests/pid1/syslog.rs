//! The log by syslog, which may be silent, absent or new.

use crate::world::{Running, World, namespaces_are_possible, until};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

const INI: &str =
    "[circus]\nlogoutput = syslog://@/log?local3\n[watcher:w]\ncmd = sleep 900\nbackoff = 0\n";

fn kill_some(run: &Running, times: usize) {
    let mut child = run.wait_for_child("sleep 900");
    for _ in 0..times {
        child.send("KILL");
        child = run.wait_for_replacement("sleep 900", child);
    }
}

fn socket(path: PathBuf) -> UnixDatagram {
    let socket = UnixDatagram::bind(path).expect("a socket");
    socket.set_nonblocking(true).expect("it does not wait");
    socket
}

fn receive(socket: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
}

#[test]
fn a_syslog_that_nobody_reads_stops_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let world = World::pid_1(INI);
    let log = socket(world.folder.join("log"));
    let mut run = world.start();
    kill_some(&run, 200);
    run.stop();
    let first = receive(&log).expect("a line");
    // local3.info
    assert!(first.starts_with("<158>") && first.ends_with('\0'), "{first:?}");
    assert!(first.contains("circus[1]"), "{first:?}");
}

#[test]
fn a_syslog_that_is_absent_may_come_later() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1(INI).start();
    kill_some(&run, 3);
    let log = socket(run.folder().join("log"));
    kill_some(&run, 1);
    // In any order: the start before the death may be the first line that gets through.
    let mut lines = String::new();
    until("the death, and what is missing", || {
        lines.extend(receive(&log));
        lines.contains("SIGKILL") && lines.contains("could not be written")
    });
    run.stop();
}

#[test]
fn a_syslog_that_was_restarted_gets_the_next_line() {
    if !namespaces_are_possible() {
        return;
    }
    let world = World::pid_1(INI);
    let path = world.folder.join("log");
    let log = socket(path.clone());
    let mut run = world.start();
    until("the first line", || receive(&log).is_some_and(|line| line.contains("w started")));
    drop(log);
    fs::remove_file(&path).expect("removed");
    let log = socket(path);
    kill_some(&run, 1);
    until("the next line", || receive(&log).is_some_and(|line| line.contains("SIGKILL")));
    run.stop();
}
