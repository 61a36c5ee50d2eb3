//! Watchers that start when somebody comes, and what becomes of them when the sockets change.

use crate::stage::{Stage, configuration, load};
use circus::commands::{Answer, ChangeKind, Command, Matching, Selection};
use circus::config::options::Change;
use circus::signal::Signal;
use circus::supervisor::Event;

const NOTHING: [&str; 0] = [];

const WEB: &str =
    "[socket:web]\n[watcher:web]\ncmd = x --fd $(circus.sockets.web)\non_demand = True\n";

fn web() -> Selection {
    Selection::Matching { pattern: "web".into(), matching: Matching::Glob }
}

/// web waits for somebody.
fn waiting(options: &str) -> Stage {
    let mut stage = Stage::new(&format!("{WEB}{options}"));
    assert_eq!(stage.begin(), NOTHING);
    assert_eq!(stage.waiting(), ["web"]);
    stage
}

/// Somebody has come, and web (10) runs.
fn running(options: &str) -> Stage {
    let mut stage = waiting(options);
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), ["spawn web.1"]);
    stage.all_start();
    stage
}

#[test]
fn it_starts_when_somebody_comes_and_only_then() {
    let mut stage = waiting("");
    assert_eq!(stage.looks("web"), ("stopped", "waiting for a connection".into(), true));
    assert_eq!(stage.told(), ["web waits for a connection"]);
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), ["spawn web.1"]);
    assert_eq!(stage.waiting(), NOTHING, "nobody is looked for while it starts");
    stage.all_start();
    assert_eq!(stage.looks("web"), ("active", String::new(), true));
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), NOTHING);
    assert_eq!(stage.wakes_after_ms(), None, "nobody looks whether it is still needed");
}

#[test]
fn an_operators_stop_stays_a_stop_and_his_start_waits_again() {
    let mut stage = running("");
    assert_eq!(stage.client(Command::Stop(web())), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    assert_eq!((stage.waiting().len(), stage.looks("web").1), (0, String::new()));
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), NOTHING);
    assert_eq!(stage.client(Command::Start(web())), NOTHING);
    assert_eq!(stage.waiting(), ["web"]);
    assert_eq!(stage.client(Command::Stop(web())), NOTHING);
    assert_eq!((stage.waiting().len(), stage.answers().len()), (0, 3));
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), NOTHING);
}

#[test]
fn one_that_has_ended_well_waits_for_the_next_and_one_that_fails_is_started_again() {
    let mut stage = running("");
    stage.after_ms(2000);
    assert_eq!(stage.exits(10, 0), NOTHING);
    assert_eq!(stage.waiting(), ["web"]);
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), ["spawn web.1"]);
    stage.all_start();
    stage.after_ms(2000);
    assert_eq!(stage.exits(11, 3), ["spawn web.1"], "whoever has come is served");
}

#[test]
fn one_that_ends_at_once_again_and_again_is_started_ever_more_slowly() {
    let mut stage = running("backoff = 1\nbackoff_max = 60\n");
    stage.exits(10, 0);
    assert_eq!((stage.waiting().len(), stage.wakes_after_ms()), (0, Some(1000)));
    stage.after_ms(1000);
    assert_eq!(stage.waiting(), ["web"]);
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), ["spawn web.1"]);
    stage.all_start();
    stage.exits(11, 0);
    assert_eq!((stage.waiting().len(), stage.wakes_after_ms()), (0, Some(2000)));
    assert_eq!(stage.tell(Event::Demanded { watcher: 0 }), NOTHING);
}

#[test]
fn when_that_time_has_passed_somebody_is_waited_for_again() {
    let mut stage = waiting("backoff = 1\nidle_timeout = 10\n");
    stage.tell(Event::Demanded { watcher: 0 });
    stage.all_start();
    stage.exits(10, 0);
    assert_eq!((stage.waiting().len(), stage.wakes_after_ms()), (0, Some(1000)));
    stage.after_ms(1000);
    assert_eq!((stage.waiting(), stage.wakes_after_ms()), (vec!["web"], None));
}

#[test]
fn one_that_has_failed_for_good_does_not_wait() {
    let mut stage = running("max_restarts = 0\n");
    assert_eq!(stage.exits(10, 3), NOTHING);
    assert_eq!((stage.waiting().len(), stage.looks("web").1), (0, "failed".to_string()));
}

#[test]
fn it_stops_when_nobody_has_come_for_a_while_and_nobody_is_connected() {
    let mut stage = waiting("idle_timeout = 10\n");
    stage.tell(Event::Demanded { watcher: 0 });
    assert_eq!(stage.all_start(), ["attend web"]);
    stage.after_ms(9000);
    assert_eq!(stage.tell(Event::Connected { watcher: 0 }), NOTHING);
    assert_eq!(stage.after_ms(999), NOTHING);
    assert_eq!(stage.after_ms(1), ["attend web"], "not at each one who comes");
    assert_eq!(stage.after_ms(9000), ["look for connections of web"]);
    assert_eq!(stage.wakes_after_ms(), None, "the answer is at hand");
    assert_eq!(stage.tell(Event::LookedForConnections { watcher: 0, found: true }), NOTHING);
    assert_eq!(stage.after_ms(10_000), ["look for connections of web"]);
    let found = false;
    assert_eq!(stage.tell(Event::LookedForConnections { watcher: 0, found }), ["SIGTERM 10"]);
    stage.told();
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.told(), ["web waits for a connection"]);
    assert_eq!((stage.waiting(), stage.wakes_after_ms()), (vec!["web"], None));
}

#[test]
fn an_operators_stop_of_one_that_stops_for_idleness_stays_a_stop() {
    let mut stage = running("idle_timeout = 10\n");
    stage.after_ms(10_000);
    stage.tell(Event::LookedForConnections { watcher: 0, found: false });
    assert_eq!(stage.client(Command::Stop(web())), NOTHING, "it is on its way out");
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.waiting(), NOTHING);
}

#[test]
fn what_depends_on_it_starts_while_it_waits() {
    let mut stage = Stage::new(&format!("{WEB}[watcher:proxy]\ncmd = x\ndepends_on = web\n"));
    assert_eq!(stage.begin(), ["spawn proxy.1"]);
}

#[test]
fn what_it_depends_on_is_waited_for_when_somebody_has_come() {
    let text = format!("{WEB}depends_on = db\n[watcher:db]\ncmd = x\nready = notify\n");
    let mut stage = Stage::new(&text);
    assert_eq!(stage.begin(), ["spawn db.1"]);
    stage.all_start();
    stage.says(10, "READY=1");
    assert_eq!(stage.waiting(), ["web"]);
    stage.tell(Event::Demanded { watcher: 1 });
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.looks("web").0, "active");
}

#[test]
fn it_starts_for_a_oneshot_of_higher_priority_too() {
    let migrate = "[watcher:migrate]\ncmd = x\noneshot = True\npriority = 5\ndepends_on = web\n";
    let mut stage = Stage::new(&format!("{WEB}{migrate}"));
    assert_eq!(stage.begin(), ["spawn migrate.1"]);
    stage.all_start();
    assert_eq!(stage.tell(Event::Demanded { watcher: 1 }), ["spawn web.1"]);
}

#[test]
fn exit_when_done_waits_as_long_as_somebody_may_come() {
    let mut stage = Stage::new(&format!("[circus]\nexit_when_done = True\n{WEB}"));
    assert_eq!(stage.begin(), NOTHING);
    assert_eq!(stage.client(Command::Stop(web())), ["survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["exit 0"]);
}

#[test]
fn everything_stops_although_it_waits() {
    let mut stage = waiting("essential = True\n");
    assert_eq!(stage.signal(Signal::TERM), ["survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["exit 0"]);
}

#[test]
fn a_watcher_that_does_not_start_on_demand_any_more_starts() {
    let mut stage = waiting("");
    let mut settings = stage.settings(0);
    settings.sockets = None;
    let asker = stage.asker(true);
    let (options, change) = (vec!["on_demand".into()], Change::Restart);
    let event = Event::Change { asker, watcher: 0, settings: settings.into(), options, change };
    assert_eq!(stage.tell(event), ["spawn web.1"]);
    stage.all_start();
    assert!(matches!(stage.answers()[..], [(1, Answer::Info(_) | Answer::Done)]));
}

const TWO: &str = "[socket:a]\nport = 1\n[socket:b]\nport = 2\n\
                   [watcher:one]\ncmd = x $(circus.sockets.a)\n[watcher:all]\ncmd = x\nuse_sockets = True\n\
                   [watcher:none]\ncmd = x\n";

/// all is 10, none is 11, one is 12.
fn two() -> Stage {
    let mut stage = Stage::new(TWO);
    stage.begin();
    stage.all_start();
    stage
}

fn configure(stage: &mut Stage, text: &str) -> Vec<String> {
    let configuration = Box::new(configuration(&load(text)));
    let asker = stage.asker(true);
    stage.tell(Event::Configure { asker, configuration, restart: false })
}

#[test]
fn who_uses_a_socket_that_has_moved_is_reloaded_and_nobody_else() {
    let mut stage = two();
    let text = TWO.replace("port = 1\n", "port = 3\n");
    let changes = stage.changes(&load(&text));
    let expected = [
        ("[socket:a]", ChangeKind::Reloaded),
        ("all", ChangeKind::Reloaded),
        ("one", ChangeKind::Reloaded),
    ];
    assert_eq!(changes, expected.map(|(name, kind)| (name.to_string(), kind)));
    assert_eq!(configure(&mut stage, &text), ["spawn all.2", "spawn one.2"]);
    assert_eq!(stage.all_start(), ["SIGTERM 10", "SIGTERM 12"]);
    assert_eq!(configure(&mut stage, &text), NOTHING, "that was all");
}

#[test]
fn a_socket_with_another_backlog_is_the_same_socket() {
    let mut stage = two();
    assert_eq!(
        configure(&mut stage, &TWO.replace("port = 1\n", "port = 1\nbacklog = 9\n")),
        NOTHING
    );
}

#[test]
fn a_socket_more_or_less_is_for_those_that_use_all() {
    let mut stage = two();
    assert_eq!(configure(&mut stage, &format!("{TWO}[socket:c]\nport = 3\n")), ["spawn all.2"]);
    assert_eq!(stage.all_start(), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    assert_eq!(configure(&mut stage, &TWO.replace("[socket:b]\nport = 2\n", "")), ["spawn all.1"]);
}

const THREE: &str = "[watcher:web]\ncmd = x\nnumprocesses = 3\nready = notify\nready_timeout = 5\nmax_restarts = 9\n";

fn reload_in_turn(stage: &mut Stage) -> Vec<String> {
    stage.client(Command::Reload { name: Some("web".into()), graceful: true, sequential: true })
}

/// 10, 11 and 12 are ready.
fn three() -> Stage {
    let mut stage = Stage::new(THREE);
    stage.begin();
    stage.all_start();
    (10..13).for_each(|pid| drop(stage.says(pid, "READY=1")));
    stage.published();
    stage
}

#[test]
fn in_turn_the_next_goes_when_the_new_one_is_ready() {
    let mut stage = three();
    assert_eq!(reload_in_turn(&mut stage), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn web.1"]);
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.says(13, "READY=1"), ["SIGTERM 11"]);
    stage.is_killed(11, Signal::TERM);
    stage.all_start();
    assert_eq!(stage.says(14, "READY=1"), ["SIGTERM 12"]);
    stage.is_killed(12, Signal::TERM);
    stage.all_start();
    assert!(stage.answers().is_empty());
    stage.says(15, "READY=1");
    assert!(matches!(stage.answers()[..], [(1, Answer::Info(_))]));
}

#[test]
fn in_turn_the_others_stay_if_the_new_one_does_not_become_ready_and_it_is_taken_away() {
    let mut stage = three();
    reload_in_turn(&mut stage);
    stage.is_killed(10, Signal::TERM);
    stage.all_start();
    assert_eq!(stage.after_ms(5000), ["SIGTERM 13"]);
    assert!(matches!(stage.answers()[..], [(1, Answer::Refused(_))]));
    assert_eq!(stage.is_killed(13, Signal::TERM), NOTHING, "it is not tried again");
    let told = stage.published();
    assert!(told.iter().any(|it| it == "web reload_failed"), "{told:?}");
    assert_eq!(stage.looks("web"), ("active", "not all reloaded".into(), false));
    // The next reload brings all of them back.
    assert_eq!(reload_in_turn(&mut stage), ["SIGTERM 11"]);
    stage.is_killed(11, Signal::TERM);
    stage.all_start();
    assert_eq!(stage.says(14, "READY=1"), ["SIGTERM 12"]);
    stage.is_killed(12, Signal::TERM);
    stage.all_start();
    assert_eq!(stage.says(15, "READY=1"), ["spawn web.1"]);
    stage.all_start();
    stage.says(16, "READY=1");
    assert_eq!(stage.looks("web"), ("active", String::new(), true));
}
