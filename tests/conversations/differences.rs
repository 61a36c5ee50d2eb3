//! Where we answer or publish something else than Circus on purpose: each with its reason. What
//! is listed here and does not happen any more makes the test fail.

use crate::classes::CLASSES;
use crate::json::Json;

/// What we do in place of Circus at one request.
#[derive(Debug, Clone, Copy)]
pub enum Here {
    /// This reply. Pids are those of the record; `"?"` stands for anything.
    Reply(&'static str),
    /// The recorded reply, but with these members; `"?"` stands for anything. A path has dots.
    With(&'static [(&'static str, &'static str)]),
    /// An error with this number, and these words in its reason.
    Refused(i64, &'static str),
    /// Another request is made, with the same result as the recorded one had in Circus: carried
    /// out, that one would change all that follows.
    Ask(&'static str),
    /// The request is not made: carried out, it would change all that follows.
    Unsent,
}

/// One difference at one request.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub recording: &'static str,
    pub label: &'static str,
    pub here: Here,
    /// A request that is made afterwards, so that all is again as it was in Circus.
    pub then: &'static str,
    pub why: &'static str,
}

const fn row(recording: &'static str, label: &'static str, here: Here, why: &'static str) -> Row {
    Row { recording, label, here, then: "", why }
}

/// A process that lives on here, and a later one that took its place in Circus.
#[derive(Debug, Clone, Copy)]
pub struct Same {
    pub recording: &'static str,
    pub pid: &'static str,
    pub later: &'static str,
    pub why: &'static str,
}

/// What is published about a watcher between two requests.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    pub recording: &'static str,
    /// The first of the two requests.
    pub after: &'static str,
    pub watcher: &'static str,
    /// What Circus published.
    pub circus: &'static str,
    /// What is published here; `spawn=PID` where the pid is that of a recorded one.
    pub here: &'static str,
    pub why: &'static str,
}

/// A request before which not all that Circus had published has come here: it comes later.
#[derive(Debug, Clone, Copy)]
pub struct Later {
    pub recording: &'static str,
    pub before: &'static str,
    pub why: &'static str,
}

/// Watchers of a recording whose publications about several processes mix in another way.
#[derive(Debug, Clone, Copy)]
pub struct Mixed {
    pub recording: &'static str,
    pub watcher: &'static str,
    pub why: &'static str,
}

/// Circus refuses a command while it runs another; here it is carried out. It is not made in its
/// place, since it would change all that follows, but in a conversation of its own.
pub fn is_conflict(reply: &Json) -> bool {
    let is_one = |reason: &str| {
        reason.starts_with("arbiter is already running ") || reason == "arbiter is restarting..."
    };
    reply.get("errno").integer() == Some(5) && reply.get("reason").text().is_some_and(is_one)
}

#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    row("hooks", "r11", Here::Refused(5, "before_start-false has not started"), FORBIDDEN),
    row("hooks", "r15", Here::Refused(5, "before_start-none has not started"), FORBIDDEN),
    row("hooks", "r19", Here::Refused(5, "before_start-boom has not started"), FORBIDDEN),
    row("hooks", "r27", Here::Refused(5, "after_start-false has not started"), FORBIDDEN),
    row("hooks", "r31", Here::Refused(5, "after_start-none has not started"), FORBIDDEN),
    row("hooks", "r35", Here::Refused(5, "after_start-boom has not started"), FORBIDDEN),
    row("hooks", "r43", Here::Refused(5, "before_spawn-false has not started"), FORBIDDEN),
    row("hooks", "r47", Here::Refused(5, "before_spawn-none has not started"), FORBIDDEN),
    row("hooks", "r51", Here::Refused(5, "before_spawn-boom has not started"), FORBIDDEN),
    row("basic", "r41", Here::With(&[("options.max_retry", "9")]), TAKES_EFFECT),
    row("basic", "r42", Here::Ask(r#"{"command": "set", "properties": {"name": "sleeper", "options": {"respawn": true}, "waiting": true}, "id": "r42"}"#), TAKES_EFFECT),
    row("basic", "r80", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r80"}"#), LIMITS),
    row("basic", "r81", Here::Reply(r#"{"status": "ok", "time": 0.5, "options": "?", "id": "r81"}"#), LIMITS),
    row("basic", "r83", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r83"}"#), LIMITS),
    row("errors", "p1", Here::Reply(r#"{"status": "ok", "time": 0.5, "watchers": ["single", "sleeper"], "id": "p1"}"#),
        NO_PROPERTIES),
    row("errors", "p3", Here::Refused(3, "'properties' should be an object"), MISTAKE),
    row("errors", "r28", Here::Refused(3, "program zz not found"), "a watcher that is not there is told (docs/differences.md 52)"),
    row("basic", "r48", Here::Refused(3, "process 999999 not found in 'Sleeper'"), GONE),
    row("basic", "r54", Here::Refused(3, "process 1 not found in 'Sleeper'"), GONE),
    row("errors", "r45", Here::Refused(3, "process 1 not found in 'sleeper'"), GONE),
    row("errors", "r48", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r48"}"#),
        "a child that is not there gets no signal, and that is no error"),
    row("errors", "r49", Here::Refused(3, "process 999999 not found in 'sleeper'"), GONE),
    row("errors", "r125", Here::Refused(5, "a5 has not started"), FAILED),
    row("lifecycle", "r6", Here::Refused(5, "badcmd has not started"), FAILED),
    row("misc", "r8", Here::Refused(3, "process 3 not found in 'idle'"), GONE),
    row("process", "r20", Here::Refused(5, "wdbad has not started"), FAILED),
    Row { then: r#"{"command": "kill", "properties": {"name": "sleeper"}}"#,
        ..row("errors", "r54", Here::Refused(3, "graceful_timeout"), MISTAKE) },
    row("errors", "r59", Here::Reply(r#"{"status": "ok", "time": 0.5, "options": {"cmd": "sleep 1000"}, "id": "r59"}"#),
        "a text is one key (docs/differences.md 53)"),
    Row { then: r#"{"command": "set", "properties": {"name": "sleeper", "options": {"numprocesses": 0}, "waiting": true}}"#,
        ..row("errors", "r67", Here::Refused(3, "'numprocesses' is not a whole number"), MISTAKE) },
    row("errors", "r88", Here::Refused(3, "'stop_signal' is no signal"), MISTAKE),
    Row { then: r#"{"command": "set", "properties": {"name": "sleeper", "options": {"singleton": false}, "waiting": true}}"#,
        ..row("errors", "r91", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r91"}"#), TAKES_EFFECT) },
    row("errors", "r86", Here::Unsent, TAKES_EFFECT),
    row("errors", "r96", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r96"}"#), SETTABLE),
    Row { then: r#"{"command": "decr", "properties": {"name": "sleeper", "nb": 2, "waiting": true}}"#,
        ..row("errors", "r110", Here::Reply(r#"{"status": "ok", "time": 0.5, "numprocesses": 3, "id": "r110"}"#), NUMBER) },
    Row { then: r#"{"command": "decr", "properties": {"name": "sleeper", "nb": 2, "waiting": true}}"#,
        ..row("errors", "r111", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r111"}"#), NUMBER) },
    row("errors", "r113", Here::Refused(3, "'nb' isn't an integer"), "who waits is told what went wrong (docs/differences.md 48)"),
    row("errors", "r117", Here::Refused(3, "'name' is empty"), "an ok means done (docs/differences.md 55)"),
    Row { then: r#"{"command": "rm", "properties": {"name": "a3", "waiting": true}}"#,
        ..row("errors", "r122", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r122"}"#), LIMITS) },
    Row { then: r#"{"command": "rm", "properties": {"name": "a4", "waiting": true}}"#,
        ..row("errors", "r124", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r124"}"#), SETTABLE) },
    Row { then: r#"{"command": "add", "properties": {"name": "a10", "cmd": "sleep 1"}}"#,
        ..row("errors", "r134", Here::Refused(3, "'cmd' isn't a string"), MISTAKE) },
    row("poison", "#1", Here::Refused(1, "json invalid"), ANSWERED),
    row("poison", "r1", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r1"}"#), UNHURT),
    row("poison", "#4", Here::Refused(1, "json invalid"), ANSWERED),
    row("poison", "r3", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r3"}"#), UNHURT),
    row("poison", "#7", Here::Refused(3, "a request should be an object"), ANSWERED),
    row("poison", "#10", Here::Refused(3, "a request should be an object"), ANSWERED),
    row("poison", "r7", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r7"}"#), UNHURT),
    row("poison", "#13", Here::Refused(3, "a request should be an object"), ANSWERED),
    row("poison", "r9", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r9"}"#), UNHURT),
    row("poison", "#16", Here::Refused(3, "a request should be an object"), ANSWERED),
    row("poison", "r11", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r11"}"#), UNHURT),
    row("poison", "#19", Here::Refused(3, "'command' is missing"), ANSWERED),
    row("poison", "r13", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r13"}"#), UNHURT),
    row("poison", "#22", Here::Refused(3, "'command' isn't a string"), ANSWERED),
    row("poison", "r15", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r15"}"#), UNHURT),
    row("poison", "#25", Here::Reply(r#"{"status": "ok", "time": 0.5, "watchers": ["sleeper"], "id": "p1"}"#), NO_PROPERTIES),
    row("poison", "#31", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "p3"}"#), NO_PROPERTIES),
    row("poison-others", "#2", Here::Refused(3, "a request should be an object"), ANSWERED),
    row("poison-others", "r2", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r2"}"#), UNHURT),
    row("process", "r9", Here::Reply(r#"{"status": "ok", "time": 0.5, "info": {"started": ["?"], "kept": []}, "id": "r9"}"#), COPY_PATH),
    row("process", "r22", Here::With(&[("info.started", r#"["?"]"#)]), EXECUTABLE),
    row("process", "r31", Here::With(&[("statuses.exe", r#""active""#), ("statuses.pathonly", r#""active""#)]),
        "executable and copy_path work"),
    row("process", "r32", Here::With(&[("options.env", r#""?""#)]),
        "what is inherited is not shown (docs/differences.md 59)"),
    row("misc", "r2", Here::Reply(r#"{"status": "ok", "time": 0.5, "pids": [4575, 4646], "id": "r2"}"#), AT_ONCE),
    row("misc", "r4", Here::Reply(r#"{"status": "ok", "time": 0.5, "name": "idle", "info": "?", "id": "r4"}"#), AT_ONCE),
    row("misc", "r5", Here::Refused(3, "not found in 'idle'"), AT_ONCE),
    row("reloadconfig", "r21", Here::Refused(5, "my_free_option"), REFUSED_FILE),
    row("reloadconfig", "r33", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r33"}"#), MOVED),
    row("reloadconfig", "r47", Here::Refused(5, "nosuchuser"), REFUSED_FILE),
    row("reloadconfig", "r48", Here::Reply(r#"{"status": "ok", "time": 0.5, "statuses": {"sockuser": "active", "plugin:p": "active", "one": "active", "noauto": "stopped", "three": "active"}, "id": "r48"}"#), REFUSED_FILE),
    row("reloadconfig", "r57", Here::With(&[("options.check_delay", "2.0")]), CHANGED),
    row("start-hang", "r4", Here::Reply(r#"{"status": "ok", "time": 0.5, "info": {"started": [10941], "kept": [10612]}, "id": "r4"}"#), LACKING),
    row("start-hang", "r5", Here::Reply(r#"{"status": "ok", "time": 0.5, "watchers": ["norespawn", "other"], "id": "r5"}"#), LACKING),
    row("kill-string-timeout", "r2", Here::Reply(r#"{"status": "ok", "time": 0.5, "info": null, "id": "r2"}"#), UNHURT_BY_KILL),
    row("kill-string-timeout", "r3", Here::Reply(r#"{"status": "ok", "time": 0.5, "statuses": {"stub": "stopped"}, "id": "r3"}"#), UNHURT_BY_KILL),
    row("ipc-steal", "r2", Here::Reply(r#"{"status": "ok", "time": 0.5, "numwatchers": 1, "id": "r2"}"#), "a second daemon takes nothing over (docs/differences.md 75)"),
    Row { then: r#"{"command": "start", "properties": {"name": "plain", "waiting": true}}"#,
        ..row("surprises", "r1", Here::With(&[]), "a connection starts only whom it is for (docs/differences.md 108)") },
    row("surprises", "r7", Here::Reply(r#"{"status": "ok", "time": 0.5, "pids": [8077], "id": "r7"}"#), AT_ONCE),
    row("surprises", "r9", Here::Reply(r#"{"status": "ok", "time": 0.5, "pids": [8077], "id": "r9"}"#), AT_ONCE),
    row("surprises", "r11", Here::Reply(r#"{"status": "ok", "time": 0.5, "pids": [8077], "id": "r11"}"#), AT_ONCE),
    Row { then: r#"{"command": "rm", "properties": {"name": "x", "waiting": true}}"#,
        ..row("owner", "r1", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r1"}"#), OWNER) },
    Row { then: r#"{"command": "rm", "properties": {"name": "y", "waiting": true}}"#,
        ..row("owner", "r3", Here::Reply(r#"{"status": "ok", "time": 0.5, "id": "r3"}"#), OWNER) },
    row("lifecycle", "r42", Here::Reply(r#"{"status": "active", "time": 0.5, "id": "r42"}"#), ZERO),
    row("lifecycle", "r45", Here::With(&[("info.started", "[]"), ("info.kept", "[31214]")]), ZERO),
];

const TAKES_EFFECT: &str = "what is set takes effect (docs/differences.md 56)";
const SETTABLE: &str = "every option of a process can be set (docs/differences.md 56)";
const MISTAKE: &str = "a mistake is told before anything is done (docs/differences.md 49, 57)";
const LIMITS: &str = "limits can be given to add (docs/differences.md 55)";
const GONE: &str = "a process that the watcher does not have is an error (docs/differences.md 52)";
const FORBIDDEN: &str =
    "who waits for a start that a hook forbids is told so (docs/differences.md 95)";
const FAILED: &str = "who waits for a start is told that it failed (docs/differences.md 48)";
const NUMBER: &str = "a number may be written as a text (docs/differences.md 49)";
const ZERO: &str = "a watcher that shall have no process is active without one";
const AGE: &str = "a new age needs no new processes (docs/differences.md 58)";
const COPY_PATH: &str = "copy_path works without copy_env";
const CHANGED: &str = "what has changed is changed, watcher by watcher (docs/differences.md 61)";
const MOVED: &str =
    "a socket that has moved is bound, and who uses it is reloaded (docs/differences.md 110)";
const REFUSED_FILE: &str = "a file with mistakes changes nothing (docs/differences.md 1 and 19)";
const LACKING: &str = "what lacks is started (docs/differences.md 64)";
const UNHURT_BY_KILL: &str = "a number may be written as a text (docs/differences.md 49)";
const OWNER: &str = "the owner owns the sockets, no more (docs/differences.md 76)";
const EXECUTABLE: &str = "executable is what is executed (docs/differences.md 13)";
const SHELL: &str = "the shell runs what is written (docs/differences.md 14)";
const ANSWERED: &str = "a malformed request is answered (docs/differences.md 47)";
const UNHURT: &str = "a malformed request blocks nobody (docs/differences.md 47)";
const NO_PROPERTIES: &str = "properties that are null are none";
const LOST: &str = "the recorder was not connected when everything started again";
const AT_ONCE: &str =
    "deaths are noticed, and processes replaced, at once (docs/differences.md 30)";

#[rustfmt::skip]
pub const WINDOWS: &[Window] = &[
    window("signals", "r5", "added", "", "add spawn start", "a watcher that is new is told as such"),
    window("signals", "r5", "a", "kill reap stop", "kill reap stop spawn start", LOST),
    window("signals", "r5", "slow", "", "spawn start", LOST),
    window("basic", "r80", "n2", "", "add spawn spawn start", LIMITS),
    window("basic", "r83", "n2", "", "remove kill kill reap reap stop", LIMITS),
    window("errors", "r88", "sleeper", "updated", "", MISTAKE),
    window("errors", "r91", "sleeper", "updated", "updated updated", TAKES_EFFECT),
    window("errors", "r86", "sleeper", "updated", "", TAKES_EFFECT),
    window("errors", "r136", "sleeper", "spawn kill reload", "kill reap=28634 stop spawn start",
        "`no` means no (docs/differences.md 50)"),
    window("errors", "r105", "sleeper", "updated updated spawn kill reload", "updated updated", AGE),
    window("errors", "r106", "sleeper", "updated spawn kill reload", "updated", AGE),
    window("errors", "r96", "sleeper", "", "updated", SETTABLE),
    window("errors", "r98", "sleeper", "updated", "", MISTAKE),
    window("errors", "r110", "sleeper", "",
        "spawn=900001 spawn=900002 kill=28623 kill=900001 reap=28623 reap=900001", NUMBER),
    window("errors", "r111", "sleeper", "",
        "spawn=900003 spawn=900004 kill=900002 kill=900003 reap=900002 reap=900003", NUMBER),
    window("errors", "r122", "a3", "", "add remove", LIMITS),
    window("errors", "r124", "a4", "", "add remove", SETTABLE),
    window("process", "r9", "pathonly", "", "spawn start", COPY_PATH),
    window("process", "r36", "pathonly", "", "kill reap stop", COPY_PATH),
    window("process", "r22", "exe", "stop", "spawn start", EXECUTABLE),
    window("process", "r36", "exe", "", "kill reap stop", EXECUTABLE),
    window("process", "r15", "shell2", "reap spawn", "", SHELL),
    window("process", "r16", "shell2", "reap spawn", "", SHELL),
    window("process", "r17", "shell2", "reap spawn", "", SHELL),
    window("process", "r30", "shell2", "reap spawn", "", SHELL),
    window("process", "r36", "shell2", "reap stop", "kill reap=-1 stop", SHELL),
    window("misc", "r1", "idle", "", "reap=4573 spawn=4646", AT_ONCE),
    window("misc", "r9", "idle", "spawn", "spawn=4647", AT_ONCE),
    window("misc", "r10", "idle", "spawn", "", AT_ONCE),
    window("reloadconfig", "r5", "two", "spawn spawn", "updated spawn spawn", CHANGED),
    window("reloadconfig", "r9", "one", "kill reap stop spawn start",
        "updated spawn=14481 kill=14438 reap=14438 reload", CHANGED),
    window("reloadconfig", "r13", "three", "spawn start", "add spawn start", CHANGED),
    window("reloadconfig", "r13", "noauto", "", "add", CHANGED),
    window("reloadconfig", "r17", "two", "kill kill kill reap reap reap stop",
        "remove kill kill kill reap reap reap stop", CHANGED),
    window("reloadconfig", "r33", "sockuser", "",
        "updated spawn=22563 kill=14439 reap=14439 reload", MOVED),
    window("reloadconfig", "r47", "baduid", "stop", "", REFUSED_FILE),
    window("reloadconfig", "r55", "sockuser", "kill reap stop spawn start", "", CHANGED),
    window("reloadconfig", "r55", "one", "kill reap stop spawn start", "", CHANGED),
    window("reloadconfig", "r55", "three", "kill reap stop spawn start", "", CHANGED),
    window("reloadconfig", "r55", "plugin:p", "kill reap stop spawn start", "", CHANGED),
    window("start-hang", "r4", "norespawn", "", "spawn=10941", LACKING),
    window("start-hang", "r5", "norespawn", "reap spawn spawn", "", LACKING),
    window("start-hang", "r6", "norespawn", "kill kill reap reap stop",
        "kill=10612 kill=10941 reap=10612 reap=10941 stop", LACKING),
    window("kill-string-timeout", "r1", "stub", "", "kill=24892", UNHURT_BY_KILL),
    window("kill-string-timeout", "r2", "stub", "", "kill=24892 reap=24892 stop", UNHURT_BY_KILL),
    window("kill-string-timeout", "r3", "stub", "reap stop", "", UNHURT_BY_KILL),
    window("owner", "r1", "x", "", "add remove", OWNER),
    window("owner", "r3", "y", "", "add remove", OWNER),
    window("surprises", "r1", "plain", "start kill reap stop", "kill reap stop",
        "a connection starts only whom it is for (docs/differences.md 108)"),
    window("surprises", "r5", "plain", "", "reap=7918 spawn=8077", AT_ONCE),
    window("surprises", "r11", "plain", "reap", "", AT_ONCE),
    window("surprises", "r12", "plain", "spawn", "", AT_ONCE),
    window("lifecycle", "r31", "family-nochild", "kill", "kill reap=31179 spawn=-1", AT_ONCE),
    window("lifecycle", "r32", "family-nochild", "reap stop", "kill reap=-1 stop", AT_ONCE),
    window("lifecycle", "r41", "zero", "stop", "start", ZERO),
    window("lifecycle", "r43", "zero", "", "spawn=31214", ZERO),
    window("lifecycle", "r45", "zero", "spawn start", "", ZERO),
];

const fn window(
    recording: &'static str,
    after: &'static str,
    watcher: &'static str,
    circus: &'static str,
    here: &'static str,
    why: &'static str,
) -> Window {
    Window { recording, after, watcher, circus, here, why }
}

pub const MIXED: &[Mixed] = &[Mixed { recording: "basic", watcher: "sleeper", why: AT_ONCE }];

pub const LATER: &[Later] = &[Later {
    recording: "conflict",
    before: "r70",
    why: "one priority after the other is stopped, the lowest first (docs/differences.md 44)",
}];

pub const SAME: &[Same] = &[
    Same { recording: "reloadconfig", pid: "14437", later: "22562", why: CHANGED },
    Same { recording: "reloadconfig", pid: "14481", later: "22564", why: CHANGED },
    Same { recording: "reloadconfig", pid: "14509", later: "22565", why: CHANGED },
    Same { recording: "errors", pid: "900004", later: "28625", why: AGE },
];

/// What is listed for a request.
pub fn find(recording: &str, label: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.recording == recording && row.label == label)
}

/// The names of all differences, as they are noted when they occur, each with its reason.
pub fn names() -> Vec<(String, &'static str)> {
    let classes = CLASSES.iter().map(|it| (it.name.to_owned(), it.why));
    let untold =
        [("untold deaths".to_owned(), "every death is published (docs/differences.md 65)")];
    let is_answered = |row: &&Row| !matches!(row.here, Here::Unsent | Here::Ask(_));
    let rows = ROWS.iter().filter(is_answered);
    let rows = rows.map(|it| (format!("{} {}", it.recording, it.label), it.why));
    let name = |it: &Window| format!("{} {} {}", it.recording, it.after, it.watcher);
    let windows = WINDOWS.iter().map(|it| (name(it), it.why));
    let later = LATER.iter().map(|it| (format!("{} before {}", it.recording, it.before), it.why));
    let mixed = MIXED.iter().map(|it| (format!("{} {} mixed", it.recording, it.watcher), it.why));
    let same = SAME.iter().map(|it| (format!("{} {}", it.recording, it.later), it.why));
    let rows = rows.chain(same);
    classes.chain(untold).chain(rows).chain(windows).chain(later).chain(mixed).collect()
}
