//! From a watcher's settings to what `sys::spawn` needs for one process.

use circus::config::program::{Program, program};
use circus::config::settings::{Variable, WatcherSettings};
use circus::process::Tag;
use circus::sys::identity;
use circus::sys::spawn::Plan;
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd};

/// What all processes share.
#[derive(Debug)]
pub struct Launcher {
    /// Our own environment.
    pub environment: Vec<Variable>,
    /// `/dev/null`, if there is one.
    pub null: Option<OwnedFd>,
    /// We may become other users.
    pub may_switch_user: bool,
}

impl Launcher {
    /// What to do for the process `wid` of a watcher. The error is a sentence.
    pub fn plan(
        &self,
        settings: &WatcherSettings,
        wid: u32,
        tag: Tag,
        foreground: bool,
    ) -> Result<Plan, String> {
        let Program { argv, candidates, environment, working_dir } =
            program(settings, wid, &self.environment)?;
        let mut plan = Plan {
            argv: words(argv)?,
            candidates: words(candidates)?,
            environment: environment
                .into_iter()
                .map(|(name, value)| word([&name[..], b"=", &value[..]].concat()))
                .collect::<Result<_, _>>()?,
            working_dir: working_dir.map(word).transpose()?,
            streams: self.streams(settings),
            foreground,
            tag: Some(tag),
            rlimits: settings.rlimits.to_vec(),
            umask: settings.umask,
            nice: settings.nice,
            oom_score_adj: settings.oom_score_adj,
            capabilities: settings.capabilities,
            no_new_privs: settings.no_new_privs,
            ..Plan::default()
        };
        self.add_identity(settings, &mut plan);
        Ok(plan)
    }

    fn streams(&self, settings: &WatcherSettings) -> [Option<i32>; 3] {
        let null = self.null.as_ref().map(AsRawFd::as_raw_fd);
        [settings.close_child_stdin, settings.close_child_stdout, settings.close_child_stderr]
            .map(|close| null.filter(|_| close))
    }

    fn add_identity(&self, settings: &WatcherSettings, plan: &mut Plan) {
        let Some(wanted) = &settings.identity else { return };
        let is_us = wanted.uid.is_none_or(|uid| uid == identity::uid())
            && wanted.gid.is_none_or(|gid| gid == identity::gid());
        if !self.may_switch_user && (is_us || settings.ignore_user_switch) {
            return;
        }
        plan.uid = wanted.uid;
        plan.gid = wanted.gid;
        plan.groups = wanted.groups.as_ref().map(|groups| groups.to_vec());
    }
}

fn words(words: Vec<Vec<u8>>) -> Result<Vec<CString>, String> {
    words.into_iter().map(word).collect()
}

fn word(bytes: Vec<u8>) -> Result<CString, String> {
    CString::new(bytes).map_err(|_| "a word holds a NUL byte".to_string())
}
