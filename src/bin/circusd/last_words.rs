//! What a bug in circusd itself leads to: it says what happened before, stops the processes as
//! well as it still can, and ends with a code of its own.

use circus::process::Pid;
use circus::signal::Signal;
use circus::supervisor::Event;
use circus::sys::output::Output;
use circus::sys::wait::{Waited, wait_any};
use circus::sys::{clock, identity, poll::PollSet, procfs, signals};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::fd::AsFd;

/// Internal failure.
const EXIT_INTERNAL: u8 = 70;

const REMEMBERED: usize = 32;
const GRACE_MS: u64 = 3000;
const LOOK_AGAIN_MS: u64 = 20;

thread_local! {
    static RECENT: RefCell<VecDeque<Memory>> = const { RefCell::new(VecDeque::new()) };
}

/// What is kept of an event until it may have to be told.
enum Memory {
    Event(Event),
    /// Of one that holds settings: they may hold secrets, and are long.
    Words(String),
}

/// From now on a panic ends like this.
pub fn prepare() {
    std::panic::set_hook(Box::new(|panic| {
        let mut words = format!("circusd: internal failure, please report this: {panic}\n");
        RECENT.with(|recent| {
            for memory in recent.try_borrow().iter().flat_map(|recent| recent.iter()) {
                words.push_str(&match memory {
                    Memory::Event(event) => format!("circusd: before that: {event:?}\n"),
                    Memory::Words(text) => format!("circusd: before that: {text}\n"),
                });
            }
        });
        // Whoever does not read this must not keep the processes from being stopped.
        if let Ok(mut stderr) = Output::shared(std::io::stderr().as_fd()) {
            let _ = stderr.write(words.as_bytes());
        }
        stop_everything();
        identity::exit_now(EXIT_INTERNAL);
    }));
}

/// Remember what happens.
pub fn remember(event: &Event) {
    let memory = match event {
        Event::Add { settings, .. } => Memory::Words(format!("Add {}", settings.name)),
        Event::Change { watcher, options, .. } => {
            Memory::Words(format!("Change {watcher}: {}", options.join(", ")))
        }
        Event::Configure { restart, .. } => Memory::Words(format!("Configure, restart {restart}")),
        event => Memory::Event(event.clone()),
    };
    RECENT.with(|recent| {
        let mut recent = recent.borrow_mut();
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(memory);
    });
}

/// In debug builds a test may have us fail: with this variable set, by the last real-time signal.
#[cfg(debug_assertions)]
pub fn fail_if_asked(signal: Signal) {
    if signal.number() == 64 && std::env::var_os("CIRCUSD_TEST_FAILURE").is_some() {
        panic!("asked to fail");
    }
}

#[cfg(not(debug_assertions))]
pub fn fail_if_asked(_: Signal) {}

fn stop_everything() {
    send_all(Signal::TERM);
    send_all(Signal::CONT);
    let kill_at = clock::now().after_ms(GRACE_MS);
    let give_up_at = kill_at.after_ms(GRACE_MS);
    let mut killed = false;
    loop {
        match wait_any() {
            Waited::Ended(..) | Waited::Stopped(_) => continue,
            Waited::NoChild => return,
            Waited::Nothing => {}
        }
        let now = clock::now();
        if now >= give_up_at {
            return;
        }
        if now >= kill_at && !killed {
            killed = true;
            send_all(Signal::KILL);
        }
        PollSet::default().wait(Some(now.after_ms(LOOK_AGAIN_MS)));
    }
}

fn send_all(signal: Signal) {
    if identity::pid().number() == 1 {
        signals::send_to_all(signal);
        return;
    }
    if procfs::own_status().is_none() {
        return;
    }
    for pid in procfs::children().unwrap_or_default() {
        send_tree(pid, signal);
    }
}

fn send_tree(pid: Pid, signal: Signal) {
    for child in procfs::children_of(pid) {
        send_tree(child, signal);
    }
    let _ = signals::send(pid, signal);
}
