//! Whether processes do their work: how they become ready, and what happens when they stop doing it.

use crate::stage::Stage;
use circus::commands::{Answer, Command, Matching, Selection};
use circus::config::settings::{Readiness, WatcherSettings};
use circus::signal::Signal;
use circus::supervisor::Event;

const NOTHING: [&str; 0] = [];

fn watcher(options: &str) -> Stage {
    let mut stage = Stage::new(&format!("[watcher:a]\ncmd = x\n{options}\n"));
    stage.begin();
    stage
}

fn one(name: &str) -> Selection {
    Selection::Matching { pattern: name.into(), matching: Matching::Glob }
}

#[test]
fn a_probe_is_repeated_until_it_succeeds_and_never_again() {
    let mut stage = watcher("ready = tcp://localhost:80");
    assert_eq!(stage.all_start(), ["is a.1 ready?"]);
    assert_eq!(stage.probe_returns(Err("connection refused")), NOTHING);
    assert_eq!(stage.wakes_after_ms(), Some(50));
    assert_eq!(stage.after_ms(50), ["is a.1 ready?"]);
    stage.probe_returns(Err("connection refused"));
    assert_eq!(stage.after_ms(100), ["is a.1 ready?"], "each pause is twice as long");
    assert!(!stage.looks("a").2);
    assert_eq!(stage.probe_returns(Ok(())), NOTHING);
    assert!(stage.looks("a").2);
    assert_eq!(stage.wakes_after_ms(), None);
}

#[test]
fn a_probe_that_does_not_come_back_is_abandoned_and_repeated() {
    let mut stage = watcher("ready = tcp://localhost:80");
    stage.all_start();
    assert_eq!(stage.after_ms(3000), ["abandon"]);
    assert_eq!(stage.after_ms(50), ["is a.1 ready?"]);
}

#[test]
fn a_command_that_hangs_is_ended_after_half_a_minute_and_asked_again() {
    let mut stage = watcher("ready = exec:wait-for-it\nready_timeout = 40");
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), Some(30_000));
    assert_eq!(stage.after_ms(30_000), ["abandon"]);
    assert_eq!(stage.after_ms(50), ["is a.1 ready?"]);
    assert_eq!(stage.wakes_after_ms(), Some(9950));
    assert_eq!(stage.after_ms(9950), ["SIGTERM 10", "abandon"]);
}

#[test]
fn what_is_not_ready_in_time_has_failed_and_is_tried_again_with_delays_until_given_up() {
    let mut stage = watcher("ready = notify\nready_timeout = 15\nmax_restarts = 2");
    let mut delays = Vec::new();
    for pid in 10..12 {
        stage.all_start();
        assert_eq!(stage.after_ms(15_000), [format!("SIGTERM {pid}")]);
        stage.told();
        let words = stage.is_killed(pid, Signal::TERM);
        delays.push(stage.wakes_after_ms());
        if words.is_empty() {
            stage.after_ms(100);
        }
    }
    // The delay counts from the start, which is long ago.
    assert_eq!(delays, [None, None]);
    stage.all_start();
    stage.after_ms(15_000);
    assert_eq!(stage.is_killed(12, Signal::TERM), NOTHING);
    let told = stage.told();
    assert!(told.iter().any(|it| it.contains("was not ready after 15.0 s")), "{told:?}");
    assert_eq!(stage.looks("a"), ("stopped", "failed".into(), false));
}

#[test]
fn without_a_limit_it_may_take_as_long_as_it_likes() {
    let mut stage = watcher("ready = notify\nready_timeout = 0");
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), None);
    assert!(!stage.looks("a").2);
}

#[test]
fn a_delay_is_a_readiness_too() {
    let mut stage = watcher("ready = after:2");
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), Some(2000));
    assert!(!stage.looks("a").2);
    stage.after_ms(2000);
    assert!(stage.looks("a").2);
}

#[test]
fn who_waits_for_a_start_is_told_when_it_is_ready_or_has_failed() {
    let mut stage = watcher("ready = notify\nautostart = False");
    assert_eq!(stage.client(Command::Start(one("a"))), ["spawn a.1"]);
    stage.all_start();
    assert_eq!(stage.answers(), []);
    stage.says(10, "READY=1");
    assert!(matches!(&stage.answers()[..], [(1, Answer::Info(Some(_)))]));
    stage.client(Command::Restart(one("a")));
    stage.is_killed(10, Signal::TERM);
    stage.all_start();
    stage.exits(11, 1);
    assert!(matches!(&stage.answers()[..], [(2, Answer::Refused(_))]));
}

#[test]
fn a_reload_waits_until_the_new_ones_are_ready() {
    let mut stage = watcher("ready = notify");
    stage.all_start();
    stage.says(10, "READY=1");
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: false };
    assert_eq!(stage.client(reload.clone()), ["spawn a.2"]);
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.says(11, "READY=1"), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    assert!(matches!(&stage.answers()[..], [(1, Answer::Info(Some(_)))]));
    // The next one never is.
    stage.client(reload);
    stage.all_start();
    assert_eq!(stage.after_ms(60_000), ["SIGTERM 12"]);
    stage.is_killed(12, Signal::TERM);
    assert!(matches!(&stage.answers()[..], [(2, Answer::Refused(_))]));
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
}

#[test]
fn an_answer_counts_for_a_new_process_only_when_the_old_one_cannot_have_given_it() {
    let mut stage = watcher("ready = tcp://localhost:80\nready_timeout = 1");
    stage.all_start();
    stage.after_ms(20);
    assert_eq!(stage.probe_returns(Ok(())), NOTHING);
    assert!(stage.looks("a").2, "alone, it is ready at once");
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: false };
    // A version that ends at once never takes over.
    stage.client(reload.clone());
    assert_eq!(stage.all_start(), ["is a.2 ready?"]);
    assert_eq!(stage.probe_returns(Ok(())), NOTHING);
    stage.after_ms(300);
    assert_eq!(stage.exits(11, 1), NOTHING);
    assert!(matches!(&stage.answers()[..], [(1, Answer::Refused(_))]));
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
    // One that lives does, when it is asked again.
    stage.client(reload);
    assert_eq!(stage.all_start(), ["is a.2 ready?"]);
    stage.after_ms(100);
    assert_eq!(stage.probe_returns(Ok(())), NOTHING);
    assert_eq!(stage.wakes_after_ms(), Some(1900));
    assert_eq!(stage.after_ms(1900), ["is a.2 ready?"]);
    assert_eq!(stage.probe_returns(Ok(())), ["SIGTERM 10"]);
}

#[test]
fn a_command_is_told_whom_it_asks_about_so_its_answer_counts_at_once() {
    let mut stage = watcher("ready = exec:ask");
    stage.all_start();
    stage.probe_returns(Ok(()));
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: false };
    stage.client(reload);
    assert_eq!(stage.all_start(), ["is a.2 ready?"]);
    assert_eq!(stage.probe_returns(Ok(())), ["SIGTERM 10"]);
}

#[test]
fn of_several_at_one_address_the_first_is_ready_at_once() {
    let mut stage = watcher("ready = unix:///run/a\nnumprocesses = 2");
    assert_eq!(stage.all_start(), ["is a.1 ready?", "is a.2 ready?"]);
    stage.probe_returns(Ok(()));
    stage.probe_returns(Ok(()));
    assert!(!stage.looks("a").2);
    assert_eq!(stage.after_ms(2000), ["is a.2 ready?"]);
    stage.probe_returns(Ok(()));
    assert!(stage.looks("a").2);
}

#[test]
fn one_after_the_other_waits_for_each_to_be_ready() {
    let mut stage = watcher("ready = notify\nnumprocesses = 2");
    stage.all_start();
    stage.says(10, "READY=1");
    stage.says(11, "READY=1");
    let reload = Command::Reload { name: Some("a".into()), graceful: true, sequential: true };
    assert_eq!(stage.client(reload), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.says(12, "READY=1"), ["SIGTERM 11"]);
}

const CHECK: &str = "check = exec:check\ncheck_interval = 10\ncheck_timeout = 3\ncheck_retries = 2";

#[test]
fn failed_checks_in_a_row_replace_the_process() {
    let mut stage = watcher(CHECK);
    assert_eq!(stage.all_start(), NOTHING);
    assert!(stage.looks("a").2);
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
    stage.probe_returns(Err("status 500"));
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
    stage.probe_returns(Ok(()));
    stage.after_ms(10_000);
    stage.probe_returns(Err("status 500"));
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
    assert_eq!(stage.after_ms(3000), ["abandon", "SIGTERM 10"]);
    let told = stage.told();
    let expected = "a (pid 10) failed its check 2 times: no answer in time; it is replaced";
    assert!(told.contains(&expected.to_string()), "{told:?}");
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
    stage.all_start();
    assert!(stage.looks("a").2);
}

#[test]
fn a_probe_that_cannot_be_sent_says_nothing_and_is_told_once() {
    let mut stage = watcher(CHECK);
    stage.all_start();
    stage.after_ms(10_000);
    stage.probe_returns(Err("status 500"));
    stage.told();
    for _ in 0..5 {
        assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
        assert_eq!(stage.probe_is_not_sent(), NOTHING);
    }
    let told = stage.told();
    let expected = "a (pid 10) cannot be probed, which is not held against it: no room";
    assert_eq!(told, [expected]);
    // The failure before still counts.
    stage.after_ms(10_000);
    assert_eq!(stage.probe_returns(Err("status 500")), ["SIGTERM 10"]);
    assert_eq!(stage.told()[0], "a (pid 10) can be probed again");
}

#[test]
fn who_cannot_be_asked_whether_it_is_ready_is_not_stopped_for_that() {
    let mut stage = watcher("ready = tcp://localhost:80\nready_timeout = 1");
    assert_eq!(stage.all_start(), ["is a.1 ready?"]);
    assert_eq!(stage.probe_is_not_sent(), NOTHING);
    for pause_ms in [50, 100, 200, 400, 800, 1000, 1000] {
        assert_eq!(stage.wakes_after_ms(), Some(pause_ms));
        assert_eq!(stage.after_ms(pause_ms), ["is a.1 ready?"]);
        assert_eq!(stage.probe_is_not_sent(), NOTHING);
    }
    stage.after_ms(1000);
    // Now somebody knows, and it is late.
    assert_eq!(stage.probe_returns(Err("connection refused")), ["SIGTERM 10"]);
}

#[test]
fn failed_checks_do_not_count_in_the_beginning() {
    let mut stage = watcher(&format!("{CHECK}\ncheck_start_period = 15"));
    stage.all_start();
    for _ in 0..2 {
        assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
        assert_eq!(stage.probe_returns(Err("no")), NOTHING);
    }
    stage.after_ms(10_000);
    assert_eq!(stage.probe_returns(Err("no")), ["SIGTERM 10"]);
}

#[test]
fn a_probe_of_a_process_that_has_ended_is_abandoned() {
    let mut stage = watcher(CHECK);
    stage.all_start();
    stage.after_ms(10_000);
    assert_eq!(stage.exits(10, 1), ["abandon", "spawn a.1"]);
    assert_eq!(stage.signal(Signal::TERM), NOTHING);
}

#[test]
fn a_watchdog_wants_to_hear_something() {
    let mut stage = watcher("check = watchdog\ncheck_interval = 5\nready = notify");
    stage.all_start();
    stage.after_ms(20_000);
    stage.says(10, "READY=1");
    assert_eq!(stage.wakes_after_ms(), Some(5000));
    stage.after_ms(4000);
    stage.says(10, "WATCHDOG=1");
    assert_eq!(stage.after_ms(4000), NOTHING);
    assert_eq!(stage.after_ms(1000), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
    stage.all_start();
    stage.says(11, "READY=1\nWATCHDOG_USEC=2000000");
    assert_eq!(stage.wakes_after_ms(), Some(2000));
    assert_eq!(stage.says(11, "WATCHDOG=trigger"), ["SIGTERM 11"]);
}

#[test]
fn more_time_is_given_to_who_asks_for_it() {
    let mut stage = watcher("ready = notify\nready_timeout = 10\ngraceful_timeout = 5");
    stage.all_start();
    stage.after_ms(9000);
    stage.says(10, "EXTEND_TIMEOUT_USEC=8000000");
    assert_eq!(stage.wakes_after_ms(), Some(8000));
    stage.says(10, "READY=1");
    stage.client(Command::Stop(one("a")));
    stage.after_ms(4000);
    stage.says(10, "STOPPING=1\nEXTEND_TIMEOUT_USEC=6000000");
    assert_eq!(stage.wakes_after_ms(), Some(6000));
}

#[test]
fn who_is_ready_before_that_is_looked_for_is_ready() {
    // A message may be read before it is known that the process has become its program.
    let mut stage = watcher("ready = notify\nready_timeout = 10");
    let pid = stage.one_is_made(&mut Vec::new());
    stage.says(10, "READY=1\nSTATUS=serving");
    assert!(!stage.looks("a").2);
    stage.tell(Event::Executed { pid });
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
    // The next one has to say so itself.
    stage.exits(10, 1);
    stage.all_start();
    assert!(!stage.looks("a").2);
    // Or a hook is told that it is there.
    let mut stage = watcher("ready = notify\nhooks.after_start = x");
    stage.all_start();
    stage.says(10, "READY=1");
    assert!(!stage.looks("a").2);
    stage.hook_agrees();
    assert!(stage.looks("a").2);
}

#[test]
fn nobody_asks_for_more_than_an_hour_at_once_whatever_the_number() {
    let mut stage = watcher("ready = notify\nready_timeout = 10\ngraceful_timeout = 5");
    stage.all_start();
    stage.says(10, "EXTEND_TIMEOUT_USEC=18446744073709551615");
    assert_eq!(stage.wakes_after_ms(), Some(3_600_000));
    stage.after_ms(3_000_000);
    stage.says(10, "EXTEND_TIMEOUT_USEC=3600000000");
    assert_eq!(stage.wakes_after_ms(), Some(3_600_000), "and may say it again");
    stage.says(10, "READY=1");
    stage.client(Command::Stop(one("a")));
    stage.says(10, "STOPPING=1\nEXTEND_TIMEOUT_USEC=18446744073709551615");
    assert_eq!(stage.wakes_after_ms(), Some(3_600_000));
    assert_eq!(stage.after_ms(3_600_000), ["SIGKILL 10"]);
}

#[test]
fn the_limit_of_a_watchdog_is_between_a_tenth_of_a_second_and_a_day() {
    let mut stage = watcher("check = watchdog\ncheck_interval = 5");
    stage.all_start();
    stage.says(10, "WATCHDOG_USEC=0");
    assert_eq!(stage.wakes_after_ms(), Some(5000));
    stage.says(10, "WATCHDOG_USEC=1");
    assert_eq!(stage.wakes_after_ms(), Some(100));
    stage.says(10, "WATCHDOG_USEC=18446744073709551615");
    assert_eq!(stage.wakes_after_ms(), Some(24 * 3_600_000));
}

#[test]
fn a_daemon_goes_on_in_place_of_the_process_that_made_it() {
    let mut stage = watcher("ready = notify\ngraceful_timeout = 5");
    stage.all_start();
    stage.says(10, "MAINPID=77\nREADY=1");
    assert_eq!(stage.succeeds(10, 77), NOTHING);
    assert_eq!(stage.looks("a"), ("active", String::new(), true));
    stage.client(Command::Stop(one("a")));
    assert!(stage.answers().is_empty());
    assert_eq!(stage.is_killed(77, Signal::TERM), NOTHING);
    assert_eq!(stage.answers().len(), 1);
    // One that ends while it is being stopped passes that on.
    stage.client(Command::Start(one("a")));
    stage.all_start();
    stage.says(11, "MAINPID=78\nREADY=1");
    let kill = Command::Kill { name: "a".into(), pid: None, signal: None, grace_ms: None };
    assert_eq!(stage.client(kill), ["SIGTERM 11"]);
    assert_eq!(stage.succeeds(11, 78), ["SIGTERM 78"]);
    stage.answers();
    assert_eq!(stage.after_ms(5000), ["SIGKILL 78"]);
    assert_eq!(stage.is_killed(78, Signal::KILL), ["spawn a.1"]);
    assert_eq!(stage.answers().len(), 1);
}

#[test]
fn new_settings_count_for_processes_that_run() {
    let mut stage = watcher("ready = notify");
    stage.all_start();
    let mut settings = stage.settings(0);
    settings.ready = Readiness::Started;
    change(&mut stage, settings);
    assert!(stage.looks("a").2);
}

fn change(stage: &mut Stage, settings: WatcherSettings) -> Vec<String> {
    let asker = stage.asker(true);
    stage.tell(Event::Change {
        asker,
        watcher: 0,
        settings: settings.into(),
        options: vec!["ready".into()],
        change: circus::config::options::Change::Adjust,
    })
}

#[test]
fn the_answer_to_a_question_that_is_not_asked_any_more_counts_for_nothing() {
    let mut stage = watcher("ready = tcp://localhost:80\nready_timeout = 10");
    assert_eq!(stage.all_start(), ["is a.1 ready?"]);
    let mut settings = stage.settings(0);
    settings.ready = Readiness::Notify;
    assert_eq!(change(&mut stage, settings), ["abandon"]);
    assert_eq!(stage.wakes_after_ms(), Some(10_000));
    assert!(!stage.looks("a").2);
    stage.says(10, "READY=1");
    assert!(stage.looks("a").2);
    // That nobody could ask is no excuse any more.
    let mut stage = watcher("ready = tcp://localhost:80\nready_timeout = 10");
    stage.all_start();
    stage.probe_is_not_sent();
    let mut settings = stage.settings(0);
    settings.ready = Readiness::Notify;
    assert_eq!(change(&mut stage, settings), NOTHING);
    assert_eq!(stage.wakes_after_ms(), Some(10_000));
    // Nor is anybody asked twice at once.
    let mut stage = watcher(CHECK);
    stage.all_start();
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
    let mut settings = stage.settings(0);
    settings.check.as_mut().expect("it has one").interval_ms = 2000;
    assert_eq!(change(&mut stage, settings), ["abandon"]);
    assert_eq!(stage.after_ms(2000), ["is a.1 alive?"]);
}

#[test]
fn sixteen_are_asked_at_once_and_the_others_in_their_order() {
    let options = "check = exec:ask\ncheck_interval = 10\ncheck_timeout = 3\ncheck_retries = 1";
    let mut stage = watcher(&format!("{options}\nnumprocesses = 18"));
    stage.all_start();
    let asked = stage.after_ms(10_000);
    let expected: Vec<String> = (1..17).map(|wid| format!("is a.{wid} alive?")).collect();
    assert_eq!(asked, expected);
    stage.after_ms(1000);
    assert_eq!(stage.probe_returns(Ok(())), ["is a.17 alive?"]);
    // Its own time begins only now; those before it are over.
    let words = stage.after_ms(2000);
    assert_eq!(words.iter().filter(|word| *word == "abandon").count(), 15, "{words:?}");
    assert_eq!(words.last().map(String::as_str), Some("is a.18 alive?"));
    assert_eq!(stage.wakes_after_ms(), Some(1000));
    let words = stage.after_ms(1000);
    assert_eq!(words.iter().filter(|word| *word == "abandon").count(), 1, "{words:?}");
}

#[test]
fn who_waits_in_line_to_be_asked_is_not_late_for_that() {
    let others = "check = exec:ask\ncheck_interval = 1\ncheck_timeout = 60\nnumprocesses = 16";
    let mut stage = Stage::new(&format!(
        "[watcher:a]\ncmd = x\n{others}\n[watcher:b]\ncmd = x\nready = exec:ask\n\
         ready_timeout = 5\nautostart = False\n"
    ));
    stage.begin();
    stage.all_start();
    assert_eq!(stage.after_ms(1000).len(), 16);
    stage.client(Command::Start(one("b")));
    assert_eq!(stage.all_start(), NOTHING);
    assert_eq!(stage.after_ms(20_000), NOTHING);
    assert_eq!(stage.probe_returns(Ok(())), ["is b.1 ready?"]);
    assert_eq!(stage.after_ms(100), NOTHING);
}

#[test]
fn a_probe_that_does_not_end_keeps_its_place_and_is_told_once() {
    let mut stage = watcher(CHECK);
    stage.probes_hang = true;
    stage.all_start();
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
    assert_eq!(stage.after_ms(3000), ["abandon"]);
    stage.told();
    for _ in 0..4 {
        assert_eq!(stage.after_ms(10_000), NOTHING);
    }
    let expected = "a: SIGKILL does not end its last probe; there is no other until it is gone";
    assert_eq!(stage.told(), [expected]);
    assert_eq!(stage.probes_are_gone(), NOTHING);
    assert_eq!(stage.after_ms(10_000), ["is a.1 alive?"]);
}

#[test]
fn a_process_that_is_replaced_is_one_line_with_the_reason_until_it_is_given_up() {
    let ini = "[watcher:a]\ncmd = x\nready = notify\nready_timeout = 1\nmax_restarts = 1\n";
    let mut stage = Stage::new(ini);
    stage.begin();
    stage.all_start();
    stage.after_ms(1000);
    stage.is_killed(10, Signal::TERM);
    let log: Vec<&str> = stage.log().into_iter().filter(|it| it.contains("pid 10)")).collect();
    let faulty = "a (pid 10) was not ready after 1.0 s; it is replaced";
    assert_eq!(log, ["a started (pid 10)", faulty], "{:?}", stage.log());
    stage.all_start();
    stage.after_ms(1000);
    stage.is_killed(11, Signal::TERM);
    let last = "a (pid 11) was killed by SIGTERM after 1.0 s; given up after 2 failures in a row";
    assert!(stage.log().contains(&last), "{:?}", stage.log());
}
