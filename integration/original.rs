//! Circus's own Python package, unmodified from PyPI, operates circusd: its client, its circusctl,
//! its plugins and its circusd-stats.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::{docker, image};

const DEFAULT: &str = "ipc:///run/circus/control.sock";
const DEFAULT_PUBSUB: &str = "ipc:///run/circus/pubsub.sock";

/// Circus's own defaults.
const TCP: &str = "tcp://127.0.0.1:5555";
const TCP_PUBSUB: &str = "tcp://127.0.0.1:5556";

const WATCHERS: &str = "
[watcher:web]
cmd = sleep 1001
numprocesses = 2

[watcher:idle]
cmd = sleep 1002
autostart = False
";

/// circusd with Circus's package beside it, and the helpers in `python/`; `None` if the test is to
/// be skipped.
fn with_circus(ini: &str) -> Option<Container> {
    if !docker::is_here() {
        return None;
    }
    let image = image::python()?;
    let helpers = format!("{}:/helpers:ro", image::project().join("integration/python").display());
    let options = ["-v", &helpers, "-e", "PYTHONPATH=/helpers"];
    Some(Container::with_config_in(&options, &image, ini, &[CONFIG]))
}

fn over_tcp() -> String {
    format!("[circus]\nendpoint = {TCP}\npubsub_endpoint = {TCP_PUBSUB}\n")
}

/// How Circus runs a plugin.
fn plugin(class: &str, config: &str, control: &str, pubsub: &str) -> String {
    format!(
        "[watcher:plugin]\ncmd = python3 -c 'from circus import plugins; plugins.main()' \
         --endpoint {control} --pubsub {pubsub} --config {config} {class}\npriority = 1\n\
         stop_signal = INT\n"
    )
}

#[track_caller]
fn client_operates(ini: &str, endpoint: &str) {
    let Some(container) = with_circus(ini) else { return };
    container.wait_for_pids("sleep 1001", 2);
    let ended = container.exec(&["python3", "/helpers/client.py", endpoint]);
    // Its exit code may be that of whatever runs in a container that ends: it has asked for that.
    assert_eq!((&*ended.stdout, &*ended.stderr), ("all is as with Circus\n", ""), "{ended:?}");
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn circus_client_operates_circusd_over_ipc() {
    client_operates(WATCHERS, DEFAULT);
}

#[test]
fn circus_client_operates_circusd_over_tcp() {
    client_operates(&(over_tcp() + WATCHERS), TCP);
}

/// What Circus's circusctl is asked for, its exit code and what it prints; `…` is anything.
const ONE_SHOT: &[(&str, i32, &str)] = &[
    ("status", 0, "idle: stopped\nweb: active"),
    ("list", 0, "idle,web"),
    ("get web cmd numprocesses", 0, "cmd: sleep 1001\nnumprocesses: 2"),
    ("globaloptions endpoint", 0, "endpoint: ipc:///run/circus/control.sock"),
    ("options idle", 0, "…cmd: sleep 1002\n…"),
    ("incr web 2 --waiting", 0, "4"),
    ("set web numprocesses 2 --waiting", 0, "ok"),
    ("stats web", 0, "web:\n…"),
    ("dstats", 0, "Main Process:\n…circusd…"),
    ("listsockets", 0, ""),
    ("reload web --waiting", 0, "ok"),
    ("signal web usr1", 0, "ok"),
    ("status zz", 3, "error"),
    ("incr zz", 3, "error: …zz…"),
    ("reloadconfig --waiting", 0, "ok"),
    ("--json numwatchers", 0, "{…\"numwatchers\": 2…}"),
];

#[test]
fn its_circusctl_prints_what_it_prints_with_circus() {
    let Some(container) = with_circus(WATCHERS) else { return };
    container.wait_for_pids("sleep 1001", 2);
    let lines: String = ONE_SHOT
        .iter()
        .map(|(words, ..)| format!("circusctl --timeout 30 {words}; echo \"[$?]\"\n"))
        .collect();
    let ended = container.sh(&format!("export CIRCUSCTL_ENDPOINT={DEFAULT}; exec 2>&1\n{lines}"));
    let mut rest = &*ended.stdout;
    for (words, code, expected) in ONE_SHOT {
        let end = rest.find(']').map_or(rest.len(), |at| at + 1);
        let (printed, after) = rest.split_at(end);
        rest = after.trim_start();
        let printed = printed.trim_end_matches(']').rsplit_once('[');
        let (text, last) = printed.unwrap_or_else(|| panic!("{words}: {ended:?}"));
        assert_eq!(last, code.to_string(), "{words}: {text}");
        assert!(matches(text.trim_end(), expected), "{words}: {text:?}, not {expected:?}");
    }
}

/// Is the text this pattern, in which `…` is anything?
fn matches(text: &str, pattern: &str) -> bool {
    let Some((first, mut rest)) = pattern.split_once('…') else { return text == pattern };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    while let Some((middle, after)) = rest.split_once('…') {
        let Some(at) = text.find(middle) else { return false };
        (text, rest) = (&text[at + middle.len()..], after);
    }
    text.ends_with(rest)
}

#[test]
fn its_interactive_shell_operates_circusd_and_ends_it() {
    let Some(container) = with_circus(WATCHERS) else { return };
    container.wait_for_pids("sleep 1001", 2);
    let typed =
        "list\\nincr web --waiting\\nnope\\nstop web --waiting\\nstatus\\nquit --waiting\\n";
    let shell = format!("printf '{typed}' | circusctl --timeout 30 --endpoint {DEFAULT} 2>&1");
    let ended = container.sh(&shell);
    let printed = ended.stdout;
    let expected = "circusctl 0.19.0\nidle: stopped\nweb: active\n(circusctl) idle,web\n\
                    (circusctl) 3\n(circusctl) *** Unknown syntax: nope\n(circusctl) ok\n\
                    (circusctl) idle: stopped\nweb: stopped\n(circusctl) …";
    assert!(matches(&printed, expected), "{printed}");
    assert_eq!(container.exit_code(), 0);
}

#[track_caller]
fn plugin_keeps_one_watcher_as_large_as_another(circus: &str, control: &str, pubsub: &str) {
    let plugin = plugin("plugins.Companion", "leader:web:::follower:follower", control, pubsub);
    let ini = format!("{circus}{plugin}{WATCHERS}[watcher:follower]\ncmd = sleep 1004\n");
    let Some(container) = with_circus(&ini) else { return };
    container.wait_for("companion of web");
    container.wait_for_pids("sleep 1004", 1);
    // It may not have subscribed yet: until it has, there is something new to see.
    wait_until(
        "the follower is as large",
        || {
            let replaced = container.pids("sleep 1001");
            container.sh(&format!("kill {}", replaced.first().copied().unwrap_or(0)));
            container.pids("sleep 1004").len()
        },
        |count| *count == 2,
    );
    container.sh(&format!("/circusctl --endpoint {control} incr web 2 --waiting"));
    container.wait_for_pids("sleep 1004", 4);
    assert!(container.has_line(&["companion saw spawn of"]));
    container.stop(10);
    assert!(container.has_line(&["companion stops"]));
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn a_plugin_hears_calls_and_casts_over_ipc() {
    plugin_keeps_one_watcher_as_large_as_another("", DEFAULT, DEFAULT_PUBSUB);
}

#[test]
fn a_plugin_hears_calls_and_casts_over_tcp() {
    plugin_keeps_one_watcher_as_large_as_another(&over_tcp(), TCP, TCP_PUBSUB);
}

#[test]
fn the_flapping_plugin_stops_a_crashing_watcher_and_starts_it_later() {
    let config = "attempts:99:::window:1:::retry_in:1:::max_retry:1";
    let plugin = plugin("circus.plugins.flapping.Flapping", config, DEFAULT, DEFAULT_PUBSUB);
    // The plugin asks for what is set for this watcher alone.
    let crashing = "[watcher:bad]\ncmd = sh -c 'sleep 0.3; exit 3'\nbackoff_max = 0.2\n\
                    flapping.attempts = 3\n";
    let ini = format!("{plugin}{crashing}[watcher:good]\ncmd = sleep 1001\n");
    let Some(container) = with_circus(&ini) else { return };
    let good = container.wait_for_pids("sleep 1001", 1);
    container.wait_for("flapping detected: retry in");
    container.wait_for("bad stopped");
    // The plugin starts it again, and it fails again.
    container.wait_for("flapping detected: reached max retry limit");
    let status = || container.exec(&["/circusctl", "status", "bad"]).stdout;
    wait_until("it is left stopped", status, |status| status == "stopped\n");
    let logs = container.logs();
    let place = |text: &str| logs.find(text).unwrap_or_else(|| panic!("{text} is in\n{logs}"));
    let again = logs.rfind("bad started").expect("it was started");
    assert!(place("bad stopped") < again, "{logs}");
    assert_eq!(container.pids("sleep 1001"), good);
}

#[test]
fn circusd_stats_runs_as_a_watcher_and_circus_top_shows_its_figures() {
    let stats = "ipc:///run/circus/stats.sock";
    let ini = format!(
        "[watcher:circusd-stats]\ncmd = circusd-stats --endpoint {DEFAULT} \
         --pubsub {DEFAULT_PUBSUB} --statspoint {stats}\n{WATCHERS}"
    );
    let Some(container) = with_circus(&ini) else { return };
    let ended = container.exec(&["python3", "/helpers/stats.py", stats, "web"]);
    assert_eq!((ended.code, &*ended.stdout), (0, "circus-top has its figures\n"), "{ended:?}");
    let top =
        format!("TERM=linux timeout 30 script -qec 'circus-top --endpoint {stats}' /dev/null");
    let shown = "grep -q -m1 -a '(circusd)' && echo shown";
    assert_eq!(container.sh(&format!("{top} | {shown}")).stdout, "shown\n");
}
