//! Operated while it runs: by `circusctl`, as people do it, from outside its pid namespace.

pub use crate::operator::{ask, begin, end, gateway, listen, operate, operated, with_endpoints};
use crate::process::Process;
use crate::world::{namespaces_are_possible, until, until_some};
use std::fs;
use std::thread;
use std::time::Duration;

/// The kernel's count of the waits of all threads of a process.
fn waits(process: Process) -> Vec<String> {
    let tasks = fs::read_dir(process.path("task")).expect("it runs");
    let numbers = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
    let threads =
        numbers.map(|number: i32| Process(process.0).read(&format!("task/{number}/status")));
    let counts = threads.map(|status| {
        status.lines().filter(|line| line.contains("ctxt_switches")).collect::<Vec<_>>().join(" ")
    });
    counts.collect()
}

/// Nothing of them wakes up while nothing happens.
#[track_caller]
fn assert_asleep(processes: &[Process]) {
    let now = || processes.iter().map(|process| waits(*process)).collect::<Vec<_>>();
    let before = until_some("they rest", || {
        let before = now();
        thread::sleep(Duration::from_millis(150));
        Some(before).filter(|before| *before == now())
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(now(), before);
}

const SLOW: &str = "
[watcher:slow]
cmd = sh @/slow.sh
graceful_timeout = 20
[watcher:web]
cmd = sleep 901
";

/// Ends when it is let go.
const SLOW_SCRIPT: &str = "trap 'echo asked >> @/asked' TERM
echo up >> @/up
while ! test -e @/let-go; do sleep 0.05; done
";

#[test]
fn with_endpoints_and_nobody_there_nothing_wakes_up() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated("[watcher:w]\ncmd = sleep 900\nnumprocesses = 5\n").start();
    run.wait_for_log("w started");
    assert_eq!(gateway(&run), None, "it is started for the first client");
    assert_asleep(&[run.process]);
    run.stop();
}

#[test]
fn when_clients_have_gone_neither_circusd_nor_the_gateway_wakes_up() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated("[watcher:w]\ncmd = sleep 900\nnumprocesses = 5\n").start();
    run.wait_for_log("w started");
    operate(&run, "restart w --waiting");
    // A subscriber too.
    let mut listener = listen(&run, "");
    until("it hears something", || {
        operate(&run, "reload w --waiting");
        !run.file("heard").is_empty()
    });
    let alive = gateway(&run).expect("it serves");
    assert_asleep(&[run.process, alive]);
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    assert_asleep(&[run.process, alive]);
    assert_eq!(gateway(&run), Some(alive));
    run.stop();
}

#[test]
fn clients_that_wait_hear_an_answer_when_everything_stops() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(SLOW).with("slow.sh", SLOW_SCRIPT).start();
    run.wait_for_file("up", "up");
    let mut waiting = vec![begin(&run, "restart slow --waiting")];
    run.wait_for_file("asked", "asked");
    waiting.extend(
        ["stop slow --waiting", "reload slow --waiting", "start --waiting"]
            .map(|words| begin(&run, words)),
    );
    // One of them is in the middle of it for certain.
    until("they wait", || operate(&run, "status slow") == "stopping");
    run.send("TERM");
    run.wait_for_log("SIGTERM received: stopping");
    waiting.push(begin(&run, "quit --waiting"));
    let refused = ask(&run, "start web");
    assert_eq!((refused.code, &*refused.out), (3, ""), "{refused:?}");
    assert_eq!(operate(&run, "status slow"), "stopping", "it can be asked until the end");
    run.write("let-go", "");
    for child in waiting {
        let said = end(child);
        assert!([0, 3].contains(&said.code), "{said:?}");
        assert!(!said.err.contains("timed out"), "{said:?}");
    }
    assert_eq!(run.exit_code(), 0);
    assert_eq!(run.others(), []);
}

#[test]
fn quit_is_answered_and_ends_it_with_0() {
    if !namespaces_are_possible() {
        return;
    }
    for words in ["quit", "quit --waiting"] {
        let mut run = operated("[watcher:w]\ncmd = sleep 900\n").start();
        run.wait_for_log("w started");
        assert_eq!(operate(&run, words), "ok");
        assert_eq!(run.exit_code(), 0);
        assert_eq!(run.others(), []);
        assert!(!run.folder().join("c.sock").exists(), "nobody is served here any more");
    }
}

#[test]
fn a_publication_tells_the_cause_once_and_what_follows_in_its_own_members() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:calm]
cmd = sleep 901
[watcher:w]
cmd = sh -c 'exit 3'
autostart = False
max_restarts = 3
backoff = 0.05
";
    let mut run = operated(ini).start();
    run.wait_for_log("calm started");
    let mut listener = listen(&run, "--json");
    until("it hears something", || {
        operate(&run, "restart calm --waiting");
        !run.file("heard").is_empty()
    });
    operate(&run, "start w");
    until("it is given up", || run.file("heard").contains("giveup"));
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    let heard = run.file("heard");
    let told = |topic: &str| heard.lines().find(|line| line.contains(topic)).map(str::to_string);
    for topic in ["watcher.w.backoff", "watcher.w.giveup"] {
        let line = told(topic).unwrap_or_else(|| panic!("{topic}: {heard}"));
        assert!(line.contains(r#""reason": "exited with code 3 after "#), "{line}");
        assert!(!line.contains(';'), "{line}");
    }
    run.stop();
}

#[test]
fn values_from_files_are_in_no_answer_and_no_publication() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]
cmd = sh -c 'exec sleep 900' $(circus.file.@/secret)
env_from_files = True
env_file = @/env
numprocesses = 2
x_token = $(circus.file.@/secret)
[watcher:lost]
cmd = sleep 901
working_dir = /$(circus.file.@/secret)
max_retry = 2
[watcher:absent]
cmd = $(circus.file.@/secret) x
max_retry = 2
[env:w]
TOKEN = $(circus.file.@/secret)
PASSWORD_FILE = @/secret
URL = http://me:$(circus.file.@/secret)@@host/
";
    let world =
        operated(ini).with("secret", "hunter2\n").with("env", "DIRECT=$(circus.file.@/secret)\n");
    // Not with whatever files the environment of this test names.
    let mut run = world.through(&["env", "-i", "PATH=/usr/bin:/bin"]).start();
    let all = run.wait_for_children("sleep 900", 2);
    assert_eq!(all[0].environment()["TOKEN"], "hunter2");
    assert_eq!(all[0].environment()["PASSWORD"], "hunter2");
    let mut listener = listen(&run, "--json");
    until("it hears something", || {
        operate(&run, "reload w --waiting");
        !run.file("heard").is_empty()
    });
    let mut said = String::new();
    for words in [
        "--json options w",
        "--json get w cmd env args x_token env_file",
        "--json stats",
        "--json stats w --extended",
        "--json status --detail",
        "--json list w",
        "--json start lost --waiting",
        "--json options lost",
        "--json restart absent --waiting",
        "--json status --detail",
        "--json globaloptions",
        "--json dstats",
        "--json set w numprocesses 3 --waiting",
        "--json restart w --waiting",
        "--json reload w --waiting",
        "--json signal w 9",
        "--json reloadconfig --dry-run",
        "--json reloadconfig --waiting",
        "--json set w cmd echo hunter --waiting",
        "--json options w",
        "--json stop w --waiting",
        "--json rm w --waiting",
    ] {
        let answer = ask(&run, words);
        said.push_str(&format!("{words}: {}{}\n", answer.out, answer.err));
    }
    run.write("secret", "hunter22\n");
    // The secret has changed, and more: it is named, not shown.
    run.write("circus.ini", &with_endpoints(&ini.replace("= 2", "= 1")));
    said.push_str(&operate(&run, "reloadconfig --dry-run"));
    said.push_str(&operate(&run, "--json reloadconfig --waiting"));
    said.push_str(&operate(&run, "--json options w"));
    run.write("circus.ini", &with_endpoints(&ini.replace("= 2", "= $(circus.file.@/secret)")));
    let refused = ask(&run, "reloadconfig --waiting");
    assert!(refused.err.contains("numprocesses: `$(circus.file."), "{refused:?}");
    said.push_str(&refused.err);
    assert!(said.contains("***"), "{said}");
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    said.push_str(&run.file("heard"));
    said.push_str(&run.log());
    let shown: Vec<&str> = said.lines().filter(|line| line.contains("hunter2")).collect();
    assert!(shown.is_empty(), "{shown:#?}");
    run.stop();
}

#[test]
fn the_last_death_is_told_in_a_few_words() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:bad]\ncmd = sh -c 'exit 3'\nrespawn = False\n\
               [watcher:killed]\ncmd = sleep 901\n";
    let mut run = operated(ini).start();
    run.wait_for_log("exited with code 3");
    operate(&run, "signal killed KILL");
    run.wait_for_log("was killed by SIGKILL");
    let table = operate(&run, "status --detail");
    for (name, end) in [("bad", "exit code 3, "), ("killed", "killed by SIGKILL, ")] {
        let line = table.lines().find(|line| line.starts_with(name)).expect("its line");
        assert!(line.contains(&format!("  {end}")) && line.ends_with(" ago"), "{table}");
    }
    run.stop();
}

#[test]
fn after_a_stop_of_the_last_circusd_goes_on_unless_it_is_to_exit_when_done() {
    if !namespaces_are_possible() {
        return;
    }
    let watcher = "[watcher:w]\ncmd = sleep 901\n";
    let mut run = operated(watcher).start();
    run.wait_for_child("sleep 901");
    operate(&run, "stop --waiting");
    assert_eq!(operate(&run, "start --waiting"), "ok");
    run.wait_for_child("sleep 901");
    run.stop();
    let mut run = operated(&format!("exit_when_done = True\n{watcher}")).start();
    run.wait_for_child("sleep 901");
    operate(&run, "stop");
    assert_eq!(run.exit_code(), 0);
}
