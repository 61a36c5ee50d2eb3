//! Signals to a circusd that runs watchers: reload, and what is passed on.

use crate::process::Process;
use crate::world::{Running, World, namespaces_are_possible, until};

/// Notes its signals by number, one a line, and when it is ready.
pub const NOTER: &str = r#"
use POSIX;
open(my $facts, '>>', $ARGV[0]) or die;
for my $number (1 .. 31, 34 .. 64) {
    next if $number == 9 || $number == 17 || $number == 19;
    my $note = sub { syswrite($facts, "got $number\n") };
    sigaction($number, POSIX::SigAction->new($note)) or die "$number: $!";
}
syswrite($facts, "ready\n");
select(undef, undef, undef, 0.02) while 1;
"#;

/// Notes its beginning and its end.
const SERVICE: &str = "echo begin >> @/facts\n\
                       trap 'echo end >> @/facts; exit 0' TERM\nwhile :; do sleep 0.05; done\n";

fn services(run: &Running, count: usize) -> Vec<Process> {
    let mut all =
        run.wait_for_children(&format!("sh {}/service.sh", run.folder().display()), count);
    all.sort();
    all
}

#[test]
fn a_reload_starts_new_processes_before_the_old_ones_go() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sh @/service.sh\nnumprocesses = 2\n";
    let mut run = World::pid_1(ini).with("service.sh", SERVICE).start();
    let old = services(&run, 2);
    until("both have begun", || run.file("facts") == "begin\nbegin\n");
    run.send("HUP");
    run.wait_for_log("w reloaded");
    until("the old ones are gone", || old.iter().all(|process| !process.is_alive()));
    let new = services(&run, 2);
    until("all have noted it", || run.file("facts").lines().count() == 6);
    run.stop();
    // Made before the first of the old ones was asked to end.
    let log = run.log();
    let place = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} is in\n{log}"));
    assert!(place("w reloading") < place("w reloaded"));
    assert!(new.iter().all(|process| !old.contains(process)));
}

#[test]
fn no_old_process_is_asked_to_end_before_every_new_one_is_its_program() {
    if !namespaces_are_possible() {
        return;
    }
    // The old one notes at its end what circusd's children are.
    let service = "seen() { read all < /proc/1/task/1/children; for pid in $all; do\n\
                   tr '\\0' ' ' < /proc/$pid/cmdline; echo; done; }\n\
                   trap 'seen > @/part; mv @/part @/seen; exit 0' TERM\n\
                   echo begin >> @/facts\nwhile :; do sleep 0.05; done\n";
    let ini = "[watcher:w]\ncmd = sh @/service.sh\n";
    let mut run = World::pid_1(ini).with("service.sh", service).start();
    run.wait_for_file("facts", "begin");
    run.send("HUP");
    until("the old one has ended", || run.file("seen").contains("service.sh"));
    assert_eq!(run.file("seen").matches("/service.sh").count(), 2, "{}", run.file("seen"));
    until("the new one has begun", || run.file("facts") == "begin\nbegin\n");
    run.stop();
}

#[test]
fn a_reload_that_cannot_start_the_new_processes_keeps_the_old_ones() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = @/program\nnumprocesses = 2\n[watcher:o]\ncmd = sleep 901\n";
    let program = "#!/bin/sh\nexec sleep 900\n";
    let mut run = World::pid_1(ini).with("program", program).start();
    let mut old = run.wait_for_children("sleep 900", 2);
    old.sort();
    let other = run.wait_for_child("sleep 901");
    run.wait_for_log("w started");
    std::fs::remove_file(run.folder().join("program")).expect("removed");
    run.send("HUP");
    run.wait_for_log("w not reloaded");
    run.wait_for_replacement("sleep 901", other);
    let mut now = run.wait_for_children("sleep 900", 2);
    now.sort();
    assert_eq!(now, old);
    run.stop();
}

#[test]
fn send_hup_is_a_reload_by_the_processes_themselves() {
    if !namespaces_are_possible() {
        return;
    }
    let ini =
        "[watcher:w]\ncmd = perl @/noter.pl @/facts\nsend_hup = True\ngraceful_timeout = 0.1\n";
    let mut run = World::pid_1(ini).with("noter.pl", NOTER).start();
    run.wait_for_file("facts", "ready\n");
    let before = run.process.children();
    run.send("HUP");
    run.wait_for_file("facts", "got 1\n");
    assert_eq!(run.process.children(), before);
    run.stop();
}

#[test]
fn forwarded_signals_arrive_rewritten_and_real_time_ones_too() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = perl @/noter.pl @/facts\ngraceful_timeout = 0.1\n\
               forward_signals = USR1, WINCH, HUP>USR2, RTMIN+3, RTMIN+4>RTMAX\n\
               [watcher:deaf]\ncmd = perl @/noter.pl @/nothing\ngraceful_timeout = 0.1\n";
    let mut run = World::pid_1(ini).with("noter.pl", NOTER).start();
    run.wait_for_file("facts", "ready\n");
    run.wait_for_file("nothing", "ready\n");
    let cases = [("USR1", 10), ("WINCH", 28), ("HUP", 12), ("RTMIN+3", 37), ("RTMIN+4", 64)];
    let mut expected = String::from("ready\n");
    for (sent, arrives) in cases {
        run.send("USR2");
        run.send(sent);
        expected.push_str(&format!("got {arrives}\n"));
        until(&format!("{sent} arrives"), || run.file("facts") == expected);
    }
    // HUP was a reload for the one that does not take it.
    run.wait_for_log("deaf reloaded");
    run.stop();
    assert!(!run.file("nothing").contains("got 10\n"), "{}", run.file("nothing"));
}

#[test]
fn a_flood_of_signals_changes_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\n";
    let mut run = World::pid_1(ini).start();
    run.wait_for_log("w started");
    for number in (1..=64).filter(|n| ![1, 2, 3, 9, 15, 19].contains(n)) {
        for _ in 0..20 {
            run.send(&number.to_string());
        }
    }
    run.stop();
    assert!(!run.log().contains("starting again"), "{}", run.log());
}
