//! Services that need one another: each starts when the one before is ready, and nothing is lost
//! when all are stopped.

use crate::container::Container;
use crate::deadline::wait_until;
use crate::docker;
use crate::image;
use std::fs;

const INI: &str = "
[watcher:prepare]
cmd = sh -c 'install -d -m 700 -o postgres /data/pg && install -d -o redis /data/redis &&
  (test -s /data/pg/PG_VERSION || su postgres -c \"initdb -D /data/pg -A trust\")'
oneshot = True
essential = True

[watcher:postgres]
cmd = postgres -D /data/pg -c listen_addresses= -c unix_socket_directories=/tmp
uid = postgres
; Without waiting for clients, and with everything written.
stop_signal = INT
depends_on = prepare
ready = exec:pg_isready -q -h /tmp

[watcher:redis]
cmd = redis-server --bind 127.0.0.1 --dir /data/redis --appendonly yes
uid = redis
depends_on = prepare
ready = tcp://127.0.0.1:6379

[watcher:app]
cmd = python3 -u /app.py
depends_on = postgres, redis
ready = notify
";

/// Writes into both at its start and, when it is told to end, once more.
const APP: &str = r#"
import os, signal, socket, subprocess, sys

def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)

def note(word):
    run("psql", "-q", "-h", "/tmp", "-U", "postgres", "-c",
        "create table if not exists note (word text); insert into note values ('%s')" % word)
    run("redis-cli", "rpush", "note", word)

def end(*_):
    note("bye")
    print("all is written", flush=True)
    sys.exit(0)

signal.signal(signal.SIGTERM, end)
note("hello")
path = os.environ["NOTIFY_SOCKET"]
said = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
said.sendto(b"STATUS=serving\nREADY=1", "\0" + path[1:] if path[0] == "@" else path)
while True:
    signal.pause()
"#;

#[test]
fn a_database_a_cache_and_an_app_start_and_stop_in_order_and_lose_nothing() {
    if !docker::is_here() {
        return;
    }
    let file = image::workshop().join("order-app.py");
    fs::write(&file, APP).expect("target/ is writable");
    let volume = format!("{}:/app.py:ro", file.display());
    let health = ["--health-cmd", "circusctl health -q", "--health-interval", "1s"];
    let options = [&["-v", &volume][..], &health].concat();
    let words = [crate::container::CONFIG];
    let container = Container::with_config_in(&options, &image::database(), INI, &words);
    let is_healthy = || container.inspect("{{.State.Health.Status}}").trim().to_string();
    wait_until("it is healthy", is_healthy, |status| status == "healthy");
    assert!(container.operate(&["status", "app", "--detail"]).contains("serving"));
    in_order(
        &container.logs(),
        &["prepare completed", "postgres ready", "app started", "app ready"],
    );
    in_order(&container.logs(), &["prepare completed", "redis ready", "app started"]);

    let time = container.stop(20);
    assert!(time.as_secs() < 10, "the stop took {time:?}");
    assert_eq!(container.exit_code(), 0);
    let log = container.logs();
    in_order(&log, &["all is written", "app stopped", "database system is shut down"]);
    in_order(&log, &["app stopped", "postgres stopped"]);
    in_order(&log, &["app stopped", "redis stopped"]);

    container.start();
    wait_until("it is healthy again", is_healthy, |status| status == "healthy");
    let words =
        "psql -qAt -h /tmp -U postgres -c 'select word from note' && redis-cli lrange note 0 -1";
    assert_eq!(container.sh(words).stdout, "hello\nbye\nhello\nhello\nbye\nhello\n");
    assert!(!container.logs().contains("not properly shut down"), "{}", container.logs());
}

/// Each of these comes after the one before.
fn in_order(log: &str, parts: &[&str]) {
    let mut rest = log;
    for part in parts {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} in {parts:?}, in\n{log}"));
        rest = &rest[at..];
    }
}
