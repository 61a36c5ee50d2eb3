//! Short stories: given these events, exactly these actions.

mod commands;
mod demand;
mod hooks;
mod order;
mod stage;
mod trouble;
mod vitals;

use circus::process::Ending;
use circus::signal::Signal;
use circus::supervisor::Mode;
use stage::Stage;

const NOTHING: [&str; 0] = [];

#[test]
fn watchers_start_by_priority_and_then_by_name() {
    let mut stage = Stage::new(
        "[watcher:b]\ncmd = x\n[watcher:a]\ncmd = x\nnumprocesses = 2\n\
         [watcher:z]\ncmd = x\npriority = 5\n",
    );
    assert_eq!(stage.begin(), ["spawn z.1", "spawn a.1", "spawn a.2", "spawn b.1"]);
}

#[test]
fn warmup_delays_lie_between_processes_and_between_watchers() {
    let mut stage = Stage::new(
        "[circus]\nwarmup_delay = 2\n\
         [watcher:a]\ncmd = x\nnumprocesses = 2\nwarmup_delay = 1\n[watcher:b]\ncmd = x\n",
    );
    assert_eq!(stage.begin(), ["spawn a.1"]);
    assert_eq!(stage.wakes_after_ms(), Some(1000));
    assert_eq!(stage.after_ms(1000), ["spawn a.2"]);
    assert_eq!(stage.wakes_after_ms(), Some(3000));
    assert_eq!(stage.after_ms(3000), ["spawn b.1"]);
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), None, "nothing is left to wake up for");
}

#[test]
fn the_first_respawn_is_at_once_and_each_further_one_waits_twice_as_long() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 3), ["spawn a.1"]);
    let mut delays = Vec::new();
    for pid in 11..19 {
        stage.all_start();
        assert_eq!(stage.exits(pid, 3), NOTHING);
        let delay = stage.wakes_after_ms().expect("a delay");
        delays.push(delay);
        assert_eq!(stage.after_ms(delay), ["spawn a.1"]);
    }
    assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
}

#[test]
fn the_delay_counts_from_the_last_start_so_a_longer_life_is_followed_at_once() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    for pid in 10..14 {
        stage.all_start();
        stage.after_ms(1500);
        assert_eq!(stage.is_killed(pid, Signal::KILL), ["spawn a.1"]);
    }
}

#[test]
fn a_healthy_life_ends_the_counting() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nmax_restarts = 1\n");
    stage.begin();
    for pid in 10..20 {
        stage.all_start();
        stage.after_ms(10_000);
        assert_eq!(stage.exits(pid, 1), ["spawn a.1"], "one failure in a row each time");
    }
}

#[test]
fn too_many_failed_lives_of_an_essential_watcher_stop_everything_with_its_code() {
    let mut stage = Stage::new(
        "[watcher:a]\ncmd = x\nessential = True\nmax_restarts = 2\n[watcher:b]\ncmd = x\n",
    );
    stage.begin();
    stage.all_start();
    for pid in [10, 12] {
        stage.after_ms(1000);
        assert_eq!(stage.exits(pid, 7), ["spawn a.1"]);
        stage.all_start();
    }
    stage.after_ms(1000);
    assert_eq!(stage.exits(13, 7), ["SIGTERM 11"]);
    assert_eq!(stage.is_killed(11, Signal::TERM), ["exit 7"]);
}

#[test]
fn a_program_that_is_not_there_is_tried_five_times() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    for delay in [100, 200, 400, 800] {
        assert_eq!(stage.exec_fails(), NOTHING);
        assert_eq!(stage.wakes_after_ms(), Some(delay));
        assert_eq!(stage.after_ms(delay), ["spawn a.1"]);
    }
    assert_eq!(stage.exec_fails(), NOTHING);
    assert_eq!(stage.wakes_after_ms(), None, "given up");
}

#[test]
fn when_no_process_can_be_made_it_is_tried_for_ever() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    for _ in 0..20 {
        assert_eq!(stage.fork_fails(), NOTHING);
        let delay = stage.wakes_after_ms().expect("another try");
        assert_eq!(stage.after_ms(delay), ["spawn a.1"]);
    }
}

#[test]
fn stop_before_spawn_is_confirmed_still_stops_the_child() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    assert_eq!(stage.signal(Signal::TERM), NOTHING, "there is no process to signal yet");
    let mut words = Vec::new();
    stage.one_is_made(&mut words);
    assert_eq!(words, ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["exit 0"]);
}

#[test]
fn a_stop_before_anything_was_started_ends_at_once() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nautostart = False\n");
    assert_eq!(stage.begin(), NOTHING);
    assert_eq!(stage.signal(Signal::INT), ["survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["exit 0"]);
}

#[test]
fn a_stop_goes_from_the_lowest_priority_upwards_and_waits_for_each() {
    let mut stage = Stage::new(
        "[watcher:a]\ncmd = x\npriority = 1\nstop_signal = INT\n\
         [watcher:b]\ncmd = x\ngraceful_timeout = 2\nstop_children = True\n\
         [watcher:c]\ncmd = x\n",
    );
    stage.begin();
    stage.all_start();
    let words = stage.signal(Signal::TERM);
    assert_eq!(words, ["SIGTERM children of 11", "SIGTERM 11", "SIGTERM 12"]);
    assert_eq!(stage.exits(12, 0), NOTHING);
    assert_eq!(stage.after_ms(2000), ["SIGKILL 11"], "after its grace");
    assert_eq!(stage.is_killed(11, Signal::KILL), ["SIGINT 10"]);
    assert_eq!(stage.exits(10, 0), ["exit 0"]);
}

#[test]
fn a_second_signal_waits_for_no_order() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\npriority = 1\n[watcher:b]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 11"]);
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 10"]);
    assert_eq!(stage.after_ms(500), ["SIGKILL 10", "SIGKILL 11"]);
}

#[test]
fn a_failure_is_not_made_good_by_a_later_success() {
    let mut stage =
        Stage::new("[watcher:m]\ncmd = x\noneshot = True\nessential = True\nnumprocesses = 2\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 3), NOTHING);
    assert_eq!(stage.exits(11, 0), ["exit 3"]);
}

#[test]
fn a_reload_that_failed_is_no_failure_of_the_watcher() {
    let mut stage = Stage::new(
        "[circus]\nexit_when_done = True\n\
         [watcher:a]\ncmd = x\nrespawn = False\nmax_retry = 1\n",
    );
    stage.begin();
    stage.all_start();
    stage.signal(Signal::HUP);
    assert_eq!(stage.exec_fails(), NOTHING);
    assert_eq!(stage.exits(10, 0), ["exit 0"]);
}

#[test]
fn a_process_that_hangs_on_the_way_does_not_keep_others_from_starting() {
    let mut stage =
        Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 20\npriority = 1\n[watcher:b]\ncmd = x\n");
    assert_eq!(stage.begin().len(), 16, "so many at once");
    let mut words = Vec::new();
    for _ in 0..16 {
        stage.one_is_made(&mut words);
    }
    assert_eq!(words, NOTHING, "they hang");
    let more = stage.after_ms(2000);
    assert_eq!(more, ["spawn a.17", "spawn a.18", "spawn a.19", "spawn a.20", "spawn b.1"]);
}

#[test]
fn a_second_signal_leaves_half_a_second() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 10"]);
    assert_eq!(stage.wakes_after_ms(), Some(30_000));
    assert_eq!(stage.signal(Signal::TERM), NOTHING);
    assert_eq!(stage.after_ms(500), ["SIGKILL 10"]);
}

#[test]
fn shutdown_timeout_is_one_budget_for_all() {
    let mut stage = Stage::new("[circus]\nshutdown_timeout = 3\n[watcher:a]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 10"]);
    assert_eq!(stage.after_ms(3000), ["SIGKILL 10"]);
}

#[test]
fn a_descendant_left_behind_is_gone_before_the_slot_starts_again() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.is_reaped(10, Ending::Killed(Signal::KILL)), ["survey"]);
    assert_eq!(stage.is_left_behind(&[(50, 10)]), ["SIGTERM 50", "SIGCONT 50"]);
    // It does not obey; its own child appears when it is gone.
    assert_eq!(stage.after_ms(1000), ["survey"]);
    assert_eq!(stage.is_left_behind(&[(50, 10)]), ["SIGKILL 50"]);
    assert_eq!(stage.is_reaped(50, Ending::Killed(Signal::KILL)), ["survey"]);
    assert_eq!(stage.is_left_behind(&[(51, 10)]), ["SIGKILL 51"]);
    assert_eq!(stage.is_reaped(51, Ending::Killed(Signal::KILL)), ["survey"]);
    assert_eq!(stage.is_left_behind(&[]), ["spawn a.1"]);
}

#[test]
fn what_belongs_to_another_watcher_is_left_alone() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\n[watcher:b]\ncmd = x\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.is_reaped(10, Ending::Exited(1)), ["survey"]);
    assert_eq!(stage.is_left_behind(&[(50, 11)]), ["spawn a.1"]);
}

#[test]
fn processes_of_no_watcher_are_asked_to_end_last() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nkill_tree = False\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::TERM), ["SIGTERM 10"]);
    assert_eq!(stage.is_reaped(10, Ending::Killed(Signal::TERM)), ["survey"]);
    assert_eq!(stage.is_left_behind(&[(50, 10)]), ["SIGTERM 50", "SIGCONT 50"]);
    assert_eq!(stage.is_killed(50, Signal::TERM), ["exit 0"]);
}

#[test]
fn a_reload_starts_the_new_before_it_stops_the_old() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 2\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::HUP), ["spawn a.3", "spawn a.4"]);
    assert_eq!(stage.all_start(), ["SIGTERM 10", "SIGTERM 11"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), NOTHING);
    assert_eq!(stage.is_killed(11, Signal::TERM), NOTHING);
    assert_eq!(stage.signal(Signal::HUP), ["spawn a.1", "spawn a.2"], "numbers alternate");
}

#[test]
fn a_reload_whose_new_processes_cannot_be_executed_leaves_the_old_ones() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nnumprocesses = 2\n");
    stage.begin();
    stage.all_start();
    stage.signal(Signal::HUP);
    assert_eq!(stage.exec_fails(), NOTHING);
    assert_eq!(stage.all_start(), ["SIGTERM 13"], "the other new one goes");
}

#[test]
fn a_lower_priority_waits_for_a_one_shot_to_complete() {
    let mut stage = Stage::new(
        "[watcher:migrate]\ncmd = x\noneshot = True\npriority = 1\nessential = True\n\
         [watcher:web]\ncmd = x\n",
    );
    assert_eq!(stage.begin(), ["spawn migrate.1"]);
    stage.all_start();
    assert_eq!(stage.exits(10, 0), ["spawn web.1"], "success ends nothing, essential or not");
}

#[test]
fn a_failed_essential_one_shot_ends_everything_before_the_next_starts() {
    let mut stage = Stage::new(
        "[watcher:migrate]\ncmd = x\noneshot = True\npriority = 1\nessential = True\n\
         [watcher:web]\ncmd = x\n",
    );
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(10, 9), ["exit 9"]);
}

#[test]
fn exit_when_done_ends_with_the_code_of_the_first_failure() {
    let mut stage = Stage::new(
        "[circus]\nexit_when_done = True\n\
         [watcher:a]\ncmd = x\nrespawn = False\n[watcher:b]\ncmd = x\nrespawn = on-failure\n\
         [watcher:c]\ncmd = x\noneshot = True\n",
    );
    stage.begin();
    stage.all_start();
    assert_eq!(stage.exits(11, 0), NOTHING);
    assert_eq!(stage.exits(12, 4), NOTHING);
    assert_eq!(stage.exits(10, 5), ["exit 4"]);
}

#[test]
fn an_old_process_is_replaced() {
    let mut stage = Stage::new("[watcher:a]\ncmd = x\nmax_age = 60\nmax_age_variance = 0\n");
    stage.begin();
    stage.all_start();
    assert_eq!(stage.wakes_after_ms(), Some(60_000));
    assert_eq!(stage.after_ms(60_000), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["spawn a.1"]);
}

#[test]
fn signals_go_to_whoever_asks_for_them() {
    let mut stage = Stage::new(
        "[watcher:a]\ncmd = x\nforward_signals = USR1, HUP>USR2\n[watcher:b]\ncmd = x\n",
    );
    stage.begin();
    stage.all_start();
    assert_eq!(stage.signal(Signal::USR1), ["SIGUSR1 10"]);
    assert_eq!(stage.signal(Signal::HUP), ["SIGUSR2 10", "spawn b.2"]);
    assert_eq!(stage.signal(Signal::WINCH), NOTHING);
}

#[test]
fn a_main_command_gets_every_signal_and_its_code_is_ours() {
    let mut stage = Stage::in_mode("", Mode::MainCommand);
    assert_eq!(stage.begin(), ["spawn main.1"]);
    stage.all_start();
    for signal in [Signal::TERM, Signal::HUP, Signal::USR1, Signal::TERM] {
        assert_eq!(stage.signal(signal), [format!("{signal} 10")]);
    }
    assert_eq!(stage.wakes_after_ms(), None, "whoever sends the signals decides when to kill");
    assert_eq!(stage.exits(10, 42), ["exit 42"]);
}

#[test]
fn beside_watchers_a_main_command_starts_last_and_its_end_ends_all() {
    let mut stage = Stage::in_mode("[watcher:a]\ncmd = x\n", Mode::Both);
    assert_eq!(stage.begin(), ["spawn a.1", "spawn main.1"]);
    stage.all_start();
    assert_eq!(stage.signal(Signal::USR2), ["SIGUSR2 11"]);
    assert_eq!(stage.exits(11, 3), ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["exit 3"]);
}

#[test]
fn a_signal_before_the_main_command_is_there_is_not_lost() {
    let mut stage = Stage::in_mode("", Mode::MainCommand);
    stage.begin();
    stage.signal(Signal::TERM);
    let mut words = Vec::new();
    stage.one_is_made(&mut words);
    assert_eq!(words, ["SIGTERM 10"]);
    assert_eq!(stage.is_killed(10, Signal::TERM), ["exit 143"]);
}
