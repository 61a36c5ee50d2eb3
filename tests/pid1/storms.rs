//! Many deaths at once, and the calm: nothing is lost, nothing grows, nothing wakes up.

use crate::process::Process;
use crate::random::Random;
use crate::world::{Running, World, namespaces_are_possible, until, until_some};
use std::thread;
use std::time::{Duration, Instant};

/// Makes orphans as fast as it can, then says so.
const ORPHANS: &str = r#"
for my $number (1 .. 2000) {
    my $child = fork // die;
    if ($child == 0) {
        my $orphan = fork // die;
        select(undef, undef, undef, 0.001 * ($number % 7)) if $orphan == 0;
        POSIX::_exit(0);
    }
    waitpid($child, 0);
}
open(my $facts, '>>', $ARGV[0]) or die;
syswrite($facts, "done\n");
sleep 900;
"#;

fn zombies(run: &Running) -> usize {
    run.others().into_iter().filter(|process| process.stat(3) == "Z").count()
}

fn resident_kb(process: Process) -> u64 {
    let text = process.status("VmRSS");
    text.split(' ').next().and_then(|number| number.parse().ok()).expect("it runs")
}

#[test]
fn of_two_thousand_orphans_none_is_left() {
    if !namespaces_are_possible() {
        return;
    }
    let ini =
        "[watcher:o]\ncmd = perl -MPOSIX @/orphans.pl @/facts\n[watcher:w]\ncmd = sleep 900\n";
    let mut run = World::pid_1(ini).with("orphans.pl", ORPHANS).start();
    let other = run.wait_for_child("sleep 900");
    let descriptors = until_some("all are there", || {
        Some(run.process.descriptors().len()).filter(|_| run.process.children().len() >= 2)
    });
    run.wait_for_file("facts", "done");
    until("no orphan is left", || run.others().len() == 2);
    assert_eq!(zombies(&run), 0);
    assert_eq!(run.wait_for_child("sleep 900"), other);
    assert!(run.process.descriptors().len() <= descriptors);
    run.stop();
    assert!(!run.log().contains("starting again"), "{}", run.log());
}

#[test]
fn after_a_storm_of_kills_all_workers_are_back_and_nothing_has_grown() {
    if !namespaces_are_possible() {
        return;
    }
    const WORKERS: usize = 20;
    let ini = "[watcher:w]\ncmd = sleep 900\nnumprocesses = 20\nbackoff = 0\n[watcher:calm]\ncmd = sleep 901\n";
    let mut random = Random::new();
    let mut run = World::pid_1(ini).start();
    let calm = run.wait_for_child("sleep 901");
    run.wait_for_log("w started");
    run.wait_for_log("calm started");
    let descriptors = run.process.descriptors().len();
    let storm = |random: &mut Random, time: Duration| {
        let end = Instant::now() + time;
        while Instant::now() < end {
            let mut all = run.process.children();
            all.retain(|process| *process != calm);
            if all.is_empty() {
                continue;
            }
            // One that has not become its program yet may be hit too.
            let one = all[random.below(all.len() as u64) as usize];
            one.send_if_child_of(run.process, "KILL");
        }
        run.wait_for_children("sleep 900", WORKERS);
        until("all are reaped", || zombies(&run) == 0);
        until("no descriptor is left over", || run.process.descriptors().len() == descriptors);
    };
    storm(&mut random, Duration::from_millis(1500));
    let resident = resident_kb(run.process);
    storm(&mut random, Duration::from_millis(3000));
    let grown = resident_kb(run.process).saturating_sub(resident);
    assert!(grown <= 256, "{grown} kB more than {resident}");
    assert_eq!(run.children("sleep 901"), [calm]);
    assert_eq!(run.others().len(), WORKERS + 1);
    run.stop();
}

#[test]
fn with_fifty_children_nothing_wakes_up_while_nothing_happens() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 900\nnumprocesses = 50\n";
    let mut run = World::pid_1(ini).start();
    run.wait_for_children("sleep 900", 50);
    run.wait_for_log("w started");
    let waits = || run.process.status("voluntary_ctxt_switches");
    // The last line may be out before it has gone to sleep.
    until("it sleeps", || run.process.stat(3) == "S" && run.process.read("wchan") != "0");
    thread::sleep(Duration::from_millis(100));
    let before = waits();
    thread::sleep(Duration::from_secs(2));
    assert_eq!(waits(), before);
    run.stop();
}
