//! Figures of processes that wait for what their hook `extended_stats` adds to them.

use crate::control::View;
use crate::figures::Figures;
use circus::commands::{Answer, AskedProcess, Refusal, json};
use circus::process::Pid;
use serde_json::{Map, Value};
use std::rc::Rc;

/// An answer to `stats` that is not complete.
#[derive(Debug)]
pub struct Held {
    /// What comes first in it: the key, and JSON.
    head: (&'static str, Box<str>),
    figures: Vec<(Pid, Value)>,
    is_of_one: bool,
}

impl Held {
    /// Of all processes of a watcher, or of one.
    pub fn new(
        name: &str,
        process: Option<&AskedProcess>,
        watcher: u32,
        figures: &mut Figures,
        view: &View<'_>,
    ) -> Result<Held, Refusal> {
        let mut running = view.supervisor.running(watcher);
        let head = match process {
            None => {
                let mut shown = Vec::new();
                json::push_string(&mut shown, name);
                ("name", text(&shown))
            }
            Some(process) => {
                running.retain(|running| running.pid == process.pid);
                if running.is_empty() {
                    return Err(Refusal::no_process(process, name));
                }
                ("process", process.as_sent.clone())
            }
        };
        let mut written = Vec::new();
        figures.of_processes(&mut written, &running);
        let mut all: Map<String, Value> = serde_json::from_slice(&written).unwrap_or_default();
        let of = |pid: Pid| Some((pid, all.remove(&pid.to_string())?));
        let figures = running.iter().map(|running| running.pid).filter_map(of).collect();
        Ok(Held { head, figures, is_of_one: process.is_some() })
    }

    /// Those that something can be added to.
    pub fn pids(&self) -> Vec<Pid> {
        let known = self.figures.iter().filter(|(_, figures)| figures.is_object());
        known.map(|(pid, _)| *pid).collect()
    }

    /// Those of one process.
    pub fn figures(&self, pid: Pid) -> Option<&Value> {
        self.figures.iter().find(|(other, _)| *other == pid).map(|(_, figures)| figures)
    }

    /// With all that was said.
    pub fn answer(mut self, said: &[(Pid, Rc<str>)]) -> Answer {
        for (pid, figures) in &mut self.figures {
            let added = said.iter().find(|(other, _)| other == pid);
            let added = added.and_then(|(_, text)| serde_json::from_str(text).ok());
            if let (Value::Object(figures), Some(Value::Object(added))) = (figures, added) {
                figures.extend(added);
            }
        }
        let mut info = Vec::new();
        if let (true, Some((_, figures))) = (self.is_of_one, self.figures.first()) {
            json::push_value(&mut info, figures);
        } else {
            let mut object = json::Object::new(&mut info);
            for (pid, figures) in &self.figures {
                json::push_value(object.key(&pid.to_string()), figures);
            }
            object.end();
        }
        Answer::Members(vec![self.head, ("info", text(&info))])
    }
}

fn text(json: &[u8]) -> Box<str> {
    String::from_utf8_lossy(json).into()
}
