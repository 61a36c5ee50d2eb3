//! Servers from Debian on sockets that circusd has bound: each is told of its own in its own way.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::docker;
use crate::image;
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// By the number of the descriptor.
const UVICORN: &str = "
[socket:api]
host = 0.0.0.0
port = 8001

[watcher:api]
cmd = uvicorn --fd $(circus.sockets.api) api:app
working_dir = /srv
numprocesses = 2
";

const API: &str = "
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200})
        await send({'type': 'http.response.body', 'body': b'uvicorn\\n'})
";

/// gunicorn would remove the file of a unix socket that it gets as `fd://`, when it ends; not if it
/// gets it as systemd passes it.
const BEHIND_NGINX: &str = "
[socket:app]
path = /run/app.sock
group = www-data
mode = 0660

[watcher:app]
cmd = gunicorn --workers 1 --preload app:app
working_dir = /srv
numprocesses = 2
use_sockets = app
listen_fds = True
ready = notify

[watcher:nginx]
cmd = nginx -c /srv/nginx.conf
stop_signal = QUIT
";

const APP: &str = "
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'gunicorn\\n']
";

/// It accepts connections from its standard input, and ends when there is none: it has to wait.
const FCGIWRAP: &str = "
[socket:cgi]
path = /run/cgi.sock
group = www-data
mode = 0660
blocking = True

[watcher:cgi]
cmd = fcgiwrap
stdin_socket = cgi
";

const SCRIPT: &str = "#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\nfcgiwrap\\n'
";

const NGINX: &str = "
daemon off;
user www-data;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events {}
http {
    access_log off;
    server {
        listen 8000;
        location / { proxy_pass http://unix:/run/app.sock; }
        location /cgi {
            fastcgi_pass unix:/run/cgi.sock;
            fastcgi_param SCRIPT_FILENAME /srv/script;
            fastcgi_param REQUEST_METHOD $request_method;
        }
    }
}
";

/// As systemd passes them.
const NODE: &str = "
[socket:node]
host = 0.0.0.0
port = 8002

[watcher:node]
cmd = node server.js
working_dir = /srv
use_sockets = node
listen_fds = True
";

const SERVER: &str = "
if (process.env.LISTEN_PID != process.pid || process.env.LISTEN_FDS != 1) process.exit(1);
const server = require('http').createServer((request, response) => response.end('node\\n'));
server.listen({ fd: 3 });
process.on('SIGTERM', () => server.close());
";

const ON_DEMAND: &str = "
on_demand = True
idle_timeout = 1
";

/// Where each of them is asked, in the container, and what it answers.
const PLACES: [(&str, &str); 4] = [
    ("http://127.0.0.1:8001/", "uvicorn\n"),
    ("http://127.0.0.1:8000/", "gunicorn\n"),
    ("http://127.0.0.1:8000/cgi", "fcgiwrap\n"),
    ("http://127.0.0.1:8002/", "node\n"),
];

#[test]
fn servers_of_every_style_answer_and_do_so_after_a_reload() {
    if !docker::is_here() {
        return;
    }
    let container = servers(&[UVICORN, BEHIND_NGINX, FCGIWRAP, NODE].concat());
    wait_for_all(&container);
    for words in [&["reload", "--waiting"][..], &["reload", "--sequential", "--waiting"]] {
        for watcher in ["api", "app", "cgi", "node"] {
            let before = container.operate(&["list", watcher]);
            let (command, options) = words.split_first().expect("a command");
            let head = ["--timeout", "60", command, watcher];
            container.operate(&[&head, options].concat());
            let after = container.operate(&["list", watcher]);
            let is_new = |pid: &str| !before.split(',').any(|old| old == pid);
            assert!(after.split(',').all(is_new), "{watcher}: {before} became {after}");
        }
        wait_for_all(&container);
    }
    container.stop(20);
    assert_eq!(container.exit_code(), 0);
}

#[test]
fn a_server_on_demand_answers_who_comes_first_and_is_stopped_when_nobody_comes() {
    if !docker::is_here() {
        return;
    }
    let container = servers(&[UVICORN, ON_DEMAND].concat());
    let (place, answer) = PLACES[0];
    for times_idle in 0..3 {
        let status = || container.circusctl(&["status", "api", "--detail"]).stdout;
        wait_until("it waits", status, |text| text.contains("waiting for a connection"));
        let logs = container.logs();
        assert_eq!(logs.matches("api stops until somebody connects").count(), times_idle, "{logs}");
        let processes = container.processes();
        let is_server = |line: &str| line.contains("uvicorn --fd");
        assert!(!processes.iter().any(|one| is_server(&one.command_line)), "{processes:?}");

        // One attempt, which has to wait until the server is there.
        assert_eq!(get(&container, place), answer);
    }
}

#[test]
fn a_container_that_was_killed_boots_in_spite_of_the_unix_sockets_that_it_left() {
    if !docker::is_here() {
        return;
    }
    let container = servers(&[BEHIND_NGINX, FCGIWRAP].concat());
    for _ in 0..5 {
        wait_for_all_of(&container, &PLACES[1..3]);
        container.kill("KILL");
        assert_eq!(container.exit_code(), 137);
        container.start();
    }
    wait_for_all_of(&container, &PLACES[1..3]);
    container.stop(20);
    assert_eq!(container.exit_code(), 0);
}

fn servers(ini: &str) -> Container {
    let folder = image::workshop().join("listeners");
    fs::create_dir_all(&folder).expect("target/ is writable");
    let files = [
        ("api.py", API),
        ("app.py", APP),
        ("nginx.conf", NGINX),
        ("script", SCRIPT),
        ("server.js", SERVER),
    ];
    for (name, text) in files {
        // Other tests run what was written before: it is never empty for a moment.
        let (file, part) = (folder.join(name), folder.join(crate::container::unique_name()));
        fs::write(&part, text).expect("target/ is writable");
        fs::set_permissions(&part, PermissionsExt::from_mode(0o755)).expect("it is ours");
        fs::rename(part, file).expect("target/ is writable");
    }
    let folder = format!("{}:/srv:ro", folder.display());
    let helpers = image::project().join("integration/python");
    let helpers = format!("{}:/helpers:ro", helpers.display());
    let options = ["-v", &folder, "-v", &helpers];
    Container::with_config_in(&options, &image::servers(), ini, &[CONFIG])
}

/// One request; it must be answered.
#[track_caller]
fn get(container: &Container, place: &str) -> String {
    let ended = container.exec(&["python3", "/helpers/get.py", place]);
    assert_eq!(ended.code, 0, "{place}: {ended:?}");
    ended.stdout
}

#[track_caller]
fn wait_for_all(container: &Container) {
    wait_for_all_of(container, &PLACES);
}

#[track_caller]
fn wait_for_all_of(container: &Container, places: &[(&str, &str)]) {
    for (place, answer) in places {
        let ended = || container.exec(&["python3", "/helpers/get.py", place]);
        wait_until(place, ended, |ended| ended.code == 0 && ended.stdout == *answer);
    }
}
