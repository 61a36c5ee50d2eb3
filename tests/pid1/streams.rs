//! Captured output, from the process to its file and to whoever asks for it.

use crate::control::{ask, operate};
use crate::operator::operated;
use crate::process::Process;
use crate::world::{Running, namespaces_are_possible, until, until_some};

fn writer(run: &Running) -> Option<Process> {
    run.process.children().into_iter().find(|it| it.command().contains("log-writer"))
}

const ENDS: &str = "
[watcher:w]
cmd = sh -c 'echo one; echo two; echo no such table >&2; exit 3'
respawn = False
stdout_stream.filename = @/out.log
stderr_stream.class = Ring
";

#[test]
fn what_a_process_has_printed_is_written_when_its_end_is_told() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(ENDS).start();
    run.wait_for_log("exited with code 3");
    // Not a moment later.
    assert_eq!(run.file("out.log"), "one\ntwo\n");
    assert!(run.log().contains("its last line: no such table"), "{}", run.log());
    let lines = operate(&run, "logs w");
    let said: Vec<&str> =
        lines.lines().filter_map(|line| Some(line.split_once("w.1 | ")?.1)).collect();
    assert_eq!(said.len(), 3, "{lines}");
    assert!(said.contains(&"no such table") && said.contains(&"two"), "{lines}");
    assert!(operate(&run, "logs w --stderr").ends_with("w.1 | no such table"));
    assert!(operate(&run, "status --detail w").contains("no such table"));
    run.stop();
}

#[test]
fn a_killed_log_writer_costs_nothing_that_was_not_read() {
    if !namespaces_are_possible() {
        return;
    }
    let lines = "i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; [ -e @/fast ] || sleep 0.01; done; touch @/done; sleep 1000";
    let ini = format!("[watcher:w]\ncmd = sh -c '{lines}'\nstdout_stream.filename = @/out.log\n");
    let mut run = operated(&ini).start();
    for _ in 0..4 {
        let first = until_some("it runs", || writer(&run));
        until("it writes", || run.file("out.log").lines().count() > 3);
        first.send("KILL");
        until("another one runs", || writer(&run).is_some_and(|it| it != first));
    }
    run.write("fast", "");
    run.wait_for_file("out.log", "\n300\n");
    let written: Vec<u32> =
        run.file("out.log").lines().map(|line| line.parse().expect("a number")).collect();
    assert!(written.is_sorted(), "in order, and none twice");
    assert!(run.log().contains("the log writer was killed by SIGKILL"), "{}", run.log());
    run.stop();
}

#[test]
fn of_one_that_is_not_captured_it_is_told_how_to_do_that() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated("[watcher:w]\ncmd = sleep 901\n").start();
    run.wait_for_log("w started");
    assert_eq!(operate(&run, "logs"), "");
    let said = ask(&run, "logs w");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("stdout_stream.class = Ring"), "{said:?}");
    assert_eq!(writer(&run), None, "nobody needs one");
    run.stop();
}

#[test]
fn files_are_opened_anew_when_somebody_has_moved_them() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sh -c 'while :; do echo line; sleep 0.02; done'\n\
               stdout_stream.filename = @/out.log\n";
    let mut run = operated(ini).start();
    let path = run.folder().join("out.log");
    for (number, how) in ["reopenlogs", "USR2"].into_iter().enumerate() {
        until("it is written", || path.exists());
        std::fs::rename(&path, run.folder().join(format!("old.{number}"))).expect("moved");
        match how {
            "USR2" => run.send("USR2"),
            command => drop(operate(&run, command)),
        }
        run.wait_for_file("out.log", "line\n");
    }
    run.stop();
}

#[test]
fn what_is_printed_at_the_very_end_is_written_too() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sh -c 'trap \"echo good bye; exit 0\" TERM; echo ready; \
               while :; do sleep 0.05; done'\nstdout_stream.filename = @/out.log\n";
    let mut run = operated(ini).start();
    run.wait_for_file("out.log", "ready\n");
    run.send("TERM");
    assert_eq!(run.exit_code(), 0);
    assert_eq!(run.file("out.log"), "ready\ngood bye\n");
}
