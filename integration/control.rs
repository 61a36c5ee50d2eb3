//! The control endpoint in a container's life: it rests, dies, comes back, and answers to the end.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::{docker, image};
use std::thread;

const WATCHERS: &str = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 3\n";

/// Ends when the file /tmp/let-go is there.
const SLOW: &str = r#"
[watcher:slow]
cmd = sh -c 'trap "echo slow was asked" TERM; echo slow is up; until test -e /tmp/let-go; do sleep 0.1; done'
"#;

#[test]
fn docker_stop_lets_clients_that_wait_hear_an_answer() {
    if !docker::is_here() {
        return;
    }
    let container = Container::with_config(&["-v", "/run/circus"], SLOW);
    container.wait_for("slow is up");
    // In a container of its own, which does not end with the other one.
    let neighbour = {
        let options = ["--volumes-from", container.name()];
        Container::run(&options, &image::circusd(), &["--", "sleep", "1000"])
    };
    let ask = |words: &[&str]| neighbour.circusctl(&[&["--timeout", "50"], words].concat());
    thread::scope(|scope| {
        let restart = scope.spawn(|| ask(&["restart", "slow", "--waiting"]));
        container.wait_for("slow was asked");
        let stop = scope.spawn(|| ask(&["stop", "slow", "--waiting"]));
        let stopped = scope.spawn(|| container.stop(60));
        container.wait_for("SIGTERM received: stopping");
        let refused = ask(&["start", "slow"]);
        assert_eq!(refused.code, 3, "{refused:?}");
        assert_eq!(ask(&["status"]).stdout, "slow: stopping\n");
        container.sh("touch /tmp/let-go");
        for client in [restart, stop] {
            let ended = client.join().expect("it does not panic");
            assert!([0, 3].contains(&ended.code), "{ended:?}");
        }
        let time = stopped.join().expect("it does not panic");
        assert!(time.as_secs() < 50, "the stop took {time:?}");
    });
    assert_eq!(container.exit_code(), 0);
    let gone = ask(&["status"]);
    assert_eq!(gone.code, 1, "{gone:?}");
}

#[test]
fn the_gateway_may_be_killed_again_and_again() {
    if !docker::is_here() {
        return;
    }
    let container = Container::with_config_in(&[], &image::services(), WATCHERS, &[CONFIG]);
    let before = container.wait_for_pids("sleep 1001", 3);
    container.wait_for("web started");
    let rounds = "
        one() { pkill -9 -f '^circusctl gateway' ; circusctl --timeout 20 list || exit 1; }
        memory() { sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\) kB/\\1/p' /proc/1/status; }
        circusctl list
        for n in 1 2 3; do one; done
        first=$(memory)
        for n in 1 2 3 4 5 6 7 8 9 10; do one; done
        echo memory $first $(memory)
        ps -eo stat= | grep -c Z";
    let ended = container.sh(rounds);
    let (answers, rest) = ended.stdout.split_once("memory ").expect("every command was answered");
    assert_eq!(answers, "web\n".repeat(14), "{ended:?}");
    let numbers: Vec<u64> = rest.split_whitespace().map(|n| n.parse().expect("a number")).collect();
    let [first, last, zombies] = numbers[..] else { panic!("{ended:?}") };
    assert!(last <= first + 256, "memory grew from {first} to {last} kB");
    assert_eq!(zombies, 0);
    assert_eq!(container.pids("sleep 1001"), before);
    assert!(container.has_line(&["the control gateway was killed by SIGKILL"]));
}

#[test]
fn a_changed_file_is_taken_over_and_a_broken_one_is_not() {
    if !docker::is_here() {
        return;
    }
    let secret = "[env:web]\nTOKEN = $(circus.file.CONFIG)\n".replace("CONFIG", "/etc/hostname");
    let before = format!("{WATCHERS}{secret}[watcher:old]\ncmd = sleep 1002\n");
    let container = Container::with_config(&[], &before);
    let web = container.wait_for_pids("sleep 1001", 3);
    container.wait_for_pids("sleep 1002", 1);
    let after = WATCHERS.replace('3', "2") + &secret + "[watcher:new]\ncmd = sleep 1003\n";
    container.rewrite_config(&format!("{after}stop_signal = LOUD\n"));
    for words in [&["reloadconfig"][..], &["reloadconfig", "--dry-run"]] {
        let ended = container.circusctl(words);
        assert_eq!(ended.code, 3, "{ended:?}");
        let place =
            format!("error: nothing was changed: {CONFIG}:8: stop_signal: `LOUD` is no signal");
        assert!(ended.stderr.starts_with(&place), "{ended:?}");
    }
    assert_eq!(container.pids("sleep 1001"), web);
    container.rewrite_config(&after);
    let changes = "old: removed\nnew: added\nweb: adjusted (numprocesses)";
    assert_eq!(container.operate(&["reloadconfig", "--dry-run"]), changes);
    assert_eq!(container.operate(&["list"]), "old,web");
    assert_eq!(container.operate(&["reloadconfig", "--waiting"]), "ok");
    assert_eq!(container.operate(&["list"]), "new,web");
    let left = container.wait_for_pids("sleep 1001", 2);
    assert!(left.iter().all(|pid| web.contains(pid)), "{left:?} of {web:?}");
    container.wait_for_pids("sleep 1002", 0);
    container.wait_for_pids("sleep 1003", 1);
    assert_eq!(container.operate(&["get", "web", "env"]), "env: TOKEN=***");
}

#[test]
fn while_nobody_is_there_nothing_wakes_up() {
    if !docker::is_here() {
        return;
    }
    let container = Container::with_config(&[], WATCHERS);
    container.wait_for("web started");
    // Of all their threads; whoever looks is no child of theirs.
    let rest = "
        waits() { grep -h ctxt_switches $(for pid in 1 $(pidof circusctl); do echo /proc/$pid/task/*/status; done); }
        first=$(waits); sleep 3; test \"$first\" = \"$(waits)\" && echo $first | wc -w";
    // Two numbers with their names for each thread.
    let threads = || container.sh(rest).stdout.trim().parse::<usize>().map_or(0, |words| words / 4);
    let alone = wait_until("circusd rests", threads, |count| *count > 0);
    assert_eq!(alone, 1, "there is no gateway yet");
    assert_eq!(container.operate(&["status"]), "web: active");
    let both = wait_until("both rest", threads, |count| *count > 0);
    assert!(both > 1, "the gateway is there");
}
