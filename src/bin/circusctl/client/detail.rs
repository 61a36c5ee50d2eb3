//! What a reply to `status` with details says of each watcher, and the words people get for it.

use super::json::Json;

/// A watcher.
#[derive(Debug)]
pub struct Watcher<'a> {
    pub name: &'a str,
    pub status: &'a str,
    pub healthy: bool,
    /// It is not, and that does not change by itself.
    pub hopeless: bool,
    /// A word more; may be empty.
    pub note: &'a str,
    /// How many processes it should have.
    pub numprocesses: u64,
    pub processes: Vec<Process<'a>>,
    pub restarts: u64,
    /// The sentence, and seconds since.
    pub last_death: Option<(&'a str, f64)>,
    /// How the last process of a one-shot ended, and seconds since.
    pub last_exit: Option<(String, f64)>,
    /// What it waits for before it starts: names and gates.
    pub depends_on: Vec<(&'a str, &'a str)>,
}

/// A place for a process.
#[derive(Debug)]
pub struct Process<'a> {
    pub wid: u64,
    pub pid: Option<u64>,
    pub state: &'a str,
    /// Since its start; until its next start if it waits for that.
    pub seconds: f64,
    pub restarts: u64,
    /// What it says of itself; may be empty.
    pub says: &'a str,
}

/// Green is good, yellow is on its way, red needs somebody; what is stopped as it should be has no
/// colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Good,
    Neutral,
    OnItsWay,
    Bad,
}

/// All watchers of the reply, as it orders them. `None`: it has no details.
pub fn watchers(reply: &Json) -> Option<Vec<Watcher<'_>>> {
    let watchers = reply.get("watchers")?.items();
    // The reply to `list` has a member of this name too.
    watchers.iter().map(watcher).collect()
}

fn watcher(json: &Json) -> Option<Watcher<'_>> {
    let death = json.get("last_death").filter(|death| **death != Json::Null);
    let ago = |end: &'_ Json| end.get("seconds_ago")?.as_number();
    Some(Watcher {
        name: text(json, "name")?,
        status: text(json, "status")?,
        healthy: json.get("healthy")?.as_bool()?,
        hopeless: json.get("hopeless").and_then(Json::as_bool).unwrap_or(false),
        note: text(json, "note").unwrap_or(""),
        numprocesses: count(json, "numprocesses")?,
        processes: json.get("processes")?.items().iter().map(process).collect::<Option<_>>()?,
        restarts: count(json, "restarts")?,
        last_death: death.and_then(|death| Some((text(death, "reason")?, ago(death)?))),
        last_exit: json.get("last_exit").and_then(|exit| Some((end(exit)?, ago(exit)?))),
        depends_on: json
            .get("depends_on")
            .map_or(&[][..], Json::items)
            .iter()
            .filter_map(gate)
            .collect(),
    })
}

fn process(json: &Json) -> Option<Process<'_>> {
    Some(Process {
        wid: count(json, "wid")?,
        pid: count(json, "pid"),
        state: text(json, "state")?,
        seconds: json.get("seconds")?.as_number()?,
        restarts: count(json, "restarts")?,
        says: text(json, "says").unwrap_or(""),
    })
}

/// A one-shot's end, in words.
fn end(exit: &Json) -> Option<String> {
    match text(exit, "signal") {
        Some(signal) => Some(format!("killed by {signal}")),
        None => Some(format!("exit code {}", count(exit, "code")?)),
    }
}

/// A name, which may have colons of its own, and a gate.
fn gate(dependency: &Json) -> Option<(&str, &str)> {
    dependency.as_text()?.rsplit_once(':')
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    json.get(name)?.as_text()
}

fn count(json: &Json, name: &str) -> Option<u64> {
    json.get(name)?.as_number().map(|number| number as u64)
}

impl Watcher<'_> {
    /// Whether each process gets a line of its own.
    pub fn is_group(&self) -> bool {
        self.numprocesses > 1 || self.processes.len() > 1
    }

    /// Its state in one word.
    fn word(&self) -> &str {
        match &self.processes[..] {
            // What a single process does says more than its watcher's state.
            [process] if !self.is_group() && process.state != "running" => process.state,
            _ => self.status,
        }
    }

    /// Its state, and the word more.
    pub fn state(&self) -> String {
        match (self.word(), self.note) {
            (word, "") => word.to_string(),
            (word, note) => format!("{word} ({note})"),
        }
    }

    /// The word more, for who reads states alone: what is as it should be needs none.
    pub fn trouble(&self) -> Option<&str> {
        (!self.healthy && !self.note.is_empty()).then_some(self.note)
    }

    /// Whether somebody has to see to it.
    pub fn mood(&self) -> Mood {
        let is_hopeful = match self.note {
            "not ready" | "not completed" | "waiting to start" => true,
            note => note.starts_with("waiting for "),
        };
        match self.word() {
            "active" | "running" | "completed" if self.healthy => Mood::Good,
            "starting" | "stopping" | "clearing" | "reloading" => Mood::OnItsWay,
            "waiting" if self.healthy => Mood::OnItsWay,
            "waiting" => Mood::Bad,
            _ if self.healthy => Mood::Neutral,
            _ if is_hopeful && !self.hopeless => Mood::OnItsWay,
            _ => Mood::Bad,
        }
    }

    /// What its only process says of itself; may be empty.
    pub fn says(&self) -> &str {
        match &self.processes[..] {
            [process] if !self.is_group() => process.says,
            _ => "",
        }
    }

    /// How many processes there are, of how many.
    pub fn count(&self) -> String {
        let running = self.processes.iter().filter(|process| process.pid.is_some()).count();
        format!("{running} of {}", self.numprocesses)
    }

    /// How the last process ended that was not asked to, or that of a one-shot; empty if none has.
    pub fn death(&self) -> String {
        let death = self.last_death;
        // What is told of a death says more than the exit code of the same process.
        let exit = self.last_exit.as_ref().filter(|(_, ago)| death.is_none_or(|(_, of)| of > *ago));
        let exit = exit.map(|(end, ago)| (&**end, *ago));
        match exit.or(death) {
            Some((reason, seconds)) => format!("{reason}, {} ago", duration(seconds)),
            None => String::new(),
        }
    }
}

impl Process<'_> {
    /// How long it has been there, or when it comes.
    pub fn time(&self) -> String {
        match self.state {
            "waiting" => format!("in {}", duration(self.seconds)),
            _ if self.pid.is_some() => duration(self.seconds),
            _ => "-".to_string(),
        }
    }

    /// Of one of several: what is wrong is said of the watcher.
    pub fn mood(&self) -> Mood {
        match self.state {
            "running" => Mood::Good,
            "starting" | "stopping" | "waiting" | "clearing" | "reloading" => Mood::OnItsWay,
            _ => Mood::Neutral,
        }
    }

    /// Its number.
    pub fn pid(&self) -> String {
        self.pid.map_or("-".to_string(), |pid| pid.to_string())
    }
}

/// Two units are enough.
pub fn duration(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (large, small) = match seconds {
        0..60 => return format!("{seconds}s"),
        60..3600 => ((minutes, "m"), (seconds % 60, "s")),
        3600..86_400 => ((hours, "h"), (minutes % 60, "m")),
        _ => ((days, "d"), (hours % 24, "h")),
    };
    match small {
        (0, _) => format!("{}{}", large.0, large.1),
        _ => format!("{}{} {}{}", large.0, large.1, small.0, small.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        for (seconds, text) in [
            (-1.0, "0s"),
            (12.9, "12s"),
            (60.0, "1m"),
            (250.0, "4m 10s"),
            (3600.0, "1h"),
            (7500.0, "2h 5m"),
            (273_600.0, "3d 4h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
