//! Containers that allow next to nothing: it works, and says once what it could not do.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::docker::{self, docker};
use crate::image;

/// Nothing writable, no capability, no passwd entry.
const LOCKED_DOWN: [&str; 7] = [
    "--read-only",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--user",
    "12345:12345",
];

#[test]
fn locked_down_it_heals_and_stops() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 2\n";
    let container = Container::with_config(&LOCKED_DOWN, ini);
    let before = container.wait_for_pids("sleep 1001", 2);
    container.sh(&format!("kill -9 {}", before[0]));
    let healed = |pids: &Vec<u32>| pids.len() == 2 && !pids.contains(&before[0]);
    wait_until("it is replaced", || container.pids("sleep 1001"), healed);
    let time = container.stop(10);
    assert!(time.as_secs() < 5, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn locked_down_the_exit_code_of_a_command_is_passed_on() {
    if !docker::is_here() {
        return;
    }
    let words = ["--", "sh", "-c", "id -u; exit 42"];
    let ended = Container::to_end(&LOCKED_DOWN, &image::circusd(), &words);
    assert_eq!((ended.code, &*ended.stdout), (42, "12345\n"), "{ended:?}");
}

#[test]
fn where_the_user_cannot_change_the_watcher_fails_or_runs_as_it_is() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:strict]\ncmd = sleep 1001\nuid = nobody\n\
               [watcher:lenient]\ncmd = sleep 1002\nuid = nobody\nuser_switch = ignore\n";
    let container = Container::with_config(&LOCKED_DOWN, ini);
    container.wait_for_pids("sleep 1002", 1);
    wait_until(
        "the log explains it",
        || container.logs(),
        |_| container.has_line(&["strict", "nobody"]) || container.has_line(&["strict", "user"]),
    );
    assert_eq!(container.pids("sleep 1001"), []);
}

#[test]
fn with_a_thousand_million_open_files_allowed_processes_still_start() {
    if !docker::is_here() {
        return;
    }
    let limit = "nofile=1073741816:1073741816";
    let allowed = Container::to_end(&["--ulimit", limit], &image::circusd(), &["--version"]);
    if allowed.code != 0 {
        docker::skipped("the engine does not allow so many open files");
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\nnumprocesses = 20\n";
    let container = Container::with_config(&["--ulimit", limit], ini);
    container.wait_for_pids("sleep 1001", 20);
}

#[test]
fn with_its_descriptors_closed_the_watchers_run() {
    if !docker::is_here() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 1001\n";
    let script = format!("exec /circusd {CONFIG} <&- >&- 2>&-");
    let options = ["--entrypoint", "sh"];
    let words = ["-c", &script];
    let container = Container::with_config_in(&options, &image::circusd(), ini, &words);
    let pids = container.wait_for_pids("sleep 1001", 1);
    // A closed descriptor that the next open took would be written to as if it were the log.
    let open = container.sh(&format!("for n in 0 1 2; do readlink /proc/{}/fd/$n; done", pids[0]));
    assert_eq!(open.stdout.replace("/dev/null\n", ""), "", "{open:?}");
    container.stop(10);
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn a_paused_container_goes_on_where_it_was() {
    if !docker::is_here() {
        return;
    }
    let container = Container::with_config(&[], "[watcher:web]\ncmd = sleep 1001\n");
    let before = container.wait_for_pids("sleep 1001", 1);
    if docker(&["pause", container.name()]).is_ok_and(|ended| ended.code == 0) {
        docker::must(&["unpause", container.name()]);
    }
    assert_eq!(container.wait_for_pids("sleep 1001", 1), before);
}

#[test]
fn the_platform_finds_the_reason_in_the_file_that_it_has_mounted() {
    if !docker::is_here() {
        return;
    }
    let file = image::workshop().join("termination-log");
    std::fs::write(&file, "").expect("target/ is writable");
    let volume = format!("{}:/dev/termination-log", file.display());
    let ini = "[watcher:web]\ncmd = sleep 1002\ndepends_on = migrate\n\
               [watcher:migrate]\ncmd = sh -c 'exit 9'\noneshot = True\nessential = True\n";
    let container = Container::with_config(&["-v", &volume], ini);
    assert_eq!(container.exit_code(), 9);
    let message = std::fs::read_to_string(&file).expect("the file is there");
    assert!(
        message.contains("migrate (pid ") && message.contains("exited with code 9"),
        "{message}"
    );
    assert!(message.ends_with("\nexit code 9\n"), "{message}");
}
