//! Commands from a pipe, and output into one.

use crate::world::{Run, World};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::process::Stdio;

fn answer(request: &Value) -> Option<Value> {
    Some(match request["command"].as_str() {
        Some("status") => json!({"statuses": {"b": "active", "A": "stopped"}}),
        Some("list") => json!({"watchers": ["a", "b"]}),
        Some("start") => json!({"status": "error", "reason": "program x not found", "errno": 3}),
        _ => json!({}),
    })
}

/// The client with these lines as its input.
fn fed(world: &World, words: &[&str], input: &str) -> Run {
    let mut child = world.command(words).stdin(Stdio::piped()).spawn().expect("it starts");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    Run {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

#[test]
fn each_line_is_a_command_and_only_results_are_printed() {
    let world = World::new();
    let daemon = world.daemon(answer);
    let run = fed(&world, &[], "list\n\n# a comment\nset a cmd 'sleep 1'\nstatus");
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(run.out, "a,b\nok\nA: stopped\nb: active\n");
    assert_eq!(daemon.commands(), ["list", "set", "status"]);
    assert_eq!(daemon.requests()[1]["properties"]["options"], json!({"cmd": "sleep 1"}));
}

#[test]
fn lines_after_a_failed_one_are_done_and_the_first_failure_is_the_exit_code() {
    let world = World::new();
    let daemon = world.daemon(answer);
    let run = fed(&world, &[], "start x\nnope\nlist 'a\nlist\nexit\nstatus\n");
    assert_eq!((run.code, run.out.as_str()), (3, "a,b\n"));
    assert!(
        run.err.starts_with("error: program x not found\nerror: there is no command nope"),
        "{}",
        run.err
    );
    assert!(run.err.contains("opening '"), "{}", run.err);
    assert_eq!(daemon.commands(), ["start", "list"]);
}

#[test]
fn options_hold_for_all_lines() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    let run = fed(&world, &["--json"], "list\nstatus\n");
    let lines: Vec<Value> =
        run.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[0]["watchers"], json!(["a", "b"]));
    assert_eq!(lines[1]["statuses"]["b"], "active");
}

#[test]
fn quit_from_a_pipe_is_meant() {
    let world = World::new();
    let daemon = world.daemon(answer);
    assert_eq!(fed(&world, &[], "quit\n").out, "ok\n");
    assert_eq!(daemon.commands(), ["quit"]);
}

#[test]
fn no_line_at_all_is_the_status() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    assert_eq!(fed(&world, &[], "").out, "A: stopped\nb: active\n");
    assert_eq!(world.run(&[]).out, "A: stopped\nb: active\n");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    for words in [&["status"][..], &["--help"], &["--json", "list"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let output = world.command(words).stdout(writer).output().expect("it starts");
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stderr, b"");
    }
}

#[test]
fn a_full_disk_is_a_failure() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    let full = File::options().write(true).open("/dev/full").expect("Linux has it");
    let output = world.command(&["status"]).stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(error.contains("cannot write to standard output"), "{error}");
}
