//! circusd's own log. It never makes anybody wait: what does not fit is kept up to a bound, then
//! dropped and counted.

use circus::config::settings::LogLevel;
use circus::process::{Ending, Pid};
use circus::supervisor::{Names, Next, Report, StopCause};
use circus::sys::output::Output;
use circus::sys::poll::{Interest, PollSet};
use circus::sys::{clock, identity};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;

use crate::sink::{Sink, Target};

/// What is kept while nobody takes it.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// How long the end waits for a reader.
const LAST_WAIT_MS: u64 = 200;

/// How lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Text,
    Json,
}

/// What is told, and what is not worth a line.
#[derive(Debug, Clone, Copy)]
pub struct Levels {
    /// The command line says so.
    pub always: Option<LogLevel>,
    /// Where nobody says anything.
    pub usual: LogLevel,
    /// In force.
    pub now: LogLevel,
}

impl Levels {
    /// The configuration says so, or nothing.
    pub fn configure(&mut self, loglevel: Option<LogLevel>) {
        self.now = self.always.or(loglevel).unwrap_or(self.usual);
    }
}

/// The log.
#[derive(Debug)]
pub struct Journal {
    sink: Sink,
    /// Our own process id.
    pid: Pid,
    level: Levels,
    style: Style,
    kept: Vec<u8>,
    /// Of `kept`, so much is written already.
    written: usize,
    dropped: u64,
}

impl Journal {
    /// # Errors
    /// The target cannot be opened; the error is a sentence.
    pub fn open(target: Target, level: Levels, style: Style) -> Result<Journal, String> {
        let sink = Sink::open(target)?;
        Ok(Journal {
            sink,
            pid: identity::pid(),
            level,
            style,
            kept: Vec::new(),
            written: 0,
            dropped: 0,
        })
    }

    /// Note a fact.
    pub fn report(&mut self, report: &Report, names: &dyn Names) {
        if report.level() < self.level.now {
            return;
        }
        let text = report.text(names);
        match self.style {
            Style::Text => self.text(report.level(), &text),
            Style::Json => {
                let mut fields = vec![("event", serde_json::Value::from(report.kind()))];
                if let Some(watcher) = report.watcher() {
                    fields.push(("watcher", names.watcher(watcher).into()));
                }
                if let Some((wid, pid)) = report.process() {
                    fields.push(("wid", wid.into()));
                    if let Some(pid) = pid {
                        fields.push(("process_pid", pid.number().into()));
                    }
                }
                fields.extend(details(report));
                self.json(report.level(), &text, fields);
            }
        }
    }

    /// The configuration was read again: this is its `loglevel`.
    pub fn configure(&mut self, loglevel: Option<LogLevel>) {
        self.level.configure(loglevel);
    }

    /// Note a sentence.
    pub fn say(&mut self, level: LogLevel, text: &str) {
        if level < self.level.now {
            return;
        }
        match self.style {
            Style::Text => self.text(level, text),
            Style::Json => self.json(level, text, Vec::new()),
        }
    }

    fn text(&mut self, level: LogLevel, text: &str) {
        let (seconds, _) = clock::wall();
        let pid = self.pid;
        let time = clock::format(seconds, self.sink.time_pattern(), false);
        // One event is one line, whatever names and errors hold.
        let text = text.replace(|c: char| c.is_control(), " ");
        let line = format!("{time} circus[{pid}] [{}] {text}", name(level));
        self.keep(level, line);
    }

    fn json(
        &mut self,
        level: LogLevel,
        text: &str,
        fields: Vec<(&'static str, serde_json::Value)>,
    ) {
        let (seconds, micros) = clock::wall();
        let time = clock::format(seconds, c"%Y-%m-%dT%H:%M:%S", true);
        let mut object = serde_json::Map::new();
        object.insert("time".into(), format!("{time}.{:03}Z", micros / 1000).into());
        object.insert("level".into(), name(level).to_ascii_lowercase().into());
        object.insert("pid".into(), self.pid.number().into());
        for (key, value) in fields {
            object.insert(key.into(), value);
        }
        object.insert("message".into(), text.into());
        self.keep(level, serde_json::Value::Object(object).to_string());
    }

    fn keep(&mut self, level: LogLevel, line: String) {
        let bytes = self.sink.framed(level, line);
        if self.kept.len() - self.written + bytes.len() > KEPT_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        if self.sink.is_datagram() {
            // One line, one datagram: it goes at once or not at all.
            match self.sink.write(&bytes) {
                Ok(_) => self.confess(),
                Err(_) => self.dropped += 1,
            }
            return;
        }
        self.kept.extend_from_slice(&bytes);
    }

    /// Write what fits. Called before every wait.
    pub fn flush(&mut self) {
        if self.kept.is_empty() {
            return;
        }
        self.sink.reopen_if_moved();
        let mut broken = false;
        while self.written < self.kept.len() {
            match self.sink.write(&self.kept[self.written..]) {
                Ok(0) => break,
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Nobody will ever read it, or the disk is full: lines are lost, services go on.
                Err(_) => {
                    let lost = self.kept[self.written..].iter().filter(|byte| **byte == b'\n');
                    self.dropped += lost.count() as u64;
                    self.written = self.kept.len();
                    broken = true;
                }
            }
        }
        if self.written == self.kept.len() {
            self.kept.clear();
            self.written = 0;
            if !broken {
                self.confess();
            }
        } else if self.written > KEPT_BYTES_MAX / 2 {
            self.kept.drain(..self.written);
            self.written = 0;
        }
    }

    /// Tell that lines are missing, once there is room again.
    fn confess(&mut self) {
        if self.dropped == 0 {
            return;
        }
        let text = format!("{} lines of this log could not be written", self.dropped);
        let dropped = std::mem::take(&mut self.dropped);
        self.say(LogLevel::Warning, &text);
        if self.kept.is_empty() && !self.sink.is_datagram() {
            self.dropped = dropped;
        }
    }

    /// Whether something is left to write.
    pub fn is_waiting(&self) -> bool {
        self.written < self.kept.len()
    }

    /// Wait for room in this, if anything is left to write.
    pub fn poll<'a>(&'a self, set: &mut PollSet) -> Option<&'a Output> {
        let output = self.sink.output()?;
        if self.is_waiting() {
            set.add(output.as_fd(), Interest::Write);
        }
        Some(output)
    }

    /// Write all that is left, if somebody takes it within a short time.
    pub fn close(&mut self) {
        let end = clock::now().after_ms(LAST_WAIT_MS);
        self.flush();
        while self.is_waiting() && clock::now() < end {
            let mut set = PollSet::default();
            if self.poll(&mut set).is_none() {
                return;
            }
            set.wait(Some(end));
            self.flush();
        }
    }
}

/// How a process ended.
fn death(report: &Report) -> Vec<(&'static str, serde_json::Value)> {
    let Report::Died { ending, success, lived_ms, memory_short, said, next, .. } = report else {
        return Vec::new();
    };
    let mut fields = vec![
        ("success", (*success).into()),
        ("lived_ms", (*lived_ms).into()),
        ("memory_short", (*memory_short).into()),
    ];
    fields.push(match ending {
        Ending::Exited(code) => ("exit_code", (*code).into()),
        Ending::Killed(signal) => ("signal", signal.to_string().into()),
        Ending::NotExecuted(failure) => ("errno", failure.errno.into()),
    });
    if let Some(said) = said {
        fields.push(("said", (&**said).into()));
    }
    if let Next::Start { delay_ms } = next {
        fields.push(("next_start_ms", (*delay_ms).into()));
    }
    fields
}

/// What else a program that reads the log may want to know.
fn details(report: &Report) -> Vec<(&'static str, serde_json::Value)> {
    let pids = |pids: &[Pid]| pids.iter().map(|pid| pid.number()).collect::<Vec<_>>().into();
    match report {
        Report::Started { pids: all, .. } => vec![("process_pids", pids(all))],
        Report::LeftBehind { pids: all, killed, .. } | Report::Orphans { pids: all, killed } => {
            vec![("process_pids", pids(all)), ("killed", (*killed).into())]
        }
        Report::Died { .. } => death(report),
        Report::Outlasted { signal, waited_ms, .. } => {
            vec![("signal", signal.to_string().into()), ("waited_ms", (*waited_ms).into())]
        }
        Report::Stopping {
            cause:
                StopCause::Essential { code, .. }
                | StopCause::Hopeless { code, .. }
                | StopCause::Done { code },
        }
        | Report::Exiting { code } => vec![("code", (*code).into())],
        Report::Stopping { cause: StopCause::Signal(signal) } => {
            vec![("signal", signal.to_string().into())]
        }
        Report::Changed { options, .. } => {
            let options: Vec<&str> = options.iter().map(|option| &**option).collect();
            vec![("options", options.into())]
        }
        Report::Respawned { .. }
        | Report::Ready { .. }
        | Report::Listening { .. }
        | Report::Idle { .. }
        | Report::Faulty { .. }
        | Report::Unknown { .. }
        | Report::Known { .. }
        | Report::ProbeStuck { .. }
        | Report::Succeeded { .. }
        | Report::Blocked { .. }
        | Report::HookFailed { .. }
        | Report::Added { .. }
        | Report::Removed { .. }
        | Report::HupSent { .. }
        | Report::Stopping { cause: StopCause::Command }
        | Report::ForkFailed { .. }
        | Report::NeverStarted { .. }
        | Report::TooOld { .. }
        | Report::Hanging { .. }
        | Report::Stuck { .. }
        | Report::Stopped { .. }
        | Report::Completed { .. }
        | Report::Reloading { .. }
        | Report::Reloaded { .. }
        | Report::ReloadFailed { .. }
        | Report::Hurried { .. }
        | Report::Abandoned => Vec::new(),
    }
}

fn name(level: LogLevel) -> &'static str {
    match level {
        LogLevel::Debug => "DEBUG",
        LogLevel::Info => "INFO",
        LogLevel::Warning => "WARNING",
        LogLevel::Error => "ERROR",
        LogLevel::Critical => "CRITICAL",
    }
}

/// Whether an error means that a target is broken for good.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::NotConnected | ErrorKind::ConnectionReset
    )
}
