//! Hooks as real programs: what they are told, what their end means, and that nobody waits for one
//! that hangs but its own watcher.

use crate::control::{ask, listen, operate, operated};
use crate::world::{World, namespaces_are_possible};

/// Writes down each call: the hook, what the environment says, and what the input does.
const SCRIPT: &str = "\
echo \"$CIRCUS_HOOK $CIRCUS_WATCHER wid=$CIRCUS_WID pid=${CIRCUS_PID:+yes} \
signal=$CIRCUS_SIGNAL code=$CIRCUS_EXIT_CODE home=$HOME input=$(cat)\" >> @/calls
test ! -e @/no-$CIRCUS_HOOK || { echo \"some words\"; echo \"not today\"; exit 4; }
";

const NAMES: [&str; 10] = [
    "before_start",
    "after_start",
    "before_spawn",
    "after_spawn",
    "before_stop",
    "after_stop",
    "before_signal",
    "after_signal",
    "before_reap",
    "after_reap",
];

fn all_hooks() -> World {
    let hooks: String =
        NAMES.iter().map(|name| format!("hooks.{name} = /bin/sh @/hook.sh\n")).collect();
    let ini = format!(
        "[watcher:web]\ncmd = sleep 901\nautostart = False\n{hooks}[env]\nHOME = /h\nPATH = /bin:/usr/bin\n"
    );
    operated(&ini).with("hook.sh", SCRIPT)
}

#[test]
fn every_hook_is_called_with_the_facts_and_in_its_order() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = all_hooks().start();
    operate(&run, "start web --waiting");
    operate(&run, "stop web --waiting");
    // Nothing waits for these.
    run.wait_for_file("calls", "after_signal");
    run.wait_for_file("calls", "after_reap");
    let calls = run.file("calls");
    let order: Vec<&str> = calls.lines().filter_map(|line| line.split(' ').next()).collect();
    let gates: Vec<&str> =
        order.iter().copied().filter(|name| !name.starts_with("after_signal")).collect();
    assert_eq!(gates[..6], NAMES_IN_ORDER, "{calls}");
    assert!(gates[6..].contains(&"after_stop"), "{calls}");
    for name in NAMES {
        assert_eq!(order.iter().filter(|it| **it == name).count(), 1, "{name} in {calls}");
    }
    let line = |name: &str| {
        calls.lines().find(|line| line.starts_with(&format!("{name} "))).expect("it was called")
    };
    for part in [" web wid= pid= ", " home=/h ", "\"hook\":\"before_start\"", "\"pid\":null"] {
        assert!(line("before_start").contains(part), "{calls}");
    }
    assert!(line("before_signal").contains("wid=1 pid=yes signal=15 "), "{calls}");
    assert!(line("before_signal").contains("\"signum\":15"), "{calls}");
    assert!(line("after_reap").contains("code=-15 "), "{calls}");
    assert!(line("after_reap").contains("\"exit_code\":-15"), "{calls}");
    run.stop();
}

const NAMES_IN_ORDER: [&str; 6] =
    ["before_start", "before_spawn", "after_spawn", "after_start", "before_stop", "before_signal"];

#[test]
fn a_hook_that_says_no_is_told_with_its_last_words() {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = all_hooks().start();
    run.write("no-before_start", "");
    let mut listener = listen(&run, "");
    let said = ask(&run, "start web --waiting");
    assert_ne!(said.code, 0);
    assert!(format!("{said:?}").contains("its hook before_start has said no"), "{said:?}");
    run.wait_for_log("web: hook before_start failed: not today; it is not started");
    assert!(operate(&run, "status web --detail").contains("failed"));
    run.wait_for_file("heard", "hook_failure before_start, not today");
    listener.kill().expect("it is our child");
    listener.wait().expect("it was killed");
    run.stop();
}

#[test]
fn a_hook_that_hangs_delays_nobody_else_and_is_cut_short() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sleep 901\nhooks.before_start = sh -c 'sleep 905 & exec sleep 904'\n\
               hook_timeout = 1200\n[watcher:db]\ncmd = sleep 902\n\
               [watcher:late]\ncmd = sleep 903\nhooks.before_start = sleep 906\nhook_timeout = 0.3\n";
    let mut run = operated(ini).start();
    run.wait_for_child("sleep 904");
    let db = run.wait_for_child("sleep 902");
    db.send("KILL");
    run.wait_for_replacement("sleep 902", db);
    assert_eq!(operate(&run, "status web"), "starting");
    run.wait_for_log("late: hook before_start failed: it did not end within its hook_timeout");
    // One that is not wanted any more goes, and all that it has begun.
    operate(&run, "stop web --waiting");
    assert_eq!(operate(&run, "status web"), "stopped");
    crate::world::until("the hook is gone", || {
        run.children("sleep 904").is_empty() && run.children("sleep 905").is_empty()
    });
    run.stop();
}

const PYTHON: &str = "\
def told(watcher, arbiter, hook_name, **kwargs):
    with open('@/calls', 'a') as out:
        print(hook_name, watcher.name, watcher.numprocesses, watcher.cmd, watcher.env['A'],
              sorted(kwargs), type(arbiter).__name__, file=out)
    return True

def false(**kwargs):
    return False

def nothing(**kwargs):
    pass

def boom(**kwargs):
    raise ValueError('boom')
";

#[test]
fn functions_of_python_are_called_as_circus_calls_them() {
    if !namespaces_are_possible() {
        return;
    }
    let watcher = |name: &str, options: &str| {
        format!(
            "[watcher:{name}]\ncmd = sleep 901\nworking_dir = @\ncopy_env = True\nautostart = False\n{options}\n"
        )
    };
    let ini = [
        watcher(
            "yes",
            "hooks.before_start = my.told\nhooks.after_spawn = my.told\nhooks.after_reap = my.told",
        ),
        watcher("no", "hooks.before_start = my.false, True"),
        watcher("none", "hooks.before_start = my.nothing"),
        watcher("boom", "hooks.before_start = my.boom"),
        watcher("boomok", "hooks.before_start = my.boom, True"),
        watcher("missing", "hooks.before_start = my.nope"),
        "[env]\nA = b\n".to_string(),
    ];
    let mut run = operated(&ini.concat()).with("my.py", PYTHON).start();
    operate(&run, "start yes --waiting");
    operate(&run, "stop yes --waiting");
    run.wait_for_file("calls", "after_reap");
    let calls = run.file("calls");
    for line in [
        "before_start yes 1 sleep 901 b [] Named",
        "after_spawn yes 1 sleep 901 b ['pid'] Named",
        "after_reap yes 1 sleep 901 b ['exit_code', 'process_pid', 'process_status', 'time'] Named",
    ] {
        assert!(calls.contains(line), "{calls}");
    }
    for name in ["no", "none", "boom", "missing"] {
        assert_ne!(ask(&run, &format!("start {name} --waiting")).code, 0, "{name}");
        assert_eq!(operate(&run, &format!("status {name}")), "stopped");
    }
    assert_eq!(ask(&run, "start boomok --waiting").code, 0);
    assert_eq!(operate(&run, "status boomok"), "active");
    let log = run.log();
    for line in [
        "boom: hook before_start failed: boom; it is not started",
        "boomok: hook before_start failed: boom\n",
        "missing: hook before_start failed: module 'my' has no attribute 'nope'",
    ] {
        assert!(log.contains(line), "{log}");
    }
    run.stop();
}

#[test]
fn without_python3_a_function_has_failed() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = /bin/sleep 901\nhooks.before_start = my.told\n[env]\nPATH = /nowhere\n";
    let mut run = operated(ini).start();
    run.wait_for_log("web: hook before_start failed: python3 cannot be executed");
    run.stop();
}

#[test]
fn a_hook_may_be_told_more_than_a_pipe_holds() {
    if !namespaces_are_possible() {
        return;
    }
    let told = "def told(watcher, **kwargs):\n    \
                print(len(watcher.env['A'] + watcher.env['B']), file=open('@/calls', 'a'))\n    \
                return True\n";
    let long = "x".repeat(50_000);
    let ini = format!(
        "[watcher:web]\ncmd = sleep 901\nworking_dir = @\ncopy_env = True\n\
         hooks.before_start = my.told\n[env]\nA = {long}\nB = {long}\n"
    );
    let mut run = World::pid_1(&ini).with("my.py", told).start();
    run.wait_for_child("sleep 901");
    assert_eq!(run.file("calls"), "100000\n");
    run.stop();
}

#[test]
fn hooks_add_to_the_figures_of_processes_and_who_hangs_adds_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let watcher = |name: &str, hook: &str| {
        format!(
            "[watcher:{name}]\ncmd = sleep 901\nworking_dir = @\ncopy_env = True\nnumprocesses = 2\n\
             hook_timeout = {}\nhooks.extended_stats = {hook}\n",
            if name == "hangs" { "0.5" } else { "60" }
        )
    };
    let ini = [
        watcher("asked", "sh -c 'echo some words; echo \"{\\\"queue\\\": $CIRCUS_PID}\"'"),
        watcher("python", "my.more"),
        watcher("wrong", "sh -c 'echo nonsense'"),
        watcher("hangs", "sleep 905"),
    ];
    let more = "def more(pid, stats, **kwargs):\n    \
                print('some words', end='')\n    \
                stats['double'] = 2 * stats['pid'] if stats['pid'] == pid else 0\n";
    let mut run = operated(&ini.concat()).with("my.py", more).start();
    let figures = |words: &str| -> serde_json::Value {
        let said = operate(&run, &format!("--json stats {words} --extended"));
        serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"))
    };
    let processes = |name: &str| -> Vec<serde_json::Value> {
        let said = figures(name);
        let info = said["info"].as_object().unwrap_or_else(|| panic!("{said}"));
        assert_eq!(info.len(), 2, "{said}");
        info.values().cloned().collect()
    };
    for process in processes("asked") {
        assert_eq!(process["queue"], process["pid"], "{process}");
        let one = figures(&format!("asked {}", process["pid"]));
        assert_eq!(one["info"]["queue"], process["pid"], "{one}");
    }
    for process in processes("python") {
        assert_eq!(process["double"].as_i64(), process["pid"].as_i64().map(|pid| 2 * pid));
        assert!(process["mem_info1"].is_string(), "{process}");
    }
    for name in ["wrong", "hangs"] {
        assert!(processes(name).iter().all(|process| process["pid"].is_number()));
    }
    run.wait_for_log("wrong: hook extended_stats failed: its last line is no object of JSON");
    run.stop();
}
