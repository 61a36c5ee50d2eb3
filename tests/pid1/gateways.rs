//! The gateway dies, again and again: services never notice, and the next command works.

use crate::control::{ask, begin, end, gateway, listen, operate, operated};
use crate::process::Process;
use crate::world::{Running, namespaces_are_possible, until, until_some};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const INI: &str =
    "[watcher:web]\ncmd = sleep 900\nnumprocesses = 5\n[watcher:spare]\ncmd = sleep 901\n";

fn resident_kb(process: Process) -> u64 {
    process.status("VmRSS").trim_end_matches(" kB").parse().unwrap_or(0)
}

/// There is a gateway: a client has called it.
fn served(run: &Running) -> Process {
    until_some("a gateway serves", || {
        ask(run, "list");
        gateway(run)
    })
}

/// One death, and the first command after it.
fn kill_once(run: &Running) -> Duration {
    let victim = served(run);
    victim.send_if_child_of(run.process, "KILL");
    let killed = Instant::now();
    assert_eq!(operate(run, "list"), "spare,web");
    killed.elapsed()
}

#[test]
fn killed_again_and_again_it_is_back_and_services_never_notice() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(INI).start();
    let mut web = run.wait_for_children("sleep 900", 5);
    web.sort();
    run.wait_for_log("spare started");
    (0..5).for_each(|_| {
        let _ = kill_once(&run);
    });
    let descriptors = run.process.descriptors().len();
    let resident = resident_kb(run.process);
    for _ in 0..25 {
        let time = kill_once(&run);
        assert!(time < Duration::from_secs(10), "the next command took {time:?}");
    }
    let grown = resident_kb(run.process).saturating_sub(resident);
    assert!(grown <= 256, "{grown} kB more than {resident}");
    let mut now = run.children("sleep 900");
    now.sort();
    assert_eq!(now, web);
    served(&run);
    until("all are reaped", || run.others().iter().all(|process| process.stat(3) != "Z"));
    until("no descriptor is left over", || run.process.descriptors().len() == descriptors);
    let log = run.log();
    assert!(log.contains("the control gateway was killed by SIGKILL"), "{log}");
    run.stop();
}

#[test]
fn while_commands_run_its_death_costs_answers_and_nothing_else() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(INI).start();
    let mut web = run.wait_for_children("sleep 900", 5);
    web.sort();
    run.wait_for_log("spare started");
    let (over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    let commands = ["restart spare --waiting", "status", "incr spare", "decr spare", "stats"];
    thread::scope(|scope| {
        for first in 0..3 {
            let (run, over, answered) = (&run, &over, &answered);
            scope.spawn(move || {
                for words in commands.iter().cycle().skip(first) {
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                    let said = ask(run, &format!("--timeout 0.5 {words}"));
                    // Who loses his answer is told; nobody hears anything wrong.
                    let is_lost = said.code == 1 && said.err.contains("timed out");
                    assert!(said.code == 0 || is_lost, "{words}: {said:?}");
                    answered.fetch_add(u32::from(said.code == 0), Ordering::Relaxed);
                }
            });
        }
        for _ in 0..20 {
            let before = answered.load(Ordering::Relaxed);
            until("commands are answered again", || answered.load(Ordering::Relaxed) > before + 5);
            if let Some(victim) = gateway(&run) {
                victim.send_if_child_of(run.process, "KILL");
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    // What was asked for last is what is.
    operate(&run, "set spare numprocesses 2 --waiting");
    operate(&run, "restart spare --waiting");
    assert_eq!(run.wait_for_children("sleep 901", 2).len(), 2);
    let mut now = run.children("sleep 900");
    now.sort();
    assert_eq!(now, web);
    until("all are reaped", || run.others().iter().all(|process| process.stat(3) != "Z"));
    run.stop();
}

#[test]
fn a_client_that_waits_while_the_gateway_dies_is_no_burden() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:slow]\ncmd = sh @/slow.sh\ngraceful_timeout = 20\n";
    let script = "trap 'echo asked >> @/asked' TERM\necho up >> @/up\n\
                  while ! test -e @/let-go; do sleep 0.05; done\n";
    let mut run = operated(ini).with("slow.sh", script).start();
    run.wait_for_file("up", "up");
    let waiting = begin(&run, "--timeout 1 stop slow --waiting");
    run.wait_for_file("asked", "asked");
    served(&run).send_if_child_of(run.process, "KILL");
    let said = end(waiting);
    assert_eq!(said.code, 1, "{said:?}");
    // The command itself goes on.
    assert_eq!(operate(&run, "status slow"), "stopping");
    run.write("let-go", "");
    assert_eq!(operate(&run, "stop slow --waiting"), "ok");
    assert_eq!(operate(&run, "status slow"), "stopped");
    run.stop();
}

#[test]
fn a_subscriber_finds_the_next_gateway() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = operated(INI).start();
    run.wait_for_log("spare started");
    let mut listener = listen(&run, "watcher.spare.");
    let hears_of_a_new_pid = || {
        operate(&run, "restart spare --waiting");
        let pids = operate(&run, "list spare");
        run.file("heard").contains(&format!("pid {pids}\n"))
    };
    until("it hears", hears_of_a_new_pid);
    kill_once(&run);
    until("it hears again", hears_of_a_new_pid);
    listener.kill().expect("it is our child");
    listener.wait().expect("it is our child");
    run.stop();
}
