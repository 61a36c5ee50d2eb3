//! Stories of whole files: what is true of a configuration when it is loaded.

use super::settings::{Config, Variable};
use super::{Source, load, options};
use crate::pattern;
use std::collections::BTreeMap;

/// Files in memory.
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    pub fn new(files: &[(&str, &str)]) -> Files {
        Files(
            files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec())).collect(),
        )
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or("No such file or directory".to_owned())
    }

    fn glob(&self, wanted: &str) -> Vec<String> {
        let matches = |path: &&String| pattern::matches(wanted, path);
        self.0.keys().filter(matches).cloned().collect()
    }

    fn current_dir(&self) -> String {
        "/work".to_owned()
    }
}

pub fn variables(environment: &[(&str, &str)]) -> Vec<Variable> {
    let bytes = |text: &str| Box::from(text.as_bytes());
    environment.iter().map(|(name, value)| (bytes(name), bytes(value))).collect()
}

pub fn load_files(
    files: &[(&str, &str)],
    environment: &[(&str, &str)],
) -> Result<Config, Vec<String>> {
    load("/etc/c.ini", &variables(environment), &Files::new(files))
        .map_err(|mistakes| mistakes.iter().map(|mistake| mistake.to_string()).collect())
}

pub fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    load_files(&[("/etc/c.ini", text)], environment)
}

fn mistakes(text: &str) -> Vec<String> {
    load_text(text, &[("HOME", "/home"), ("TOKEN", "s3cret")]).expect_err("has mistakes")
}

#[test]
fn mistakes_of_all_files_are_reported_together() {
    let main = "[circus]\ninclude = more.ini\nstatsd = maybe\n[watcher:a]\ncmd = x $(circus.env.NOPE)\n\
         numprocesses = two\nstop_signal = FOO\nsingelton = 1\n[watchers:b]\ncmd = y\n";
    let found = load_files(
        &[("/etc/c.ini", main), ("/etc/more.ini", "[watcher:z]\nargs = 'x\noops\n")],
        &[],
    )
    .expect_err("has mistakes");
    let beginnings = [
        "/etc/c.ini:3: statsd: `maybe` is neither true nor false",
        "/etc/c.ini:5: cmd: variable NOPE is not set",
        "/etc/c.ini:6: numprocesses: `two` is not a whole number from 0 to 10000",
        "/etc/c.ini:7: stop_signal: `FOO` is no signal",
        "/etc/c.ini:8: singelton: is no option of [watcher:NAME]; did you mean `singleton`?",
        "/etc/c.ini:9: [watchers:b]: is no kind of section; did you mean `[watcher:b]`?",
        "/etc/more.ini:1: cmd: is missing",
        "/etc/more.ini:3: oops: has no value",
    ];
    assert_eq!(found.len(), beginnings.len(), "{found:#?}");
    for (found, beginning) in found.iter().zip(beginnings) {
        assert!(found.starts_with(beginning), "{found}");
    }
}

#[test]
fn the_value_of_a_variable_is_never_shown_in_a_mistake() {
    let text = "[env]\nT = $TOKEN\n[watcher:a]\ncmd = 'x $(circus.env.TOKEN)\nnumprocesses = $(circus.env.T)\n\
         uid = $(circus.env.TOKEN)\nready = $(circus.env.T)\nforward_signals = USR1 $(circus.env.T)\n\
         capabilities = $(circus.env.T)\nrespawn = $(circus.env.TOKENS)\n";
    let found = mistakes(text);
    assert!(found.len() >= 6, "{found:#?}");
    assert!(!found.concat().contains("s3cret"), "{found:#?}");
}

#[test]
fn options_that_come_from_files_are_masked() {
    let config = load_files(
        &[
            (
                "/etc/c.ini",
                "[env]\nPASSWORD = $(circus.file.secret)\nPLAIN = 1\n[watcher:a]\ncmd = x $(circus.env.PASSWORD)\nargs = y\n",
            ),
            ("/etc/secret", "s3cret\n"),
        ],
        &[],
    );
    let config = config.expect("loads");
    let watcher = &config.watchers[0];
    assert_eq!(&*watcher.cmd, "x s3cret");
    assert_eq!(&*watcher.masked, [Box::from("cmd")]);
    assert_eq!(&*watcher.environment.masked, [Box::from(&b"PASSWORD"[..])]);
}

#[test]
fn environments_are_layered_and_shared() {
    let text = "[env]\nA = general\nB = $HOME/x\n[env:w*]\nA = star\n[env:w1]\nC = $(circus.env.HOME)\n\
         [watcher:w1]\ncmd = x\n[watcher:w2]\ncmd = x $(circus.env.A)\n[watcher:w3]\ncmd = x\ncopy_env = 0\n[watcher:w4]\ncmd = x\n";
    let config = load_text(text, &[("HOME", "/h$B"), ("A", "inherited")]).expect("loads");
    let set = |index: usize| -> Vec<String> {
        let variables = config.watchers[index].environment.set.iter();
        variables.map(|(n, v)| format!("{}={}", n.escape_ascii(), v.escape_ascii())).collect()
    };
    assert_eq!(set(0), ["A=star", "B=/h$B/x", "C=/h$B"]);
    assert_eq!(set(1), ["A=star", "B=/h$B/x"]);
    assert_eq!(&*config.watchers[1].cmd, "x star");
    assert!(!config.watchers[2].environment.inherit);
    assert!(std::rc::Rc::ptr_eq(&config.watchers[1].environment, &config.watchers[3].environment));
}

#[test]
fn files_give_variables() {
    let files = [
        (
            "/etc/c.ini",
            "[watcher:a]\ncmd = x $(circus.env.GREETING)\nenv_file = app.env ?none.env\nenv_from_files = True\n[env:a]\nB = section\n",
        ),
        ("/etc/app.env", "GREETING=1\nB=file\nDB_PASSWORD_FILE=/run/secret\n"),
        ("/run/secret", "pw\n"),
    ];
    let config = load_files(&files, &[("KEY_FILE", "/run/secret"), ("KEY", "set")]).expect("loads");
    let watcher = &config.watchers[0];
    let value = |name: &str| {
        let found = watcher.environment.set.iter().find(|(known, _)| &**known == name.as_bytes());
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    };
    assert_eq!(&*watcher.cmd, "x 1");
    assert_eq!(value("B").as_deref(), Some("section"));
    assert_eq!(value("DB_PASSWORD").as_deref(), Some("pw"));
    assert_eq!(value("KEY"), None);
    let missing = load_text("[watcher:a]\ncmd = x\nenv_file = none.env\n", &[]);
    assert!(missing.expect_err("missing")[0].contains("env_file: cannot read none.env"));
}

#[test]
fn a_python_environment_comes_first() {
    let files = [
        ("/etc/c.ini", "[watcher:a]\ncmd = x\nvirtualenv = venv\n"),
        ("/work/venv/lib/python3.12", ""),
    ];
    let config = load_files(&files, &[("PATH", "/bin")]).expect("loads");
    let set = config.watchers[0].environment.set.iter();
    let set: Vec<_> =
        set.map(|(n, v)| format!("{}={}", n.escape_ascii(), v.escape_ascii())).collect();
    let modules = "PYTHONPATH=/work/venv/lib/python3.12/site-packages";
    assert_eq!(set, ["PATH=/work/venv/bin:/bin", modules, "VIRTUAL_ENV=/work/venv"]);
}

#[test]
fn a_variable_switches_a_section() {
    let text = "[watcher:a]\ncmd = x\ndepends_on = b\n[watcher:b]\nenabled = $(circus.env.B:-true)\ncmd = y $(circus.env.HOME)\n";
    assert_eq!(load_text(text, &[("HOME", "/")]).expect("loads").watchers.len(), 2);
    let config = load_text(text, &[("B", "no")]).expect("loads without looking into the section");
    assert_eq!(config.watchers.len(), 1);
    assert!(config.warnings[0].contains("switched off"), "{:?}", config.warnings);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    for (text, expected) in [
        ("[watcher:a]\ncmd = x\n[watcher:A]\ncmd = y\n", "has the same name as"),
        ("[watcher:a]\ncmd = x\nsingleton = 1\nnumprocesses = 2\n", "more than 1 for a singleton"),
        ("[watcher:a]\ncmd =\n", "is missing"),
        ("[watcher:a]\ncmd = $(circus.env.HOME:-)$(circus.env.E:-)\n[env]\nHOME =\n", "is missing"),
        ("[watcher:a]\ncmd = x\ndepends_on = a1\n[watcher:a2]\ncmd = x\n", "did you mean `a2`?"),
        (
            "[watcher:a]\ncmd = x\ndepends_on = b\n[watcher:b]\ncmd = x\ndepends_on = a:started\n",
            "a -> b -> a",
        ),
        ("[watcher:a]\ncmd = x\nforward_signals = TERM\n", "stop_signal"),
        ("[watcher:a]\ncmd = x\nuid = web\n", "write the number"),
        ("[watcher:a]\ncmd = x\nworking_dir = /x/$(circus.wid)\n", "only when a process starts"),
        ("[watcher:a]\ncmd = x\nstdout_stream = FileStream\n", "stdout_stream.class"),
        ("[watcher:a]\ncmd = x\nflap.x = 1\n", "is no option"),
        ("[watcher:]\ncmd = x\n", "has no name"),
        ("[DEFAULT]\nnumproceses = 3\n[watcher:a]\ncmd = x\n", "did you mean `numprocesses`?"),
    ] {
        let found = mistakes(text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn a_variable_switches_a_section_of_any_kind() {
    let text = "[circus]\nenabled = $(circus.env.ON:-true)\numask = 027\ninclude = more.ini\n\
         [DEFAULT]\nenabled = $(circus.env.ALL:-true)\nnumprocesses = 3\n\
         [env]\nenabled = $(circus.env.ON:-true)\nA = 1\n[env:a]\nenabled = $(circus.env.ON:-true)\nB = 2\n\
         [socket:web]\nenabled = $(circus.env.ON:-true)\n[plugin:p]\nenabled = $(circus.env.ON:-true)\nuse = a.B\n\
         [watcher:a]\ncmd = x\nenabled = true\n[watcher:b]\nenabled = $(circus.env.ON:-true)\ncmd = x\n";
    let files = [("/etc/c.ini", text), ("/etc/more.ini", "[watcher:c]\ncmd = x\n")];
    let config = load_files(&files, &[]).expect("loads");
    assert_eq!(config.circus.umask, Some(0o27));
    assert_eq!((config.watchers.len(), config.watchers[0].environment.set.len()), (3, 2));
    assert_eq!((config.watchers[0].numprocesses, config.unsupported.len()), (3, 1));
    assert_eq!(config.sockets.len(), 1);
    for off in ["false", "0", "No", "off"] {
        let config = load_files(&files, &[("ON", off)]).expect("loads");
        assert_eq!(config.circus.umask, None);
        let [a] = &config.watchers[..] else { panic!("{:?}", config.watchers) };
        assert_eq!((a.environment.set.len(), a.numprocesses), (0, 3));
        assert!(config.unsupported.is_empty(), "{:?}", config.unsupported);
        assert!(config.sockets.is_empty());
    }
    // Switched off, [DEFAULT] gives nothing, `enabled` neither.
    let config = load_files(&files, &[("ALL", "no")]).expect("loads");
    assert_eq!(config.watchers.len(), 3);
    let wrong = load_files(&files, &[("ON", "maybe")]).expect_err("neither true nor false");
    assert_eq!(wrong.len(), 6, "{wrong:#?}");
    assert!(wrong.iter().all(|mistake| mistake.contains("enabled: ")), "{wrong:#?}");
}

#[test]
fn what_a_file_holds_is_shown_nowhere_in_whatever_option() {
    let text = "[env]\nA = a $(circus.file.s)\n[watcher:w]\ncmd = x $(circus.env.A)\nargs = $(circus.file./etc/s)\n\
         x_mine = ((circus.env.b))\ncheck = exec:test $(circus.file.s)\nready = unix:///$(circus.env.D)\nenv_file = e\n\
         hooks.before_start = /hook $(circus.env.C), True\nworking_dir = /$(circus.env.C)\nenv_from_files = True\n\
         [env:w]\nC_FILE = /etc/s\nPLAIN = p\n[watcher:v]\ncmd = x\n";
    let files = [("/etc/c.ini", text), ("/etc/s", "s3cret\n"), ("/etc/e", "B=s3cret\nD=s3cret\n")];
    let config = load_files(&files, &[]).expect("loads");
    let [_, watcher] = &config.watchers[..] else { panic!("two") };
    assert_eq!((&*watcher.cmd, &*watcher.args), ("x a s3cret", "s3cret"));
    let all = super::shown_options(watcher, "/srv");
    assert!(!format!("{all:?}").contains("s3cret"), "{all:?}");
    let shown = |name: &str| all.iter().find(|(known, _)| **known == *name).map(|(_, value)| value);
    let env = serde_json::json!({"A": "***", "B": "***", "C": "***", "C_FILE": "/etc/s", "D": "***", "PLAIN": "p"});
    assert_eq!(shown("env"), Some(&env));
    for name in ["cmd", "args", "x_mine", "check", "ready", "hooks.before_start", "working_dir"] {
        assert_eq!(shown(name), Some(&"***".into()), "{name}");
    }
    // Sent back, all stays as it is.
    for (name, value) in all.into_iter().filter(|(_, value)| *value == "***") {
        let files = Files::new(&[]);
        let same = super::changed(watcher, &[(name, value)], &files, &config.watchers);
        assert_eq!(same.expect("taken").0, **watcher);
    }
}

#[test]
fn names_of_files_give_variables_that_commands_can_use() {
    let text = "[watcher:a]\ncmd = x $(circus.env.DB_PASSWORD)\nenv_from_files = True\n\
         [watcher:b]\ncmd = x $(circus.env.DB_PASSWORD:-none)\n[watcher:c]\ncmd = x\ncopy_env = False\nenv_from_files = True\n";
    let files = [("/etc/c.ini", text), ("/run/x", "pw\r\n")];
    let environment = [("DB_PASSWORD_FILE", "/run/x"), ("_FILE", "/none"), ("EMPTY_FILE", "")];
    let config = load_files(&files, &environment).expect("loads");
    let [a, b, c] = &config.watchers[..] else { panic!("three") };
    assert_eq!((&*a.cmd, &*b.cmd), ("x pw", "x none"));
    assert_eq!(*a.masked, [Box::from("cmd")]);
    let password = (b"DB_PASSWORD"[..].into(), b"pw"[..].into());
    assert_eq!(*a.environment.set, [password]);
    assert!(b.environment.set.is_empty() && c.environment.set.is_empty());
    let missing = load_files(&files[..1], &environment).expect_err("missing");
    assert_eq!(missing.len(), 1, "what follows from it is not told: {missing:#?}");
    let expected = "/etc/c.ini:3: env_from_files: cannot read the file that DB_PASSWORD_FILE names";
    assert!(missing[0].starts_with(expected), "{missing:#?}");
}

#[test]
fn dependencies_probes_and_hooks_become_settings() {
    use super::settings::{Gate, HookCommand, HookName, Liveness, Probe, Readiness};
    let text = "[watcher:web]\ncmd = x\ndepends_on = db, migrate\n  cache:started, a:b:ready\nready = http://localhost:80/up\n\
         ready_timeout = 2.5\ncheck = exec:test $(circus.wid) $(circus.env.HOME)\ncheck_retries = 5\nhook_timeout = 7\n\
         hooks.before_stop = /bin/x $(circus.wid)\nhooks.before_start = a.b, True\n\
         [watcher:db]\ncmd = x\n[watcher:migrate]\ncmd = x\noneshot = 1\n[watcher:cache]\ncmd = x\n[watcher:a:b]\ncmd = x\n";
    let config = load_text(text, &[("HOME", "/h")]).expect("loads");
    assert!(config.unsupported.is_empty() && config.warnings.is_empty(), "{config:?}");
    let web = config.watchers.iter().find(|watcher| &*watcher.name == "web").expect("there");
    let gates: Vec<_> = web.depends_on.iter().map(|one| (&*one.name, one.gate)).collect();
    assert_eq!(
        gates,
        [
            ("db", Gate::Ready),
            ("migrate", Gate::Completed),
            ("cache", Gate::Started),
            ("a:b", Gate::Ready)
        ]
    );
    let up = Probe::Http { host: "localhost".into(), port: 80, path: "/up".into() };
    assert_eq!((&web.ready, web.ready_timeout_ms), (&Readiness::Probe(up), 2500));
    let check = web.check.as_ref().expect("there is one");
    assert_eq!(check.by, Liveness::Probe(Probe::Exec("test $(circus.wid) /h".into())));
    assert_eq!((check.interval_ms, check.timeout_ms, check.retries), (10_000, 3000, 5));
    let hooks: Vec<_> = web.hooks.iter().map(|hook| (hook.name, &hook.run)).collect();
    let function = HookCommand::Python("a.b".into());
    let command = HookCommand::Command("/bin/x $(circus.wid)".into());
    let expected = [(HookName::BeforeStart, &function), (HookName::BeforeStop, &command)];
    assert_eq!((&hooks[..], web.hook_timeout_ms), (&expected[..], 7000));
    // Nothing is written: what the table says.
    let db = config.watchers.iter().find(|watcher| &*watcher.name == "db").expect("there");
    assert_eq!(
        (&db.ready, db.ready_timeout_ms, db.hook_timeout_ms),
        (&Readiness::Started, 60_000, 30_000)
    );
    assert!(db.check.is_none() && db.hooks.is_empty() && db.depends_on.is_empty());
}

#[test]
fn what_would_never_start_is_refused_by_name() {
    let others = "[watcher:b]\ncmd = x\n[watcher:once]\ncmd = x\noneshot = 1\n";
    for (lines, expected) in [
        ("depends_on = a", "/etc/c.ini:3: depends_on: names the watcher itself"),
        (
            "depends_on = b:completed",
            "/etc/c.ini:3: depends_on: waits for ever: watcher b is no oneshot",
        ),
        (
            "depends_on = b:begun",
            "/etc/c.ini:3: depends_on: waits for `begun`; use one of started, ready, completed",
        ),
        (
            "depends_on = once:complted",
            "/etc/c.ini:3: depends_on: waits for `complted`, which nothing is; did you mean \
             `once:completed`?",
        ),
        ("depends_on = c:ready", "/etc/c.ini:3: depends_on: there is no watcher `c"),
        ("depends_on = , ,", "/etc/c.ini:3: depends_on: names no watcher"),
        (
            "ready = tcp://$(circus.wid):1",
            "/etc/c.ini:3: ready: `$(circus.wid)` is known only when",
        ),
        ("ready_timeout = 0.05", "/etc/c.ini:3: ready_timeout: `0.05` is too short"),
        ("check_interval = 0.01", "/etc/c.ini:3: check_interval: `0.01` is too short"),
        (
            "hooks.before_start = $(circus.nope)",
            "/etc/c.ini:3: hooks.before_start: `$(circus.nope)` is no variable",
        ),
    ] {
        let text = format!("[watcher:a]\ncmd = x\n{lines}\n{others}");
        let found = mistakes(&text);
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
    let text =
        format!("[watcher:a]\ncmd = x\ndepends_on = once:completed, once, b, b:started\n{others}");
    assert_eq!(load_text(&text, &[]).expect("loads").watchers[0].depends_on.len(), 2);
}

#[test]
fn what_will_surprise_is_told_with_its_place() {
    let hosts = "127.0.0.1 localhost\n10.0.0.7 Db.local db # cache\n";
    let warnings = |text: &str| {
        let config = load_files(&[("/etc/c.ini", text), ("/etc/hosts", hosts)], &[]);
        config.expect("loads").warnings
    };
    let others = "[watcher:b]\ncmd = x\n[watcher:once]\ncmd = x\noneshot = 1\n\
                  [watcher:e]\ncmd = x\nessential = 1\n";
    for (lines, expected) in [
        ("check_interval = 5", "/etc/c.ini:3: check_interval: is ignored without `check`"),
        (
            "ready = tcp://cache:80",
            "/etc/c.ini:3: ready: cache is no number and not in /etc/hosts here",
        ),
        (
            "check = http://cache/up",
            "/etc/c.ini:3: check: cache is no number and not in /etc/hosts here",
        ),
        (
            "depends_on = b, e, once\nessential = 1",
            "/etc/c.ini:3: depends_on: a is essential and b is not",
        ),
        ("x_note = 'one ; two'", "/etc/c.ini:3: x_note: has a comment that begins inside quotes"),
    ] {
        let found = warnings(&format!("[watcher:a]\ncmd = x\n{lines}\n{others}"));
        assert_eq!(found.len(), 1, "{lines}: {found:?}");
        assert!(found[0].starts_with(expected), "{lines}: {found:?}");
    }
    for lines in [
        "check = watchdog\ncheck_interval = 5",
        "ready = tcp://DB:80",
        "ready = tcp://localhost:80",
        "ready = tcp://[::1]:80",
        "ready = tcp://192.0.2.1:80",
        "depends_on = e, once\nessential = 1",
        "depends_on = b",
        "x_note = don't ; a comment",
        "x_note = 'one; two'",
        "x_note = 'one' ; 'two'",
    ] {
        let found = warnings(&format!("[watcher:a]\ncmd = x\n{lines}\n{others}"));
        assert!(found.is_empty(), "{lines}: {found:?}");
    }
}

#[test]
fn a_quote_that_a_comment_has_cut_is_explained() {
    let found = mistakes("[watcher:a]\ncmd = sh -c 'sleep 1 ; date'\n");
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|it| it.starts_with("/etc/c.ini:2: cmd: ")), "{found:?}");
    assert!(found.iter().any(|it| it.contains("a semicolon after a blank")), "{found:?}");
}

#[test]
fn a_oneshot_is_ready_when_it_has_completed() {
    let text = "[watcher:a]\ncmd = x\noneshot = 1\nready = notify\n";
    let config = load_text(text, &[]).expect("loads");
    assert!(
        config.warnings[0].contains("/etc/c.ini:4: ready: is ignored"),
        "{:?}",
        config.warnings
    );
    assert_eq!(config.watchers[0].ready, super::settings::Readiness::Started);
}

#[test]
fn a_dependency_that_has_become_a_oneshot_is_a_difference() {
    let text = |more| format!("[watcher:a]\ncmd = x\ndepends_on = b\n[watcher:b]\ncmd = x\n{more}");
    let config = |more| load_text(&text(more), &[]).expect("loads").watchers.remove(0);
    let names = super::differences(&config(""), &config("oneshot = 1\n"));
    assert_eq!(names, [Box::from("depends_on")]);
    assert_eq!(super::strongest(&names), super::options::Change::Adjust);
}

#[test]
fn defaults_are_those_of_the_table_and_of_the_default_section() {
    let config = load_text(
        "[DEFAULT]\ngraceful_timeout = 2\nhost = ::1\n[watcher:a]\ncmd = x\noneshot = 1\n[watcher:b]\ncmd = x\nname = c\n\
         graceful_timeout = 3\nx_mine = 1\nflapping.attempts = 2\n",
        &[],
    )
    .expect("loads");
    let [a, c] = &config.watchers[..] else { panic!("two watchers") };
    assert_eq!(
        (&*a.name, a.graceful_timeout_ms, a.respawn),
        ("a", 2000, super::settings::Respawn::Never)
    );
    assert_eq!(
        (&*c.name, c.graceful_timeout_ms, c.respawn),
        ("c", 3000, super::settings::Respawn::Always)
    );
    assert_eq!((a.backoff_ms, a.backoff_max_ms, a.healthy_after_ms), (100, 5000, 10_000));
    assert!(a.kill_tree && a.autostart && a.close_child_stdin && a.environment.inherit);
    assert_eq!(c.free.len(), 2);
    assert!(a.environment.set.is_empty());
}

#[test]
fn what_is_not_done_yet_is_listed_in_a_few_words() {
    let config = load_text(
        "[circus]\nendpoint = tcp://127.0.0.1:5555\nhttpd = True\nstatsd = False\nmulticast_endpoint =\n[socket:web]\nport = 80\n\
         [watcher:web]\ncmd = x\ncopy_path = True\non_demand = False\nstdout_stream.class = FileStream\n\
         stdout_stream.filename = x\nhooks.before_start = a.b\nready = started\n[plugin:p]\nuse = a.B\nfree = $(circus.env.HOME:-x)\n",
        &[],
    );
    assert_eq!(
        config.expect("loads").unsupported,
        ["[circus]: httpd", "[plugin:p]", "watcher web: copy_path",]
    );
}

#[test]
fn a_watcher_is_held_in_few_bytes() {
    let size = size_of::<super::settings::WatcherSettings>();
    assert!(size <= 480, "{size}");
}

#[test]
fn no_text_whatever_makes_it_panic() {
    const WORDS: [&str; 40] = [
        "[watcher:a]\n",
        "[env:a*]\n",
        "[circus]\n",
        "[socket:x]\n",
        "[plugin:p]\n",
        "[DEFAULT]\n",
        "[env]\n",
        "[",
        "]",
        "\n",
        "\n  ",
        "=",
        " = ",
        ":",
        ";",
        " ;",
        "#",
        "$(circus.env.",
        "((circus.",
        "$(circus.file.",
        "$(CIRCUS.wid",
        ")",
        "))",
        ":-",
        "$HOME",
        "'",
        "\"",
        "\\",
        "é",
        "\0",
        "\u{feff}",
        "cmd = x\n",
        "numprocesses",
        "rlimit_",
        "stdout_stream.",
        "hooks.",
        "depends_on = a, b\n",
        "-1",
        "include = *\n",
        "enabled",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let valid = include_str!("../../tests/data/circus/process.ini");
    for round in 0..3000 {
        let mut text = match round % 4 {
            0 => valid.as_bytes().to_vec(),
            _ => (0..random(40)).flat_map(|_| WORDS[random(40)].bytes()).collect(),
        };
        for _ in 0..random(6) {
            let at = random(text.len() + 1);
            text.splice(at..at, WORDS[random(40)].bytes());
        }
        if round % 5 == 0 && !text.is_empty() {
            let at = random(text.len());
            text[at] = random(256) as u8;
        }
        let files = Files(BTreeMap::from([("/etc/c.ini".to_owned(), text)]));
        if let Ok(config) =
            load("/etc/c.ini", &variables(&[("HOME", "$(circus.env.HOME)")]), &files)
        {
            for watcher in &config.watchers {
                let _ = super::program::program(watcher, 1, &[], &[]);
            }
        }
    }
}

#[test]
fn no_options_of_a_client_whatever_make_it_panic() {
    use super::options::WATCHER;
    use serde_json::{Value, json};
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("x"),
        json!("***"),
        json!("'"),
        json!("$(circus.wid"),
        json!("é\0"),
        json!([]),
        json!([[1], {"a": null}]),
        json!({}),
        json!({"class": "x", "é=": "\0", "before_start": "a.b"}),
    ];
    let names = WATCHER.iter().flat_map(|row| [row.name.to_owned(), row.name.replace('*', "x")]);
    let more = ["env", "hooks", "stdout_stream", "retry_in", "", "rlimit_nofile", "stdout_stream."];
    let all = load_text("[watcher:a]\ncmd = x\n", &[]).expect("loads").watchers;
    let base = all[0].clone();
    let files = Files::new(&[]);
    for name in names.chain(more.map(str::to_owned)) {
        for value in &values {
            let options: [(Box<str>, Value); 1] = [(name.as_str().into(), value.clone())];
            if let Ok((settings, _)) = super::changed(&base, &options, &files, &all) {
                let _ = super::program::program(&settings, 1, &[], &[]);
                let _ = super::shown_options(&settings, "/");
                let _ = super::differences(&base, &settings);
            }
            let _ = super::added(&name, "x", Some(value), &options, &files, &all);
        }
    }
}

/// Whatever an option makes of it.
#[test]
fn what_comes_from_a_file_is_in_no_mistake_and_no_warning() {
    let watcher = options::WATCHER.iter().map(|row| ("[watcher:a]\ncmd = x\n", row.name));
    let circus = options::CIRCUS.iter().map(|row| ("[circus]\n", row.name));
    let socket = options::SOCKET.iter().map(|row| ("[socket:a]\n", row.name));
    for (section, name) in watcher.chain(circus).chain(socket) {
        let section = if name == "cmd" { "[watcher:a]\n" } else { section };
        let name = name.replace('*', "x");
        for value in ["$(circus.file.s)", "/$(circus.file.s) x"] {
            for content in ["hunter2", "hunter2\nhunter2 hunter2=hunter2", "99999999999hunter2"] {
                let text = format!("{section}{name} = {value}\n");
                let said = match load_files(&[("/etc/c.ini", &text), ("/etc/s", content)], &[]) {
                    Ok(config) => [config.warnings, config.unsupported].concat(),
                    Err(mistakes) => mistakes.iter().map(|mistake| mistake.to_string()).collect(),
                };
                assert!(!said.iter().any(|line| line.contains("hunter2")), "{name}: {said:?}");
            }
        }
    }
}
