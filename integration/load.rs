//! gunicorn on a socket of circusd, under continuous new connections: its workers are reloaded,
//! killed, added and taken away, and nobody is turned away.

use crate::container::{CONFIG, Container};
use crate::docker::{self, Ended};
use crate::image;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Stdio};

/// Loaded before it says that it is ready (`--preload`), so the old ones stay until then.
const INI: &str = "
[socket:web]
host = 0.0.0.0
port = 8000

[watcher:web]
cmd = gunicorn --workers 1 --preload --bind fd://$(circus.sockets.web) app:app
working_dir = /srv
numprocesses = 4
ready = notify
";

const APP: &str = "
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'served\\n']
";

/// How often.
const RELOADS: usize = 20;
const IDLE_KILLS: u64 = 50;
const BLIND_KILLS: u64 = 10;

#[test]
fn nobody_is_refused_reset_or_unanswered_while_gunicorn_is_reloaded_killed_and_resized() {
    if !docker::is_here() {
        return;
    }
    let container = gunicorn();
    let change = |words: &[&str]| {
        container.operate(&[&["--timeout", "120"], words, &["--waiting"]].concat());
    };

    let load = Load::begin(&container);
    for _ in 0..RELOADS {
        change(&["reload", "web"]);
    }
    load.end("graceful reloads").all_were_answered();

    let load = Load::begin(&container);
    for _ in 0..RELOADS {
        change(&["reload", "web", "--sequential"]);
    }
    load.end("sequential reloads").all_were_answered();

    let load = Load::begin(&container);
    kill(&container, "idle", IDLE_KILLS);
    load.end("kills of idle workers").all_were_answered();

    let load = Load::begin(&container);
    for _ in 0..5 {
        change(&["incr", "web", "2"]);
        change(&["decr", "web", "3"]);
        change(&["incr", "web"]);
    }
    load.end("more and fewer workers").all_were_answered();

    // Whoever is just being served by a killed worker loses, and nobody else.
    let load = Load::begin(&container);
    kill(&container, "any", BLIND_KILLS);
    load.end("kills of any worker").at_most_were_cut_off(BLIND_KILLS);

    container.stop(20);
    assert_eq!(container.exit_code(), 0);
}

fn gunicorn() -> Container {
    let file = image::workshop().join("load-app.py");
    fs::write(&file, APP).expect("target/ is writable");
    let app = format!("{}:/srv/app.py:ro", file.display());
    let helpers = image::project().join("integration/python");
    let helpers = format!("{}:/helpers:ro", helpers.display());
    let container =
        Container::with_config_in(&["-v", &app, "-v", &helpers], &image::servers(), INI, &[CONFIG]);
    container.wait_for_sh("python3 /helpers/get.py http://127.0.0.1:8000/");
    container
}

#[track_caller]
fn kill(container: &Container, kind: &str, times: u64) {
    let words = ["python3", "/helpers/kill.py", kind, "web", &times.to_string()];
    let ended = container.exec(&words);
    assert_eq!((ended.code, ended.stdout), (0, format!("killed {times}\n")), "{}", ended.stderr);
}

/// Clients in the container, until `end`; they end too when the test does.
struct Load {
    clients: Child,
}

impl Load {
    #[track_caller]
    fn begin(container: &Container) -> Load {
        container.sh("rm -f /tmp/asking");
        let words = ["exec", "-i", container.name(), "python3", "/helpers/load.py", "8000"];
        let mut clients = docker::command(&words);
        clients.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let clients = clients.spawn().expect("docker was found before");
        container.wait_for_sh("test -e /tmp/asking");
        Load { clients }
    }

    #[track_caller]
    fn end(self, during: &'static str) -> Counts {
        let output = self.clients.wait_with_output().expect("it was started");
        let ended = Ended::from(output);
        assert_eq!(ended.code, 0, "{during}: {ended:?}");
        println!("{during}: {}", ended.stdout.trim_end().replace('\n', ", "));
        let lines = ended.stdout.lines().filter_map(|line| line.split_once(' '));
        let count = |(what, times): (&str, &str)| Some((what.to_owned(), times.parse().ok()?));
        let mut counts: BTreeMap<String, u64> = lines.filter_map(count).collect();
        counts.remove("per_second");
        let answered = counts.remove("answered").unwrap_or(0);
        assert!(answered > 100, "{during}: only {answered} were answered");
        Counts { during, failed: counts }
    }
}

/// What happened to those who were not answered.
struct Counts {
    during: &'static str,
    failed: BTreeMap<String, u64>,
}

impl Counts {
    #[track_caller]
    fn all_were_answered(self) {
        assert!(self.failed.is_empty(), "{}: {:?}", self.during, self.failed);
    }

    /// A worker serves one connection at a time.
    #[track_caller]
    fn at_most_were_cut_off(mut self, most: u64) {
        let cut = ["reset", "closed", "cut"].map(|what| self.failed.remove(what).unwrap_or(0));
        assert!(cut.iter().sum::<u64>() <= most, "{}: cut off {cut:?}", self.during);
        self.all_were_answered();
    }
}
