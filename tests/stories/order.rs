//! What depends on what: who starts after whom, who stops before whom, and what is said meanwhile.

use crate::stage::Stage;
use circus::commands::{Answer, Command, Matching, Selection};
use circus::config::options::Change;
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::supervisor::Event;

const NOTHING: [&str; 0] = [];

fn one(name: &str) -> Selection {
    Selection::Matching { pattern: name.into(), matching: Matching::Glob }
}

/// migrate runs once, then db, then web.
const CHAIN: &str = "[watcher:web]\ncmd = x\ndepends_on = db\n\
                     [watcher:db]\ncmd = x\ndepends_on = migrate\nready = notify\n\
                     [watcher:migrate]\ncmd = x\noneshot = True\n";

/// All of the chain runs: migrate was 10, db is 11, web is 12.
fn chain() -> Stage {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    stage.all_start();
    stage.says(11, "READY=1");
    stage.all_start();
    stage.told();
    stage.published();
    stage
}

#[test]
fn each_starts_when_what_it_depends_on_is_ready_or_completed() {
    let mut stage = Stage::new(CHAIN);
    assert_eq!(stage.begin(), ["spawn migrate.1"]);
    assert_eq!(stage.looks("db"), ("stopped", "waiting for migrate to complete".into(), false));
    assert_eq!(stage.looks("web"), ("stopped", "waiting for db to be ready".into(), false));
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.exits(10, 0), ["spawn db.1"]);
    assert_eq!(stage.all_start(), NOTHING, "it has not said that it is ready");
    assert_eq!(stage.looks("db"), ("starting", "not ready".into(), false));
    assert_eq!(stage.says(11, "STATUS=recovering"), NOTHING);
    assert_eq!(stage.says(11, "READY=1"), ["spawn web.1"]);
    stage.all_start();
    for name in ["web", "db", "migrate"] {
        assert!(stage.looks(name).2, "{name}");
    }
    let ready: Vec<_> = stage.published().into_iter().filter(|it| it.contains("ready")).collect();
    assert_eq!(ready, ["db ready"]);
    assert_eq!(stage.wakes_after_ms(), None, "nothing is left to wait for");
}

#[test]
fn a_dependency_that_fails_for_good_keeps_the_others_from_starting_until_it_runs_again() {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 1), NOTHING);
    let why = "waiting for migrate, which failed";
    assert_eq!(stage.looks("db"), ("stopped", why.into(), false));
    let far = "waiting for db, which waits for migrate, which failed";
    assert_eq!(stage.looks("web"), ("stopped", far.into(), false));
    let told = stage.told();
    assert!(told.contains(&format!("db is {why}")), "{told:?}");
    assert!(told.contains(&format!("web is {far}")), "{told:?}");
    assert_eq!(stage.wakes_after_ms(), None);
    for (name, why) in [("web", far), ("db", why)] {
        assert_eq!(stage.client(Command::Start(one(name))), NOTHING);
        let answers = stage.answers();
        let [(_, Answer::Refused(it))] = &answers[..] else { panic!("{answers:?}") };
        assert_eq!(
            it.reason,
            format!("{name} is not started yet: it is {why}; start migrate first")
        );
    }
    assert_eq!(stage.client(Command::Restart(one("migrate"))), ["spawn migrate.1"]);
    assert_eq!(stage.looks("web").1, "waiting for db to be ready", "there is hope again");
    stage.all_start();
    assert_eq!(stage.exits(11, 0), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.says(12, "READY=1"), ["spawn web.1"]);
    stage.all_start();
    let answered: Vec<u64> = stage.answers().into_iter().map(|(client, _)| client).collect();
    assert_eq!(answered, [3]);
}

#[test]
fn whoever_waits_for_one_far_away_from_what_fails_hears_so() {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    stage.all_start();
    stage.client(Command::Start(one("web")));
    assert_eq!(stage.answers(), [], "all is on its way");
    stage.exits(10, 1);
    assert!(matches!(&stage.answers()[..], [(1, Answer::Refused(_))]));
}

#[test]
fn a_long_chain_that_waits_in_vain_is_told_to_its_end_and_has_hope_again() {
    let mut ini = "[watcher:w0]\ncmd = x\noneshot = True\n".to_string();
    for number in 1..2000 {
        let on = number - 1;
        ini.push_str(&format!(
            "[watcher:w{number}]\ncmd = x\ndepends_on = w{on}\noneshot = True\n"
        ));
    }
    let mut stage = Stage::new(&ini);
    stage.begin();
    stage.all_start();
    stage.exits(10, 1);
    let far = "waiting for w1998, which waits for w0, which failed";
    assert_eq!(stage.looks("w1999").1, far);
    stage.client(Command::Start(one("w0")));
    assert_eq!(stage.looks("w1999").1, "waiting for w1998 to complete");
}

#[test]
fn what_is_down_again_or_not_ready_again_is_waited_for() {
    let ini = "[watcher:db]\ncmd = x\nready = notify\nbackoff = 1\n\
               [watcher:web]\ncmd = x\nautostart = False\ndepends_on = db\n\
               [watcher:log]\ncmd = x\nautostart = False\ndepends_on = db:started\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    stage.says(10, "READY=1");
    assert!(stage.looks("db").2);
    assert_eq!(stage.exits(10, 1), ["spawn db.1"]);
    assert_eq!(stage.looks("db"), ("active", "not ready".into(), false));
    assert_eq!(stage.client(Command::Start(one("log"))), NOTHING);
    assert_eq!(stage.looks("log").1, "waiting for db to start");
    assert_eq!(stage.client(Command::Start(one("web"))), NOTHING);
    assert_eq!(stage.looks("web").1, "waiting for db to be ready");
    assert_eq!(stage.all_start(), ["spawn log.1"], "it has become its program");
    // It dies once more, and waits for its delay.
    assert_eq!(stage.exits(11, 1), NOTHING);
    assert_eq!(stage.after_ms(1000), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.looks("web").1, "waiting for db to be ready");
    assert_eq!(stage.answers().len(), 1, "log is there");
    assert_eq!(stage.says(13, "READY=1"), ["spawn web.1"]);
    // What runs is left alone.
    stage.all_start();
    stage.exits(13, 1);
    assert_eq!(stage.looks("web"), ("active", String::new(), true));
}

#[test]
fn one_of_several_that_is_down_is_waited_for_and_one_given_up_is_not() {
    let ini = "[watcher:db]\ncmd = x\nnumprocesses = 2\nmax_restarts = 0\n\
               [watcher:web]\ncmd = x\nautostart = False\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    stage.client(Command::Kill {
        name: "db".into(),
        pid: Pid::new(10),
        signal: None,
        grace_ms: None,
    });
    assert_eq!(stage.client(Command::Start(one("web"))), NOTHING);
    assert_eq!(stage.looks("web").1, "waiting for db to be ready");
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn db.1"]);
    assert_eq!(stage.all_start(), ["spawn web.1"]);
    stage.all_start();
    stage.client(Command::Stop(one("web")));
    stage.is_killed(13, Signal::TERM);
    stage.exits(11, 1);
    assert_eq!(stage.client(Command::Start(one("web"))), ["spawn web.1"], "the other one serves");
}

#[test]
fn while_one_is_reloaded_its_old_processes_keep_the_gate_open() {
    let ini = "[watcher:db]\ncmd = x\nready = notify\n\
               [watcher:web]\ncmd = x\nautostart = False\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    stage.says(10, "READY=1");
    let reload = Command::Reload { name: Some("db".into()), graceful: true, sequential: false };
    assert_eq!(stage.client(reload), ["spawn db.2"]);
    stage.all_start();
    assert_eq!(stage.client(Command::Start(one("web"))), ["spawn web.1"]);
}

#[test]
fn one_that_is_ready_to_start_is_looked_at_again_when_its_turn_comes() {
    let ini = "[circus]\nwarmup_delay = 1\n\
               [watcher:db]\ncmd = x\npriority = 2\n\
               [watcher:mid]\ncmd = x\npriority = 1\n\
               [watcher:web]\ncmd = x\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    assert_eq!(stage.begin(), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.after_ms(1000), ["spawn mid.1"]);
    stage.all_start();
    stage.exits(10, 1);
    assert_eq!(stage.after_ms(1000), NOTHING, "db is not its program yet");
    assert_eq!(stage.all_start(), ["spawn web.1"]);
}

#[test]
fn an_essential_one_whose_dependency_fails_while_it_waits_ends_all() {
    let ini = CHAIN.replace("ready = notify", "ready = notify\nmax_restarts = 0");
    let ini = ini.replace("depends_on = db\n", "depends_on = db\nessential = True\n");
    // Its own dependency, ...
    let mut stage = Stage::new(&ini);
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    stage.all_start();
    assert_eq!(stage.exits(11, 7), ["exit 7"]);
    let told = stage.told();
    let sentence =
        "web is essential and waiting for db, which failed: stopping, exit code 7".to_string();
    assert!(told.contains(&sentence), "{told:?}");
    assert_eq!(told.iter().filter(|it| it.starts_with("web is")).count(), 1, "{told:?}");
    // ... and one further away.
    let mut stage = Stage::new(&ini);
    stage.begin();
    stage.all_start();
    stage.client(Command::Start(one("web")));
    assert_eq!(stage.exits(10, 3), ["exit 3"]);
    assert!(matches!(&stage.answers()[..], [(1, Answer::Refused(_))]));
}

#[test]
fn an_essential_one_that_is_started_when_its_dependency_has_failed_already_only_waits() {
    let ini = CHAIN.replace("depends_on = db\n", "depends_on = db\nessential = True\n");
    let mut stage =
        Stage::new(&ini.replace("cmd = x\noneshot", "cmd = x\nautostart = False\noneshot"));
    assert_eq!(stage.begin(), NOTHING, "migrate is stopped, which somebody wanted");
    stage.client(Command::Stop(one("web")));
    stage.client(Command::Start(one("migrate")));
    stage.all_start();
    assert_eq!(stage.exits(10, 3), NOTHING, "nobody essential waits");
    assert_eq!(stage.client(Command::Start(one("web"))), NOTHING);
    let answers = stage.answers();
    assert!(matches!(&answers[..], [.., (3, Answer::Refused(_))]), "{answers:?}");
}

#[test]
fn one_that_waits_for_a_one_shot_of_higher_priority_says_for_which() {
    let ini = "[watcher:migrate]\ncmd = x\noneshot = True\npriority = 5\n\
               [watcher:db]\ncmd = x\npriority = 5\nready = notify\n\
               [watcher:web]\ncmd = x\ndepends_on = db\n[watcher:log]\ncmd = x\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    let why = "waiting for migrate to end, a one-shot of higher priority";
    assert_eq!(stage.looks("log").1, why);
    assert_eq!(stage.looks("web").1, "waiting for db to be ready");
    // db 10, migrate 11.
    assert_eq!(stage.says(10, "READY=1"), NOTHING);
    assert_eq!(stage.looks("web").1, why);
    assert_eq!(stage.exits(11, 1), ["spawn log.1", "spawn web.1"]);
}

#[test]
fn one_that_is_blocked_is_told_so_even_while_a_one_shot_is_waited_for() {
    let ini = "[watcher:migrate]\ncmd = x\noneshot = True\npriority = 5\n\
               [watcher:db]\ncmd = x\nautostart = False\n\
               [watcher:web]\ncmd = x\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.client(Command::Start(one("web")));
    assert!(matches!(&stage.answers()[..], [(1, Answer::Refused(_))]));
}

#[test]
fn with_nothing_left_but_those_that_wait_in_vain_all_is_done() {
    let mut stage = Stage::new(&format!("[circus]\nexit_when_done = True\n{CHAIN}"));
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 3), ["exit 3"]);
}

#[test]
fn an_essential_one_shot_that_fails_ends_all() {
    let text = CHAIN.replace("oneshot = True", "oneshot = True\nessential = True");
    let mut stage = Stage::new(&text);
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 4), ["exit 4"]);
}

#[test]
fn everything_stops_the_other_way_round_each_waited_for() {
    let mut stage = chain();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 12"]);
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 11"]);
    assert_eq!(stage.is_reaped(11, Ending::Killed(Signal::TERM)), ["survey"]);
}

#[test]
fn chains_that_have_nothing_to_do_with_each_other_stop_side_by_side() {
    let ini = "[watcher:a]\ncmd = x\ndepends_on = b\n[watcher:b]\ncmd = x\n\
               [watcher:c]\ncmd = x\ndepends_on = d\n[watcher:d]\ncmd = x\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    // b 10, d 11, then a 12, c 13.
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 12", "SIGTERM 13"]);
    assert_eq!(stage.is_killed(13, Signal::TERM), ["SIGTERM 11"], "a still stops");
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 10"]);
}

#[test]
fn what_others_depend_on_outlives_them_whatever_its_priority() {
    let ini = "[watcher:db]\ncmd = x\npriority = -5\n[watcher:web]\ncmd = x\ndepends_on = db\n\
               [watcher:log]\ncmd = x\npriority = -3\n";
    let mut stage = Stage::new(ini);
    assert_eq!(stage.begin(), ["spawn log.1", "spawn db.1"], "web waits and lets others pass");
    stage.all_start();
    // log 10, db 11, web 12.
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["SIGTERM 12"]);
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 11"]);
}

#[test]
fn within_shutdown_timeout_all_of_them_end() {
    let mut stage = Stage::new(&format!("[circus]\nshutdown_timeout = 2\n{CHAIN}"));
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    stage.all_start();
    stage.says(11, "READY=1");
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 12"]);
    assert_eq!(stage.after_ms(2000), ["SIGKILL 12", "SIGTERM 11", "SIGKILL 11"]);
}

#[test]
fn a_gate_may_ask_for_less() {
    let ini =
        "[watcher:db]\ncmd = x\nready = notify\n[watcher:web]\ncmd = x\ndepends_on = db:started\n";
    let mut stage = Stage::new(ini);
    assert_eq!(stage.begin(), ["spawn db.1"]);
    assert_eq!(stage.all_start(), ["spawn web.1"]);
}

#[test]
fn stop_and_restart_are_for_those_that_are_named_alone() {
    let mut stage = chain();
    assert_eq!(stage.client(Command::Restart(one("db"))), ["SIGTERM 11"]);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.answers(), [], "it is not ready");
    stage.says(13, "READY=1");
    assert_eq!(stage.answers().len(), 1);
    stage.client(Command::Stop(one("db")));
    stage.is_killed(13, Signal::TERM);
    assert_eq!(stage.looks("web"), ("active", String::new(), true));
    // One that dies now starts again: it was started once, and nobody has told it to stop.
    assert_eq!(stage.exits(12, 1), ["spawn web.1"]);
}

#[test]
fn with_dependants_those_go_first() {
    let mut stage = chain();
    let stop = Command::StopWithDependants(one("db"));
    assert_eq!(stage.client(stop), ["SIGTERM 12"]);
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 11"]);
    assert_eq!(stage.answers(), []);
    assert_eq!(stage.is_killed(11, Signal::TERM), NOTHING);
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
}

#[test]
fn a_restart_with_dependants_stops_them_first_and_starts_them_last() {
    let mut stage = chain();
    let restart = Command::RestartWithDependants(one("db"));
    assert_eq!(stage.client(restart), ["SIGTERM 12"]);
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 11"]);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn db.1"], "migrate has nothing to do");
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.says(13, "READY=1"), ["spawn web.1"]);
    assert_eq!(stage.answers(), []);
    stage.all_start();
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
}

#[test]
fn a_start_with_dependants_brings_back_those_that_were_stopped() {
    let cron = "[watcher:cron]\ncmd = x\nautostart = False\ndepends_on = db\n";
    let mut stage = Stage::new(&format!("{CHAIN}{cron}"));
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    stage.all_start();
    stage.says(11, "READY=1");
    stage.all_start();
    stage.client(Command::StopWithDependants(one("db")));
    stage.is_killed(12, Signal::TERM);
    stage.is_killed(11, Signal::TERM);
    let start = Command::StartWithDependants(one("db"));
    assert_eq!(stage.client(start), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.says(13, "READY=1"), ["spawn web.1"]);
    stage.all_start();
    let answered: Vec<_> = stage.answers().into_iter().map(|(client, _)| client).collect();
    assert_eq!(answered, [1, 2]);
    assert_eq!(stage.looks("cron").1, "not started", "it never was");
}

#[test]
fn a_start_of_all_does_not_run_a_completed_one_shot_again() {
    let mut stage = chain();
    assert_eq!(stage.client(Command::Start(Selection::All)), NOTHING);
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
    assert_eq!(stage.looks("migrate"), ("completed", String::new(), true));
    assert_eq!(stage.client(Command::Start(one("migrate"))), ["spawn migrate.1"]);
    stage.all_start();
    stage.exits(13, 1);
    assert_eq!(stage.client(Command::Start(Selection::All)), ["spawn migrate.1"], "it has failed");
}

#[test]
fn a_start_of_all_is_answered_with_all_that_wait_in_vain() {
    let mut ini = "[watcher:db]\ncmd = x\nautostart = False\n".to_string();
    for number in 10..25 {
        ini.push_str(&format!("[watcher:w{number}]\ncmd = x\ndepends_on = db\n"));
    }
    let mut stage = Stage::new(&ini);
    stage.begin();
    stage.client(Command::Start(Selection::All));
    let answers = stage.answers();
    let [(1, Answer::Refused(refusal))] = &answers[..] else { panic!("{answers:?}") };
    let lines: Vec<&str> = refusal.reason.lines().collect();
    assert_eq!(lines.len(), 11, "{lines:?}");
    let first = "w10 is not started yet: it is waiting for db, which is stopped; start db first";
    assert_eq!((lines[0], lines[10]), (first, "and 5 more"));
}

#[test]
fn what_was_given_up_and_what_waits_for_it_is_without_hope() {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    stage.all_start();
    let hopeless = |stage: &Stage| ["migrate", "db", "web"].map(|name| stage.is_hopeless(name));
    assert_eq!(hopeless(&stage), [false; 3]);
    stage.exits(10, 1);
    assert_eq!(hopeless(&stage), [true; 3]);
    stage.client(Command::Start(one("migrate")));
    assert_eq!(hopeless(&stage), [false; 3]);
}

#[test]
fn all_is_well_when_the_last_of_all_is_and_only_as_long_as_all_are() {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    assert!(!stage.is_all_well());
    stage.all_start();
    stage.exits(10, 0);
    stage.all_start();
    assert!(!stage.is_all_well());
    stage.says(11, "READY=1");
    assert!(!stage.is_all_well());
    stage.all_start();
    assert!(stage.is_all_well());
    stage.exits(11, 1);
    assert!(!stage.is_all_well());
    stage.all_start();
    stage.says(13, "READY=1");
    assert!(stage.is_all_well());
}

#[test]
fn dependants_that_wait_go_on_waiting_when_what_they_wait_for_is_stopped() {
    let mut stage = Stage::new(CHAIN);
    stage.begin();
    stage.all_start();
    assert_eq!(stage.client(Command::StopWithDependants(one("migrate"))), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.looks("db").1, "waiting for migrate, which is stopped");
    stage.client(Command::Start(one("migrate")));
    stage.all_start();
    assert_eq!(stage.exits(11, 0), ["spawn db.1"]);
}

#[test]
fn a_restart_of_all_stops_and_starts_in_order() {
    let mut stage = chain();
    assert_eq!(stage.client(Command::Restart(Selection::All)), ["SIGTERM 12"]);
    assert_eq!(stage.is_killed(12, Signal::TERM), ["SIGTERM 11"]);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["spawn migrate.1"]);
    stage.all_start();
    assert_eq!(stage.exits(13, 0), ["spawn db.1"]);
    stage.all_start();
    assert_eq!(stage.says(14, "READY=1"), ["spawn web.1"]);
    assert_eq!(stage.answers(), []);
    stage.all_start();
    assert_eq!(stage.answers(), [(1, Answer::Done)]);
}

#[test]
fn a_start_takes_a_watcher_out_of_a_stop_that_has_not_come_to_it() {
    let mut stage = chain();
    assert_eq!(stage.client(Command::Stop(Selection::All)), ["SIGTERM 12"]);
    stage.client(Command::Start(one("db")));
    assert_eq!(stage.is_killed(12, Signal::TERM), NOTHING, "db stays");
    assert_eq!(stage.answers().len(), 2);
}

#[test]
fn a_dependency_that_was_stopped_is_told_to_whoever_waits() {
    let ini = "[watcher:db]\ncmd = x\nautostart = False\n[watcher:web]\ncmd = x\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    assert_eq!(stage.begin(), NOTHING);
    assert_eq!(stage.looks("web"), ("stopped", "waiting for db, which is stopped".into(), false));
    stage.client(Command::Restart(one("web")));
    assert!(matches!(&stage.answers()[..], [(1, Answer::Refused(_))]));
    assert_eq!(stage.client(Command::Start(one("db"))), ["spawn db.1"]);
    assert_eq!(stage.all_start(), ["spawn web.1"]);
}

#[test]
fn one_whose_dependency_is_removed_starts() {
    let ini = "[watcher:db]\ncmd = x\nautostart = False\n[watcher:web]\ncmd = x\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    let rm = Command::Rm { name: "db".into(), nostop: false };
    assert_eq!(stage.client(rm), ["spawn web.1"]);
}

#[test]
fn one_that_waits_starts_when_it_is_to_wait_no_longer() {
    let ini = "[watcher:db]\ncmd = x\nautostart = False\n[watcher:web]\ncmd = x\ndepends_on = db\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    let mut settings = stage.settings(1);
    assert_eq!(&*settings.name, "web");
    settings.depends_on = Box::default();
    let asker = stage.asker(true);
    let words = stage.tell(Event::Change {
        asker,
        watcher: 1,
        settings: settings.into(),
        options: vec!["depends_on".into()],
        change: Change::Adjust,
    });
    assert_eq!(words, ["spawn web.1"]);
}
