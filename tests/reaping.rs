//! Collecting children, in a program of its own, as any child may be collected.

#![allow(clippy::disallowed_methods, clippy::zombie_processes)]

use circus::process::Ending;
use circus::sys::wait::{Waited, wait_any_after};
use std::cell::Cell;
use std::fs;
use std::process::Command;

#[test]
fn whoever_is_about_to_be_reaped_still_has_its_number() {
    let child = Command::new("sh").args(["-c", "exit 3"]).spawn().expect("there is a shell");
    let seen = Cell::new(None);
    let waited = loop {
        match wait_any_after(|pid| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.number()));
            seen.set(Some((pid, stat.expect("it is there").contains(") Z "))));
        }) {
            Waited::Nothing => std::thread::yield_now(),
            waited => break waited,
        }
    };
    let pid = circus::process::Pid::new(child.id() as i32).expect("positive");
    assert_eq!(waited, Waited::Ended(pid, Ending::Exited(3)));
    assert_eq!(seen.get(), Some((pid, true)), "it is told of as long as it is a zombie");
    assert_eq!(wait_any_after(|_| ()), Waited::NoChild);
}
