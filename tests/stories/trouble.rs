//! Commands that meet trouble: what cannot start, what does not end, what is asked for again and
//! again.

use crate::stage::{Stage, configuration, load};
use circus::commands::{Answer, ChangeKind, Command, Matching, Selection};
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::supervisor::{Asker, Event, Mode};

const ONE: &str = "[watcher:a]\ncmd = x\nmax_retry = -1\n";

fn one(name: &str) -> Selection {
    Selection::Matching { pattern: name.into(), matching: Matching::Glob }
}

/// A process of this story, whose ini has one watcher with one process: 10 runs.
fn running(ini: &str) -> Stage {
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    stage
}

fn refused(stage: &mut Stage) -> Vec<u64> {
    let answers = stage.answers().into_iter();
    let refused = answers.filter(|(_, answer)| matches!(answer, Answer::Refused(_)));
    refused.map(|(client, _)| client).collect()
}

#[test]
fn a_start_that_fails_again_and_again_is_answered_and_holds_up_nobody() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nmax_retry = -1\nautostart = False\n");
    stage.begin();
    assert_eq!(stage.client(Command::Start(one("a"))), ["spawn a.1"]);
    stage.client(Command::Incr { name: "a".into(), nb: 1 });
    assert!(refused(&mut stage).is_empty());
    for delay_ms in [100, 200, 400, 800] {
        assert!(stage.exec_fails().is_empty());
        assert_eq!(stage.after_ms(delay_ms), ["spawn a.1"]);
    }
    assert!(refused(&mut stage).is_empty());
    assert_eq!(stage.exec_fails(), ["spawn a.2"], "the next command has its turn");
    assert_eq!(refused(&mut stage), [1]);
    for delay_ms in [100, 200, 400, 800] {
        stage.fork_fails();
        stage.after_ms(delay_ms);
    }
    assert!(refused(&mut stage).is_empty());
    stage.fork_fails();
    assert_eq!(refused(&mut stage), [2]);
    assert_eq!(stage.looks("a"), ("starting", String::new(), false));
    assert!(!stage.after_ms(5000).is_empty(), "it is tried again");
}

#[test]
fn a_program_that_hangs_before_it_is_executed_holds_up_nobody() {
    let mut stage = running(ONE);
    stage.client(Command::Incr { name: "a".into(), nb: 1 });
    stage.one_is_made(&mut Vec::new());
    stage.client(Command::Decr { name: "a".into(), nb: 1 });
    assert!(refused(&mut stage).is_empty());
    assert_eq!(stage.after_ms(2000), ["SIGTERM 10"]);
    assert_eq!(refused(&mut stage), [1]);
}

#[test]
fn a_reload_whose_processes_cannot_be_made_leaves_the_old_ones() {
    let mut stage = running(ONE);
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: false };
    assert_eq!(stage.client(reload.clone()), ["spawn a.2"]);
    assert!(stage.fork_fails().is_empty());
    assert_eq!(refused(&mut stage), [1]);
    assert_eq!(stage.client(reload), ["spawn a.2"]);
    stage.one_is_made(&mut Vec::new());
    assert_eq!(stage.after_ms(2000), ["SIGTERM 11"], "it hangs, so it goes");
    stage.is_killed(11, Signal::TERM);
    assert_eq!(refused(&mut stage), [2]);
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
}

#[test]
fn one_after_the_other_passes_over_those_that_have_come_to_their_end() {
    let mut stage = running("[watcher:a]\ncmd = x\nnumprocesses = 3\nrespawn = False\n");
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: true };
    assert_eq!(stage.client(reload), ["SIGTERM 10"]);
    stage.exits(11, 0);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
    assert_eq!(stage.all_start(), ["SIGTERM 12"]);
    stage.is_killed(12, Signal::TERM);
    stage.all_start();
    assert!(matches!(&stage.answers()[..], [(1, Answer::Info(Some(_)))]));
}

#[test]
fn one_that_is_replaced_before_it_was_its_program_is_not_the_one_that_replaces_it() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 2\nkill_tree = False\n");
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    let new = stage.one_is_made(&mut Vec::new());
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: true };
    assert_eq!(stage.client(reload), ["SIGTERM 12"]);
    assert!(stage.tell(Event::Executed { pid: new }).is_empty());
    assert_eq!(stage.answers(), [], "its successor is not there");
    assert_eq!(stage.is_killed(12, Signal::TERM), ["spawn a.1"]);
    assert_eq!(stage.all_start(), ["SIGTERM 11"]);
    stage.is_killed(11, Signal::TERM);
    stage.all_start();
    assert_eq!(stage.answers().len(), 1);
}

#[test]
fn equal_restarts_that_wait_are_all_answered_when_it_is_done() {
    let mut stage = running(ONE);
    stage.client(Command::Stop(one("a")));
    stage.client(Command::Restart(one("a")));
    stage.client(Command::Restart(one("a")));
    assert!(stage.answers().is_empty());
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
    assert_eq!(stage.answers().len(), 1);
    stage.all_start();
    assert_eq!(stage.answers().len(), 2);
}

#[test]
fn what_is_asked_for_again_and_again_by_nobody_who_waits_takes_no_more_memory() {
    let ini = format!("{ONE}[watcher:b]\ncmd = x\n");
    let mut stage = running(&ini);
    let nobody = Asker { ticket: None, waiting: true };
    let ask = |stage: &mut Stage, times: u32| {
        for _ in 0..times {
            for command in [
                Command::Reload { name: Some("a".into()), graceful: true, sequential: false },
                Command::Incr { name: "a".into(), nb: 1 },
                Command::Decr { name: "a".into(), nb: 1 },
                Command::Start(one("*")),
                Command::Restart(one("*")),
                Command::Start(one("a")),
                Command::Restart(one("b")),
            ] {
                stage.tell(Event::Command { asker: nobody, command });
            }
        }
    };
    // Nothing ends, so all of it waits.
    ask(&mut stage, 10);
    let before = stage.memory();
    ask(&mut stage, 300);
    assert!(stage.memory() < before + 100, "{before} is now {}", stage.memory());
}

#[test]
fn names_in_the_file_and_names_of_clients_are_the_same_in_any_case() {
    let mut stage = running(ONE);
    let config = load("[watcher:CACHE]\ncmd = y\n");
    stage.name_next("CACHE");
    let asker = stage.asker(true);
    let settings = config.watchers[0].clone();
    assert_eq!(stage.tell(Event::Add { asker, settings, start: true }), ["spawn CACHE.1"]);
    stage.all_start();
    let config = load(&format!("{ONE}[watcher:cache]\ncmd = z\n"));
    let changes = stage.changes(&config);
    assert_eq!(changes, [("cache".to_string(), ChangeKind::Restarted)]);
    let asker = stage.asker(true);
    let configuration = Box::new(configuration(&config));
    let event = Event::Configure { asker, configuration, restart: false };
    assert_eq!(stage.tell(event), ["SIGTERM 11"]);
}

#[test]
fn a_reload_of_all_is_not_for_the_main_command() {
    let mut stage = Stage::in_mode(ONE, Mode::Both);
    stage.begin();
    stage.all_start();
    let reload = Command::Reload { name: None, graceful: true, sequential: false };
    assert_eq!(stage.client(reload), ["spawn a.2"]);
}

#[test]
fn who_waits_for_what_never_ends_is_told_so() {
    let mut stage = running("[watcher:a]\ncmd = x\ngraceful_timeout = 1\n");
    stage.client(Command::Stop(one("a")));
    let kill = Command::Kill {
        name: "a".into(),
        pid: Pid::new(10),
        signal: Some(Signal::INT),
        grace_ms: None,
    };
    stage.client(kill);
    assert_eq!(stage.after_ms(1000), ["SIGKILL 10"]);
    assert!(stage.told().contains(&"a (pid 10) did not end within 1.0 s of SIGINT: killed".into()));
    assert!(stage.answers().is_empty());
    stage.after_ms(5000);
    assert_eq!(refused(&mut stage), [1, 2]);
    stage.client(Command::Restart(one("a")));
    assert_eq!(refused(&mut stage), [3]);
    assert_eq!(stage.is_killed(10, Signal::KILL), ["spawn a.1"], "it ends after all");
}

#[test]
fn a_process_of_another_watcher_is_not_killed() {
    let mut stage = running(&format!("{ONE}[watcher:b]\ncmd = x\n"));
    let kill = Command::Kill { name: "a".into(), pid: Pid::new(11), signal: None, grace_ms: None };
    assert!(stage.client(kill).is_empty());
    assert_eq!(refused(&mut stage), [1]);
}

#[test]
fn those_that_do_not_start_by_themselves_start_when_they_are_named() {
    let ini = "[watcher:a1]\ncmd = x\n[watcher:a2]\ncmd = x\nautostart = False\n";
    let mut stage = running(ini);
    assert!(stage.client(Command::Start(Selection::All)).is_empty());
    assert!(stage.client(Command::Start(one("*"))).is_empty());
    assert_eq!(stage.client(Command::Start(one("a*"))), ["spawn a2.1"]);
}

#[test]
fn what_waits_for_its_start_is_not_healthy_yet_and_says_what_it_waits_for() {
    let ini = "[watcher:a]\ncmd = x\n[watcher:m]\ncmd = x\noneshot = True\npriority = 9\n";
    let mut stage = running(ini);
    assert_eq!(stage.looks("m"), ("active", "not completed".into(), false));
    assert_eq!(
        stage.looks("a"),
        ("stopped", "waiting for m to end, a one-shot of higher priority".into(), false)
    );
    assert_eq!(stage.exits(10, 0), ["spawn a.1"]);
    stage.all_start();
    assert_eq!(stage.looks("m"), ("completed", String::new(), true));
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
}

#[test]
fn one_of_several_that_is_being_replaced_by_order_does_no_harm() {
    let mut stage = running("[watcher:a]\ncmd = x\nnumprocesses = 2\n");
    stage.client(Command::Reload { name: Some("a".into()), graceful: true, sequential: true });
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
    stage.is_killed(10, Signal::TERM);
    assert!(stage.looks("a").2);
    stage.exec_fails();
    assert!(!stage.looks("a").2, "the new one does not come");
}

#[test]
fn a_restart_tells_of_its_start_once() {
    let mut stage = running(ONE);
    stage.client(Command::Restart(one("a")));
    stage.is_killed(10, Signal::TERM);
    stage.told();
    stage.all_start();
    assert_eq!(stage.told(), ["a started (pid 11)"]);
}

#[test]
fn what_is_let_go_has_not_stopped() {
    let mut stage = running(ONE);
    stage.told();
    stage.client(Command::Rm { name: "a".into(), nostop: true });
    assert_eq!(stage.told(), ["a removed"]);
}

#[test]
fn what_hangs_in_the_kernel_is_named_and_not_the_process_that_is_dead() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\ngraceful_timeout = 1\n");
    stage.begin();
    stage.all_start();
    stage.is_reaped(10, Ending::Exited(1));
    stage.is_left_behind(&[(500, 10)]);
    stage.after_ms(1000);
    stage.is_left_behind(&[(500, 10)]);
    stage.after_ms(5000);
    let sentence = "a: SIGKILL does not end pid 500: it hangs in the kernel".to_string();
    let told = stage.told();
    assert!(told.contains(&sentence), "{told:?}");
    stage.all_start();
    stage.client(Command::Stop(Selection::All));
    stage.after_ms(1000);
    assert_eq!(stage.looks("a"), ("stopping", String::new(), false));
    stage.after_ms(5000);
    assert_eq!(stage.looks("a"), ("stopping", "SIGKILL does not end pid 11".into(), false));
}
