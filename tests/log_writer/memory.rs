//! Memory: the last lines, whether they go anywhere else or not.

use crate::role::{Role, until};
use circus::wire::log::ToWriter;
use std::io::Write;
use std::process::Stdio;

#[test]
fn the_last_lines_are_answered_and_survive_their_process() {
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 3, &[("class", "Ring")]);
    pipe.write_all(b"one\n\ntwo\nthree").expect("written");
    assert_eq!(role.drained(id).as_deref(), Some("three"));
    drop(pipe);
    role.closed(id);
    let (lines, last, missed, more) = role.tail(Some("web"), 2, None);
    let texts: Vec<_> = lines.iter().map(|line| (&*line.text, line.wid, line.number)).collect();
    assert_eq!(texts, [("two", 3, 3), ("three", 3, 4)]);
    assert_eq!((last, missed, more), (4, 0, false));
    let (id, mut pipe) = role.open("web", 3, &[("class", "Ring")]);
    pipe.write_all(b"four\n").expect("written");
    let (lines, ..) = until("it is there", || {
        Some(role.tail(None, 10, Some(last))).filter(|(lines, ..)| !lines.is_empty())
    });
    assert_eq!((lines.len(), &*lines[0].text, lines[0].number), (1, "four", 5));
    drop(pipe);
    role.closed(id);
    role.say(&ToWriter::Forget { watcher: "web".into() });
    assert!(role.tail(Some("web"), 10, None).0.is_empty());
}

#[test]
fn who_follows_slowly_is_told_how_many_lines_were_missed() {
    let mut role = Role::start(Stdio::null());
    role.say(&ToWriter::Ring { bytes: 8192 });
    let (id, mut pipe) = role.open("web", 1, &[("class", "Ring")]);
    for number in 0..10_000 {
        writeln!(pipe, "line {number}").expect("written");
    }
    drop(pipe);
    role.closed(id);
    let (mut lines, mut last, missed, mut more) = role.tail(None, 1_000_000, Some(0));
    while more {
        let next = role.tail(None, 1_000_000, Some(last));
        assert_eq!(next.2, 0, "nothing is missed in between");
        lines.extend(next.0);
        (last, more) = (next.1, next.3);
    }
    assert_eq!((missed + lines.len() as u64, last), (10_000, 10_000));
    assert!(missed > 5000 && !lines.is_empty());
    assert_eq!(&*lines.last().expect("a line").text, "line 9999");
}

#[test]
fn who_has_ended_is_answered_even_after_its_pipe_was_closed() {
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &[("class", "Ring")]);
    pipe.write_all(b"why it died\n\n").expect("written");
    drop(pipe);
    role.closed(id);
    assert_eq!(role.drained(id).as_deref(), Some("why it died"));
    assert_eq!(role.drained(4711), None);
}

#[test]
fn options_that_mean_nothing_are_told_and_the_process_goes_on() {
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &[("class", "NoSuchStream")]);
    assert!(role.noted("a stream of web cannot be written").contains("class: is none of"));
    pipe.write_all(&[b'x'; 3 << 20]).expect("somebody reads");
    drop(pipe);
    role.closed(id);
}
