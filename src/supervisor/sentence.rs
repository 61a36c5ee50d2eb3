//! The sentences in which people are told: one place, so that every log and every reply uses the
//! same words.

use super::SlotId;
use super::report::{Death, HurryCause, Names, Report, StopCause};
use super::slot::Next;
use super::vitals::Fault;
use crate::config::settings::HookName;
use crate::moment::Moment;
use crate::process::{Ending, Pid};

impl Report {
    /// The sentence.
    pub fn text(&self, names: &dyn Names) -> String {
        match self {
            Report::Started { watcher, pids } if pids.is_empty() => {
                format!("{} started with no process", names.watcher(*watcher))
            }
            Report::Started { watcher, pids } => {
                format!("{} started ({})", names.watcher(*watcher), list(pids))
            }
            Report::Ready { watcher } => format!("{} ready", names.watcher(*watcher)),
            Report::Listening { watcher } => {
                format!("{} waits for a connection", names.watcher(*watcher))
            }
            Report::Idle { watcher, idle_ms } => idle(names.watcher(*watcher), *idle_ms),
            Report::Succeeded { slot, pid, by } => succeeded(*slot, *pid, *by, names),
            Report::Blocked { watcher, blocker } => {
                let what = blocker.text(|w| names.watcher(w));
                format!("{} is {what}", names.watcher(*watcher))
            }
            Report::HookFailed { watcher, hook, reason, follows } => {
                hook_failed(names.watcher(*watcher), *hook, reason, *follows)
            }
            Report::Faulty { slot, pid, fault } => {
                format!("{} (pid {pid}) {}; it is replaced", at(names, *slot), fault_text(fault))
            }
            Report::Unknown { slot, pid, reason } => unknown(*slot, *pid, reason, names),
            Report::ProbeStuck { slot } => probe_stuck(*slot, names),
            Report::Known { slot, pid } => known(*slot, *pid, names),
            Report::Respawned { slot, pid } => format!("{} started (pid {pid})", at(names, *slot)),
            Report::Died { .. } => self.death(self.ending(names), names),
            Report::ForkFailed { slot, errno, next } => fork_failed(*slot, *errno, *next, names),
            Report::NeverStarted { watcher } => {
                format!("{} is never started: max_retry is 0", names.watcher(*watcher))
            }
            Report::TooOld { slot, pid } => too_old(*slot, *pid, names),
            Report::Outlasted { .. } => self.outlasted(names),
            Report::LeftBehind { slot, pids, killed, .. } => {
                left_behind(*slot, pids, *killed, names)
            }
            Report::Hanging { slot, pid } => hanging(*slot, *pid, names),
            Report::Stuck { slot, pids } => stuck(*slot, pids, names),
            Report::Stopped { watcher, asked: true } => {
                format!("{} stopped", names.watcher(*watcher))
            }
            Report::Stopped { watcher, asked: false } => {
                format!("{} has no process left and starts none", names.watcher(*watcher))
            }
            Report::Completed { watcher } => format!("{} completed", names.watcher(*watcher)),
            Report::Added { watcher } => format!("{} added", names.watcher(*watcher)),
            Report::Removed { watcher } => format!("{} removed", names.watcher(*watcher)),
            Report::Changed { watcher, options } => {
                format!("{} changed: {}", names.watcher(*watcher), options.join(", "))
            }
            Report::HupSent { watcher } => {
                format!("{} reloading: SIGHUP sent", names.watcher(*watcher))
            }
            Report::Reloading { watcher } => format!("{} reloading", names.watcher(*watcher)),
            Report::Reloaded { watcher } => format!("{} reloaded", names.watcher(*watcher)),
            Report::ReloadFailed { watcher } => not_reloaded(names.watcher(*watcher)),
            Report::Stopping { cause } => stopping(*cause, names),
            Report::Hurried { cause } => hurried(*cause),
            Report::Orphans { pids, killed } => format!(
                "{} of no watcher {}",
                list(pids),
                if *killed { "killed" } else { "asked to end" }
            ),
            Report::Exiting { code } => format!("all stopped, exit code {code}"),
            Report::Abandoned => "ending although SIGKILL has not ended every process".to_string(),
        }
    }

    /// How a process has ended: no subject, and nothing of what follows. Empty for other facts.
    pub fn cause(&self, names: &dyn Names) -> String {
        self.to_death().map_or(String::new(), |death| death.text(names))
    }

    /// The same without what it was replaced for, which was told when that began.
    fn ending(&self, names: &dyn Names) -> String {
        self.to_death().map_or(String::new(), |death| death.ending_text(names))
    }

    fn to_death(&self) -> Option<Death> {
        let Report::Died {
            slot,
            pid,
            ending,
            ref fault,
            lived_ms,
            memory_short,
            ref said,
            next,
            ..
        } = *self
        else {
            return None;
        };
        let (fault, said, at) = (fault.clone(), said.clone(), Moment::default());
        Some(Death { slot, pid, ending, fault, lived_ms, memory_short, said, next, at })
    }

    fn outlasted(&self, names: &dyn Names) -> String {
        let Report::Outlasted { slot, pid, signal, waited_ms } = *self else {
            return String::new();
        };
        let (who, waited) = (at(names, slot), seconds(waited_ms));
        format!("{who} (pid {pid}) did not end within {waited} of {signal}: killed")
    }

    /// The same and what has led to it, for who reads no other sentence.
    pub fn whole_text(&self, names: &dyn Names) -> String {
        match self {
            Report::Died { .. } => self.death(self.cause(names), names),
            other => other.text(names),
        }
    }

    fn death(&self, cause: String, names: &dyn Names) -> String {
        let Report::Died { slot, pid, ending, next, .. } = *self else { return String::new() };
        let (who, then) = (at(names, slot), then(next));
        match ending {
            Ending::NotExecuted(_) => format!("{who}: {cause}; {then}"),
            Ending::Exited(_) | Ending::Killed(_) => format!("{who} (pid {pid}) {cause}; {then}"),
        }
    }
}

impl Death {
    /// In a few words, for a column.
    pub(super) fn brief(&self, names: &dyn Names) -> String {
        if let Some(fault) = &self.fault {
            return fault_text(fault);
        }
        let ending = match self.ending {
            Ending::Killed(_) if self.memory_short => "killed for lack of memory".to_string(),
            Ending::Exited(code) if self.memory_short => {
                format!("exit code {code}, lack of memory")
            }
            Ending::Exited(code) => format!("exit code {code}"),
            Ending::Killed(signal) => format!("killed by {signal}"),
            Ending::NotExecuted(_) => return self.text(names),
        };
        match &self.said {
            Some(said) => format!("{ending}: {said}"),
            None => ending,
        }
    }

    /// The sentence without its subject.
    pub(super) fn text(&self, names: &dyn Names) -> String {
        let ending = self.ending_text(names);
        match &self.fault {
            Some(fault) => format!("{} and {ending}", fault_text(fault)),
            None => ending,
        }
    }

    fn ending_text(&self, names: &dyn Names) -> String {
        match &self.said {
            Some(said) => format!("{}, its last line: {said}", self.plain_ending(names)),
            None => self.plain_ending(names),
        }
    }

    fn plain_ending(&self, names: &dyn Names) -> String {
        let lived = seconds(self.lived_ms);
        match self.ending {
            Ending::Exited(code) if self.memory_short => format!(
                "exited with code {code} after {lived}: the kernel has killed what it ran for \
                 lack of memory"
            ),
            Ending::Exited(code) => format!("exited with code {code} after {lived}"),
            Ending::Killed(_) if self.memory_short => {
                format!("was killed by the kernel for lack of memory after {lived}")
            }
            Ending::Killed(signal) => format!("was killed by {signal} after {lived}"),
            Ending::NotExecuted(failure) => format!(
                "cannot {}: {}",
                names.object(self.slot, failure),
                names.error(failure.errno)
            ),
        }
    }
}

fn idle(name: &str, idle_ms: u64) -> String {
    format!("{name} stops until somebody connects: nobody has for {}", seconds(idle_ms))
}

fn not_reloaded(name: &str) -> String {
    format!("{name} not reloaded: its new processes did not start, the old ones stay")
}

fn hook_failed(name: &str, hook: HookName, reason: &str, follows: bool) -> String {
    let then = match hook {
        _ if !follows => "",
        HookName::BeforeStart => "; it is not started",
        HookName::BeforeSignal => "; the signal is not sent",
        _ => "; it is stopped",
    };
    format!("{name}: hook {} failed: {reason}{then}", hook.name())
}

const EAGAIN: i32 = 11;

fn succeeded(slot: SlotId, pid: Pid, by: Pid, names: &dyn Names) -> String {
    format!("{}: pid {by} goes on in place of pid {pid}", at(names, slot))
}

fn too_old(slot: SlotId, pid: Pid, names: &dyn Names) -> String {
    format!("{} (pid {pid}) has reached its max_age and is replaced", at(names, slot))
}

fn known(slot: SlotId, pid: Pid, names: &dyn Names) -> String {
    format!("{} (pid {pid}) can be probed again", at(names, slot))
}

fn unknown(slot: SlotId, pid: Pid, reason: &str, names: &dyn Names) -> String {
    let at = at(names, slot);
    format!("{at} (pid {pid}) cannot be probed, which is not held against it: {reason}")
}

fn probe_stuck(slot: SlotId, names: &dyn Names) -> String {
    let at = at(names, slot);
    format!("{at}: SIGKILL does not end its last probe; there is no other until it is gone")
}

fn hanging(slot: SlotId, pid: Pid, names: &dyn Names) -> String {
    format!(
        "{} (pid {pid}) has not become its program yet: does a file system hang that its \
         working_dir or program is on?",
        at(names, slot)
    )
}

/// Its own process, or some that this has left behind.
fn stuck(slot: SlotId, pids: &[Pid], names: &dyn Names) -> String {
    let hang = if pids.len() == 1 { "it hangs" } else { "they hang" };
    format!("{}: SIGKILL does not end {}: {hang} in the kernel", at(names, slot), list(pids))
}

fn left_behind(slot: SlotId, pids: &[Pid], killed: bool, names: &dyn Names) -> String {
    let then = if killed { "now killed" } else { "now asked to end" };
    format!("{} left {} behind, {then}", at(names, slot), list(pids))
}

fn fault_text(fault: &Fault) -> String {
    let because =
        |reason: &str| if reason.is_empty() { String::new() } else { format!(": {reason}") };
    match fault {
        Fault::NotReady { waited_ms, reason } => {
            format!("was not ready after {}{}", seconds(*waited_ms), because(reason))
        }
        Fault::CheckFailed { failures: 1, reason } => {
            format!("failed its check{}", because(reason))
        }
        Fault::CheckFailed { failures, reason } => {
            format!("failed its check {failures} times{}", because(reason))
        }
        Fault::Silent { ms } => format!("has not sent WATCHDOG=1 for {}", seconds(*ms)),
        Fault::Asked => "has asked to be replaced".to_string(),
    }
}

fn at(names: &dyn Names, slot: SlotId) -> String {
    let name = names.watcher(slot.watcher);
    if names.has_many(slot.watcher) { format!("{name}.{}", slot.wid()) } else { name.to_string() }
}

fn fork_failed(slot: SlotId, errno: i32, next: Next, names: &dyn Names) -> String {
    let reason = match errno {
        EAGAIN => "the limit of processes is reached (RLIMIT_NPROC, pids cgroup)".to_string(),
        errno => names.error(errno),
    };
    format!("{}: no process can be made: {reason}; {}", at(names, slot), then(next))
}

fn list(pids: &[Pid]) -> String {
    const SHOWN: usize = 10;
    let mut text = String::from(if pids.len() == 1 { "pid" } else { "pids" });
    for pid in pids.iter().take(SHOWN) {
        text.push_str(&format!(" {pid}"));
    }
    if pids.len() > SHOWN {
        text.push_str(&format!(" and {} more", pids.len() - SHOWN));
    }
    text
}

fn then(next: Next) -> String {
    match next {
        Next::Start { delay_ms: 0 } => "starting again now".to_string(),
        Next::Start { delay_ms } => format!("starting again in {}", seconds(delay_ms)),
        Next::Over => "not started again".to_string(),
        Next::GivenUp { failures: 1 } => "given up".to_string(),
        Next::GivenUp { failures } => format!("given up after {failures} failures in a row"),
    }
}

fn stopping(cause: StopCause, names: &dyn Names) -> String {
    match cause {
        StopCause::Signal(signal) => format!("{signal} received: stopping"),
        StopCause::Command => "quit received: stopping".to_string(),
        StopCause::Essential { watcher, code } => {
            format!("{} is essential and ended: stopping, exit code {code}", names.watcher(watcher))
        }
        StopCause::Hopeless { watcher, blocker, code } => {
            let what = blocker.text(|w| names.watcher(w));
            let name = names.watcher(watcher);
            format!("{name} is essential and {what}: stopping, exit code {code}")
        }
        StopCause::Done { code } => format!("nothing left to run: stopping, exit code {code}"),
    }
}

fn hurried(cause: HurryCause) -> String {
    match cause {
        HurryCause::Signal(signal) => format!("{signal} received again: stopping at once"),
        HurryCause::Timeout => "shutdown_timeout is over: killing what is left".to_string(),
    }
}

fn seconds(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms} ms"),
        1000..100_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => {
            let (h, m, s) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
            if h == 0 { format!("{m} min {s} s") } else { format!("{h} h {m} min") }
        }
    }
}
