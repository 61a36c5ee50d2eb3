//! Whether processes do their work: how they become ready, and what happens when they stop doing it.

use crate::stage::Stage;
use circus::commands::{Answer, Command, Matching, Selection};
use circus::signal::Signal;

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
fn a_command_has_all_the_time_that_there_is() {
    let mut stage = watcher("ready = exec:wait-for-it\nready_timeout = 20");
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), Some(20_000));
    assert_eq!(stage.after_ms(20_000), ["SIGTERM 10", "abandon"]);
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
    settings.ready = circus::config::settings::Readiness::Started;
    let asker = stage.asker(true);
    stage.tell(circus::supervisor::Event::Change {
        asker,
        watcher: 0,
        settings: settings.into(),
        options: vec!["ready".into()],
        change: circus::config::options::Change::Adjust,
    });
    assert!(stage.looks("a").2);
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
