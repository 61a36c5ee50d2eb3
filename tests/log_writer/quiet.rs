//! Streams on which nothing is written cost next to nothing.

use crate::role::{Folder, Role, until, write_lines};
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// A number of the process's status.
fn figure(role: &Role, name: &str) -> u64 {
    let path = format!("/proc/{}/status", role.child.id());
    let text = fs::read_to_string(path).expect("its status");
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the figure");
    line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}

#[test]
fn nothing_wakes_up_while_nothing_is_written() {
    let folder = Folder::new("quiet");
    let path = folder.path("log");
    let mut quiet = Role::start(Stdio::null());
    let mut pipes = Vec::new();
    let options = [("filename", &*path)];
    let (_, mut first) = quiet.open("first", 1, &options);
    first.write_all(b"no end").expect("written");
    until("it is written", || (fs::read(&path).ok()? == b"no end").then_some(()));
    // The code for an answer is in memory from now on.
    quiet.tail(None, 1, None);
    let before = figure(&quiet, "VmRSS:");
    for wid in 0..100 {
        pipes.push(quiet.open("web", wid, &options));
    }
    quiet.tail(None, 1, None);
    let grown = figure(&quiet, "VmRSS:").saturating_sub(before);
    // An unoptimized build takes more than what is shipped, and the allocator takes memory in lumps.
    assert!(grown <= 600, "100 streams take {grown} kB");
    // Half of them are closed.
    for (id, pipe) in pipes.drain(..50) {
        drop(pipe);
        quiet.closed(id);
    }
    let mut busy = Role::start(Stdio::null());
    quiet.tail(None, 1, None);
    // It goes to sleep after its answer.
    let asleep = || {
        let path = format!("/proc/{}/stat", quiet.child.id());
        let stat = fs::read_to_string(path).expect("its figures");
        stat.contains(") S ").then_some(())
    };
    until("it sleeps", asleep);
    let before = figure(&quiet, "voluntary_ctxt_switches:");
    let (id, pipe) = busy.open("busy", 1, &[("class", "Ring")]);
    write_lines(pipe, "w".to_owned(), 200_000).join().expect("written");
    busy.closed(id);
    assert_eq!(figure(&quiet, "voluntary_ctxt_switches:"), before);
}
