//! What a reply to `status` with details says of each watcher, and the words people get for it.

use super::json::Json;

/// A watcher.
#[derive(Debug)]
pub struct Watcher<'a> {
    pub name: &'a str,
    pub status: &'a str,
    pub healthy: bool,
    /// A word more; may be empty.
    pub note: &'a str,
    /// How many processes it should have.
    pub numprocesses: u64,
    pub processes: Vec<Process<'a>>,
    pub restarts: u64,
    /// The sentence, and seconds since.
    pub last_death: Option<(&'a str, f64)>,
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
}

/// All watchers of the reply, as it orders them. `None`: it has no details.
pub fn watchers(reply: &Json) -> Option<Vec<Watcher<'_>>> {
    let watchers = reply.get("watchers")?.items();
    // The reply to `list` has a member of this name too.
    watchers.iter().map(watcher).collect()
}

fn watcher(json: &Json) -> Option<Watcher<'_>> {
    let death = json.get("last_death").filter(|death| **death != Json::Null);
    let reason = |death: &'_ Json| death.get("seconds_ago")?.as_number();
    Some(Watcher {
        name: text(json, "name")?,
        status: text(json, "status")?,
        healthy: json.get("healthy")?.as_bool()?,
        note: text(json, "note").unwrap_or(""),
        numprocesses: count(json, "numprocesses")?,
        processes: json.get("processes")?.items().iter().map(process).collect::<Option<_>>()?,
        restarts: count(json, "restarts")?,
        last_death: death.and_then(|death| Some((text(death, "reason")?, reason(death)?))),
    })
}

fn process(json: &Json) -> Option<Process<'_>> {
    Some(Process {
        wid: count(json, "wid")?,
        pid: count(json, "pid"),
        state: text(json, "state")?,
        seconds: json.get("seconds")?.as_number()?,
        restarts: count(json, "restarts")?,
    })
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

    /// Its state, and the word more.
    pub fn state(&self) -> String {
        // What a single process does says more than its watcher's state.
        let word = match &self.processes[..] {
            [process] if !self.is_group() && process.state != "running" => process.state,
            _ => self.status,
        };
        match self.note {
            "" => word.to_string(),
            note => format!("{word} ({note})"),
        }
    }

    /// How many processes there are, of how many.
    pub fn count(&self) -> String {
        let running = self.processes.iter().filter(|process| process.pid.is_some()).count();
        format!("{running} of {}", self.numprocesses)
    }

    /// How the last process ended that was not asked to; empty if none has.
    pub fn death(&self) -> String {
        match self.last_death {
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
