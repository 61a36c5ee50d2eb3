//! What the facts in a report are called.

use circus::config::program::program;
use circus::config::settings::{Variable, WatcherSettings};
use circus::config::sockets::passed_names;
use circus::process::{Failure, Step};
use circus::supervisor::{Names, SlotId, Supervisor};
use circus::sys::error_text;

/// Looks them up.
pub struct Lookup<'a> {
    pub supervisor: &'a Supervisor,
    pub environment: &'a [Variable],
}

impl Names for Lookup<'_> {
    fn watcher(&self, watcher: u32) -> &str {
        &self.supervisor.settings(watcher).name
    }

    fn has_many(&self, watcher: u32) -> bool {
        self.supervisor.settings(watcher).numprocesses > 1
    }

    fn error(&self, errno: i32) -> String {
        error_text(errno).to_string()
    }

    fn object(&self, slot: SlotId, failure: Failure) -> String {
        let settings = self.supervisor.settings(slot.watcher);
        let identity = settings.identity.as_deref();
        match failure.step {
            Step::Session => "start a session".to_string(),
            Step::Streams => "connect its standard input and output".to_string(),
            Step::Limits => "set its resource limits (rlimit_…)".to_string(),
            Step::Nice => format!("set nice to {}", settings.nice.unwrap_or(0)),
            Step::OomScore => {
                format!("set oom_score_adj to {}", settings.oom_score_adj.unwrap_or(0))
            }
            Step::Capabilities => "set its capabilities".to_string(),
            Step::Groups => format!(
                "take the groups of user {} (user_switch = ignore runs it as it is)",
                identity.and_then(|identity| identity.uid).unwrap_or(0)
            ),
            Step::Gid => format!(
                "become group {} (user_switch = ignore runs it as it is)",
                identity.and_then(|identity| identity.gid).unwrap_or(0)
            ),
            Step::Uid => format!(
                "become user {} (user_switch = ignore runs it as it is)",
                identity.and_then(|identity| identity.uid).unwrap_or(0)
            ),
            Step::NoNewPrivs => "set no_new_privs".to_string(),
            Step::WorkingDir if is_masked(settings, "working_dir") => {
                "enter its working_dir".to_string()
            }
            Step::WorkingDir => {
                format!("enter the directory {}", settings.working_dir.as_deref().unwrap_or("."))
            }
            Step::Execute => format!("execute {}", self.program(slot)),
        }
    }
}

impl Lookup<'_> {
    /// The program's path; where it was looked for in a PATH, its name.
    fn program(&self, slot: SlotId) -> String {
        let settings = self.supervisor.settings(slot.watcher);
        if crate::check::holds_secret(settings) {
            return "its program".to_string();
        }
        let passed = passed_names(settings, self.supervisor.sockets());
        let Ok(program) = program(settings, slot.wid(), self.environment, &passed) else {
            return settings.cmd.to_string();
        };
        match (program.candidates.as_slice(), program.argv.first()) {
            ([only], _) => String::from_utf8_lossy(only).into_owned(),
            (_, Some(name)) => format!("{} (looked for in PATH)", String::from_utf8_lossy(name)),
            (_, None) => settings.cmd.to_string(),
        }
    }
}

/// Whether an option shows the content of a file.
fn is_masked(settings: &WatcherSettings, option: &str) -> bool {
    settings.masked.iter().any(|masked| **masked == *option)
}
