//! Who is sent on an errand: probes and hooks.

use super::Shell;
use crate::errands::Asked;
use crate::files::Files;
use crate::hook;
use circus::config::Source;
use circus::config::settings::{HookCommand, HookName};
use circus::process::Pid;
use circus::supervisor::{Errand, Event, HookAnswer, HookFacts, Question, SlotId};
use circus::sys::spawn::Plan;
use circus::sys::{clock, error_text};
use std::io;

impl Shell {
    /// Send somebody to ask, or say at once why not.
    pub(super) fn probe(&mut self, slot: SlotId, pid: Pid, errand: Errand, question: Question) {
        let event = match self.probe_plan(slot, pid, question) {
            Err(reason) => Event::Returned { errand, outcome: Err(reason.into()) },
            Ok(plan) => match self.errands.send(errand, Asked::Probe, None, plan) {
                Ok(()) => return,
                // That we have no process or descriptor left says nothing about whom we ask.
                Err(error) => Event::Unsent { errand, reason: error_words(&error).into() },
            },
        };
        self.events.push_back(event);
    }

    /// The same for a hook.
    pub(super) fn hook(
        &mut self,
        watcher: u32,
        slot: Option<SlotId>,
        errand: Errand,
        name: HookName,
        facts: HookFacts,
    ) {
        if let Err(reason) = self.try_hook(watcher, slot, errand, name, facts) {
            let answer = HookAnswer::Failed(reason.into());
            self.events.push_back(Event::HookReturned { errand, answer });
        }
    }

    /// The error is a few words.
    fn probe_plan(&self, slot: SlotId, pid: Pid, question: Question) -> Result<Plan, String> {
        let settings = self.supervisor.settings(slot.watcher);
        let probe = question.probe(settings).ok_or("there is no such probe any more")?;
        self.launcher.probe_plan(settings, slot.wid(), pid, probe)
    }

    /// The error is a few words.
    fn try_hook(
        &mut self,
        watcher: u32,
        slot: Option<SlotId>,
        errand: Errand,
        name: HookName,
        facts: HookFacts,
    ) -> Result<(), String> {
        let settings = self.supervisor.settings(watcher).clone();
        let hook = settings.hooks.iter().find(|hook| hook.name == name);
        let Some(hook) = hook else { return Err("it is not there any more".to_string()) };
        let (adds, pid) = (name == HookName::ExtendedStats, facts.pid);
        let running = self.supervisor.running(watcher).into_iter();
        let call = hook::Call {
            settings: &settings,
            hook,
            slot,
            facts,
            pids: running.map(|process| process.pid.number()).collect(),
            unix_time: clock::wall().0 as f64,
            figures: self.control.as_ref().filter(|_| adds).and_then(|it| it.held_figures(pid?)),
        };
        let plan = self.launcher.hook_plan(&call)?;
        let is_function = matches!(hook.run, HookCommand::Python(_));
        let told = call.json(&Files.current_dir());
        let asked = Asked::Hook { is_function, adds };
        let sent = self.errands.send(errand, asked, Some(told.as_bytes()), plan);
        sent.map_err(|error| format!("cannot be called: {error}"))
    }
}

fn error_words(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |errno| error_text(errno).to_string())
}
