//! Files: rotated by size, by time, by others; compressed; taken over by a successor.

use crate::role::{Folder, Role, assert_complete, content, texts, until, write_lines};
use circus::wire::log::{Channel, ToWriter};
use nix::fcntl::OFlag;
use std::fs;
use std::io::Write;
use std::process::Stdio;

const LINES: u32 = 40_000;

/// Two processes write while this is done to the file.
fn written_while(
    folder: &Folder,
    options: &[(&str, &str)],
    mut disturb: impl FnMut(&Role, usize),
) -> Vec<u8> {
    let path = folder.path("log");
    let options = [&[("filename", &*path)], options].concat();
    let mut role = Role::start(Stdio::null());
    let opened: Vec<_> = (1..=2).map(|wid| role.open("web", wid, &options)).collect();
    let mut ids = Vec::new();
    let mut writers = Vec::new();
    for (id, pipe) in opened {
        ids.push(id);
        writers.push(write_lines(pipe, format!("w{id}"), LINES));
    }
    let mut round = 0;
    while !writers.iter().all(|writer| writer.is_finished()) {
        round += 1;
        disturb(&role, round);
    }
    ids.into_iter().for_each(|id| role.closed(id));
    role.finish();
    folder.all("log")
}

fn names() -> [String; 2] {
    ["w1", "w2"].map(str::to_owned)
}

#[test]
fn rotation_by_size_loses_and_doubles_nothing() {
    let folder = Folder::new("size");
    let options = [("max_bytes", "100k"), ("backup_count", "1000")];
    let all = written_while(&folder, &options, |_, _| std::thread::yield_now());
    assert_complete(&all, &names(), LINES);
    let files = folder.files("log");
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        let text = content(&file);
        assert!(text.len() < 100 * 1024 && text.ends_with(b"\n"), "{}", file.display());
    }
}

#[test]
fn old_files_are_compressed_while_lines_are_written() {
    let folder = Folder::new("gzip");
    let path = folder.path("log");
    let options = [
        ("filename", &*path),
        ("max_bytes", "500k"),
        ("backup_count", "1000"),
        ("compress", "True"),
    ];
    let mut role = Role::start(Stdio::null());
    let (id, pipe) = role.open("web", 1, &options);
    write_lines(pipe, "w1".to_owned(), LINES).join().expect("written");
    role.closed(id);
    until("all old files are compressed", || {
        let old = folder.files("log.");
        let is_done = |file: &std::path::PathBuf| file.extension().is_some_and(|end| end == "gz");
        (old.len() > 3 && old.iter().all(is_done)).then_some(())
    });
    assert_complete(&folder.all("log"), &["w1".to_owned()], LINES);
    role.finish();
    // What one has left the next one does.
    fs::write(folder.path("log.900"), "old").expect("written");
    let mut role = Role::start(Stdio::null());
    role.open("web", 1, &options);
    let old = folder.0.join("log.900.gz");
    until("it is compressed", || old.exists().then_some(()));
    assert_eq!(content(&old), b"old");
}

#[test]
fn old_files_beyond_their_number_are_dropped() {
    let folder = Folder::new("count");
    let options = [("max_bytes", "10k"), ("backup_count", "2")];
    written_while(&folder, &options, |_, _| std::thread::yield_now());
    assert_eq!(folder.files("log").len(), 3);
}

#[test]
fn a_file_without_old_ones_does_not_grow() {
    let folder = Folder::new("none");
    let all = written_while(&folder, &[("max_bytes", "10k")], |_, _| std::thread::yield_now());
    assert!(!all.is_empty() && all.len() < 10_240);
    assert_eq!(folder.files("log").len(), 1);
}

#[test]
fn a_line_that_never_ends_does_not_fill_the_disk() {
    let folder = Folder::new("endless");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) =
        role.open("web", 1, &[("filename", &path), ("max_bytes", "100k"), ("backup_count", "1")]);
    for _ in 0..100 {
        pipe.write_all(&[b'x'; 65536]).expect("written");
    }
    drop(pipe);
    role.closed(id);
    assert!(folder.all("log").len() < 1 << 20);
}

#[test]
fn rotation_by_time_loses_and_doubles_nothing() {
    let folder = Folder::new("time");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let options = [("class", "TimedRotatingFileStream"), ("filename", &path), ("rotate_when", "S")];
    let (id, mut pipe) = role.open("web", 1, &options);
    let mut count = 0;
    until("there are three files", || {
        writeln!(pipe, "w {count} {}", "x".repeat(70)).expect("written");
        count += 1;
        (folder.files("log").len() >= 3).then_some(())
    });
    drop(pipe);
    role.closed(id);
    assert_complete(&folder.all("log"), &["w".to_owned()], count);
}

#[test]
fn old_files_with_a_date_are_compressed_and_the_oldest_dropped() {
    let folder = Folder::new("dates");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let options = [
        ("class", "TimedRotatingFileStream"),
        ("filename", &path),
        ("rotate_when", "S"),
        ("backup_count", "1"),
        ("compress", "True"),
    ];
    let (_, mut pipe) = role.open("web", 1, &options);
    let mut names = std::collections::BTreeSet::new();
    until("two old files were there", || {
        writeln!(pipe, "line").expect("written");
        names.extend(
            folder
                .files("log.")
                .into_iter()
                .filter(|name| name.extension().is_some_and(|end| end == "gz")),
        );
        (names.len() >= 2).then_some(())
    });
    role.finish();
    let count = folder.files("log.").len();
    assert_eq!(count, 1, "{:?}", folder.files("log"));
}

#[test]
fn a_file_that_others_rotate_loses_and_doubles_nothing() {
    let folder = Folder::new("watched");
    let path = folder.path("log");
    let options = [("class", "WatchedFileStream")];
    let all = written_while(&folder, &options, |_, round| {
        let _ = fs::rename(&path, format!("{path}.{round:04}"));
        std::thread::yield_now();
    });
    assert_complete(&all, &names(), LINES);
}

#[test]
fn files_are_opened_anew_when_asked_for() {
    let folder = Folder::new("reopen");
    let path = folder.path("log");
    let all = written_while(&folder, &[], |role, round| {
        let _ = fs::rename(&path, format!("{path}.{round:04}"));
        role.say(&ToWriter::Reopen);
        std::thread::yield_now();
    });
    assert_complete(&all, &names(), LINES);
    assert!(folder.files("log").len() > 2);
}

#[test]
fn options_change_while_a_process_runs() {
    let folder = Folder::new("change");
    let (old, new) = (folder.path("old"), folder.path("new"));
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &[("filename", &old)]);
    pipe.write_all(b"one\n").expect("written");
    until("it is written", || (fs::read(&old).ok()? == b"one\n").then_some(()));
    let options = texts(&[("filename", &new), ("prefix", "%(watcher)s:")]);
    role.say(&ToWriter::Change { watcher: "web".into(), channel: Channel::Stdout, options });
    // Packets and pipes have no order between them.
    role.tail(None, 1, None);
    pipe.write_all(b"two\n").expect("written");
    drop(pipe);
    role.closed(id);
    assert_eq!(fs::read_to_string(&old).expect("a file"), "one\n");
    assert_eq!(fs::read_to_string(&new).expect("a file"), "web: two\n");
}

#[test]
fn a_successor_reads_on_where_a_killed_one_stopped() {
    let folder = Folder::new("killed");
    let path = folder.path("log");
    let options = [("filename", &*path)];
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let mut first = Role::start(Stdio::null());
    let id = first.give("web", 1, Channel::Stdout, &read, &options);
    let mut pipe = fs::File::from(write);
    pipe.write_all(b"before\n").expect("written");
    until("it is written", || (fs::read(&path).ok()? == b"before\n").then_some(()));
    assert!(id > 0);
    drop(first);
    let lines: String = (0..5000).map(|number| format!("line {number}\n")).collect();
    pipe.write_all(lines.as_bytes()).expect("the pipe has room");
    let mut second = Role::start(Stdio::null());
    let id = second.give("web", 1, Channel::Stdout, &read, &options);
    drop(pipe);
    second.closed(id);
    assert_eq!(fs::read_to_string(&path).expect("the file"), format!("before\n{lines}"));
}

#[test]
fn killed_at_any_moment_no_more_is_lost_than_was_read_at_once() {
    let folder = Folder::new("moments");
    let path = folder.path("log");
    let options = [("filename", &*path)];
    let (read, write) = nix::unistd::pipe2(OFlag::O_CLOEXEC).expect("a pipe");
    let writer = write_lines(write.into(), "w".to_owned(), LINES * 5);
    let mut kills = 0;
    let id = loop {
        let mut role = Role::start(Stdio::null());
        let id = role.give("web", 1, Channel::Stdout, &read, &options);
        let before = fs::metadata(&path).map_or(0, |data| data.len());
        if writer.is_finished() || kills == 20 {
            break (role, id);
        }
        until("it writes", || {
            let is_more = fs::metadata(&path).is_ok_and(|data| data.len() > before);
            (is_more || writer.is_finished()).then_some(())
        });
        kills += 1;
        drop(role);
    };
    let (mut role, id) = id;
    writer.join().expect("written");
    role.closed(id);
    let total = (0..LINES * 5).map(|number| format!("w {number} ").len() + 71).sum::<usize>();
    let there = fs::read(&path).expect("the file").len();
    assert!(total - there.min(total) <= kills * 320 * 1024, "{kills} kills: {there} of {total}");
}
