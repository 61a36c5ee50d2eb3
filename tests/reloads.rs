//! Workers come and go while clients come all the time, and not one of them is turned away, cut off
//! or left without an answer. A client whose worker is killed while it serves is the only one that
//! may be lost; these are counted apart.

#![allow(clippy::disallowed_methods, clippy::disallowed_types)]

#[allow(dead_code)]
#[path = "pid1/world.rs"]
mod world;

#[path = "pid1/process.rs"]
#[allow(dead_code)]
mod process;

#[allow(dead_code)]
#[path = "pid1/operator.rs"]
mod operator;

#[allow(dead_code)]
#[path = "pid1/serving.rs"]
mod serving;

use operator::{ask, gateway};
use process::Process;
use serving::{port, serve};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use world::{Running, World, namespaces_are_possible, until, until_some};

/// As the other one, but it leaves a mark of what it is at: `b`usy from before it takes a client until
/// it has answered, else `i`dle.
const SERVER: &str = r#"
import os, select, signal, socket, sys
ends, wakes = os.pipe()
for fd in ends, wakes:
    os.set_blocking(fd, False)
signal.set_wakeup_fd(wakes)
signal.signal(signal.SIGTERM, lambda *_: None)
sock = socket.socket(fileno=int(sys.argv[1]))
sock.setblocking(False)
mark = os.open(sys.argv[2] + '/mark-%d' % os.getpid(), os.O_CREAT | os.O_WRONLY)
os.pwrite(mark, b'i', 0)
while True:
    ready = select.select([sock, ends], [], [])[0]
    if ends in ready:
        break
    os.pwrite(mark, b'b', 0)
    try:
        client = sock.accept()[0]
        client.setblocking(True)
        client.recv(100)
        client.sendall(b'served')
        client.close()
    except BlockingIOError:
        pass
    os.pwrite(mark, b'i', 0)
os.pwrite(mark, b'e', 0)
"#;

const WORKERS: usize = 4;
const CLIENTS: u32 = 6;
const RELOADS: u32 = 20;
const KILLS: u32 = 50;

/// Between two requests of a client.
const PAUSE: Duration = Duration::from_millis(4);

fn world(socket: &str) -> World {
    let serve = serve();
    let ini = format!(
        "[socket:web]\nhost = 127.0.0.1\nport = 0\n{socket}[watcher:w]\n\
         cmd = {serve} $(circus.sockets.web) @\nnumprocesses = {WORKERS}\nbackoff_max = 0.2\n"
    );
    operator::operated(&ini).with("serve.py", SERVER)
}

/// What became of all requests.
#[derive(Default)]
struct Tally {
    over: AtomicBool,
    answered: AtomicU32,
    lost: Mutex<Vec<String>>,
    /// Workers that were killed while they served.
    killed_busy: AtomicU32,
    killed_idle: AtomicU32,
}

/// One new connection: why it was not answered.
fn request(port: u16) -> Result<(), String> {
    let wrong = |what: &str| {
        let what = what.to_string();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    let mut stream = TcpStream::connect(("127.0.0.1", port)).map_err(wrong("refused"))?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).map_err(wrong("timeout"))?;
    stream.write_all(b"hello\n").map_err(wrong("reset"))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(wrong("cut off"))?;
    if answer == "served" { Ok(()) } else { Err(format!("unanswered: {answer:?}")) }
}

fn keep_coming(port: u16, tally: &Tally) {
    while !tally.over.load(Ordering::Relaxed) {
        match request(port) {
            Ok(()) => drop(tally.answered.fetch_add(1, Ordering::Relaxed)),
            Err(reason) => tally.lost.lock().expect("nobody panics with it").push(reason),
        }
        thread::sleep(PAUSE);
    }
}

fn workers(run: &Running) -> Vec<Process> {
    let all = run.process.children().into_iter();
    all.filter(|process| process.command().contains("serve.py")).collect()
}

/// What it is at; nothing while it does not serve yet.
fn mark(run: &Running, worker: Process) -> String {
    let number = worker.status("NSpid").rsplit(' ').next().unwrap_or_default().to_string();
    run.file(&format!("mark-{number}"))
}

/// Kill one that waits for a client; it may have got one by the time that it is dead.
fn kill_one(run: &Running, tally: &Tally, turn: u32) {
    let (worker, file) = until_some("one is idle", || {
        let mut all = workers(run);
        all.sort();
        let count = all.len().max(1);
        all.rotate_left(turn as usize % count);
        let idle = all.into_iter().find(|worker| mark(run, *worker) == "i")?;
        let number = idle.status("NSpid").rsplit(' ').next()?.to_string();
        (!number.is_empty()).then(|| (idle, format!("mark-{number}")))
    });
    worker.send("KILL");
    until("it is dead", || !worker.is_alive());
    match run.file(&file).as_str() {
        "i" => tally.killed_idle.fetch_add(1, Ordering::Relaxed),
        // It was asked to end before, or served.
        _ => tally.killed_busy.fetch_add(1, Ordering::Relaxed),
    };
}

/// What an operator does; that a gateway is killed with his request is not what is asked here.
fn operate(run: &Running, words: &str, is_disturbed: bool) {
    if !is_disturbed {
        operator::operate(run, words);
        return;
    }
    // Not in step with whoever kills.
    until("it is done", || ask(run, &format!("{words} --timeout 1.3")).code == 0);
}

/// Kill the gateway again and again.
fn disturb(run: &Running, tally: &Tally) {
    while !tally.over.load(Ordering::Relaxed) {
        if let Some(gateway) = gateway(run) {
            gateway.send("KILL");
        }
        let end = Instant::now() + Duration::from_secs(1);
        while Instant::now() < end && !tally.over.load(Ordering::Relaxed) {
            thread::sleep(PAUSE);
        }
    }
}

/// So many more are answered.
fn wait_for_answers(tally: &Tally, count: u32) {
    let before = tally.answered.load(Ordering::Relaxed);
    until("they are answered", || tally.answered.load(Ordering::Relaxed) >= before + count);
}

fn come_and_go(run: &Running, tally: &Tally, resizes: bool, is_disturbed: bool) {
    for turn in 0..RELOADS {
        operate(run, "reload w --waiting", is_disturbed);
        wait_for_answers(tally, 100);
        operate(run, "reload w --sequential --waiting", is_disturbed);
        wait_for_answers(tally, 100);
        if resizes {
            let [more, fewer] = match is_disturbed {
                // What may have to be asked for twice.
                true => ["set w numprocesses 7 --waiting", "set w numprocesses 2 --waiting"],
                false => ["incr w 3 --waiting", "decr w 5 --waiting"],
            };
            operate(run, more, is_disturbed);
            wait_for_answers(tally, 100);
            operate(run, fewer, is_disturbed);
            wait_for_answers(tally, 100);
            operate(run, "set w numprocesses 4 --waiting", is_disturbed);
        }
        for _ in 0..(KILLS / RELOADS + 1) {
            kill_one(run, tally, turn);
            wait_for_answers(tally, 50);
        }
    }
    while tally.killed_idle.load(Ordering::Relaxed) < KILLS {
        kill_one(run, tally, 0);
    }
}

fn nobody_is_lost(socket: &str, resizes: bool, is_disturbed: bool) {
    if !namespaces_are_possible() {
        return;
    }
    let mut run = world(socket).start();
    let port = port(&run, "web");
    let tally = Tally::default();
    let begin = Instant::now();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| keep_coming(port, &tally));
        }
        if is_disturbed {
            scope.spawn(|| disturb(&run, &tally));
        }
        // Whatever is found wrong, they are to end.
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            come_and_go(&run, &tally, resizes, is_disturbed);
        }));
        tally.over.store(true, Ordering::Relaxed);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    let answered = tally.answered.into_inner();
    let lost = tally.lost.into_inner().expect("nobody panics with it");
    let [idle, busy] = [tally.killed_idle, tally.killed_busy].map(AtomicU32::into_inner);
    let rate = f64::from(answered) / begin.elapsed().as_secs_f64();
    println!("{answered} answered, {rate:.0} a second; {idle} killed idle, {busy} busy; {lost:?}");
    assert!(lost.len() <= busy as usize, "{lost:?} with {busy} killed while they served");
    assert!(answered > 5000, "{answered}");
    run.stop();
}

#[test]
fn reloads_kills_and_resizes_lose_nobody() {
    nobody_is_lost("", true, false);
}

#[test]
fn nor_do_they_while_the_gateway_is_killed_every_second() {
    nobody_is_lost("", true, true);
}

/// A socket that goes with its process takes along who waits there; so nothing is resized.
#[test]
fn nor_with_a_socket_for_each_process() {
    nobody_is_lost("so_reuseport = True\n", false, false);
}

#[test]
fn a_reload_in_turn_stops_at_the_first_that_is_not_ready_and_the_others_serve_on() {
    if !namespaces_are_possible() {
        return;
    }
    let world = world("");
    world.write("fit", "");
    let ini = std::fs::read_to_string(world.folder.join("circus.ini")).expect("it is there");
    world.write("circus.ini", &format!("{ini}ready = exec:test -e @/fit\nready_timeout = 1\n"));
    let mut run = world.start();
    let port = port(&run, "web");
    until("all serve", || operator::operate(&run, "status w") == "active");
    let before = workers(&run);
    let fit = run.folder().join("fit");
    std::fs::remove_file(&fit).expect("it was there");
    let said = ask(&run, "reload w --sequential --waiting");
    assert_eq!(said.code, 3, "{said:?}");
    until("the new one is gone", || workers(&run).len() == WORKERS - 1);
    assert!(workers(&run).iter().all(|worker| before.contains(worker)));
    (0..20).for_each(|_| assert_eq!(request(port), Ok(())));
    run.write("fit", "");
    operator::operate(&run, "reload w --sequential --waiting");
    until("all are there", || workers(&run).len() == WORKERS);
    assert!(workers(&run).iter().all(|worker| !before.contains(worker)));
    assert_eq!(request(port), Ok(()));
    run.stop();
}
