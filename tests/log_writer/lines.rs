//! Lines: whole, attributed, with or without an end.

use crate::role::{Folder, Role, assert_complete, until, write_lines};
use circus::wire::log::Channel;
use std::fs;
use std::io::Write;
use std::process::Stdio;

#[test]
fn lines_of_many_processes_never_mix() {
    let folder = Folder::new("many");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let options = [("filename", &*path), ("prefix", "%(watcher)s.%(wid)s |")];
    let opened: Vec<_> = (1..=20).map(|wid| role.open("web", wid, &options)).collect();
    let mut writers = Vec::new();
    let mut ids = Vec::new();
    for (index, (id, pipe)) in opened.into_iter().enumerate() {
        writers.push(write_lines(pipe, format!("w{index}"), 2000));
        ids.push(id);
    }
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
    for id in ids {
        assert!(role.drained(id).is_some_and(|last| last.contains(" 1999 ")));
    }
    let text = fs::read_to_string(&path).expect("the file");
    let mut bare = Vec::new();
    for line in text.lines() {
        let (prefix, rest) = line.split_once(" | ").expect("a prefix");
        let wid: u32 = prefix.strip_prefix("web.").expect("the watcher").parse().expect("a wid");
        assert!(rest.starts_with(&format!("w{} ", wid - 1)), "{line}");
        bare.extend(rest.as_bytes());
        bare.push(b'\n');
    }
    let names: Vec<String> = (0..20).map(|index| format!("w{index}")).collect();
    assert_complete(&bare, &names, 2000);
}

#[test]
fn both_streams_of_a_process_share_a_file_without_mixing() {
    let folder = Folder::new("both");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let mut writers = Vec::new();
    let mut ids = Vec::new();
    for (channel, path) in
        [(Channel::Stdout, path.clone()), (Channel::Stderr, path.replace("/log", "//./log"))]
    {
        let (read, write) = nix::unistd::pipe().expect("a pipe");
        ids.push(role.give("web", 1, channel, &read, &[("filename", &path)]));
        writers.push(write_lines(write.into(), channel.name().to_owned(), 5000));
    }
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
    ids.into_iter().for_each(|id| role.closed(id));
    let names = ["stdout", "stderr"].map(str::to_owned);
    assert_complete(&fs::read(&path).expect("the file"), &names, 5000);
}

#[test]
fn bytes_that_are_no_text_and_a_last_line_without_end_are_written_as_they_are() {
    let folder = Folder::new("binary");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &[("filename", &path)]);
    let all: Vec<u8> = (0..100_000u32).map(|number| (number % 256) as u8).collect();
    pipe.write_all(&all).expect("written");
    drop(pipe);
    role.closed(id);
    assert_eq!(fs::read(&path).expect("the file"), all);
    // Who comes next begins a line.
    let (id, mut pipe) = role.open("web", 1, &[("filename", &path)]);
    pipe.write_all(b"next").expect("written");
    drop(pipe);
    role.closed(id);
    assert_eq!(fs::read(&path).expect("the file"), [&all[..], b"\nnext"].concat());
}

#[test]
fn a_line_that_waits_for_its_end_is_seen_where_nobody_else_writes() {
    let folder = Folder::new("unfinished");
    let path = folder.path("log");
    let mut role = Role::start(Stdio::null());
    let (id, mut pipe) = role.open("web", 1, &[("filename", &path)]);
    pipe.write_all(b"one\ntw").expect("written");
    let is = |text: &str| {
        until(text, || (fs::read(&path).ok()? == text.as_bytes()).then_some(()));
    };
    is("one\ntw");
    pipe.write_all(b"o\nthr").expect("written");
    is("one\ntwo\nthr");
    let (other, mut second) = role.open("web", 2, &[("filename", &path)]);
    second.write_all(b"other\n").expect("written");
    is("one\ntwo\nthr\nother\n");
    second.write_all(b"waits").expect("written");
    pipe.write_all(b"ee\nfour\n").expect("written");
    is("one\ntwo\nthr\nother\nee\nfour\n");
    assert_eq!(role.drained(other).as_deref(), Some("waits"));
    is("one\ntwo\nthr\nother\nee\nfour\nwaits");
    drop(pipe);
    role.closed(id);
    let (lines, ..) = role.tail(None, 3, None);
    let texts: Vec<_> = lines.iter().map(|line| &*line.text).collect();
    assert_eq!(texts, ["three", "four", "waits"]);
}

#[test]
fn a_very_long_line_goes_on_in_parts() {
    let folder = Folder::new("long");
    let (plain, json) = (folder.path("plain"), folder.path("json"));
    let long = ["a".repeat(300_000), "end\n".to_owned()].concat();
    let mut role = Role::start(Stdio::null());
    for options in [&[("filename", &*plain)][..], &[("class", "JsonStream"), ("filename", &*json)]]
    {
        let (id, mut pipe) = role.open("web", 1, options);
        pipe.write_all(long.as_bytes()).expect("written");
        drop(pipe);
        role.closed(id);
    }
    assert_eq!(fs::read_to_string(&plain).expect("the file"), long);
    let text = fs::read_to_string(&json).expect("the file");
    let parts = text.lines().map(|line| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        value["message"].as_str().expect("text").to_owned()
    });
    assert_eq!(parts.collect::<String>() + "\n", long);
}

#[test]
fn standard_output_gets_whole_lines_of_all() {
    let (mut read, write) = std::io::pipe().expect("a pipe");
    let own = write.try_clone().expect("a descriptor");
    let mut role = Role::start(write.into());
    // Others write there directly.
    let direct = std::thread::spawn(move || {
        let mut own = own;
        for number in 0..3000 {
            let line = format!("own {number} {}\n", "x".repeat(70));
            own.write_all(line.as_bytes()).expect("somebody reads");
        }
    });
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        std::io::copy(&mut read, &mut text).expect("read");
        text
    });
    let options = [&[("class", "StdoutStream")][..], &[("filename", "/dev/fd/1")]];
    let mut writers = Vec::new();
    for (index, options) in options.iter().cycle().take(6).enumerate() {
        let (_, pipe) = role.open("web", index as u32, options);
        writers.push(write_lines(pipe, format!("w{index}"), 3000));
    }
    writers.into_iter().for_each(|writer| writer.join().expect("written"));
    direct.join().expect("written");
    role.finish();
    let mut names: Vec<String> = (0..6).map(|index| format!("w{index}")).collect();
    names.push("own".to_owned());
    assert_complete(&reader.join().expect("read"), &names, 3000);
}
