//! Who waits for whom, with real programs: what they have come to is found out by processes that
//! may hang, and told by messages that anybody may send.

use crate::control::{operate, operated};
use crate::world::{World, namespaces_are_possible, until};

/// A service that is ready a while after its start: it listens in every way, and says so.
const SERVICE: &str = "import os, socket, subprocess, sys, threading, time\n\
    print('db starts', file=open('@/facts', 'a'), flush=True)\n\
    time.sleep(0.5)\n\
    print('db is ready', file=open('@/facts', 'a'), flush=True)\n\
    t = socket.socket(); t.bind(('127.0.0.1', 0)); t.close()\n\
    tcp = socket.create_server(('127.0.0.1', 18080))\n\
    unix = socket.socket(socket.AF_UNIX); unix.bind('@/db.sock'); unix.listen(5)\n\
    open('@/up', 'w')\n\
    if 'NOTIFY_SOCKET' in os.environ:\n\
    \x20   say = \"import os,socket;s=socket.socket(1,2);\" \\\n\
    \x20     \"s.sendto(b'READY=1',os.environ['NOTIFY_SOCKET'].replace(chr(64),chr(0),1))\"\n\
    \x20   subprocess.run(['sh', '-c', '\"$0\" -c \"$1\"; true', sys.executable, say])\n\
    while True:\n\
    \x20   c, _ = tcp.accept()\n\
    \x20   c.sendall(b'HTTP/1.0 200 OK\\r\\n\\r\\n'); c.close()\n";

#[test]
fn a_chain_starts_in_order_however_readiness_is_found_out_and_stops_the_other_way_round() {
    if !namespaces_are_possible() {
        return;
    }
    let ways = [
        "after:1",
        "tcp://127.0.0.1:18080",
        "http://127.0.0.1:18080/x",
        "unix://@/db.sock",
        "exec:test -e @/up",
        "notify",
    ];
    for ready in ways {
        let ini = format!(
            "[watcher:web]\ncmd = sh @/web.sh\ndepends_on = db\n\
             [watcher:db]\ncmd = python3 @/db.py\nready = {ready}\ndepends_on = migrate\n\
             [watcher:migrate]\ncmd = sh @/migrate.sh\noneshot = True\n"
        );
        let migrate = "sleep 0.3; echo migrated >> @/facts\n";
        let web = "echo web starts >> @/facts\nexec sleep 900\n";
        // Only this namespace of its own has the port.
        let world = World::pid_1(&ini).through(&[
            "unshare",
            "--net",
            "sh",
            "-c",
            "ip link set lo up; exec \"$@\"",
            "sh",
        ]);
        let mut run = world
            .with("migrate.sh", migrate)
            .with("web.sh", web)
            .with("db.py", &SERVICE.replace("@@", "@"))
            .start();
        run.wait_for_child("sleep 900");
        let facts = "migrated\ndb starts\ndb is ready\nweb starts\n";
        assert_eq!(run.file("facts"), facts, "{ready}");
        run.stop();
        let log = run.log();
        let (web, db) = (log.find("web stopped"), log.find("db stopped"));
        assert!(web.is_some() && web < db, "{ready}: {log}");
    }
}

#[test]
fn a_probe_that_hangs_delays_nobody_and_leaves_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:slow]\ncmd = sleep 901\nready = exec:sh @/hang.sh\n\
               [watcher:other]\ncmd = sleep 902\n";
    let run = operated(ini).with("hang.sh", "trap '' TERM\nsleep 1000 & sleep 1000 & sleep 1000\n");
    let mut run = run.start();
    until("the probe hangs", || run.others().iter().any(|one| one.command() == "sleep 1000"));
    let other = run.wait_for_child("sleep 902");
    other.send("KILL");
    run.wait_for_replacement("sleep 902", other);
    assert_eq!(operate(&run, "status other"), "active");
    operate(&run, "stop slow --waiting");
    until("nothing of it is left", || {
        !run.others().iter().any(|one| one.command() == "sleep 1000")
    });
    run.stop();
    assert!(!run.log().contains("of no watcher"), "{}", run.log());
}
