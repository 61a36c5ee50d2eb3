//! Hooks: what waits for them, what their no means, and that nothing else waits.

use crate::stage::Stage;
use circus::commands::{Answer, Command, Matching, Receivers, Selection};
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::supervisor::{Event, HookAnswer, Ticket};

const NOTHING: [&str; 0] = [];

/// A watcher `a` with these options, and `b` without any.
fn watchers(options: &str) -> Stage {
    Stage::new(&format!("[watcher:a]\ncmd = x\n{options}\n[watcher:b]\ncmd = x\n"))
}

fn one(name: &str) -> Selection {
    Selection::Matching { pattern: name.into(), matching: Matching::Glob }
}

fn failed() -> HookAnswer {
    HookAnswer::Failed("boom".into())
}

fn refusal(stage: &mut Stage) -> String {
    match stage.answers().remove(0).1 {
        Answer::Refused(refusal) => refusal.reason.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_start_waits_for_before_start_and_only_this_one() {
    let mut stage = watchers("hooks.before_start = x");
    assert_eq!(stage.begin(), ["before_start of a?", "spawn b.1"]);
    stage.all_start();
    assert_eq!(stage.looks("a").0, "starting");
    assert_eq!(stage.looks("b").0, "active");
    assert_eq!(stage.wakes_after_ms(), Some(30_000));
    assert_eq!(stage.hook_agrees(), ["spawn a.1"]);
    assert_eq!(stage.wakes_after_ms(), None);
    stage.all_start();
    assert_eq!(stage.looks("a").0, "active");
    let published = stage.published();
    let of_a: Vec<_> = published.iter().filter(|it| it.starts_with("a ")).collect();
    assert_eq!(of_a, ["a hook_success", "a spawn", "a start"]);
}

#[test]
fn before_start_says_no_and_nothing_starts() {
    let mut stage = watchers("hooks.before_start = x\nautostart = False");
    stage.begin();
    stage.all_start();
    stage.published();
    stage.client(Command::Start(one("a")));
    assert!(stage.answers().is_empty());
    assert_eq!(stage.hook_refuses(), NOTHING);
    assert_eq!(stage.looks("a"), ("stopped", "failed".into(), false));
    assert_eq!(stage.published(), ["a hook_failure"]);
    assert_eq!(refusal(&mut stage), "a has not started: its hook before_start has said no");
    assert!(stage.told().contains(&"a: hook before_start failed: no; it is not started".into()));
}

#[test]
fn a_failure_may_be_ignored() {
    let mut stage = watchers("hooks.before_start = x, True");
    stage.begin();
    assert_eq!(stage.hook_says(failed()), ["spawn a.1"]);
    assert!(stage.told().contains(&"a: hook before_start failed: boom".into()));
}

#[test]
fn what_a_function_says_is_no_failure_and_never_ignored() {
    let mut stage = watchers("hooks.before_start = x.y, True");
    stage.begin();
    assert_eq!(stage.hook_refuses(), NOTHING);
    assert!(stage.published().contains(&"a hook_success".into()));
    assert_eq!(stage.looks("a").0, "stopped");
}

#[test]
fn a_hook_that_takes_too_long_has_failed() {
    let mut stage = watchers("hooks.before_start = x\nhook_timeout = 3");
    stage.begin();
    assert_eq!(stage.after_ms(3000), ["abandon"]);
    assert_eq!(stage.looks("a").0, "stopped");
    assert_eq!(stage.wakes_after_ms(), None);
}

#[test]
fn a_stop_overtakes_before_start() {
    let mut stage = watchers("hooks.before_start = x\nhooks.before_stop = x");
    stage.begin();
    assert_eq!(stage.client(Command::Stop(one("a"))), ["abandon"]);
    assert_eq!(stage.looks("a").0, "stopped");
    assert_eq!(stage.answers().len(), 1);
}

#[test]
fn after_start_comes_before_the_news_and_its_no_stops_the_watcher() {
    let mut stage = watchers("hooks.after_start = x");
    stage.begin();
    assert_eq!(stage.all_start(), ["after_start of a?"]);
    assert_eq!(stage.looks("a").0, "starting");
    assert_eq!(stage.hook_refuses(), ["SIGTERM 10"]);
    stage.is_killed(10, Signal::TERM);
    let of_a: Vec<_> = stage.published().into_iter().filter(|it| it.starts_with("a ")).collect();
    assert_eq!(of_a, ["a spawn", "a hook_failure", "a kill", "a reap", "a stop"]);
    assert_eq!(stage.looks("a"), ("stopped", "failed".into(), false));
}

#[test]
fn a_client_waits_for_the_stop_that_after_start_leads_to() {
    let mut stage = watchers("hooks.after_start = x\nautostart = False");
    stage.begin();
    stage.client(Command::Start(one("a")));
    stage.all_start();
    stage.hook_refuses();
    assert!(stage.answers().is_empty());
    stage.is_killed(11, Signal::TERM);
    assert!(refusal(&mut stage).contains("after_start has said no"));
}

#[test]
fn a_oneshot_may_be_over_before_after_start_is() {
    let mut stage = watchers("hooks.after_start = x\noneshot = True");
    stage.begin();
    stage.all_start();
    stage.exits(10, 0);
    assert_eq!(stage.hook_agrees(), NOTHING);
    assert_eq!(stage.looks("a").0, "completed");
}

#[test]
fn each_process_waits_for_its_own_before_spawn() {
    let mut stage = watchers("hooks.before_spawn = x\nnumprocesses = 2");
    assert_eq!(stage.begin(), ["before_spawn of a.1?", "before_spawn of a.2?", "spawn b.1"]);
    assert_eq!(stage.hook_agrees(), ["spawn a.1"]);
    assert_eq!(stage.hook_agrees(), ["spawn a.2"]);
    stage.all_start();
    assert_eq!(stage.is_killed(11, Signal::KILL), ["before_spawn of a.1?"]);
    assert_eq!(stage.hook_refuses(), ["SIGTERM 12"], "the whole watcher stops");
}

#[test]
fn after_spawn_is_told_the_process_and_readiness_waits_for_it() {
    let mut stage = watchers("hooks.after_spawn = x\nready = exec:x");
    stage.begin();
    assert_eq!(stage.all_start(), ["after_spawn of a.1 10?"]);
    assert_eq!(stage.hook_agrees(), ["is a.1 ready?"]);
}

#[test]
fn a_process_that_is_ready_before_after_spawn_has_come_back_is_ready_then() {
    let mut stage = watchers("hooks.after_spawn = x\nready = notify\nready_timeout = 5");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.says(10, "READY=1\nSTATUS=up"), NOTHING);
    assert_eq!(stage.looks("a").0, "starting");
    assert_eq!(stage.hook_agrees(), NOTHING);
    assert_eq!(stage.looks("a").0, "active");
    assert_eq!(stage.wakes_after_ms(), None);
}

#[test]
fn after_spawn_says_no_and_the_watcher_stops() {
    let mut stage = watchers("hooks.after_spawn = x");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.hook_refuses(), ["SIGTERM 10"]);
}

#[test]
fn a_stop_waits_for_before_stop_and_for_after_stop() {
    let mut stage = watchers("hooks.before_stop = x\nhooks.after_stop = x");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.client(Command::Restart(one("a"))), ["before_stop of a?"]);
    assert_eq!(stage.looks("a").0, "stopping");
    assert_eq!(stage.hook_says(failed()), ["SIGTERM 10"], "whatever it says");
    assert_eq!(stage.is_killed(10, Signal::TERM), ["after_stop of a?"]);
    assert_eq!(stage.hook_refuses(), ["spawn a.1"]);
}

#[test]
fn a_process_that_ends_before_it_was_asked_to_is_not_started_again() {
    let mut stage = watchers("hooks.before_stop = x");
    stage.begin();
    stage.all_start();
    stage.client(Command::Stop(one("a")));
    assert_eq!(stage.exits(10, 1), NOTHING);
    assert_eq!(stage.looks("a").0, "stopping");
    assert!(stage.told().iter().any(|it| it.ends_with("not started again")));
    stage.hook_agrees();
    assert_eq!(stage.looks("a").0, "stopped");
}

#[test]
fn before_signal_says_no_and_only_sigkill_comes_through() {
    let mut stage = watchers("hooks.before_signal = x\nhooks.after_signal = x");
    stage.begin();
    stage.all_start();
    let signal = Some(Signal::USR1);
    let receivers = Receivers { pid: None, child: None, children: false, recursive: false };
    stage.client(Command::Signal { name: "a".into(), signal, receivers });
    assert_eq!(stage.hook_refuses(), ["after_signal of a.1 10?"]);
    stage.hook_agrees();
    assert_eq!(stage.client(Command::Stop(one("a"))), ["before_signal of a.1 10?"]);
    assert_eq!(stage.hook_refuses(), ["after_signal of a.1 10?"]);
    stage.hook_agrees();
    let words = stage.after_ms(30_000);
    assert_eq!(words, ["before_signal of a.1 10?", "SIGKILL 10", "after_signal of a.1 10?"]);
}

#[test]
fn a_signal_goes_to_nobody_when_its_process_ended_while_a_hook_ran() {
    let mut stage = watchers("hooks.before_signal = x");
    stage.begin();
    stage.all_start();
    stage.client(Command::Stop(one("a")));
    stage.is_killed(10, Signal::QUIT);
    assert_eq!(stage.looks("a").0, "stopped");
    assert_eq!(stage.hook_agrees(), NOTHING);
}

#[test]
fn a_failure_of_before_signal_stops_no_signal() {
    let mut stage = watchers("hooks.before_signal = x");
    stage.begin();
    stage.all_start();
    stage.client(Command::Stop(one("a")));
    assert_eq!(stage.hook_says(failed()), ["SIGTERM 10"]);
}

#[test]
fn nothing_waits_for_the_hooks_of_a_death_but_the_end_of_everything() {
    let mut stage = watchers("hooks.before_reap = x\nhooks.after_reap = x");
    stage.begin();
    stage.all_start();
    let words = stage.is_reaped(10, Ending::Exited(3));
    assert_eq!(words, ["before_reap of a.1 10?", "survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["spawn a.1"]);
    stage.all_start();
    stage.signal(Signal::TERM);
    stage.is_killed(11, Signal::TERM);
    let words = stage.is_killed(12, Signal::TERM);
    assert_eq!(words, ["before_reap of a.1 12?"]);
    assert_eq!(stage.hook_agrees(), ["after_reap of a.1 10?"]);
    assert_eq!(stage.hook_agrees(), ["after_reap of a.1 12?"]);
    assert_eq!(stage.hook_agrees(), NOTHING);
    assert_eq!(stage.hook_agrees(), ["survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["exit 0"]);
}

#[test]
fn shutdown_timeout_cuts_hooks_short() {
    let options = "hooks.before_stop = x\nhooks.after_stop = x\n[circus]\nshutdown_timeout = 5";
    let mut stage = watchers(options);
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["before_stop of a?", "SIGTERM 11"]);
    stage.is_killed(11, Signal::TERM);
    assert_eq!(stage.after_ms(5000), ["abandon", "SIGTERM 10", "SIGKILL 10"]);
    let words = stage.is_killed(10, Signal::KILL);
    assert_eq!(words, ["exit 0"], "there is no time for after_stop");
}

#[test]
fn a_reload_that_a_hook_refuses_leaves_the_old_processes() {
    let mut stage = watchers("hooks.before_spawn = x");
    stage.begin();
    stage.hook_agrees();
    stage.all_start();
    stage.signal(Signal::HUP);
    stage.hook_refuses();
    assert_eq!(stage.looks("a").0, "active");
}

#[test]
fn an_essential_watcher_whose_hook_says_no_ends_everything() {
    let mut stage = watchers("hooks.before_start = x\nessential = True");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.hook_refuses(), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM).last().map(String::as_str), Some("exit 1"));
}

#[test]
fn sixteen_hooks_run_at_once_and_the_time_of_the_others_begins_when_they_do() {
    let mut stage = Stage::new(
        "[watcher:a]\ncmd = x\nnumprocesses = 18\nhooks.before_spawn = x\nhook_timeout = 5\n",
    );
    assert_eq!(stage.begin().len(), 16);
    stage.after_ms(4000);
    assert_eq!(stage.hook_agrees(), ["before_spawn of a.17?", "spawn a.1"]);
    // One that waits for its turn is not called if nobody wants it any more.
    assert_eq!(stage.signal(Signal::TERM).iter().filter(|word| *word == "abandon").count(), 16);
}

#[test]
fn who_waits_in_line_is_called_when_one_takes_too_long() {
    let mut stage = Stage::new(
        "[watcher:a]\ncmd = x\nnumprocesses = 17\nhooks.before_spawn = x, True\nhook_timeout = 5\n",
    );
    assert_eq!(stage.begin().len(), 16);
    let words = stage.after_ms(5000);
    assert!(words.contains(&"before_spawn of a.17?".to_string()), "{words:?}");
    assert_eq!(stage.wakes_after_ms(), Some(5000));
}

fn figures(stage: &mut Stage, ticket: u64, pids: &[i32]) -> Vec<String> {
    let pids = pids.iter().filter_map(|pid| Pid::new(*pid)).collect();
    stage.tell(Event::Extend { ticket: Ticket(ticket), watcher: 0, pids })
}

fn two_with_figures() -> Stage {
    let options = "hooks.extended_stats = x\nnumprocesses = 2\nhook_timeout = 5";
    let mut stage = Stage::new(&format!("[watcher:a]\ncmd = x\n{options}\n"));
    stage.begin();
    stage.all_start();
    stage
}

fn adds(text: &str) -> HookAnswer {
    HookAnswer::Adds(text.into())
}

#[test]
fn figures_are_extended_one_after_the_other_and_for_all_who_ask_the_same() {
    let mut stage = two_with_figures();
    assert_eq!(figures(&mut stage, 7, &[10, 11]), ["extended_stats of a.1 10?"]);
    assert_eq!(figures(&mut stage, 8, &[10, 11]), NOTHING);
    assert_eq!(figures(&mut stage, 9, &[11]), NOTHING);
    stage.published();
    assert_eq!(stage.hook_says(adds("{1}")), ["extended_stats of a.2 11?"]);
    let failed = HookAnswer::Failed("boom".into());
    let words = stage.hook_says(failed);
    assert_eq!(words, ["7 is told 10={1}", "8 is told 10={1}", "extended_stats of a.2 11?"]);
    assert_eq!(stage.hook_says(adds("{2}")), ["9 is told 11={2}"]);
    assert!(stage.published().is_empty());
    assert_eq!(stage.wakes_after_ms(), None);
}

#[test]
fn figures_do_not_wait_longer_than_a_hook_may_take() {
    let mut stage = two_with_figures();
    figures(&mut stage, 7, &[10, 11]);
    stage.after_ms(3000);
    assert_eq!(stage.hook_says(adds("{1}")), ["extended_stats of a.2 11?"]);
    assert_eq!(stage.after_ms(2000), ["7 is told 10={1}", "abandon"]);
    // Who has ended has nothing to say, and whose watcher goes either.
    stage.exits(10, 1);
    assert_eq!(figures(&mut stage, 8, &[10]), ["8 is told "]);
    figures(&mut stage, 9, &[11]);
    stage.signal(Signal::TERM);
    assert!(stage.signal(Signal::TERM).contains(&"9 is told ".to_string()));
}
