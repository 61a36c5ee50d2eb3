//! Captured output, as PID 1 sees it: pipes between processes and the log writer, a companion that may
//! die at any moment.
//!
//! We keep the read end of each pipe, so that a new log writer gets it again and what nobody has read
//! yet is not lost. When a process has ended, its end is told to the core only when the log writer has
//! written out what it said, or after `DRAIN_MS`: whoever looks at the log then finds all of it.
//! Not a byte of any log passes through here.

mod captured;

pub use captured::Captured;

use captured::{options, shown};
use circus::config::settings::{LogLevel, WatcherSettings};
use circus::moment::Moment;
use circus::process::{Ending, Pid};
use circus::supervisor::{Event, SlotId};
use circus::sys::packet;
use circus::sys::poll::{Interest, PollSet};
use circus::sys::signals;
use circus::sys::spawn::{Launch, Plan};
use circus::wire::log::{Channel, FromWriter, PACKET_BYTES_MAX, ToWriter};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// A process's end waits for its output for so long at most: somebody may have stopped the reader of
/// all logs.
const DRAIN_MS: u64 = 1000;

/// Before another log writer is started; doubled for each that has ended soon.
const REST_MS: u64 = 50;
const REST_MS_MAX: u64 = 5000;

/// One that lives longer than this has worked.
const SOON_MS: u64 = 10_000;

/// So many packets are taken before other things are looked at.
const PACKETS_AT_ONCE_MAX: usize = 64;

/// Packets that the log writer does not take; questions beyond that are refused.
const OUTBOX_MAX: usize = 1024;

/// So many lines for the log are kept until they are looked at.
const NOTES_MAX: usize = 16;

/// All that is captured, and who writes it.
#[derive(Debug, Default)]
pub struct Streams {
    state: State,
    pipes: BTreeMap<u64, Pipe>,
    of_process: BTreeMap<Pid, Vec<u64>>,
    last_id: u64,
    outbox: VecDeque<Packet>,
    ends: Vec<End>,
    /// Questions that are not answered.
    asked: BTreeSet<u64>,
    /// Those that nobody will answer any more.
    lost: Vec<u64>,
    /// Told to each new log writer first.
    ring_bytes: u64,
    failures: u32,
    /// For the log, since the last look.
    notes: Vec<(LogLevel, String)>,
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is captured yet.
    #[default]
    Idle,
    Resting {
        until: Moment,
    },
    Serving {
        pid: Pid,
        socket: OwnedFd,
        since: Moment,
        /// To be kept until it is the program: it uses our memory until then.
        _launch: Launch,
    },
}

/// A pipe that a process writes to.
#[derive(Debug)]
struct Pipe {
    /// `None`: nobody writes any more, and all is written out.
    read: Option<OwnedFd>,
    opened: ToWriter,
    has_ended: bool,
    /// What it said before it ended is written out.
    is_drained: bool,
}

#[derive(Debug)]
struct Packet {
    bytes: Vec<u8>,
    /// Its read end comes along.
    pipe: Option<u64>,
}

/// The end of a process that was not told yet.
#[derive(Debug)]
struct End {
    pid: Pid,
    event: Event,
    waits_for: Vec<u64>,
    until: Moment,
}

impl Streams {
    /// Memory for each stream, in bytes.
    pub fn set_ring(&mut self, bytes: u64) {
        if self.ring_bytes != bytes {
            self.ring_bytes = bytes;
            if matches!(self.state, State::Serving { .. }) {
                self.say(&ToWriter::Ring { bytes }, None);
            }
        }
    }

    /// A process was started with these.
    pub fn opened(
        &mut self,
        pid: Pid,
        slot: SlotId,
        settings: &WatcherSettings,
        captured: Captured,
        now: Moment,
    ) {
        for (channel, read, _) in captured.pipes {
            self.last_id += 1;
            let id = self.last_id;
            let opened = ToWriter::Open {
                id,
                watcher: settings.name.clone(),
                wid: slot.wid(),
                pid: pid.number(),
                channel,
                options: options(settings, channel),
            };
            self.say(&opened, Some(id));
            self.pipes
                .insert(id, Pipe { read: Some(read), opened, has_ended: false, is_drained: false });
            self.of_process.entry(pid).or_default().push(id);
        }
        if matches!(self.state, State::Idle) && !self.pipes.is_empty() {
            self.start(now);
        }
        self.flush();
    }

    /// A watcher's streams have other options.
    pub fn changed(&mut self, settings: &WatcherSettings) {
        for channel in [Channel::Stdout, Channel::Stderr] {
            let options = options(settings, channel);
            let mut is_one = false;
            for pipe in self.pipes.values_mut() {
                if let ToWriter::Open { watcher, channel: its, options: old, .. } = &mut pipe.opened
                    && (&*watcher, *its) == (&settings.name, channel)
                    && *old != options
                    && !options.is_empty()
                {
                    old.clone_from(&options);
                    is_one = true;
                }
            }
            if is_one {
                let watcher = settings.name.clone();
                self.say(&ToWriter::Change { watcher, channel, options }, None);
            }
        }
        self.flush();
    }

    /// Open all files anew.
    pub fn reopen(&mut self) {
        if matches!(self.state, State::Serving { .. }) {
            self.say(&ToWriter::Reopen, None);
            self.flush();
        }
    }

    /// A watcher is gone.
    pub fn forget(&mut self, watcher: &str) {
        if matches!(self.state, State::Serving { .. }) {
            self.say(&ToWriter::Forget { watcher: watcher.into() }, None);
            self.flush();
        }
    }

    /// Ask for lines. Returns whether an answer can be expected.
    pub fn ask(&mut self, token: u64, mut question: ToWriter) -> bool {
        if !matches!(self.state, State::Serving { .. }) || self.outbox.len() >= OUTBOX_MAX {
            return false;
        }
        if let ToWriter::Tail { token: its, .. } = &mut question {
            *its = token;
        }
        self.asked.insert(token);
        self.say(&question, None);
        self.flush();
        true
    }

    /// Another process goes on in its place.
    pub fn hand_over(&mut self, pid: Pid, by: Pid) {
        if let Some(pipes) = self.of_process.remove(&pid) {
            self.of_process.insert(by, pipes);
        }
    }

    /// A process has ended: what is to be told now, if its output need not be waited for.
    pub fn ended(&mut self, pid: Pid, event: Event, now: Moment) -> Option<Event> {
        let mut waits_for = self.of_process.remove(&pid).unwrap_or_default();
        waits_for.retain(|id| self.pipes.contains_key(id));
        if waits_for.is_empty() || !matches!(self.state, State::Serving { .. }) {
            return Some(event);
        }
        for id in &waits_for {
            if let Some(pipe) = self.pipes.get_mut(id) {
                pipe.has_ended = true;
            }
            self.say(&ToWriter::Ended { id: *id }, None);
        }
        self.flush();
        self.ends.push(End { pid, event, waits_for, until: now.after_ms(DRAIN_MS) });
        None
    }

    /// It has ended and that is not told yet: its number is nobody's, or another one's.
    pub fn is_ending(&self, pid: Pid) -> bool {
        self.ends.iter().any(|end| end.pid == pid)
    }

    /// Ends that can be told now.
    pub fn take_ends(&mut self, now: Moment) -> Vec<Event> {
        let is_due = |end: &mut End| end.waits_for.is_empty() || end.until <= now;
        self.ends.extract_if(.., is_due).map(|end| end.event).collect()
    }

    /// The log writer's process is this one.
    pub fn is(&self, pid: Pid) -> bool {
        matches!(&self.state, State::Serving { pid: its, .. } if *its == pid)
    }

    /// It has ended: the next one gets all pipes again.
    pub fn writer_ended(&mut self, ending: Ending, now: Moment) {
        let State::Serving { since, .. } = &self.state else { return };
        if now.since_ms(*since) > SOON_MS {
            self.failures = 0;
        }
        let how = match ending {
            Ending::Exited(code) => format!("exited with code {code}"),
            Ending::Killed(signal) => format!("was killed by {signal}"),
            Ending::NotExecuted(_) => "could not be executed".to_string(),
        };
        self.note(LogLevel::Warning, format!("the log writer {how}; another one takes over"));
        self.rest(now);
    }

    /// Nothing is to be waited for.
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// What to wait for.
    pub fn poll(&self, set: &mut PollSet) {
        if let State::Serving { socket, .. } = &self.state {
            set.add(socket.as_fd(), Interest::Read);
            if !self.outbox.is_empty() {
                set.add(socket.as_fd(), Interest::Write);
            }
        }
    }

    /// When to look at it at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        let rest = match &self.state {
            State::Resting { until } => Some(*until),
            State::Idle | State::Serving { .. } => None,
        };
        self.ends.iter().map(|end| end.until).chain(rest).min()
    }

    /// A wait is over. Returns what was answered to questions.
    pub fn look(&mut self, set: &PollSet, now: Moment) -> Vec<FromWriter> {
        if let State::Resting { until } = &self.state
            && *until <= now
        {
            self.start(now);
        }
        self.flush();
        let mut answers = Vec::new();
        let State::Serving { socket, .. } = &self.state else { return answers };
        if !set.is_ready(socket.as_raw_fd()) {
            return answers;
        }
        let mut buffer = vec![0; PACKET_BYTES_MAX];
        for _ in 0..PACKETS_AT_ONCE_MAX {
            let State::Serving { socket, .. } = &self.state else { break };
            match packet::receive(socket.as_fd(), &mut buffer) {
                // That it has died is told by its reaping.
                Err(_) => break,
                Ok(received) if received.length == 0 => break,
                Ok(received) => match FromWriter::from_packet(&buffer[..received.length]) {
                    Some(said) => answers.extend(self.heard(said)),
                    None => return self.replace("it cannot be understood", answers),
                },
            }
        }
        answers
    }

    fn heard(&mut self, said: FromWriter) -> Option<FromWriter> {
        match said {
            FromWriter::Drained { id, last } => {
                self.drained(id, last);
                match self.pipes.get_mut(&id) {
                    Some(pipe) if pipe.read.is_some() => pipe.is_drained = true,
                    Some(_) | None => drop(self.pipes.remove(&id)),
                }
            }
            FromWriter::Closed { id } => {
                // What it said last may still have to be told.
                match self.pipes.get_mut(&id) {
                    Some(pipe) if !pipe.is_drained => pipe.read = None,
                    Some(_) | None => drop(self.pipes.remove(&id)),
                }
            }
            FromWriter::Note { level, text } => {
                let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error];
                let level = levels.get(usize::from(level)).copied().unwrap_or(LogLevel::Critical);
                self.note(level, text.into());
            }
            FromWriter::Lines { token, .. } if !self.asked.remove(&token) => {}
            lines @ FromWriter::Lines { .. } => return Some(lines),
        }
        None
    }

    fn drained(&mut self, id: u64, last: Option<Box<str>>) {
        let is_stderr = self.pipes.get(&id).is_some_and(|pipe| {
            matches!(&pipe.opened, ToWriter::Open { channel: Channel::Stderr, .. })
        });
        for end in &mut self.ends {
            if !end.waits_for.contains(&id) {
                continue;
            }
            end.waits_for.retain(|other| *other != id);
            if let (Some(last), true, Event::Ended { said, .. }) =
                (&last, is_stderr, &mut end.event)
            {
                *said = Some(shown(last).into());
            }
        }
    }

    /// Questions that the log writer has taken with it.
    pub fn take_lost(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.lost)
    }

    /// What it has to say to people.
    pub fn take_notes(&mut self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.notes)
    }

    /// Nothing more will come: let it write out what is there. Returns its process, if there is one.
    pub fn finish(&mut self, within_ms: u64) -> Option<Pid> {
        let State::Serving { pid, .. } = &self.state else { return None };
        let pid = *pid;
        self.say(&ToWriter::Finish { within_ms }, None);
        self.flush();
        Some(pid)
    }

    fn note(&mut self, level: LogLevel, text: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((level, text));
        }
    }

    fn replace(&mut self, reason: &str, answers: Vec<FromWriter>) -> Vec<FromWriter> {
        if let State::Serving { pid, .. } = &self.state {
            // It has not been reaped, so the number is still its own.
            let _ = signals::send(*pid, circus::signal::Signal::KILL);
            self.note(LogLevel::Warning, format!("the log writer is replaced: {reason}"));
        }
        answers
    }

    fn rest(&mut self, now: Moment) {
        let rest_ms = (REST_MS << self.failures.min(20)).min(REST_MS_MAX);
        self.failures = self.failures.saturating_add(1);
        self.outbox.clear();
        self.lost.extend(std::mem::take(&mut self.asked));
        self.state = State::Resting { until: now.after_ms(rest_ms) };
    }

    fn start(&mut self, now: Moment) {
        self.outbox.clear();
        match self.try_to_start(now) {
            Ok(state) => self.state = state,
            Err(error) => {
                if self.failures == 0 {
                    let text = format!("the log writer cannot be started: {error}");
                    self.note(LogLevel::Error, text);
                }
                return self.rest(now);
            }
        }
        if self.ring_bytes > 0 {
            self.say(&ToWriter::Ring { bytes: self.ring_bytes }, None);
        }
        // Of what the former one had finished, this one knows nothing.
        self.pipes.retain(|_, pipe| pipe.read.is_some());
        let pipes = &self.pipes;
        self.ends.iter_mut().for_each(|end| end.waits_for.retain(|id| pipes.contains_key(id)));
        let pipes: Vec<(u64, ToWriter, bool)> = self
            .pipes
            .iter()
            .map(|(id, pipe)| (*id, pipe.opened.clone(), pipe.has_ended))
            .collect();
        for (id, opened, has_ended) in pipes {
            self.say(&opened, Some(id));
            if has_ended {
                self.say(&ToWriter::Ended { id }, None);
            }
        }
        self.flush();
    }

    fn try_to_start(&self, now: Moment) -> io::Result<State> {
        let (ours, theirs) = packet::pair(PACKET_BYTES_MAX)?;
        let plan = Plan {
            argv: vec![c"circusd".into(), c"log-writer".into()],
            candidates: vec![c"/proc/self/exe".into()],
            streams: [Some(theirs.as_raw_fd()), None, None],
            no_new_privs: true,
            ..Plan::default()
        };
        let launch = Launch::start(plan)?;
        Ok(State::Serving { pid: launch.pid(), socket: ours, since: now, _launch: launch })
    }

    fn say(&mut self, what: &ToWriter, pipe: Option<u64>) {
        // Without one, all that counts is told to the next one.
        if matches!(self.state, State::Serving { .. }) {
            self.outbox.push_back(Packet { bytes: what.to_packet(), pipe });
        }
    }

    /// As much as it takes.
    fn flush(&mut self) {
        let State::Serving { socket, .. } = &self.state else { return };
        while let Some(Packet { bytes, pipe }) = self.outbox.front() {
            let known = pipe.and_then(|id| self.pipes.get(&id));
            let read = known.and_then(|pipe| pipe.read.as_ref()).map(OwnedFd::as_fd);
            let is_gone = pipe.is_some() && read.is_none();
            match packet::send(socket.as_fd(), bytes, read) {
                _ if is_gone => {}
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // It is about to be reaped.
                Err(_) => return,
            }
            self.outbox.pop_front();
        }
    }
}
