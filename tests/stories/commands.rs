//! What clients ask for, and what becomes of it while other things go on.

use crate::stage::Stage;
use circus::commands::{Answer, Command, Errno, Info, Matching, Selection};
use circus::config::options::Change;
use circus::process::Pid;
use circus::signal::Signal;
use circus::supervisor::Event;
use std::rc::Rc;

fn one(name: &str) -> Selection {
    Selection::Matching { pattern: name.into(), matching: Matching::Glob }
}

fn pid(number: i32) -> Pid {
    Pid::new(number).expect("positive")
}

fn reload(name: &str, sequential: bool) -> Command {
    Command::Reload { name: Some(name.into()), graceful: true, sequential }
}

const TWO: &str = "[watcher:a]\ncmd = x\nnumprocesses = 2\n";

/// Processes 10 and 11 run.
fn two() -> Stage {
    let mut stage = Stage::new(TWO);
    stage.begin();
    stage.all_start();
    stage.published();
    stage
}

#[test]
fn a_restart_is_answered_when_the_new_processes_run() {
    let mut stage = two();
    assert_eq!(stage.client(Command::Restart(one("A"))), ["SIGTERM 10", "SIGTERM 11"]);
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn a.1", "spawn a.2"]);
    assert_eq!(stage.answers(), []);
    stage.all_start();
    let info = Info {
        stopped: Some(vec![pid(10), pid(11)]),
        started: vec![pid(12), pid(13)],
        kept: Vec::new(),
    };
    assert_eq!(stage.answers(), [(1, Answer::Info(Some(info)))]);
    assert_eq!(
        stage.published(),
        ["a kill", "a kill", "a reap", "a reap", "a stop", "a spawn", "a spawn", "a start"]
    );
}

#[test]
fn commands_that_conflict_wait_for_their_turn() {
    let mut stage = two();
    stage.client(Command::Stop(one("a")));
    assert!(stage.client(Command::Start(one("a"))).is_empty());
    assert!(stage.client(Command::Incr { name: "a".into(), nb: 1 }).is_empty());
    stage.is_killed(10, Signal::TERM);
    let words = stage.is_killed(11, Signal::TERM);
    assert_eq!(words, ["spawn a.1", "spawn a.2", "spawn a.3"]);
    assert_eq!(stage.answers(), [(1, Answer::Info(None))]);
    stage.all_start();
    let answers = stage.answers();
    assert_eq!(answers[0].0, 2);
    assert_eq!(answers[1], (3, Answer::NewNumprocesses { numprocesses: 3, singleton: false }));
}

#[test]
fn a_stop_overtakes_a_reload_one_by_one_and_both_are_answered() {
    let mut stage = two();
    assert_eq!(stage.client(reload("a", true)), ["SIGTERM 10"]);
    assert!(stage.client(Command::Start(one("a"))).is_empty());
    assert_eq!(stage.client(Command::Stop(Selection::All)), ["SIGTERM 11"]);
    let overtaken: Vec<u64> = stage.answers().into_iter().map(|(client, _)| client).collect();
    assert_eq!(overtaken, [2, 1]);
    stage.is_killed(10, Signal::TERM);
    assert!(stage.is_killed(11, Signal::TERM).is_empty(), "nothing is started again");
    assert_eq!(stage.answers(), [(3, Answer::Done)]);
}

#[test]
fn a_reload_one_by_one_replaces_the_oldest_first_and_pauses_between() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 2\nwarmup_delay = 1\n");
    stage.begin();
    stage.all_start();
    stage.after_ms(1000);
    stage.all_start();
    assert_eq!(stage.client(reload("a", true)), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
    assert!(stage.all_start().is_empty(), "it waits");
    assert_eq!(stage.after_ms(1000), ["SIGTERM 11"]);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn a.2"]);
    stage.all_start();
    stage.after_ms(1000);
    assert!(matches!(&stage.answers()[..], [(1, Answer::Info(Some(_)))]));
}

#[test]
fn a_reload_one_by_one_ends_at_the_first_process_that_cannot_be_replaced() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 2\nmax_retry = 1\n");
    stage.begin();
    stage.all_start();
    stage.client(reload("a", true));
    stage.is_killed(10, Signal::TERM);
    assert!(stage.exec_fails().is_empty(), "the other one stays");
    assert!(
        matches!(&stage.answers()[..], [(1, Answer::Refused(refusal))] if refusal.errno == Errno::Command)
    );
}

#[test]
fn a_reload_that_has_not_begun_serves_for_all_who_ask() {
    let mut stage = two();
    stage.client(reload("a", false));
    stage.client(reload("a", false));
    stage.client(reload("a", false));
    stage.all_start();
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn a.1", "spawn a.2"]);
    assert_eq!(stage.answers().len(), 1);
    stage.all_start();
    stage.is_killed(12, Signal::TERM);
    assert!(stage.is_killed(13, Signal::TERM).is_empty(), "two were asked for while one went on");
    assert_eq!(stage.answers().len(), 2);
}

#[test]
fn the_oldest_go_when_there_are_to_be_fewer() {
    let mut stage = two();
    stage.after_ms(5);
    stage.is_killed(10, Signal::HUP);
    stage.all_start();
    assert_eq!(stage.client(Command::Decr { name: "a".into(), nb: 1 }), ["SIGTERM 11"]);
    assert_eq!(stage.answers(), []);
    assert!(stage.is_killed(11, Signal::TERM).is_empty());
    let new = Answer::NewNumprocesses { numprocesses: 1, singleton: false };
    assert_eq!(stage.answers(), [(1, new)]);
    assert!(stage.client(Command::Decr { name: "a".into(), nb: 7 }) == ["SIGTERM 12"]);
}

#[test]
fn a_killed_process_is_started_again_and_who_waits_hears_of_its_end() {
    let mut stage = two();
    let kill = Command::Kill {
        name: "a".into(),
        pid: Some(pid(11)),
        signal: Some(Signal::INT),
        grace_ms: Some(500),
    };
    assert_eq!(stage.client(kill), ["SIGINT 11"]);
    assert_eq!(stage.after_ms(500), ["SIGKILL 11"]);
    assert_eq!(stage.is_killed(11, Signal::KILL), ["spawn a.2"]);
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
}

#[test]
fn a_watcher_that_is_removed_without_a_stop_leaves_its_processes_alone() {
    let mut stage = two();
    assert!(stage.client(Command::Rm { name: "a".into(), nostop: true }).is_empty());
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
    stage.client(Command::Stop(one("a")));
    assert!(
        matches!(&stage.answers()[..], [(2, Answer::Refused(refusal))] if refusal.errno == Errno::Message)
    );
    // Nobody's process ends like any orphan.
    assert!(stage.is_reaped(10, circus::process::Ending::Exited(0)).is_empty());
    assert_eq!(stage.client(Command::Quit), ["survey"]);
}

#[test]
fn new_settings_count_at_once_and_replace_processes_only_where_they_must() {
    let mut stage = two();
    let settings = |stage: &Stage, stop_signal| {
        let mut settings = stage.settings(0);
        settings.stop_signal = stop_signal;
        Rc::new(settings)
    };
    let options = vec!["stop_signal".into()];
    let (new, asker) = (settings(&stage, Signal::INT), stage.asker(true));
    let change = Change::Adjust;
    let event =
        Event::Change { asker, watcher: 0, settings: new, options: options.clone(), change };
    assert!(stage.tell(event).is_empty());
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
    let (new, asker) = (settings(&stage, Signal::QUIT), stage.asker(true));
    let change = Change::Reload;
    let event = Event::Change { asker, watcher: 0, settings: new, options, change };
    assert_eq!(stage.tell(event), ["spawn a.3", "spawn a.4"]);
    assert_eq!(stage.all_start(), ["SIGQUIT 10", "SIGQUIT 11"]);
}

#[test]
fn while_everything_stops_nothing_is_started_and_all_are_answered_at_the_end() {
    let mut stage = two();
    assert_eq!(stage.client(Command::Quit), ["SIGTERM 10", "SIGTERM 11"]);
    stage.client(Command::Start(Selection::All));
    assert!(matches!(&stage.answers()[..], [(2, Answer::Refused(_))]));
    stage.client(Command::Stop(one("a")));
    stage.client(Command::Quit);
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.answers(), []);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["exit 0"]);
    let answered: Vec<u64> = stage.answers().into_iter().map(|(client, _)| client).collect();
    assert_eq!(answered, [1, 3, 4]);
}

#[test]
fn all_stop_before_all_start_when_all_are_restarted() {
    let ini = "[watcher:a]\ncmd = x\npriority = 1\n[watcher:b]\ncmd = x\n\
               [watcher:c]\ncmd = x\nautostart = False\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    let all = Selection::Matching { pattern: "*".into(), matching: Matching::Glob };
    assert_eq!(stage.client(Command::Restart(all)), ["SIGTERM 11", "SIGTERM 10"]);
    assert!(stage.is_killed(11, Signal::TERM).is_empty(), "the other one runs yet");
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1", "spawn b.1"]);
    assert_eq!(stage.answers(), []);
    stage.all_start();
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
}
