//! Errands: short-lived processes that find something out for the core. Each is in a session of its
//! own, its output is read as far as people want to see it, and none is ever waited for.

use crate::hook;
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::supervisor::{Errand, Event, HookAnswer};
use circus::sys::poll::{Interest, PollSet};
use circus::sys::spawn::{Launch, Outcome, Plan};
use circus::sys::{error_text, fds, signals};
use nix::errno::Errno;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::rc::Rc;

/// The last so many bytes of what it prints are kept; more where that is what is asked for.
const OUTPUT_BYTES_MAX: usize = 1024;
const ADDED_BYTES_MAX: usize = 64 * 1024;

/// One is told so much at most.
const TOLD_BYTES_MAX: usize = 1024 * 1024;

/// So many characters of it are shown.
const SHOWN_CHARS_MAX: usize = 160;

/// Read from one errand at once: so many pieces, more than a pipe holds.
const READ_BYTES: usize = 4096;
const READS_MAX: usize = 32;

/// What an errand is to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// Whether a process does its work.
    Probe,
    /// What a hook says.
    Hook {
        /// A function of Python.
        is_function: bool,
        /// What it prints is what it has to say.
        adds: bool,
    },
}

/// All that are out.
#[derive(Debug, Default)]
pub struct Errands {
    out: Vec<Out>,
}

#[derive(Debug)]
struct Out {
    errand: Errand,
    asked: Asked,
    /// Kept until it is reaped: before its program is executed, it uses our memory.
    launch: Launch,
    /// What it prints; `None` when nobody will print any more.
    output: Option<OwnedFd>,
    printed: Vec<u8>,
    /// Nobody wants to know any more.
    is_abandoned: bool,
}

impl Errands {
    /// Nothing is to be read.
    pub fn is_idle(&self) -> bool {
        self.out.is_empty()
    }

    /// Send somebody: `plan` gets its output from here, and `told` as its input.
    ///
    /// # Errors
    /// No process or pipe can be made: the kernel's limits.
    pub fn send(
        &mut self,
        errand: Errand,
        asked: Asked,
        told: Option<&[u8]>,
        mut plan: Plan,
    ) -> io::Result<()> {
        let (output, theirs) = fds::pipe_for_output()?;
        let write_end = theirs.as_raw_fd();
        plan.streams[1] = Some(write_end);
        plan.streams[2] = Some(write_end);
        let input = told.map(filled).transpose()?;
        if let Some(input) = &input {
            plan.streams[0] = Some(input.as_raw_fd());
        }
        // From here on the kernel holds it for the new process, which has copied it.
        let launch = Launch::start(plan)?;
        drop(theirs);
        self.out.push(Out {
            errand,
            asked,
            launch,
            output: Some(output),
            printed: Vec::new(),
            is_abandoned: false,
        });
        Ok(())
    }

    /// Nobody wants to know any more.
    pub fn abandon(&mut self, errand: Errand) {
        if let Some(out) = self.out.iter_mut().find(|out| out.errand == errand) {
            out.is_abandoned = true;
            out.output = None;
            let pid = out.launch.pid();
            // The group is there once it is in a session of its own; the process is there in any case.
            signals::send_to_group(pid, Signal::KILL);
            let _ = signals::send(pid, Signal::KILL);
        }
    }

    /// What to wait for.
    pub fn poll(&self, set: &mut PollSet) {
        for output in self.out.iter().filter_map(|out| out.output.as_ref()) {
            set.add(output.as_fd(), Interest::Read);
        }
    }

    /// Read what was printed.
    pub fn look(&mut self, set: &PollSet) {
        for out in &mut self.out {
            let is_ready = |output: &OwnedFd| set.is_ready(output.as_raw_fd());
            if out.output.as_ref().is_some_and(is_ready) {
                out.read();
            }
        }
    }

    /// Somebody has ended and is about to be reaped: what one of them has left behind would be
    /// nobody's. Once it is reaped, its number may be another group's.
    pub fn sweep(&self, pid: Pid) {
        if self.is(pid) {
            signals::send_to_group(pid, Signal::KILL);
        }
    }

    /// One of them has ended: what it came to, if anybody wants to know. `None` also for others.
    pub fn ended(&mut self, pid: Pid, ending: Ending) -> Option<Event> {
        let at = self.out.iter().position(|out| out.launch.pid() == pid)?;
        let mut out = self.out.swap_remove(at);
        if out.is_abandoned {
            return match out.asked {
                Asked::Probe => Some(Event::Gone { errand: out.errand }),
                Asked::Hook { .. } => None,
            };
        }
        out.read();
        let launched = out.launch.outcome();
        if let (Asked::Probe, Outcome::Failed(failure)) = (out.asked, &launched)
            && passes(failure.errno)
        {
            let reason = error_text(failure.errno).into();
            return Some(Event::Unsent { errand: out.errand, reason });
        }
        let outcome = match (&launched, ending) {
            (Outcome::Failed(failure), _) => {
                Err(format!("cannot be executed: {}", error_text(failure.errno)))
            }
            (_, Ending::Exited(0)) => Ok(()),
            (_, Ending::Exited(code)) => Err(format!("exit code {code}")),
            (_, Ending::Killed(signal)) => Err(format!("killed by {signal}")),
            (_, Ending::NotExecuted(failure)) => Err(error_text(failure.errno).to_string()),
        };
        let outcome = outcome.map_err(|ending| Rc::from(reason(&out.printed, ending)));
        let errand = out.errand;
        Some(match (out.asked, launched, outcome) {
            (Asked::Probe, _, outcome) => Event::Returned { errand, outcome },
            (Asked::Hook { is_function, .. }, Outcome::Failed(_), Err(reason)) => {
                let program = if is_function { "python3 " } else { "" };
                let answer = HookAnswer::Failed(format!("{program}{reason}").into());
                Event::HookReturned { errand, answer }
            }
            (Asked::Hook { adds: true, .. }, _, Ok(())) => {
                Event::HookReturned { errand, answer: hook::added(&out.printed) }
            }
            (Asked::Hook { is_function, .. }, _, outcome) => {
                let answer = hook::answer(is_function, ending, outcome);
                Event::HookReturned { errand, answer }
            }
        })
    }

    /// Whether this is one of them.
    pub fn is(&self, pid: Pid) -> bool {
        self.out.iter().any(|out| out.launch.pid() == pid)
    }
}

/// An error of the kernel that says nothing about the program: there was too little of something.
fn passes(errno: i32) -> bool {
    matches!(Errno::from_raw(errno), Errno::EAGAIN | Errno::ENOMEM | Errno::EMFILE | Errno::ENFILE)
}

/// What holds this, and nothing more will come.
fn filled(bytes: &[u8]) -> io::Result<OwnedFd> {
    if bytes.len() > TOLD_BYTES_MAX {
        return Err(io::Error::other("there is too much to tell"));
    }
    if let Ok(file) = fds::sealed(bytes) {
        return Ok(file);
    }
    // Where such files are forbidden, as much as a pipe takes at once.
    let (theirs, ours) = fds::pipe()?;
    if fds::write(ours.as_fd(), bytes)? < bytes.len() {
        return Err(io::Error::other("there is too much to tell"));
    }
    Ok(theirs)
}

impl Out {
    fn read(&mut self) {
        let mut bytes = [0; READ_BYTES];
        for _ in 0..READS_MAX {
            let Some(output) = &self.output else { return };
            match fds::read(output.as_fd(), &mut bytes) {
                Ok(0) => self.output = None,
                Ok(length) => {
                    self.printed.extend_from_slice(&bytes[..length]);
                    let most = match self.asked {
                        Asked::Hook { adds: true, .. } => ADDED_BYTES_MAX,
                        Asked::Hook { adds: false, .. } | Asked::Probe => OUTPUT_BYTES_MAX,
                    };
                    let surplus = self.printed.len().saturating_sub(most);
                    self.printed.drain(..surplus);
                }
                Err(_) => return,
            }
        }
    }
}

/// The last line that it has printed, else how it ended.
fn reason(printed: &[u8], ending: String) -> String {
    let text = String::from_utf8_lossy(printed);
    let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let Some(last) = last else { return ending };
    let plain = last.chars().take(SHOWN_CHARS_MAX);
    plain.map(|char| if char.is_control() { '?' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_says_most() {
        let reason = |printed: &str| reason(printed.as_bytes(), "exit code 1".to_string());
        assert_eq!(reason("a\nno \x1bresponse\r\n\n"), "no ?response");
        assert_eq!(reason("\n \n"), "exit code 1");
        assert_eq!(reason(&"x".repeat(500)).len(), SHOWN_CHARS_MAX);
    }
}
