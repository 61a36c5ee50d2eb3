//! How each recording is played again: what its configuration becomes here, which scripts its
//! watchers run, what was done beside the requests, and what cannot be played yet, with reasons.

/// When something is done.
#[derive(Debug, Clone, Copy)]
pub enum When {
    /// Where the recorder wrote this note.
    Note(&'static str),
    /// When this request has its reply.
    After(&'static str),
    /// When a request with this note has its reply.
    AfterNoted(&'static str),
}

/// What is done beside the requests.
#[derive(Debug, Clone, Copy)]
pub enum Deed {
    /// A signal to circusd.
    Signal(&'static str),
    /// SIGKILL to the process that had this pid.
    Kill(i64),
    /// SIGKILL to a process with this command.
    KillCommand(&'static str),
    /// A request that the recorder made otherwise. It is answered with ok.
    Ask(&'static str),
    /// The configuration is now this, with more sections at its end.
    AddSections(&'static str),
    /// Another circusd with the same configuration, which must end and say why.
    SecondDaemon(&'static str),
}

/// For whom something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    Both,
    Circus,
    Here,
}

/// How one recording is played again.
#[derive(Debug, Clone)]
pub struct Plan {
    pub name: &'static str,
    /// What its configuration becomes.
    pub edit: fn(&str) -> String,
    pub scripts: &'static [(&'static str, &'static str)],
    pub folders: &'static [&'static str],
    /// Names under which programs can be called.
    pub links: &'static [(&'static str, &'static str)],
    pub deeds: &'static [(When, For, Deed)],
    /// `Closeness::repeating`.
    pub repeating: &'static [&'static str],
    /// `Closeness::with_children`.
    pub with_children: &'static [&'static str],
    /// Their processes end on SIGTERM, but only when the file `go` is there.
    pub held: &'static [&'static str],
    /// Watchers that are not in our configuration: replies are compared as if they had not been.
    pub absent: &'static [&'static str],
    /// Children that came and went while Circus looked.
    pub passing: &'static [i64],
    /// Requests that have the same effect without what is not built yet.
    pub substituted: &'static [(&'static str, &'static str)],
    /// The start takes a while, and the first request comes before its end.
    pub starts_slowly: bool,
    /// The control endpoint was tcp and shall be.
    pub tcp: bool,
    /// Requests that are not made, first and last, and why.
    pub skipped: &'static [(&'static str, &'static str, &'static str)],
    /// The order of watchers in a status is accidental in Circus.
    pub unordered: bool,
    /// The recorder lost its connection at this request: for Circus, nothing after it is compared.
    pub deaf_after: &'static str,
    /// It can only be played with us: Circus hangs, or it is all about the moment.
    pub only_here: bool,
}

const PLAIN: Plan = Plan {
    name: "",
    edit: str::to_owned,
    scripts: &[],
    folders: &[],
    links: &[],
    deeds: &[],
    repeating: &[],
    with_children: &[],
    held: &[],
    absent: &[],
    passing: &[],
    substituted: &[],
    starts_slowly: false,
    tcp: false,
    skipped: &[],
    unordered: false,
    deaf_after: "",
    only_here: false,
};

/// Recordings that are not played at all yet, and why.
pub const NOT_PLAYED: [(&str, &str); 7] = [
    ("circusctl", "what circusctl does in between is tested with circusctl"),
    ("sockets", "the configuration is refused (docs/differences.md 107)"),
    ("ondemand-first", "a waiting watcher holds up nobody (docs/differences.md 108 and 109)"),
    ("ondemand-not-first", "a waiting watcher holds up nobody (docs/differences.md 108 and 109)"),
    ("streams", "not built yet: streams"),
    ("output-at-exit", "not built yet: streams"),
    ("one-bad-watcher", "the configuration is refused (docs/differences.md 2)"),
];

const STREAMS: &str = "not built yet: streams";
const HOOKS: &str = "a function is looked for when it is called (docs/differences.md 92)";
const PLUGINS: &str = "not built yet: plugins";
const STATISTICS: &str = "not built yet: statsd";

/// Ends on SIGTERM when it may.
const SLOW: &str = "\
#!/bin/sh
trap 'while [ ! -e go ]; do sleep 0.02; done; exit 0' TERM
while :; do sleep 0.05; done
";

/// Ignores SIGTERM, as its children do.
const STUB: &str = "\
#!/bin/sh
trap '' TERM
sleep 1222 &
(sh -c 'trap \"\" TERM; while :; do sleep 0.2; done') &
while :; do sleep 0.2; done
";

/// Two children stay, a third comes and goes.
const FAMILY: &str = "\
#!/bin/sh
trap 'exit 0' TERM
sleep 1222 &
sleep 1222 &
while :; do sleep 0.05; done
";

/// Has children that outlive it.
const ORPHAN: &str = "\
#!/bin/sh
(sh -c 'exit 0' &)
sleep 2555
";

/// Takes any words.
const PROBE: &str = "\
#!/bin/sh
exec sleep 1555
";

/// One function for each way to answer.
const MY_HOOKS: &str = "\
def log(**kwargs):
    return True

def false(**kwargs):
    return False

def none(**kwargs):
    return None

def boom(**kwargs):
    raise RuntimeError('boom')
";

/// Watchers whose hooks are called at another time here.
const OTHER_HOOKS: [&str; 11] = [
    "all",
    "after_spawn-false",
    "after_spawn-none",
    "after_spawn-boom",
    "after_spawn-boomok",
    "before_signal-false",
    "before_signal-none",
    "before_signal-boom",
    "before_signal-boomok",
    "after_signal-boom",
    "before_reap-boom",
];

pub const PLANS: [Plan; 21] = [
    Plan {
        name: "hooks",
        edit: |text| {
            let text = without_sections(text, &["watcher:missing-hook"]);
            let text = without_watchers(&text, &OTHER_HOOKS);
            without_options(&text, &["hooks.on_full_moon"])
        },
        scripts: &[("myhooks.py", MY_HOOKS)],
        absent: &OTHER_HOOKS,
        skipped: &[
            (
                "r3",
                "r10",
                "hooks that nothing waits for (docs/differences.md 96), and extended_stats",
            ),
            (
                "r59",
                "r74",
                "spawn is published before after_spawn is called (docs/differences.md 97)",
            ),
            (
                "r75",
                "r90",
                "a process is replaced at once; SIGKILL does not wait (docs/differences.md 100)",
            ),
            ("r97", "r102", "hooks that nothing waits for (docs/differences.md 96)"),
            ("r103", "r107", "hooks that nothing waits for (docs/differences.md 96)"),
        ],
        only_here: true,
        ..PLAIN
    },
    Plan { name: "basic", ..PLAIN },
    Plan {
        name: "errors",
        tcp: true,
        with_children: &["sleeper"],
        substituted: &[
            (
                "r103",
                r#"{"command": "set", "properties": {"name": "sleeper", "options": {"cmd": "sleep 1003"}, "waiting": true}, "id": "r103"}"#,
            ),
            (
                "r104",
                r#"{"command": "set", "properties": {"name": "sleeper", "options": {"graceful_timeout": 30}, "waiting": true}, "id": "r104"}"#,
            ),
            (
                "r128",
                r#"{"command": "add", "properties": {"name": "a7", "cmd": "sleep 1"}, "id": "r128"}"#,
            ),
            (
                "r129",
                r#"{"command": "add", "properties": {"name": "a8", "cmd": "sleep 1", "start": true, "waiting": true}, "id": "r129"}"#,
            ),
            (
                "r131",
                r#"{"command": "add", "properties": {"name": "a9", "cmd": "sleep 1", "start": true, "waiting": true}, "id": "r131"}"#,
            ),
        ],
        skipped: &[
            ("r80", "r80", HOOKS),
            ("r81", "r83", STREAMS),
            ("r107", "r107", HOOKS),
            ("r130", "r130", STREAMS),
            ("r132", "r132", STREAMS),
        ],
        ..PLAIN
    },
    Plan {
        name: "lifecycle",
        scripts: &[("stub.sh", STUB), ("fam.sh", FAMILY)],
        deeds: &[(When::After("r55"), For::Both, Deed::Kill(31226))],
        repeating: &["crash", "sig", "aging"],
        with_children: &["stubborn", "family"],
        passing: &[31160, 31185],
        ..PLAIN
    },
    Plan { name: "conflict", scripts: &[("slow.sh", SLOW)], held: &["slow"], ..PLAIN },
    Plan {
        name: "priority",
        edit: |text| without_sections(text, &["socket:", "watcher:od"]),
        absent: &["od"],
        starts_slowly: true,
        ..PLAIN
    },
    Plan {
        name: "reloadconfig",
        unordered: true,
        edit: |text| {
            text.replace(
                "[plugin:p]\nuse = myplug.Plug",
                "[watcher:plugin:p]\ncmd = sleep 1444\npriority = 1",
            )
        },
        ..PLAIN
    },
    Plan {
        name: "signals",
        deaf_after: "r5",
        unordered: true,
        scripts: &[("slow.sh", SLOW)],
        held: &["slow"],
        deeds: &[
            (When::Note("--- SIGWINCH"), For::Both, Deed::Signal("WINCH")),
            (When::Note("--- SIGCHLD"), For::Both, Deed::Signal("CHLD")),
            (When::Note("--- SIGHUP"), For::Both, Deed::Signal("HUP")),
            (
                When::Note("--- SIGHUP during reload (conflict is silent)"),
                For::Both,
                Deed::Signal("HUP"),
            ),
            (When::After("r3"), For::Circus, Deed::Signal("TERM")),
            (
                When::Note(
                    "--- restart without name: whole daemon, same pid, configuration read again",
                ),
                For::Both,
                Deed::AddSections("[watcher:added]\ncmd = sleep 1777\n"),
            ),
            (When::Note("--- SIGTERM"), For::Both, Deed::Signal("TERM")),
        ],
        ..PLAIN
    },
    Plan {
        name: "poison",
        only_here: true,
        deeds: &[
            (
                When::AfterNoted("fresh client afterwards"),
                For::Both,
                Deed::KillCommand("sleep 1000"),
            ),
            (When::Note("child respawned afterwards: True"), For::Both, Deed::Signal("TERM")),
        ],
        ..PLAIN
    },
    Plan {
        name: "poison-others",
        only_here: true,
        deeds: &[(When::After("r7"), For::Both, Deed::Signal("TERM"))],
        ..PLAIN
    },
    Plan {
        name: "process",
        edit: |text| {
            let text = without_sections(
                text,
                &[
                    "watcher:stream",
                    "watcher:stream+close",
                    "watcher:rlim",
                    "watcher:rlimhigh",
                    "watcher:badgid",
                    "watcher:badquote",
                    "watcher:rlimbad",
                ],
            );
            let text = text.replace("$(circus.env.nope) ", "").replace("$(circus.my_opt) ", "");
            text.replace("my_opt = hello\n", "")
        },
        folders: &["sub"],
        scripts: &[("probe.sh", PROBE)],
        repeating: &["shell2"],
        absent: &["stream", "stream+close", "badgid", "badquote", "rlimbad", "rlim", "rlimhigh"],
        unordered: true,
        skipped: &[
            ("r15", "r15", "the kernel's word, not circusd's: a limit above the hard one"),
            ("r17", "r17", "the kernel's word, not circusd's: a limit above the hard one"),
            ("r34", "r34", "the kernel's word, not circusd's: a limit above the hard one"),
            ("r16", "r16", "the configuration is refused (docs/differences.md 19)"),
            ("r25", "r26", STREAMS),
            ("r27", "r28", "the configuration is refused (docs/differences.md 19)"),
            ("r33", "r33", "the configuration is refused (docs/differences.md 16)"),
            ("r35", "r35", "the configuration is refused (docs/differences.md 1)"),
        ],
        ..PLAIN
    },
    Plan {
        name: "misc",
        edit: |text| without_options(text, &["statsd", "stats_endpoint"]),
        deeds: &[(When::After("r1"), For::Both, Deed::Kill(4573))],
        absent: &["circusd-stats"],
        ..PLAIN
    },
    Plan {
        name: "stats",
        edit: |text| {
            let text = text.replace("python3 srv.py $(circus.sockets.web)", "./python3 1333");
            let text = text.replace("use_sockets = True\n", "");
            without_options(&text, &["statsd", "stats_endpoint", "debug"])
        },
        links: &[("python3", "/bin/sleep")],
        absent: &["circusd-stats"],
        skipped: &[("r3", "r3", STATISTICS)],
        ..PLAIN
    },
    Plan {
        name: "plugins",
        edit: |text| {
            // A plugin adds a process to beta.
            without_sections(text, &["plugin:", "watcher:beta"])
        },
        absent: &["plugin:myplug", "plugin:flapping", "plugin:named", "beta"],
        repeating: &["flap", "flap-off", "flap-own"],
        skipped: &[("r3", "r5", PLUGINS), ("r14", "r14", PLUGINS)],
        ..PLAIN
    },
    Plan { name: "owner", ..PLAIN },
    Plan { name: "race-on-reap", repeating: &["flap"], only_here: true, ..PLAIN },
    Plan {
        name: "pid1",
        scripts: &[("orphan.sh", ORPHAN)],
        with_children: &["leak"],
        deeds: &[(When::Note("SIGTERM to PID 1"), For::Both, Deed::Signal("TERM"))],
        ..PLAIN
    },
    Plan {
        name: "start-hang",
        deeds: &[
            (When::After("r1"), For::Both, Deed::Kill(10611)),
            (When::After("r5"), For::Circus, Deed::Signal("TERM")),
        ],
        only_here: true,
        ..PLAIN
    },
    Plan {
        name: "kill-string-timeout",
        scripts: &[("stub.sh", STUB)],
        deeds: &[(
            When::After("r1"),
            For::Both,
            Deed::Ask(
                r#"{"command": "kill", "properties": {"name": "stub", "graceful_timeout": "1"}}"#,
            ),
        )],
        only_here: true,
        ..PLAIN
    },
    Plan {
        name: "ipc-steal",
        deeds: &[(
            When::Note("--- a second circusd on the same ipc endpoints"),
            For::Here,
            Deed::SecondDaemon("another circusd"),
        )],
        only_here: true,
        ..PLAIN
    },
    Plan {
        name: "surprises",
        edit: |text| {
            let text = text.replace("graceful_timeout = 4", "graceful_timeout = 1");
            without_sections(&text, &["socket:", "watcher:od"])
        },
        absent: &["od"],
        deeds: &[
            (When::After("r5"), For::Both, Deed::KillCommand("sleep 2888")),
            (When::Note("--- SIGTERM during the age-out"), For::Circus, Deed::Signal("TERM")),
        ],
        repeating: &["aging"],
        skipped: &[
            ("r2", "r3", "a connection starts only whom it is for (docs/differences.md 108)"),
            ("r12", "r12", "a connection starts only whom it is for (docs/differences.md 108)"),
        ],
        only_here: true,
        ..PLAIN
    },
];

/// The text without the sections whose headers begin so.
fn without_sections(text: &str, headers: &[&str]) -> String {
    let mut is_out = false;
    let mut result = String::new();
    for line in text.lines() {
        if let Some(header) = line.strip_prefix('[') {
            is_out = headers.iter().any(|start| match start.strip_suffix(':') {
                Some(_) => header.starts_with(start),
                None => header == format!("{start}]"),
            });
        }
        if !is_out {
            result.push_str(line);
            result.push('\n');
        }
    }
    result
}

/// The text without these watchers.
fn without_watchers(text: &str, names: &[&str]) -> String {
    let headers: Vec<String> = names.iter().map(|name| format!("watcher:{name}")).collect();
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    without_sections(text, &headers)
}

/// The text without these options.
fn without_options(text: &str, names: &[&str]) -> String {
    let is_out =
        |line: &&str| line.split_once('=').is_some_and(|(name, _)| names.contains(&name.trim()));
    text.lines().filter(|line| !is_out(line)).map(|line| format!("{line}\n")).collect()
}
