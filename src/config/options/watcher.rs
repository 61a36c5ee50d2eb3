//! Options of `[watcher:NAME]`.

use super::{Change, Form, Row, Show, Support, free, seconds_shown};
use crate::config::draft::Draft;
use crate::config::settings::{Limit, ResourceLimit, Respawn, WatcherSettings};
use crate::config::value::{flag, limit, octal, respawn, seconds, whole};
use crate::config::{kernel, probe, signals, sockets};
use serde_json::{Map, Value};

use Change::{Adjust, Nothing, Reload, Restart};
use Form::{Flag, Number, Text};
use Show::{From, Kept};
use Support::{Full, Later, Meaningless};

/// All of them, sorted by name.
#[rustfmt::skip]
pub static WATCHER: [Row<Draft, WatcherSettings>; 67] = [
    Row { name: "args", default: "", change: Reload, support: Full, parse: |to, text| { to.settings.args = text.into(); Ok(()) },
        show: From(|s| text(&s.args)), help: "more words for the command line" },
    Row { name: "autostart", default: "True", change: Nothing, support: Full, parse: |to, text| put(&mut to.settings.autostart, flag(text)),
        show: From(|s| s.autostart.into()), help: "start with circusd" },
    Row { name: "backoff", default: "0.1", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.backoff_ms, seconds(text)),
        show: From(|s| seconds_shown(s.backoff_ms)), help: "seconds before the second restart in a row; doubles each time" },
    Row { name: "backoff_max", default: "5", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.backoff_max_ms, seconds(text)),
        show: From(|s| seconds_shown(s.backoff_max_ms)), help: "longest delay in seconds before a restart" },
    Row { name: "capabilities", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.capabilities, optional(text).map(kernel::capabilities).transpose()),
        show: From(|s| s.capabilities.map(kernel::capability_names).into()), help: "capabilities that the processes may have, or none" },
    Row { name: "check", default: "", change: Adjust, support: Full, parse: |to, text| put(&mut to.liveness, probe::check(text)),
        show: Kept(Text), help: "liveness probe: tcp://, unix://, http://, exec:, watchdog" },
    Row { name: "check_flapping", default: "True", change: Nothing, support: Meaningless, parse: |_, text| flag(text).map(drop),
        show: Kept(Flag), help: "not used by Circus either" },
    Row { name: "check_interval", default: "10", change: Adjust, support: Full, parse: |to, text| put(&mut to.check.interval_ms, time(text)),
        show: Kept(Number), help: "seconds between two probes" },
    Row { name: "check_retries", default: "3", change: Adjust, support: Full, parse: |to, text| put(&mut to.check.retries, whole(text, 1, 1000).map(|number| number as u32)),
        show: Kept(Number), help: "failed probes in a row before the process is replaced" },
    Row { name: "check_start_period", default: "0", change: Adjust, support: Full, parse: |to, text| put(&mut to.check.start_period_ms, seconds(text)),
        show: Kept(Number), help: "seconds after the start in which failed probes do not count" },
    Row { name: "check_timeout", default: "3", change: Adjust, support: Full, parse: |to, text| put(&mut to.check.timeout_ms, time(text)),
        show: Kept(Number), help: "seconds that a probe may take" },
    Row { name: "close_child_stderr", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.close_child_stderr, flag(text)),
        show: From(|s| s.close_child_stderr.into()), help: "stderr is /dev/null" },
    Row { name: "close_child_stdin", default: "True", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.close_child_stdin, flag(text)),
        show: From(|s| s.close_child_stdin.into()), help: "stdin is /dev/null" },
    Row { name: "close_child_stdout", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.close_child_stdout, flag(text)),
        show: From(|s| s.close_child_stdout.into()), help: "stdout is /dev/null" },
    Row { name: "cmd", default: "", change: Reload, support: Full, parse: |to, text| { to.settings.cmd = text.into(); Ok(()) },
        show: From(|s| text(&s.cmd)), help: "the command" },
    Row { name: "copy_env", default: "True", change: Reload, support: Full, parse: |to, text| put(&mut to.copy_env, flag(text)),
        show: From(|s| s.environment.inherit.into()), help: "start from circusd's own environment" },
    Row { name: "copy_path", default: "False", change: Nothing, support: Later, parse: |_, text| flag(text).map(drop),
        show: Kept(Flag), help: "pass on the module path of Circus's Python" },
    Row { name: "depends_on", default: "", change: Adjust, support: Full, parse: |to, text| { to.depends_on = text.into(); Ok(()) },
        show: Kept(Text), help: "watchers that are ready, or completed, before this one starts; `name:started` waits less" },
    Row { name: "enabled", default: "True", change: Restart, support: Full, parse: |to, text| put(&mut to.enabled, flag(text)),
        show: From(|_| true.into()), help: "False leaves this section out" },
    Row { name: "env_file", default: "", change: Reload, support: Full, parse: |to, text| { to.env_file = text.into(); Ok(()) },
        show: Kept(Text), help: "files of NAME=value lines; `?path` may be missing" },
    Row { name: "env_from_files", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.env_from_files, flag(text)),
        show: From(|s| s.environment.from_files.into()), help: "NAME_FILE in the environment gives NAME the content of that file" },
    Row { name: "essential", default: "False", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.essential, flag(text)),
        show: From(|s| s.essential.into()), help: "its end ends everything" },
    Row { name: "executable", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.executable, Ok(optional(text).map(Box::from))),
        show: From(|s| maybe(&s.executable)), help: "file to execute in place of the command's first word" },
    Row { name: "forward_signals", default: "", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.forward_signals, signals::forwarded(text)),
        show: From(|s| signals::forwarded_text(&s.forward_signals).into()), help: "signals to circusd that are passed on: USR1, HUP>USR2" },
    Row { name: "gid", default: "", change: Reload, support: Full, parse: |to, text| { to.gid = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "group, name or number" },
    Row { name: "graceful_timeout", default: "30", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.graceful_timeout_ms, seconds(text)),
        show: From(|s| (s.graceful_timeout_ms as f64 / 1000.0).into()), help: "seconds between the stop signal and SIGKILL" },
    Row { name: "healthy_after", default: "10", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.healthy_after_ms, seconds(text)),
        show: From(|s| seconds_shown(s.healthy_after_ms)), help: "seconds after which a life counts as a good one" },
    Row { name: "hook_timeout", default: "30", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.hook_timeout_ms, time(text)),
        show: Kept(Number), help: "seconds that a hook may take" },
    Row { name: "hooks.*", default: "", change: Adjust, support: Full, parse: free,
        show: Kept(Text), help: "a command or `module.function`; with `, True` at its end a failure is ignored" },
    Row { name: "idle_timeout", default: "", change: Adjust, support: Full, parse: |to, text| put(&mut to.sockets.idle_timeout_ms, optional(text).map(time).transpose()),
        show: Kept(Number), help: "with on_demand: seconds without a connection before it is stopped" },
    Row { name: "kill_tree", default: "True", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.kill_tree, flag(text)),
        show: From(|s| s.kill_tree.into()), help: "nothing that a process left behind survives it" },
    Row { name: "listen_fds", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.sockets.listen_fds, flag(text)),
        show: From(|s| s.sockets.as_ref().is_some_and(|it| it.listen_fds).into()), help: "pass sockets by the LISTEN_FDS convention too" },
    Row { name: "max_age", default: "0", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.max_age_ms, seconds(text)),
        show: From(|s| seconds_shown(s.max_age_ms)), help: "seconds after which a process is replaced; 0 is never" },
    Row { name: "max_age_variance", default: "30", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.max_age_variance_ms, seconds(text)),
        show: From(|s| seconds_shown(s.max_age_variance_ms)), help: "up to so many seconds are added to max_age at random" },
    Row { name: "max_restarts", default: "-1", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.max_restarts, limit(text)),
        show: From(|s| limit_shown(s.max_restarts)), help: "failed lives in a row before giving up; -1 is never" },
    Row { name: "max_retry", default: "5", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.max_retry, limit(text)),
        show: From(|s| limit_shown(s.max_retry)), help: "failed attempts to execute before giving up; -1 is never" },
    Row { name: "name", default: "", change: Restart, support: Full, parse: |to, text| { to.name = text.trim().into(); Ok(()) },
        show: From(|s| text(&s.name)), help: "another name for this watcher" },
    Row { name: "nice", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.nice, optional_whole(text, -20, 19)),
        show: From(|s| s.nice.into()), help: "scheduling nice value from -20 to 19" },
    Row { name: "no_new_privs", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.no_new_privs, flag(text)),
        show: From(|s| s.no_new_privs.into()), help: "processes can never gain privileges" },
    Row { name: "numprocesses", default: "1", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.numprocesses, whole(text, 0, 10_000).map(|number| number as u32)),
        show: From(|s| s.numprocesses.into()), help: "how many processes" },
    Row { name: "on_demand", default: "False", change: Restart, support: Full, parse: |to, text| put(&mut to.sockets.on_demand, flag(text)),
        show: From(|s| s.sockets.as_ref().is_some_and(|it| it.on_demand).into()), help: "start at the first connection" },
    Row { name: "oneshot", default: "False", change: Restart, support: Full, parse: |to, text| put(&mut to.settings.oneshot, flag(text)),
        show: From(|s| s.oneshot.into()), help: "runs to completion once" },
    Row { name: "oom_score_adj", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.oom_score_adj, optional_whole(text, -1000, 1000)),
        show: From(|s| s.oom_score_adj.into()), help: "from -1000 (killed last for lack of memory) to 1000 (first)" },
    Row { name: "priority", default: "0", change: Nothing, support: Full, parse: |to, text| put(&mut to.settings.priority, whole(text, i32::MIN.into(), i32::MAX.into()).map(|number| number as i32)),
        show: From(|s| s.priority.into()), help: "higher starts first" },
    Row { name: "ready", default: "started", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.ready, probe::ready(text)),
        show: Kept(Text), help: "when it counts as started: started, notify, tcp://, unix://, http://, exec:, after:" },
    Row { name: "ready_timeout", default: "60", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.ready_timeout_ms, time_or_none(text)),
        show: Kept(Number), help: "seconds until it must be ready; 0 is as long as it likes" },
    Row { name: "respawn", default: "True", change: Adjust, support: Full, parse: |to, text| respawn(text).map(|value| to.respawn = Some(value)),
        show: From(|s| respawn_shown(s.respawn)), help: "start again what ended: True, False, on-failure" },
    Row { name: "rlimit_*", default: "", change: Reload, support: Full, parse: free,
        show: From(|s| limits_shown(&s.rlimits)), help: "resource limits; empty is infinity" },
    Row { name: "send_hup", default: "False", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.send_hup, flag(text)),
        show: From(|s| s.send_hup.into()), help: "a reload sends SIGHUP in place of new processes" },
    Row { name: "shell", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.shell, flag(text)),
        show: From(|s| s.shell.into()), help: "run the command by /bin/sh -c" },
    Row { name: "shell_args", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.shell_args, Ok(optional(text).map(Box::from))),
        show: From(|s| maybe(&s.shell_args)), help: "words after the shell's command" },
    Row { name: "singleton", default: "False", change: Nothing, support: Full, parse: |to, text| put(&mut to.settings.singleton, flag(text)),
        show: From(|s| s.singleton.into()), help: "never more than one process" },
    Row { name: "stderr_stream.*", default: "", change: Adjust, support: Full, parse: free,
        show: Kept(Text), help: "where stderr goes" },
    Row { name: "stdin_socket", default: "", change: Reload, support: Full, parse: |to, text| { to.sockets.stdin = optional(text).map(|name| name.to_lowercase().into()); Ok(()) },
        show: From(|s| maybe(&s.sockets.as_ref().and_then(|it| it.stdin.clone()))), help: "socket that is stdin" },
    Row { name: "stdout_stream.*", default: "", change: Adjust, support: Full, parse: free,
        show: Kept(Text), help: "where stdout goes" },
    Row { name: "stop_children", default: "False", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.stop_children, flag(text)),
        show: From(|s| s.stop_children.into()), help: "the stop signal goes to the direct children too" },
    Row { name: "stop_signal", default: "SIGTERM", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.stop_signal, signals::signal(text)),
        show: From(|s| s.stop_signal.number().into()), help: "first signal of a stop" },
    Row { name: "stream_backend", default: "", change: Nothing, support: Meaningless, parse: free,
        show: Kept(Text), help: "not used by Circus either" },
    Row { name: "success_codes", default: "0", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.success_codes, signals::success_codes(text)),
        show: From(|s| signals::success_codes_text(&s.success_codes).into()), help: "exit codes and signals that are no failure" },
    Row { name: "uid", default: "", change: Reload, support: Full, parse: |to, text| { to.uid = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "user, name or number" },
    Row { name: "umask", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.umask, optional(text).map(octal).transpose()),
        show: From(|s| s.umask.map(|mask| format!("{mask:03o}")).into()), help: "octal file creation mask" },
    Row { name: "use_sockets", default: "False", change: Reload, support: Full, parse: |to, text| put(&mut to.sockets.wanted, sockets::wanted(text)),
        show: From(|s| s.sockets.as_ref().map_or(false.into(), |it| sockets::wanted_shown(&it.wanted))), help: "pass on the sockets that the command names, or all if it names none; or list names" },
    Row { name: "user_switch", default: "fail", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.ignore_user_switch, crate::config::value::choice(text, &["fail", "ignore"]).map(|word| word == "ignore")),
        show: From(|s| if s.ignore_user_switch { "ignore" } else { "fail" }.into()), help: "ignore: run as circusd's user where it cannot be changed" },
    Row { name: "virtualenv", default: "", change: Reload, support: Full, parse: |to, text| { to.virtualenv = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "directory of a Python environment" },
    Row { name: "virtualenv_py_ver", default: "", change: Reload, support: Full, parse: |to, text| { to.virtualenv_py_ver = text.trim().into(); Ok(()) },
        show: Kept(Text), help: "its version of Python" },
    Row { name: "warmup_delay", default: "0", change: Adjust, support: Full, parse: |to, text| put(&mut to.settings.warmup_delay_ms, seconds(text)),
        show: From(|s| seconds_shown(s.warmup_delay_ms)), help: "seconds between the starts of two processes" },
    Row { name: "working_dir", default: "", change: Reload, support: Full, parse: |to, text| put(&mut to.settings.working_dir, Ok(optional(text).map(Box::from))),
        show: From(|s| maybe(&s.working_dir)), help: "directory of the processes" },
];

fn put<V>(to: &mut V, value: Result<V, String>) -> Result<(), String> {
    *to = value?;
    Ok(())
}

fn optional(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

fn optional_whole(text: &str, min: i64, max: i64) -> Result<Option<i32>, String> {
    let number = optional(text).map(|text| whole(text, min, max)).transpose()?;
    Ok(number.map(|number| number as i32))
}

/// Time in which something can be done.
fn time(text: &str) -> Result<u64, String> {
    match seconds(text)? {
        0..TIME_MS_MIN => Err("is too short; write at least 0.1 seconds".to_owned()),
        milliseconds => Ok(milliseconds),
    }
}

fn time_or_none(text: &str) -> Result<u64, String> {
    if seconds(text)? == 0 { Ok(0) } else { time(text) }
}

const TIME_MS_MIN: u64 = 100;

fn text(text: &str) -> Value {
    text.into()
}

fn maybe(text: &Option<Box<str>>) -> Value {
    text.as_deref().into()
}

fn limit_shown(limit: Limit) -> Value {
    match limit {
        Limit::AtMost(number) => number.into(),
        Limit::Never => (-1).into(),
    }
}

fn respawn_shown(respawn: Respawn) -> Value {
    match respawn {
        Respawn::Always => true.into(),
        Respawn::OnFailure => "on-failure".into(),
        Respawn::Never => false.into(),
    }
}

/// By name; null is infinity.
fn limits_shown(limits: &[ResourceLimit]) -> Value {
    let named = limits.iter().filter_map(|limit| {
        Some((kernel::resource_name(limit.resource)?.to_owned(), limit.value.into()))
    });
    Value::Object(named.collect::<Map<_, _>>())
}
