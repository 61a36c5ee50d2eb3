//! What processes tell (sd_notify), by real senders: who is heard, who is not, and what it costs.

use crate::control::{operate, operated};
use crate::world::{Running, World, namespaces_are_possible, until, until_some};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::Duration;

/// Sends its first word, to its own socket or that in the file `address`.
const SAY: &str = "import os, socket, sys\n\
    to = os.environ.get('NOTIFY_SOCKET') or open('@/address').read().strip()\n\
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
    s.sendto(sys.argv[1].encode(), to.replace(chr(64), chr(0), 1))\n";

/// In a script of the shell: wait for the file `go`.
const GO: &str = "until [ -e @/go ]; do sleep 0.02; done\n";

/// Takes on the tag of the process in the file `pid`.
const DISGUISE: &str = "import os, resource, socket, sys, time\n\
    limits = open('/proc/%s/limits' % open('@/pid').read().strip()).read()\n\
    tag = int(limits.split('Max file locks')[1].split()[0])\n\
    resource.setrlimit(10, (tag, -1))\n\
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
    to = open('@/address').read().strip().replace(chr(64), chr(0), 1)\n";

/// Everybody may write into the folder.
fn open_to_all(run: &Running) {
    fs::set_permissions(run.folder(), fs::Permissions::from_mode(0o777)).expect("its mode");
}

#[test]
fn who_sends_and_is_reaped_before_anybody_reads_is_heard() {
    if !namespaces_are_possible() {
        return;
    }
    let app = format!(
        "{GO}python3 @/say.py READY=1\n(python3 @/say.py STATUS=late &)\necho > @/sent\nexec sleep 900\n"
    );
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n";
    let run = operated(ini).with("app.sh", &app).with("say.py", SAY);
    let mut run = run.start();
    run.wait_for_log("app");
    run.send("STOP");
    until("it is stopped", || run.process.stat(3) == "T");
    run.write("go", "");
    run.wait_for_file("sent", "\n");
    run.send("CONT");
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.stop();
    assert!(!run.log().contains("refused"), "{}", run.log());
}

#[test]
fn another_user_is_refused_whatever_tag_it_takes_on_and_costs_little() {
    if !namespaces_are_possible() {
        return;
    }
    let app = format!(
        "echo $$ > @/pid\necho $NOTIFY_SOCKET > @/address\n{GO}\
         python3 @/say.py READY=1\nexec sleep 900\n"
    );
    // For two seconds as fast as it can, and then on and on.
    let strange = format!(
        "{DISGUISE}end = time.monotonic() + 2\ncount = 0\n\
         while time.monotonic() < end: s.sendto(b'READY=1', to); count += 1\n\
         print(count, file=open('@/sent', 'w'), flush=True)\n\
         while True: s.sendto(b'READY=1', to)\n"
    );
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n\
               [watcher:strange]\ncmd = python3 @/strange.py\nuid = 61007\nautostart = False\n";
    let run = operated(ini).with("app.sh", &app).with("say.py", SAY).with("strange.py", &strange);
    let mut run = run.start();
    open_to_all(&run);
    run.wait_for_file("address", "circus/notify");
    operate(&run, "start strange");
    run.wait_for_file("sent", "\n");
    let count: u32 = run.file("sent").trim().parse().expect("a number");
    assert!(count < 2000, "{count} messages were read in two seconds");
    assert_eq!(operate(&run, "status app"), "starting");
    run.write("go", "");
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.stop();
    let log = run.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("was refused")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(told[0].contains("of user 61007 is another user's process"), "{log}");
}

#[test]
fn a_service_that_becomes_another_user_itself_is_heard() {
    if !namespaces_are_possible() {
        return;
    }
    let app = "import os, socket, time\nos.setuid(61008)\n\
               s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
               s.sendto(b'READY=1', os.environ['NOTIFY_SOCKET'].replace(chr(64), chr(0), 1))\n\
               time.sleep(900)\n";
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\n";
    let mut run = operated(ini).with("app.py", app).start();
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.stop();
}

#[test]
fn what_a_process_has_left_behind_does_not_speak_for_the_next_one() {
    if !namespaces_are_possible() {
        return;
    }
    let app = format!(
        "if [ -e @/second ]; then echo > @/third; exec sleep 900; fi\ntouch @/second\n\
         ({GO}python3 @/say.py READY=1; echo > @/sent) &\nexit 1\n"
    );
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\nkill_tree = False\n";
    let mut run = operated(ini).with("app.sh", &app).with("say.py", SAY).start();
    run.wait_for_file("third", "\n");
    run.write("go", "");
    run.wait_for_file("sent", "\n");
    assert_eq!(operate(&run, "status app"), "starting");
    run.stop();
}

#[test]
fn a_barrier_is_passed_at_once_and_nothing_of_it_is_kept() {
    if !namespaces_are_possible() {
        return;
    }
    let app = "import array, os, socket, time\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        to = os.environ['NOTIFY_SOCKET'].replace(chr(64), chr(0), 1)\n\
        for n in range(100):\n\
        \x20   r, w = os.pipe()\n\
        \x20   rights = array.array('i', [w] * 20)\n\
        \x20   s.sendmsg([b'BARRIER=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], 0, to)\n\
        \x20   os.close(w)\n\
        \x20   assert os.read(r, 1) == b''\n\
        \x20   os.close(r)\n\
        s.sendto(b'READY=1', to)\ntime.sleep(900)\n";
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\n";
    let mut run = operated(ini).with("app.py", app).start();
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    let pipes = |run: &Running| {
        let all = run.process.descriptors();
        all.values().filter(|to| to.starts_with("pipe:")).count()
    };
    let before = pipes(&run);
    assert!(before < 20, "{before} pipes are open");
    run.stop();
}

#[test]
fn a_connection_that_lingers_does_not_keep_whoever_it_is_given_to() {
    if !namespaces_are_possible() {
        return;
    }
    // More than its peer takes is to be delivered, and whoever closes it last waits for that.
    let app = "import array, os, socket, struct, time\n\
        while not os.path.exists('@/go'): time.sleep(0.02)\n\
        server = socket.create_server(('127.0.0.1', 0))\n\
        c = socket.create_connection(server.getsockname())\n\
        c.setblocking(False)\n\
        try:\n\
        \x20   while True: c.send(bytes(65536))\n\
        except BlockingIOError: pass\n\
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 9000))\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        to = os.environ['NOTIFY_SOCKET'].replace(chr(64), chr(0), 1)\n\
        rights = array.array('i', [c.fileno()])\n\
        s.sendmsg([b'READY=1'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)], 0, to)\n\
        c.close()\n\
        print(file=open('@/sent', 'w'), flush=True)\n\
        time.sleep(900)\n";
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\n";
    let mut run = operated(ini).with("app.py", app).start();
    run.wait_for_log("app");
    run.send("STOP");
    until("it is stopped", || run.process.stat(3) == "T");
    run.write("go", "");
    run.wait_for_file("sent", "\n");
    run.send("CONT");
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.stop();
}

#[test]
fn more_sockets_than_there_may_be_fail_starts_and_nothing_else() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:other]\ncmd = sleep 902\n\
               [watcher:app]\ncmd = sleep 901\nready = notify\nready_timeout = 0\n\
               numprocesses = 110\n";
    let mut run = operated(ini).through_bash("ulimit -n 128; exec \"$@\"").start();
    run.wait_for_log("open files");
    let other = run.wait_for_child("sleep 902");
    other.send("KILL");
    run.wait_for_replacement("sleep 902", other);
    assert_eq!(operate(&run, "status other"), "active");
    assert!(!run.children("sleep 901").is_empty());
    operate(&run, "stop app --waiting");
    run.stop();
    // Where there are few at all, a quarter of them is left.
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n";
    let app = "python3 @/say.py READY=1\necho > @/sent\nexec sleep 900\n";
    let world = World::pid_1(ini).through_bash("ulimit -n 16; exec \"$@\"");
    let mut run = world.with("app.sh", app).with("say.py", SAY).start();
    run.wait_for_log("app started");
    run.stop();
}

#[test]
fn the_dead_are_reaped_and_clients_served_while_a_service_talks_without_end() {
    if !namespaces_are_possible() {
        return;
    }
    let app = "import os, socket\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
        s.connect(os.environ['NOTIFY_SOCKET'].replace(chr(64), chr(0), 1))\n\
        s.send(b'READY=1')\nn = 0\n\
        while True: s.send(b'STATUS=%d' % n); n += 1\n";
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\nnumprocesses = 2\n\
               [watcher:quiet]\ncmd = python3 @/quiet.py\nready = notify\n\
               [watcher:other]\ncmd = sleep 901\n";
    let quiet = "import os, time\n\
                 os.system('python3 @/say.py READY=1')\ntime.sleep(900)\n";
    let run = operated(ini).with("app.py", app).with("say.py", SAY).with("quiet.py", quiet);
    let mut run = run.start();
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    assert_eq!(operate(&run, "health --wait 20 quiet"), "quiet: healthy");
    for _ in 0..5 {
        let other = run.wait_for_child("sleep 901");
        other.send("KILL");
        run.wait_for_replacement("sleep 901", other);
    }
    // Its two processes have been heard, each of them.
    assert_eq!(operate(&run, "status app"), "active");
    run.stop();
}

#[test]
fn each_process_has_a_socket_while_it_lives_and_other_watchers_have_none() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:app]\ncmd = sleep 901\nready = notify\nready_timeout = 0\nnumprocesses = 3\n\
               [watcher:other]\ncmd = sleep 902\nnumprocesses = 3\n";
    let mut run = operated(ini).start();
    let sockets = |run: &Running| {
        let table = run.process.read("net/unix");
        table.lines().filter(|line| line.contains("@circus/notify/")).count()
    };
    // Other tests have some in this network.
    let inodes = |run: &Running| {
        let table = run.process.read("net/unix");
        let all = table.lines().filter(|line| line.contains("@circus/notify/"));
        let ours = run.process.descriptors();
        let is_ours = |inode: &&str| ours.values().any(|to| *to == format!("socket:[{inode}]"));
        all.filter_map(|line| line.split_whitespace().nth(6)).filter(is_ours).count()
    };
    let apps = run.wait_for_children("sleep 901", 3);
    until("three sockets are there", || inodes(&run) == 3);
    assert!(sockets(&run) >= 3);
    let address = |process: crate::process::Process| process.environment()["NOTIFY_SOCKET"].clone();
    let before = address(apps[0]);
    apps[0].send("KILL");
    let now = until_some("another one is there", || {
        let now = run.children("sleep 901");
        Some(now).filter(|now| now.len() == 3 && !now.contains(&apps[0]))
    });
    assert!(now.iter().all(|process| address(*process) != before));
    assert_eq!(inodes(&run), 3);
    operate(&run, "stop app --waiting");
    assert_eq!(inodes(&run), 0);
    run.stop();
}

#[test]
fn with_sockets_nobody_wakes_up_while_nothing_is_said_also_after_strangers_were_refused() {
    if !namespaces_are_possible() {
        return;
    }
    let app = "echo $NOTIFY_SOCKET > @/address\nsleep 1 & wait\n\
               python3 @/say.py READY=1\nexec sleep 900\n";
    let strange = "for n in $(seq 20); do python3 @/say.py READY=1; done\n\
                   echo > @/sent\nexec sleep 901\n";
    let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n\
               [watcher:many]\ncmd = sleep 902\nready = notify\nready_timeout = 0\n\
               numprocesses = 20\n\
               [watcher:strange]\ncmd = sh @/strange.sh\nuid = 61010\n";
    let world = World::pid_1(ini).with("app.sh", app).with("say.py", SAY);
    let mut run = world.with("strange.sh", strange).start();
    open_to_all(&run);
    run.wait_for_log("was refused");
    run.wait_for_file("sent", "\n");
    run.wait_for_log("app started");
    run.wait_for_children("sleep 902", 20);
    let waits = || run.process.status("voluntary_ctxt_switches");
    let mut before = String::new();
    until("it rests", || {
        thread::sleep(Duration::from_millis(400));
        std::mem::replace(&mut before, waits()) == waits()
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(waits(), before);
    run.stop();
}

/// Its child is named as the one that goes on, ends, and another one gets its number. Not within the
/// hundredth of a second that the kernel counts in.
const RECYCLED: &str = "import os, signal, socket, time\n\
    if os.path.exists('@/second'):\n\
    \x20   print(file=open('@/third', 'w'), flush=True)\n\
    \x20   time.sleep(900)\n\
    open('@/second', 'w').close()\n\
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n\
    to = os.environ['NOTIFY_SOCKET'].replace(chr(64), chr(0), 1)\n\
    first = os.fork()\n\
    if first == 0:\n\
    \x20   signal.pause()\n\
    s.sendto(b'READY=1\\nMAINPID=%d' % first, to)\n\
    while not os.path.exists('@/go'): time.sleep(0.02)\n\
    time.sleep(0.1)\n\
    os.kill(first, 9); os.waitpid(first, 0)\n\
    for n in range(1000):\n\
    \x20   open('/proc/sys/kernel/ns_last_pid', 'w').write(str(first - 1))\n\
    \x20   other = os.fork()\n\
    \x20   if other == 0:\n\
    \x20       signal.pause()\n\
    \x20   if other == first: break\n\
    \x20   os.kill(other, 9); os.waitpid(other, 0)\n\
    print(other == first, file=open('@/recycled', 'w'), flush=True)\n\
    os._exit(9)\n";

#[test]
fn a_number_that_was_named_and_is_another_process_by_now_takes_no_place() {
    if !namespaces_are_possible() {
        return;
    }
    let ini = "[watcher:app]\ncmd = python3 @/app.py\nready = notify\n";
    let mut run = operated(ini).with("app.py", RECYCLED).start();
    assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
    run.write("go", "");
    run.wait_for_log("exited with code 9");
    run.wait_for_file("third", "\n");
    assert_eq!(run.file("recycled").trim(), "True");
    run.stop();
    assert!(!run.log().contains("goes on in place"), "{}", run.log());
}

#[test]
fn neither_another_user_with_the_tag_nor_a_thread_takes_the_place_of_a_process() {
    if !namespaces_are_possible() {
        return;
    }
    // It is a child of PID 1 with the tag of another watcher, and stays.
    let strange = format!(
        "{DISGUISE}if os.fork(): time.sleep(900)\n\
         if os.fork(): os._exit(0)\nos.setsid()\n\
         while os.getppid() != 1: time.sleep(0.01)\n\
         print(os.getpid(), file=open('@/named', 'w'), flush=True)\ntime.sleep(900)\n"
    );
    // A process that it leaves behind, with a thread.
    let thread = "import os, threading, time\n\
        if os.fork(): os._exit(0)\nos.setsid()\n\
        while os.getppid() != 1: time.sleep(0.01)\n\
        def tell():\n\
        \x20   print(threading.get_native_id(), file=open('@/named', 'w'), flush=True)\n\
        \x20   time.sleep(900)\n\
        threading.Thread(target=tell).start()\n";
    for who in ["strange", "thread"] {
        let app = format!(
            "if [ -e @/second ]; then echo > @/third; exec sleep 900; fi\ntouch @/second\n\
             echo $$ > @/pid\necho $NOTIFY_SOCKET > @/address\n\
             if [ {who} = thread ]; then python3 @/thread.py; fi\n\
             {GO}python3 @/say.py \"READY=1\nMAINPID=$(cat @/named)\"\n\
             until [ -e @/end ]; do sleep 0.02; done\nexit 9\n"
        );
        let ini = "[watcher:app]\ncmd = sh @/app.sh\nready = notify\n\
                   [watcher:strange]\ncmd = python3 @/strange.py\nuid = 61009\nautostart = False\n";
        let run = operated(ini).with("app.sh", &app).with("say.py", SAY);
        let mut run = run.with("strange.py", &strange).with("thread.py", thread).start();
        open_to_all(&run);
        run.wait_for_file("address", "circus/notify");
        if who == "strange" {
            operate(&run, "start strange");
        }
        run.wait_for_file("named", "\n");
        run.write("go", "");
        assert_eq!(operate(&run, "health --wait 20 app"), "app: healthy");
        run.write("end", "");
        run.wait_for_log("exited with code 9");
        run.wait_for_file("third", "\n");
        run.stop();
        assert!(!run.log().contains("goes on in place"), "{who}: {}", run.log());
    }
}

#[test]
fn a_single_command_speaks_for_itself_and_what_has_watchers_for_all_of_them() {
    if !namespaces_are_possible() {
        return;
    }
    let above = "import socket\n\
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind('@/above')\n\
        open('@/bound', 'w')\n\
        while True: print(s.recv(4096), file=open('@/told', 'a'), flush=True)\n";
    let start = "python3 @/above.py & until [ -e @/bound ]; do sleep 0.02; done\n\
                 export NOTIFY_SOCKET=@/above WATCHDOG_USEC=5; exec \"$@\"";
    let script = "echo \"$NOTIFY_SOCKET.$WATCHDOG_USEC.\" > inherited; exec sleep 900";
    for ini in ["", "[watcher:w]\ncmd = sleep 901\n"] {
        let world = World::pid_1(ini).words(&["--", "sh", "-c", script]);
        let mut run = world.with("above.py", above).through_bash(start).start();
        run.wait_for_child("sleep 900");
        let inherited = run.file("inherited");
        if ini.is_empty() {
            let ours = format!("{}/above.5.\n", run.folder().display());
            assert_eq!((inherited, run.file("told")), (ours, String::new()));
        } else {
            assert_eq!(inherited, "..\n");
            run.wait_for_file("told", "READY=1");
        }
        run.send("TERM");
        run.exit_code();
    }
}
