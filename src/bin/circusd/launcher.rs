//! From a watcher's settings to what `sys::spawn` needs for one process.

use crate::sockets::Given;
use crate::{hook, probe};
use circus::config::program::{Program, beside, program};
use circus::config::settings::{
    HookCommand, Liveness, Probe, Readiness, Variable, WatcherSettings,
};
use circus::process::{Pid, Tag};
use circus::supervisor::SlotId;
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

/// One process that is to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Its number in the watcher.
    pub wid: u32,
    /// What marks it.
    pub tag: Tag,
    /// In the foreground of our terminal.
    pub foreground: bool,
    /// Its sockets.
    pub given: &'a Given,
    /// Where it tells what it is at.
    pub notify: Option<&'a str>,
}

/// How a process is told of its sockets: sd_listen_fds(3).
const LISTEN_VARIABLES: [&str; 3] = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID"];

/// Who has them from us means them for us.
pub const NOTIFY_VARIABLES: [&str; 3] = ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"];

impl Launcher {
    /// What to do for a process of a watcher. The error is a sentence.
    pub fn plan(&self, settings: &WatcherSettings, start: Start<'_>) -> Result<Plan, String> {
        let Start { wid, tag, foreground, given, notify } = start;
        let names: Vec<&str> = given.names.iter().map(|name| &**name).collect();
        let mut program = program(settings, wid, &self.environment, &names)?;
        let listens = settings.sockets.as_ref().is_some_and(|its| its.listen_fds);
        if listens {
            let is_ours =
                |(name, _): &Variable| LISTEN_VARIABLES.iter().any(|it| it.as_bytes() == &**name);
            program.environment.retain(|variable| !is_ours(variable));
        }
        let mut plan = Plan {
            streams: self.streams(settings),
            foreground,
            tag: Some(tag),
            tell_pid: listens,
            ..self.common_plan(settings, program)?
        };
        if listens {
            let count = format!("LISTEN_FDS={}", names.len());
            let names = format!("LISTEN_FDNAMES={}", names.join(":"));
            plan.environment.extend(words(vec![count.into(), names.into()])?);
        }
        plan.streams[0] = given.stdin.or(plan.streams[0]);
        plan.passed.clone_from(&given.passed);
        if let Some(address) = notify {
            add_notify(settings, address, &mut plan)?;
        }
        Ok(plan)
    }

    /// What to do for a probe of the process `wid`; its output is not in it. The error is a sentence.
    pub fn probe_plan(
        &self,
        settings: &WatcherSettings,
        wid: u32,
        pid: Pid,
        probe: &Probe,
    ) -> Result<Plan, String> {
        let null = self.null.as_ref().map(AsRawFd::as_raw_fd);
        let mut plan = match (probe, probe::words(probe)) {
            (Probe::Exec(text), _) => {
                let mut program = beside(text, settings, Some(wid), &self.environment)?;
                let (name, wid) = (settings.name.to_string(), wid.to_string());
                let own = [("WATCHER", name), ("WID", wid), ("PID", pid.to_string())];
                let own = own.map(|(what, value)| {
                    (format!("CIRCUS_{what}").into_bytes().into(), value.into_bytes().into())
                });
                add_variables(&mut program, own.into());
                self.common_plan(settings, program)?
            }
            (_, Some(ours)) => Plan {
                argv: words(ours.into_iter().map(String::into_bytes).collect())?,
                candidates: vec![c"/proc/self/exe".into()],
                ..Plan::default()
            },
            (_, None) => return Err("there is no such probe".to_string()),
        };
        plan.streams[0] = null;
        Ok(plan)
    }

    /// What to do for a hook; its input and output are not in it. The error is a sentence.
    pub fn hook_plan(&self, call: &hook::Call<'_>) -> Result<Plan, String> {
        let (settings, wid) = (call.settings, call.slot.map(SlotId::wid));
        let mut program = match (&call.hook.run, call.words()) {
            (HookCommand::Command(text), _) => beside(text, settings, wid, &self.environment)?,
            (HookCommand::Python(_), ours) => {
                let mut program = beside("python3", settings, wid, &self.environment)?;
                program.argv = ours.into_iter().flatten().map(<[u8]>::to_vec).collect();
                program
            }
        };
        add_variables(&mut program, call.environment());
        self.common_plan(settings, program)
    }

    /// What a watcher's processes and its probes have in common.
    fn common_plan(&self, settings: &WatcherSettings, program: Program) -> Result<Plan, String> {
        let Program { argv, candidates, environment, working_dir } = program;
        let mut plan = Plan {
            argv: words(argv)?,
            candidates: words(candidates)?,
            environment: environment
                .into_iter()
                .map(|(name, value)| word([&name[..], b"=", &value[..]].concat()))
                .collect::<Result<_, _>>()?,
            working_dir: working_dir.map(word).transpose()?,
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

/// Where to tell what it is at, and how often.
fn add_notify(settings: &WatcherSettings, address: &str, plan: &mut Plan) -> Result<(), String> {
    plan.environment.push(word(format!("NOTIFY_SOCKET={address}").into())?);
    if let Some(check) = &settings.check
        && check.by == Liveness::Watchdog
    {
        let usec = check.interval_ms.saturating_mul(1000);
        plan.environment.push(word(format!("WATCHDOG_USEC={usec}").into())?);
    }
    Ok(())
}

/// Its processes tell what they are at.
pub fn may_notify(settings: &WatcherSettings) -> bool {
    let watchdog = settings.check.as_ref().is_some_and(|check| check.by == Liveness::Watchdog);
    watchdog || settings.ready == Readiness::Notify
}

/// Variables of its own win over those of the watcher.
fn add_variables(program: &mut Program, own: Vec<Variable>) {
    // The first of two equal names is the one that getenv(3) finds.
    program.environment.retain(|(name, _)| own.iter().all(|(ours, _)| ours != name));
    program.environment.extend(own);
}

fn words(words: Vec<Vec<u8>>) -> Result<Vec<CString>, String> {
    words.into_iter().map(word).collect()
}

fn word(bytes: Vec<u8>) -> Result<CString, String> {
    CString::new(bytes).map_err(|_| "a word holds a NUL byte".to_string())
}
