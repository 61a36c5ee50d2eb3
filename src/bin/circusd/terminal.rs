//! The terminal, when the main command runs on one: it is in the foreground there, with job
//! control of its own. If it is suspended, so are we, for the shell that runs us.

use circus::process::Pid;
use circus::signal::Signal;
use circus::sys::{identity, signals, terminal};

#[derive(Debug)]
pub struct Terminal {
    /// There is one, and it is ours to give away.
    pub in_use: bool,
    /// Somebody above us could continue us.
    pub may_suspend: bool,
}

impl Terminal {
    /// `alone`: there is nothing but the main command, so we may be suspended with it.
    pub fn find(alone: bool) -> Terminal {
        let in_use = terminal::is_ours();
        Terminal { in_use, may_suspend: in_use && alone && identity::has_job_control_above() }
    }

    /// The main command was suspended.
    pub fn suspended(&self, main: Pid) {
        if !self.may_suspend {
            return;
        }
        terminal::take_back();
        signals::stop_self();
        // Continued: in the foreground, or in the background where the terminal is not ours.
        if terminal::is_ours() {
            terminal::give_to(main);
        }
        signals::send_to_group(main, Signal::CONT);
    }

    /// The main command is gone.
    pub fn close(&self) {
        if self.in_use {
            terminal::take_back();
        }
    }
}
