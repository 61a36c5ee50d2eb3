//! Where output goes is somebody else's business: closed, full, or read by nobody, it changes
//! nothing for the services.

use crate::process::Process;
use crate::world::{Running, World, namespaces_are_possible, until};
use std::fs::{self, File};
use std::process::Stdio;
use std::thread;
use std::time::Duration;

const INI: &str = "[watcher:w]\ncmd = sleep 900\nbackoff = 0\n";

/// Kill the service some times; each time another one comes.
fn kill_some(run: &Running, times: usize) -> Process {
    let mut child = run.wait_for_child("sleep 900");
    for _ in 0..times {
        child.send("KILL");
        child = run.wait_for_replacement("sleep 900", child);
    }
    child
}

/// It does not spin: over half a second it takes next to no time on the processor.
fn assert_idle(run: &Running) {
    let before = run.process.cpu_ticks();
    thread::sleep(Duration::from_millis(600));
    let spent = run.process.cpu_ticks() - before;
    assert!(spent <= 6, "{spent} of 60 hundredths of a second");
}

#[test]
fn with_closed_streams_services_run_and_have_all_three() {
    if !namespaces_are_possible() {
        return;
    }
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"] {
        let world = World::pid_1(INI).through_bash(&format!("exec \"$@\" {closed}"));
        let mut run = world.start();
        let child = kill_some(&run, 2);
        until("it sleeps", || child.stat(3) == "S");
        assert_eq!(child.descriptors().into_keys().collect::<Vec<_>>(), [0, 1, 2], "{closed}");
        run.stop();
    }
}

#[test]
fn with_closed_streams_a_command_has_its_exit_code() {
    if !namespaces_are_possible() {
        return;
    }
    for closed in ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"] {
        let world = World::entrypoint(&["sh", "-c", "exit 7"]);
        let mut run = world.through_bash(&format!("exec \"$@\" {closed}")).start();
        assert_eq!(run.exit_code(), 7, "{closed}");
    }
}

#[test]
fn a_log_whose_reader_is_gone_costs_nothing_and_a_stop_works() {
    if !namespaces_are_possible() {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let err = Stdio::null();
    let mut run = World::pid_1(INI).start_with(Stdio::null(), writer.into(), err);
    drop(reader);
    kill_some(&run, 5);
    assert_idle(&run);
    kill_some(&run, 5);
    assert_idle(&run);
    run.stop();
}

#[test]
fn a_log_that_nobody_reads_stops_neither_respawns_nor_the_stop() {
    if !namespaces_are_possible() {
        return;
    }
    let (reader, writer) = std::io::pipe().expect("a pipe");
    // Fills the pipe and blocks.
    let ini = format!("{INI}[watcher:loud]\ncmd = yes\n");
    let mut run = World::pid_1(&ini).start_with(Stdio::null(), writer.into(), Stdio::null());
    let loud = run.wait_for_child("yes");
    until("the pipe is full", || loud.read("wchan").contains("pipe_write"));
    // More than what is kept of the log.
    kill_some(&run, 700);
    assert_idle(&run);
    assert!(loud.is_alive());
    run.stop();
    drop(reader);
}

#[test]
fn a_log_is_whole_again_when_it_is_read_again_and_tells_what_is_missing() {
    use std::io::Read;
    if !namespaces_are_possible() {
        return;
    }
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let mut run = World::pid_1(INI).start_with(Stdio::null(), writer.into(), Stdio::null());
    // Two lines of about 100 bytes each time, and 64 kB fit into the pipe and as many into memory.
    kill_some(&run, 900);
    let reading = thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("it is text");
        text
    });
    thread::sleep(Duration::from_millis(50));
    kill_some(&run, 2);
    run.stop();
    let text = reading.join().expect("it is read");
    assert!(text.contains("lines of this log could not be written"), "{} bytes", text.len());
    assert!(text.lines().all(|line| line.contains("circus[1]")), "every line is whole");
    assert!(text.contains("SIGTERM received: stopping"));
}

#[test]
fn a_full_device_is_no_reason_to_end_or_to_spin() {
    if !namespaces_are_possible() {
        return;
    }
    let full = || File::options().write(true).open("/dev/full").expect("it is there");
    let mut run = World::pid_1(INI).start_with(Stdio::null(), full().into(), full().into());
    kill_some(&run, 5);
    assert_idle(&run);
    run.stop();
}

#[test]
fn a_log_file_on_a_full_disk_is_written_again_when_there_is_room() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = format!("[circus]\nlogoutput = @/disk/log\n{INI}");
    let fill = "mkdir @/disk && mount -t tmpfs -o size=16k none @/disk && : > @/disk/log && \
                { dd if=/dev/zero of=@/disk/fill bs=1k count=100 2>/dev/null; exec \"$@\"; }";
    let mut run = World::pid_1(&ini).through_bash(fill).start();
    kill_some(&run, 5);
    assert_idle(&run);
    let inside = |name: &str| {
        let path = run.folder().join("disk").join(name);
        run.process.path("root").join(path.strip_prefix("/").expect("absolute"))
    };
    assert_eq!(fs::read_to_string(inside("log")).expect("it is there"), "");
    fs::remove_file(inside("fill")).expect("removed");
    kill_some(&run, 2);
    until("it is told", || {
        fs::read_to_string(inside("log")).is_ok_and(|log| log.contains("could not be written"))
    });
    run.stop();
}

#[test]
fn a_log_file_that_was_moved_away_is_opened_anew() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1(&format!("[circus]\nlogoutput = @/log\n{INI}")).start();
    kill_some(&run, 1);
    run.wait_for_file("log", "SIGKILL");
    fs::rename(run.folder().join("log"), run.folder().join("log.1")).expect("moved");
    kill_some(&run, 1);
    run.wait_for_file("log", "SIGKILL");
    let old = run.file("log.1");
    run.stop();
    assert!(run.file("log").contains("stopping"));
    assert_eq!(run.file("log.1"), old);
    assert_eq!(run.log(), "", "nothing on stdout");
}

#[test]
fn json_lines_are_objects_with_their_facts() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = World::pid_1(&format!("[circus]\nlog_format = json\n{INI}")).start();
    kill_some(&run, 2);
    run.wait_for_log("\"respawned\"");
    run.stop();
    let log = run.log();
    let lines: Vec<serde_json::Value> =
        log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for line in &lines {
        for key in ["time", "level", "pid", "message", "event"] {
            assert!(line.get(key).is_some(), "{key} in {line}");
        }
    }
    let died = lines.iter().find(|line| line["event"] == "died").expect("it is told");
    assert_eq!((&died["watcher"], &died["wid"]), (&"w".into(), &1.into()));
    assert!(died["process_pid"].is_u64() && died["level"] == "warning", "{died}");
}
