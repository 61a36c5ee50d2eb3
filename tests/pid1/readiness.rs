//! Who waits for whom, with real programs: what they have come to is found out by processes that
//! may hang, and told by messages that anybody may send.

use crate::control::{ask, operate, operated};
use crate::world::{World, namespaces_are_possible, until, until_some};

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
        "after:3",
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

/// Sends what its first word says so many times, then sleeps.
const SAY: &str = "import os, socket, sys, time\n\
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
    to = open('@/address').read().strip().replace(chr(64), chr(0), 1)\n\
    message = eval(sys.argv[1])\n\
    for _ in range(int(sys.argv[2])): s.sendto(message, to)\n\
    print(sys.argv[3], file=open('@/sent', 'a'), flush=True)\n\
    time.sleep(900)\n";

#[test]
fn only_the_process_and_its_descendants_say_that_it_is_ready_and_nonsense_says_nothing() {
    if !namespaces_are_possible() {
        return;
    }
    // Another watcher, and a stranger that has left its own family.
    let app = "echo $NOTIFY_SOCKET > @/address\n\
               until [ -e @/go ]; do sleep 0.02; done\n\
               (sh -c 'python3 @/say.py \"b\\\"READY=1\\\"\" 1 own')\n";
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n\
               [watcher:strange]\ncmd = sh @/strange.sh\nautostart = False\n";
    let strange = "setsid python3 @/say.py 'b\"READY=1\"' 1 other &\n\
                   python3 @/say.py 'b\"READY=1\\n\" + b\"x\" * 9000' 1 long &\n\
                   python3 @/say.py 'bytes(range(256)) * 8' 200 flood\n";
    let run = operated(ini).with("app.sh", app).with("strange.sh", strange).with("say.py", SAY);
    let mut run = run.start();
    run.wait_for_file("address", "circus/notify");
    operate(&run, "start strange");
    // It answers while it is flooded.
    assert_eq!(operate(&run, "status app"), "starting");
    for who in ["other", "long", "flood"] {
        run.wait_for_file("sent", who);
    }
    assert_eq!(operate(&run, "status app"), "starting");
    let refused = "app: a message to its NOTIFY_SOCKET was refused";
    assert_eq!(run.log().matches(refused).count(), 1, "{}", run.log());
    run.write("go", "");
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.stop();
}

#[test]
fn two_hundred_probes_leave_neither_descriptors_nor_processes() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:w]\ncmd = sleep 901\ncheck = exec:sh @/check.sh\ncheck_interval = 0.1\n\
               numprocesses = 10\n";
    let mut run = World::pid_1(ini).with("check.sh", "echo asked >> @/asked\n").start();
    let asked = |run: &crate::world::Running| run.file("asked").lines().count();
    until("it was asked", || asked(&run) >= 5);
    let quiet = |run: &crate::world::Running| run.process.children().len() == 10;
    let before = until_some("no probe is out", || {
        let before = run.process.descriptors().len();
        quiet(&run).then_some(before)
    });
    until("it was asked 200 times", || asked(&run) >= 205);
    until("nothing is left of the probes", || {
        run.process.children().len() == 10 && run.process.descriptors().len() <= before
    });
    run.stop();
}

#[test]
fn whoever_started_us_is_told_when_all_is_ready_and_not_before() {
    if !namespaces_are_possible() {
        return;
    }
    let above = "import os, socket\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('@/above')\n\
        open('@/bound', 'w')\n\
        while True: print(s.recv(4096), file=open('@/told', 'a'), flush=True)\n";
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = exec:test -e @/go\n";
    let app = "echo \"socket: $NOTIFY_SOCKET.\" > @/inherited\nexec sleep 900\n";
    let start = "python3 @/above.py & until [ -e @/bound ]; do sleep 0.02; done\n\
                 export NOTIFY_SOCKET=@/above; exec \"$@\"";
    let world = World::pid_1(ini).with("above.py", above).with("app.sh", app);
    let mut run = world.through_bash(start).start();
    run.wait_for_file("inherited", "socket: .");
    run.wait_for_log("app started");
    assert_eq!(run.file("told"), "");
    run.write("go", "");
    run.wait_for_file("told", "READY=1");
    run.send("TERM");
    assert_eq!(run.exit_code(), 0);
}

#[test]
fn what_fails_its_check_or_is_not_ready_in_time_or_falls_silent_is_replaced_and_told() {
    if !namespaces_are_possible() {
        return;
    }
    let cases = [
        ("check = exec:false\ncheck_interval = 0.1\ncheck_retries = 2", "failed its check 2 times"),
        (
            "check = http://127.0.0.1:9/\ncheck_interval = 0.1\ncheck_retries = 1",
            "failed its check",
        ),
        ("ready = exec:false\nready_timeout = 0.5", "was not ready after"),
        ("check = watchdog\ncheck_interval = 0.3", "has not sent WATCHDOG=1"),
    ];
    for (options, told) in cases {
        let ini = format!("[watcher:w]\ncmd = sleep 901\n{options}\n");
        let mut run = World::pid_1(&ini).start();
        let first = run.wait_for_child("sleep 901");
        run.wait_for_replacement("sleep 901", first);
        run.wait_for_log(told);
        run.stop();
    }
}

#[test]
fn a_failed_beginning_of_a_chain_ends_all_by_policy_and_nothing_else_starts() {
    if !namespaces_are_possible() {
        return;
    }
    for policy in ["exit_when_done", "essential"] {
        let (all, one) = match policy {
            "essential" => ("", "essential = True\n"),
            _ => ("[circus]\nexit_when_done = True\n", ""),
        };
        let ini = format!(
            "{all}[watcher:migrate]\ncmd = sh -c 'exit 5'\noneshot = True\nrespawn = False\n{one}\
             [watcher:db]\ncmd = touch @/db\ndepends_on = migrate\n\
             [watcher:web]\ncmd = touch @/web\ndepends_on = db\n"
        );
        let mut run = World::pid_1(&ini).start();
        assert_eq!(run.exit_code(), 5, "{policy}");
        let started = ["db", "web"].map(|name| run.folder().join(name).exists());
        assert_eq!(started, [false, false], "{policy}");
    }
}

#[test]
fn without_room_for_a_probe_nobody_is_replaced_and_that_is_told_once() {
    if !namespaces_are_possible() {
        return;
    }
    // The second one is a clock: it is found silent, and only then is there room again.
    let ini = "[watcher:web]\ncmd = sleep 901\ncheck = exec:sh @/check.sh\ncheck_interval = 0.1\n\
               check_retries = 1\n[watcher:clock]\ncmd = sleep 902\ncheck = watchdog\ncheck_interval = 2\n";
    let mut run = World::pid_1(ini).with("check.sh", "echo asked >> @/asked\n").start();
    let web = run.wait_for_child("sleep 901");
    run.wait_for_file("asked", "asked");
    let limit = |most: &str| {
        let mut command = std::process::Command::new("prlimit");
        let pid = run.process.0.to_string();
        let words = ["--pid", &pid, &format!("--nofile={most}:4096")];
        assert!(command.args(words).status().expect("prlimit is there").success());
    };
    limit("3");
    run.wait_for_log("clock (pid");
    run.wait_for_log("has not sent WATCHDOG=1");
    limit("4096");
    run.wait_for_log("can be probed again");
    let told = "cannot be probed, which is not held against it: too many open files";
    assert_eq!(run.log().to_lowercase().matches(told).count(), 1, "{}", run.log());
    assert_eq!(run.children("sleep 901"), [web]);
    run.stop();
}

const SERVE: &str = "import socket\n\
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)\n\
    s.bind(('127.0.0.1', 18081)); s.listen(64)\n\
    while True: s.accept()[0].close()\n";

#[test]
fn a_version_that_ends_at_once_does_not_take_over_though_the_old_one_answers_for_it() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sh @/web.sh\nready = tcp://127.0.0.1:18081\ncopy_env = True\n";
    let web = "test ! -e @/bad || { sleep 0.3; exit 1; }\nexec python3 @/serve.py\n";
    let run = operated(ini).with("web.sh", web).with("serve.py", SERVE);
    let net = "ip link set lo up; exec \"$@\"";
    let mut run = run.through(&["unshare", "--net", "sh", "-c", net, "sh"]).start();
    run.wait_for_log("web ready");
    let serving = |run: &crate::world::Running| {
        let mut all = run.process.children();
        all.retain(|process| process.command().ends_with("serve.py"));
        all
    };
    let old = serving(&run);
    assert_eq!(old.len(), 1);
    run.write("bad", "");
    assert_ne!(ask(&run, "reload web --waiting").code, 0);
    run.wait_for_log("web not reloaded");
    assert_eq!(serving(&run), old);
    std::fs::remove_file(run.folder().join("bad")).expect("it is there");
    operate(&run, "reload web --waiting");
    until("the new one is there alone", || serving(&run).len() == 1);
    assert_ne!(serving(&run), old);
    run.stop();
}

#[test]
fn a_command_knows_whom_it_asks_about() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:web]\ncmd = sh -c 'echo own $$ > @/own; exec sleep 901'\n\
               ready = exec:sh @/ready.sh\n[env:web]\nCIRCUS_PID = mine\n";
    let ready = "echo own $CIRCUS_PID > @/asked\necho $CIRCUS_WATCHER.$CIRCUS_WID >> @/asked\n";
    let mut run = World::pid_1(ini).with("ready.sh", ready).start();
    run.wait_for_log("web ready");
    run.wait_for_file("own", "own");
    assert_eq!(run.file("asked"), format!("{}web.1\n", run.file("own")));
    run.stop();
}

#[test]
fn a_probe_may_print_what_it_likes_and_its_last_line_is_told() {
    if !namespaces_are_possible() {
        return;
    }
    // More than a pipe holds; and as much as it holds, at once and then the end.
    let cases = [
        "head -c 3000000 /dev/zero || exit 9\necho\necho the end\nexit 1\n",
        "head -c 60000 /dev/zero > @/zeros; echo >> @/zeros; echo the end >> @/zeros\n\
         cat @/zeros; exit 1\n",
    ];
    for check in cases {
        let ini = "[watcher:w]\ncmd = sleep 901\ncheck = exec:sh @/check.sh\n\
                   check_interval = 0.1\ncheck_retries = 1\n";
        let mut run = World::pid_1(ini).with("check.sh", check).start();
        run.wait_for_log("failed its check");
        let log = run.log();
        assert!(log.contains("failed its check: the end; it is replaced"), "{log}");
        run.stop();
    }
}
