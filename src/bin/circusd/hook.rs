//! How a hook is called: what to execute, what it is told by its environment and its standard
//! input, and what its end means.

use circus::config::settings::{Hook, HookCommand, Variable, WatcherSettings};
use circus::config::shown_options;
use circus::process::Ending;
use circus::supervisor::{HookAnswer, HookFacts, SlotId};
use serde_json::{Map, Value, json};
use std::rc::Rc;

/// Calls a function of Python. Passed as a word, so that no file has to be there.
const SHIM: &str = include_str!("hook.py");

/// What the shim ends with when the function returned something false; all else is an exception.
const FALSE: u8 = 1;

/// A call of a hook.
#[derive(Debug)]
pub struct Call<'a> {
    pub settings: &'a WatcherSettings,
    pub hook: &'a Hook,
    pub slot: Option<SlotId>,
    pub facts: HookFacts,
    /// The processes of its watcher.
    pub pids: Vec<i32>,
    pub unix_time: f64,
    /// The figures of its process, for `extended_stats`.
    pub figures: Option<Value>,
}

impl Call<'_> {
    /// The words of one that is a function.
    pub fn words(&self) -> Option<[&[u8]; 4]> {
        match &self.hook.run {
            HookCommand::Command(_) => None,
            HookCommand::Python(name) => {
                Some([b"python3", b"-c", SHIM.as_bytes(), name.as_bytes()])
            }
        }
    }

    /// Variables of its own.
    pub fn environment(&self) -> Vec<Variable> {
        let facts = &self.facts;
        let mut all = vec![
            ("CIRCUS_HOOK", self.hook.name.name().to_string()),
            ("CIRCUS_WATCHER", self.settings.name.to_string()),
        ];
        all.extend(self.slot.map(|slot| ("CIRCUS_WID", slot.wid().to_string())));
        all.extend(facts.pid.map(|pid| ("CIRCUS_PID", pid.to_string())));
        all.extend(facts.signal.map(|signal| ("CIRCUS_SIGNAL", signal.number().to_string())));
        all.extend(facts.exit_code.map(|code| ("CIRCUS_EXIT_CODE", code.to_string())));
        let bytes =
            |(name, value): (&str, String)| (name.as_bytes().into(), value.into_bytes().into());
        all.into_iter().map(bytes).collect()
    }

    /// The same facts, and more, as JSON.
    pub fn json(&self, current_dir: &str) -> String {
        let facts = &self.facts;
        let pid = facts.pid.map(|pid| pid.number());
        let mut said = json!({
            "hook": self.hook.name.name(),
            "watcher": &*self.settings.name,
            "wid": self.slot.map(SlotId::wid),
            "pid": pid,
            "signum": facts.signal.map(|signal| signal.number()),
            "exit_code": facts.exit_code,
            "time": self.unix_time,
            "pids": self.pids,
        });
        if let (Some(figures), Value::Object(said)) = (&self.figures, &mut said) {
            said.insert("stats".to_string(), figures.clone());
        }
        if let (HookCommand::Python(_), Value::Object(said)) = (&self.hook.run, &mut said) {
            let options = shown_options(self.settings, current_dir).into_iter();
            let options = options.map(|(name, value)| (name.to_string(), value));
            said.insert("options".to_string(), Value::Object(options.collect()));
            said.insert("kwargs".to_string(), Value::Object(self.arguments()));
        }
        said.to_string()
    }

    /// The further arguments of a function, by the names that Circus gives them.
    fn arguments(&self) -> Map<String, Value> {
        let HookFacts { pid, signal, exit_code } = self.facts;
        let is_reap = self.hook.name.name().ends_with("_reap");
        let mut all = Map::new();
        if let Some(pid) = pid {
            let name = if is_reap { "process_pid" } else { "pid" };
            all.insert(name.to_string(), pid.number().into());
        }
        if let Some(figures) = &self.figures {
            all.insert("stats".to_string(), figures.clone());
        }
        if let Some(signal) = signal {
            all.insert("signum".to_string(), signal.number().into());
        }
        if is_reap {
            all.insert("time".to_string(), self.unix_time.into());
        }
        if let Some(code) = exit_code {
            all.insert("exit_code".to_string(), code.into());
            all.insert("process_status".to_string(), Value::Null);
        }
        all
    }
}

/// What one has printed that was asked for more figures: its last line, if there is any.
pub fn added(printed: &[u8]) -> HookAnswer {
    let text = String::from_utf8_lossy(printed);
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty());
    let Some(last) = last else { return HookAnswer::Yes };
    match serde_json::from_str::<Map<String, Value>>(last) {
        Ok(_) => HookAnswer::Adds(last.into()),
        Err(_) => HookAnswer::Failed("its last line is no object of JSON".into()),
    }
}

/// What the end of a hook means; `outcome` is success or what it said last.
pub fn answer(is_function: bool, ending: Ending, outcome: Result<(), Rc<str>>) -> HookAnswer {
    match (outcome, ending) {
        (Ok(()), _) => HookAnswer::Yes,
        (Err(reason), Ending::Exited(FALSE)) => HookAnswer::No(reason),
        (Err(reason), Ending::Exited(_)) if !is_function => HookAnswer::No(reason),
        // python3 says so by its last line, which is in the reason.
        (Err(reason), Ending::Exited(_) | Ending::Killed(_) | Ending::NotExecuted(_)) => {
            HookAnswer::Failed(reason)
        }
    }
}
