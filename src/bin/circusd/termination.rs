//! Where Kubernetes reads why a container ended. It is written once, at the end, if the end is a
//! failure, and never waited for.

use circus::supervisor::{Names, Report, StopCause};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

const PATH: &str = "/dev/termination-log";

/// Kubernetes shows no more.
const BYTES_MAX: usize = 4096;

/// More failures are not kept: one of them is told.
const FAILURES_MAX: usize = 64;

/// What may have to be told.
#[derive(Debug, Default)]
pub struct Termination {
    /// By watcher, with the exit code that each gives, in the order in which they happened.
    failures: Vec<(u32, u8, String)>,
    /// The watcher whose end ends everything.
    essential: Option<u32>,
}

impl Termination {
    /// Remember what may be the reason.
    pub fn note(&mut self, report: &Report, names: &dyn Names) {
        match report {
            Report::Died { slot, ending, success: false, .. } => {
                let text = report.text(names);
                let watcher = slot.watcher;
                self.failures.retain(|(other, ..)| *other != watcher);
                if self.failures.len() == FAILURES_MAX {
                    self.failures.remove(0);
                }
                self.failures.push((watcher, ending.exit_code(), text));
            }
            // It has got over it.
            Report::Respawned { slot, .. } => {
                self.failures.retain(|(watcher, ..)| *watcher != slot.watcher);
            }
            Report::Stopping { cause: StopCause::Essential { watcher, .. } } => {
                self.essential = Some(*watcher);
            }
            _ => {}
        }
    }

    /// Write it down, if there is a place for it and `code` is one of a failure.
    pub fn write(&self, code: u8) {
        let Some(text) = self.text(code) else { return };
        // Neither a link to somewhere else nor a pipe that nobody reads.
        let flags = O_NOFOLLOW | O_NONBLOCK;
        let file = OpenOptions::new().write(true).custom_flags(flags).open(PATH);
        let Ok(mut file) = file else { return };
        if file.metadata().is_ok_and(|metadata| metadata.is_file()) && file.set_len(0).is_ok() {
            // Nobody is left who could be told that it went wrong.
            let _ = file.write_all(text.as_bytes());
        }
    }

    fn text(&self, exit_code: u8) -> Option<String> {
        if exit_code == 0 {
            return None;
        }
        let is_it = |(watcher, code, _): &&(u32, u8, String)| match self.essential {
            Some(essential) => *watcher == essential,
            None => *code == exit_code,
        };
        let (_, _, failure) = self.failures.iter().find(is_it)?;
        let last = format!("\ncircusd exits with code {exit_code}\n");
        let mut text = failure.clone();
        while text.len() + last.len() > BYTES_MAX {
            text.pop();
        }
        Some(text + &last)
    }
}
