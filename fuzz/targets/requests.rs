//! Requests of clients that may mean harm, one a line, to a circusd whose processes are in a
//! make-believe kernel. Every request is answered once, with JSON, whatever happens between them; in
//! the end a `quit` ends it all.
//!
//! A line that begins with `~` is no request but says what happens: see `happenings`.

#![no_main]

#[path = "../parts/clients.rs"]
mod clients;
#[path = "../parts/files.rs"]
mod files;
#[path = "../parts/kernel.rs"]
mod kernel;
#[path = "../parts/limit.rs"]
mod limit;
#[path = "../parts/repeat.rs"]
mod repeat;

use circus::config::settings::Config;
use circus::process::Ending;
use circus::signal::Signal;
use circus::supervisor::Event;
use clients::Clients;
use files::SECRET;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// More would only take time.
const LINES_MAX: usize = 60;
const PROCESSES_MAX: usize = 120;

thread_local! {
    static CONFIGURATIONS: &'static [Config] = clients::load(&[
        include_str!("../parts/first.ini"),
        include_str!("../parts/second.ini"),
        "[circus]\nexit_when_done = True\n[watcher:web]\ncmd = x\nnumprocesses = 2\n",
    ]);
}

fuzz_target!(|data: &[u8]| {
    let knows_secret = data.windows(SECRET.len()).any(|part| part == SECRET.as_bytes());
    let configurations = CONFIGURATIONS.with(|configurations| *configurations);
    let mut clients = Clients::new(configurations, knows_secret);
    let mut is_slow = false;
    for line in data.split(|byte| *byte == b'\n').take(LINES_MAX) {
        match line.strip_prefix(b"~") {
            Some(words) => happenings(&mut clients, words, &mut is_slow),
            None => clients.request(line),
        }
        if !is_slow {
            clients.catch_up();
        }
        if clients.kernel.exit.is_some() || clients.kernel.count() > PROCESSES_MAX {
            break;
        }
    }
    clients.look();
    clients.quit();
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let repeated = repeat::repeat(data, size, max_size, seed);
    repeated.unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
});

/// Each byte is one.
fn happenings(clients: &mut Clients, words: &[u8], is_slow: &mut bool) {
    const PAUSES_MS: [u64; 10] =
        [0, 1, 10, 100, 1000, 5000, 10_000, 60_000, 600_000, 86_400_000];
    for (number, word) in words.iter().enumerate().take(LINES_MAX) {
        if clients.kernel.exit.is_some() {
            return;
        }
        let kernel = &mut clients.kernel;
        match word {
            b'0'..=b'9' => clients.pass(PAUSES_MS[usize::from(word - b'0')]),
            // New processes have bad luck.
            b'f' => kernel.mood.fork_fails += 1,
            b'x' => kernel.mood.exec_fails += 1,
            b'h' => kernel.mood.hangs += 1,
            b'i' => kernel.mood.ignores += 1,
            b'o' => kernel.mood.forks += 1,
            b'H' => kernel.heal(),
            // Some process ends by itself.
            b'e' => kernel.end_one(number, Ending::Exited(0)),
            b'E' => kernel.end_one(number, Ending::Exited(3)),
            b'k' => kernel.end_one(number, Ending::Killed(Signal::KILL)),
            // circusd gets a signal.
            b'U' => clients.tell(Event::Signalled { signal: Signal::HUP }),
            b'W' => clients.tell(Event::Signalled { signal: Signal::WINCH }),
            b'T' => clients.tell(Event::Signalled { signal: Signal::TERM }),
            // Somebody comes to a socket.
            b'd' => clients.demand(),
            // From now on things that have happened are told only if asked for, or no longer so.
            b's' => *is_slow = !*is_slow,
            b'n' => drop(clients.happen()),
            b'l' => clients.look(),
            _ => {}
        }
    }
}
