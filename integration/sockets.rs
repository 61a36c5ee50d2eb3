//! Servers from Debian on sockets that circusd has bound: each finds its own in its own way, and
//! while they are replaced nobody is turned away.

use crate::container::{CONFIG, Container};
use crate::deadline::wait_until;
use crate::docker;
use crate::image;
use std::fs;

const INI: &str = "
[socket:web]
host = 127.0.0.1
port = 8001

[socket:behind]
path = /srv/behind.sock
group = www-data

[socket:async]
host = 127.0.0.1
port = 8002

[socket:node]
host = 127.0.0.1
port = 8003

[socket:fcgi]
path = /srv/fcgi.sock
group = www-data

[watcher:web]
cmd = gunicorn --bind fd://$(circus.sockets.web) --workers 1 --log-level warning app:application
working_dir = /srv
numprocesses = 4
ready = notify
max_restarts = 10

[watcher:behind]
cmd = gunicorn --workers 1 --log-level warning app:application
working_dir = /srv
use_sockets = behind
listen_fds = True
ready = notify

[watcher:async]
cmd = python3 -m uvicorn --fd $(circus.sockets.async) --app-dir /srv --log-level warning async_app:app
numprocesses = 2

[watcher:node]
cmd = node /srv/server.js
use_sockets = node
listen_fds = True

[watcher:fcgi]
cmd = fcgiwrap
stdin_socket = fcgi
on_demand = True
idle_timeout = 1

[watcher:nginx]
cmd = nginx -g 'daemon off;' -c /srv/nginx.conf
stop_signal = QUIT
";

const APP: &str = "
import os

def application(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [b'gunicorn %d\\n' % os.getpid()]
";

const ASYNC_APP: &str = "
async def app(scope, receive, send):
    if scope['type'] == 'http':
        await send({'type': 'http.response.start', 'status': 200, 'headers': []})
        await send({'type': 'http.response.body', 'body': b'uvicorn\\n'})
";

const SERVER_JS: &str = "
const passed = process.env.LISTEN_PID == process.pid ? Number(process.env.LISTEN_FDS) : 0;
if (passed != 1 || process.env.LISTEN_FDNAMES != 'node') throw new Error('no socket was passed');
const server = require('http').createServer((request, response) => response.end('node\\n'));
server.listen({ fd: 3 });
process.on('SIGTERM', () => server.close());
";

const CGI: &str = "#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\nfcgiwrap\\n'
";

const NGINX: &str = "
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr warn;
events {}
http {
    access_log off;
    server {
        listen 8000;
        location / { proxy_pass http://unix:/srv/behind.sock:; }
        location /cgi {
            fastcgi_pass unix:/srv/fcgi.sock;
            fastcgi_param SCRIPT_FILENAME /srv/script;
            fastcgi_param REQUEST_METHOD $request_method;
        }
    }
}
";

/// All of them, when they serve.
fn servers() -> Container {
    let folder = image::workshop().join("servers");
    fs::create_dir_all(&folder).expect("target/ is writable");
    let mut options: Vec<String> = Vec::new();
    for (name, text) in [
        ("app.py", APP),
        ("async_app.py", ASYNC_APP),
        ("server.js", SERVER_JS),
        ("script", CGI),
        ("nginx.conf", NGINX),
    ] {
        let file = folder.join(name);
        fs::write(&file, text).expect("target/ is writable");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&file, mode).expect("the test's own file");
        options.extend(["-v".to_owned(), format!("{}:/srv/{name}:ro", file.display())]);
    }
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    Container::with_config_in(&options, &image::servers(), INI, &[CONFIG])
}

/// What a server in the container answers.
#[track_caller]
fn get(container: &Container, place: &str) -> String {
    let script = format!(
        "python3 -c 'import urllib.request as r; \
         print(r.urlopen(\"http://127.0.0.1:{place}\", timeout=30).read().decode())'"
    );
    container.wait_for_sh(&script)
}

const PLACES: [(&str, &str); 5] = [
    ("8001/", "gunicorn"),
    ("8000/", "gunicorn"),
    ("8002/", "uvicorn"),
    ("8003/", "node"),
    ("8000/cgi", "fcgiwrap"),
];

#[test]
fn every_kind_of_server_finds_its_socket_and_a_killed_container_boots_again() {
    if !docker::is_here() {
        return;
    }
    let container = servers();
    for _ in 0..3 {
        for (place, server) in PLACES {
            assert!(get(&container, place).starts_with(server), "{place}");
        }
        let status = || container.operate(&["status", "fcgi", "--detail"]);
        wait_until("fcgiwrap is stopped when idle", status, |status| {
            status.contains("waiting for a connection")
        });
        assert!(get(&container, "8000/cgi").starts_with("fcgiwrap"));
        // The file of the unix socket is circusd's: it outlives whoever serves it.
        container.operate(&["--timeout", "60", "reload", "--waiting"]);
        for (place, server) in PLACES {
            assert!(get(&container, place).starts_with(server), "{place} after a reload");
        }
        let table = container.operate(&["sockets"]);
        assert!(table.contains("127.0.0.1:8003") && table.contains("/srv/fcgi.sock"), "{table}");

        container.kill("KILL");
        assert_eq!(container.exit_code(), 137);
        container.start();
    }
    get(&container, "8000/");
    container.stop(20);
    assert_eq!(container.exit_code(), 0);
}
