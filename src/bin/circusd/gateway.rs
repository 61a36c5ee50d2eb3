//! The gateway, as PID 1 sees it: a companion that speaks ZeroMQ for us and may die at any moment.
//!
//! ```text
//! Waiting ──(somebody connects)──→ Serving ──(does not take its replies,──→ Ending
//!    ↑                                │        breaks the frame rules)        │
//!    └──────── Resting ←──(it ended)──┴───────────────────────────────────────┘
//! ```
//! We hold the listening sockets, so whoever connects while there is no gateway waits in the kernel
//! until the next one is there. Nothing here grows with what it does not take: publications that do
//! not fit are dropped and counted, and for replies that do not fit it is ended.

use circus::config::settings::LogLevel;
use circus::moment::Moment;
use circus::process::{Ending, Pid};
use circus::signal::Signal;
use circus::sys::poll::{Interest, PollSet};
use circus::sys::spawn::{Launch, Plan};
use circus::sys::{fds, signals};
use circus::wire::{FRAME_BYTES_MAX, FromGateway, Inbox, ToGateway};
use std::ffi::CString;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Frames from the gateway are small: a request is the largest.
const INBOX_BYTES_MAX: usize = circus::wire::REQUEST_BYTES_MAX + 1024;

/// With so much to write no more requests are read or answered: the answer to one may be long, and a
/// gateway needs time to take many.
const OUTBOX_PAUSE_BYTES: usize = 256 * 1024;

/// With so much to write publications are dropped.
const PUBLISHED_BYTES_MAX: usize = 1024 * 1024;

/// More than this is never kept for it.
const OUTBOX_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;

/// A gateway that takes nothing for so long is broken: it has nothing else to do.
const STALLED_MS: u64 = 3000;

/// Before another one is started; doubled for each that has ended before it served.
const REST_MS: u64 = 50;
const REST_MS_MAX: u64 = 60_000;
/// Where no process can be made: to try again costs next to nothing, and it may be over soon.
const NO_PROCESS_REST_MS_MAX: u64 = 500;

/// So many lines for the log are kept until they are looked at.
const NOTES_MAX: usize = 16;

/// What it is, and what there is of it.
#[derive(Debug)]
pub struct Gateway {
    /// The program, and the words after its name.
    program: CString,
    words: Vec<CString>,
    /// The sockets that it serves, as it is to get them.
    listeners: Vec<OwnedFd>,
    null: Option<OwnedFd>,
    state: State,
    failures: u32,
    subscribers: u32,
    dropped: u64,
    /// For the log, since the last look.
    notes: Vec<(LogLevel, String)>,
}

#[derive(Debug)]
enum State {
    Waiting,
    Resting { until: Moment },
    Serving { pid: Pid, link: Link, stalled_at: Option<Moment>, was_ready: bool },
    Ending { pid: Pid, was_ready: bool, is_told: bool, _launch: Option<Launch> },
}

/// The connection to it.
#[derive(Debug)]
struct Link {
    fd: OwnedFd,
    inbox: Inbox,
    /// There may be frames in the inbox that nobody has taken yet.
    has_more: bool,
    outbox: Vec<u8>,
    written: usize,
    /// To be kept until it is the program: it uses our memory until then.
    launch: Option<Launch>,
}

/// A request as it comes.
#[derive(Debug)]
pub struct Incoming {
    /// Of whom, where the kernel says so.
    pub uid: Option<u32>,
    /// Where the answer goes.
    pub identity: Box<[u8]>,
    /// What was sent.
    pub body: Box<[u8]>,
}

impl Gateway {
    /// `listeners`: what it gets from descriptor 4 on.
    pub fn new(
        program: CString,
        words: Vec<CString>,
        listeners: Vec<OwnedFd>,
        null: Option<OwnedFd>,
    ) -> Gateway {
        Gateway {
            program,
            words,
            listeners,
            null,
            state: State::Waiting,
            failures: 0,
            subscribers: 0,
            dropped: 0,
            notes: Vec::new(),
        }
    }

    /// Its process is this one.
    pub fn is(&self, pid: Pid) -> bool {
        match &self.state {
            State::Serving { pid: its, .. } | State::Ending { pid: its, .. } => *its == pid,
            State::Waiting | State::Resting { .. } => false,
        }
    }

    /// Somebody wants to hear publications.
    pub fn has_subscribers(&self) -> bool {
        self.subscribers > 0
    }

    /// What to wait for.
    pub fn poll(&self, set: &mut PollSet) {
        match &self.state {
            State::Waiting => {
                self.listeners.iter().for_each(|fd| set.add(fd.as_fd(), Interest::Read));
            }
            State::Serving { link, .. } => {
                if !link.is_paused() {
                    set.add(link.fd.as_fd(), Interest::Read);
                }
                if link.waiting_bytes() > 0 {
                    set.add(link.fd.as_fd(), Interest::Write);
                }
            }
            State::Resting { .. } | State::Ending { .. } => {}
        }
    }

    /// When to look at it at the latest.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.state {
            State::Waiting | State::Ending { .. } => None,
            State::Resting { until } => Some(*until),
            // While it has to take its replies first, it is its connection that says when to go on.
            State::Serving { link, .. } if link.has_more && !link.is_paused() => {
                Some(Moment::default())
            }
            State::Serving { stalled_at, .. } => stalled_at.map(|at| at.after_ms(STALLED_MS)),
        }
    }

    /// A wait is over: start it, read from it, end it. What it asks for is taken by `next_request`.
    pub fn look(&mut self, set: &PollSet, now: Moment) {
        match &mut self.state {
            State::Waiting => {
                if self.listeners.iter().any(|fd| set.is_ready(fd.as_raw_fd())) {
                    self.start(now);
                }
            }
            State::Resting { until } => {
                if *until <= now {
                    self.state = State::Waiting;
                }
            }
            State::Serving { link, .. } => {
                let is_ready = set.is_ready(link.fd.as_raw_fd());
                self.flush(now);
                if is_ready {
                    self.receive();
                }
                self.end_if_stalled(now);
            }
            State::Ending { .. } => {}
        }
    }

    fn end_if_stalled(&mut self, now: Moment) {
        let State::Serving { stalled_at, .. } = &self.state else { return };
        if stalled_at.is_some_and(|at| at.after_ms(STALLED_MS) <= now) {
            self.end("it takes no replies");
        }
    }

    /// What it has to say to people.
    pub fn take_notes(&mut self) -> Vec<(LogLevel, String)> {
        std::mem::take(&mut self.notes)
    }

    fn note(&mut self, level: LogLevel, text: String) {
        if self.notes.len() < NOTES_MAX {
            self.notes.push((level, text));
        }
    }

    fn start(&mut self, now: Moment) {
        match self.try_to_start() {
            Ok(state) => self.state = state,
            Err(error) => {
                self.rest(now, NO_PROCESS_REST_MS_MAX);
                if self.failures == 1 {
                    let text = format!("the control gateway cannot be started: {error}");
                    self.note(LogLevel::Error, text);
                }
            }
        }
    }

    fn try_to_start(&self) -> std::io::Result<State> {
        let (ours, theirs) = fds::connection()?;
        let mut passed = vec![fds::high(theirs.as_fd())?];
        for listener in &self.listeners {
            passed.push(fds::high(listener.as_fd())?);
        }
        let null = self.null.as_ref().map(AsRawFd::as_raw_fd);
        let plan = Plan {
            argv: std::iter::once(c"circusctl".into()).chain(self.words.iter().cloned()).collect(),
            candidates: vec![self.program.clone()],
            streams: [null, None, None],
            passed: passed.iter().map(AsRawFd::as_raw_fd).collect(),
            no_new_privs: true,
            ..Plan::default()
        };
        let launch = Launch::start(plan)?;
        let pid = launch.pid();
        let inbox = Inbox::new(INBOX_BYTES_MAX);
        let link = Link {
            fd: ours,
            inbox,
            has_more: false,
            outbox: Vec::new(),
            written: 0,
            launch: Some(launch),
        };
        Ok(State::Serving { pid, link, stalled_at: None, was_ready: false })
    }

    fn rest(&mut self, now: Moment, rest_ms_max: u64) {
        let rest_ms = REST_MS << self.failures.min(20);
        self.failures = self.failures.saturating_add(1);
        self.subscribers = 0;
        self.state = State::Resting { until: now.after_ms(rest_ms.min(rest_ms_max)) };
    }

    /// Take it out of service.
    fn end(&mut self, reason: &str) {
        self.take_out(true);
        self.note(LogLevel::Warning, format!("the control gateway is replaced: {reason}"));
    }

    /// It is killed, unless it has ended already; `ended` tells how, unless we have told why.
    fn take_out(&mut self, is_told: bool) {
        let State::Serving { pid, link, was_ready, .. } = &mut self.state else { return };
        let (pid, was_ready, _launch) = (*pid, *was_ready, link.launch.take());
        // It has not been reaped, so the number is still its own.
        let _ = signals::send(pid, Signal::KILL);
        self.state = State::Ending { pid, was_ready, is_told, _launch };
    }

    /// Its process has ended. Whoever connects next starts another one.
    pub fn ended(&mut self, ending: Ending, now: Moment) {
        let (was_ready, is_told) = match self.state {
            State::Serving { was_ready, .. } => (was_ready, false),
            State::Ending { was_ready, is_told, .. } => (was_ready, is_told),
            State::Waiting | State::Resting { .. } => (false, true),
        };
        if was_ready {
            self.failures = 0;
        }
        self.rest(now, REST_MS_MAX);
        let how = match ending {
            Ending::Exited(code) => format!("exited with code {code}"),
            Ending::Killed(signal) => format!("was killed by {signal}"),
            Ending::NotExecuted(_) => "could not be executed".to_string(),
        };
        if !is_told && self.failures == 1 {
            let text = format!("the control gateway {how}; the next connection starts another one");
            self.note(LogLevel::Warning, text);
        }
    }

    fn receive(&mut self) {
        let State::Serving { link, .. } = &mut self.state else { return };
        if link.has_more || link.is_paused() {
            return;
        }
        match fds::read(link.fd.as_fd(), link.inbox.space()) {
            // This comes before the news that it has died.
            Ok(0) => self.take_out(false),
            Ok(count) => {
                link.inbox.filled(count);
                link.has_more = true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.end("its connection is broken"),
        }
    }

    /// What it asks for, one after the other. None while it has not taken enough of the replies that
    /// there are.
    pub fn next_request(&mut self, now: Moment) -> Option<Incoming> {
        loop {
            let State::Serving { link, .. } = &self.state else { return None };
            if !link.has_more {
                return None;
            }
            if link.is_paused() {
                self.flush(now);
                let State::Serving { link, .. } = &self.state else { return None };
                if link.is_paused() {
                    return None;
                }
            }
            match self.next_frame() {
                Ok(Frame::Request(request)) => return Some(request),
                Ok(Frame::Other) => {}
                Ok(Frame::None) => return None,
                Err(Broken) => {
                    self.end("it breaks the rules for frames");
                    return None;
                }
            }
        }
    }

    fn next_frame(&mut self) -> Result<Frame, Broken> {
        let State::Serving { link, was_ready, .. } = &mut self.state else {
            return Ok(Frame::None);
        };
        let Some(frame) = link.inbox.next_frame().map_err(|_| Broken)? else {
            link.has_more = false;
            return Ok(Frame::None);
        };
        match FromGateway::parse(frame).map_err(|_| Broken)? {
            FromGateway::Request { uid, identity, body } => {
                let request = Incoming { uid, identity: identity.into(), body: body.into() };
                return Ok(Frame::Request(request));
            }
            FromGateway::Subscribers(count) => self.subscribers = count,
            FromGateway::Note { level, text } => {
                // One that cannot begin says so each time, and anybody may make it try again.
                if self.notes.len() < NOTES_MAX && (*was_ready || self.failures == 0) {
                    self.notes.push((level_of(level), format!("control gateway: {text}")));
                }
            }
            FromGateway::Ready => {
                *was_ready = true;
                link.launch = None;
            }
        }
        Ok(Frame::Other)
    }

    /// Give it the reply to a request.
    pub fn reply(&mut self, identity: &[u8], body: &[u8], now: Moment) {
        self.give(&ToGateway::Reply { identity, body }, now);
    }

    /// Let it tell subscribers.
    pub fn publish(&mut self, topic: &[u8], body: &[u8], now: Moment) {
        let State::Serving { link, .. } = &self.state else { return };
        if link.waiting_bytes() > PUBLISHED_BYTES_MAX {
            self.dropped += 1;
            return;
        }
        self.give(&ToGateway::Publication { topic, body }, now);
    }

    fn give(&mut self, message: &ToGateway<'_>, now: Moment) {
        let State::Serving { link, .. } = &self.state else { return };
        // Many may have waited for the same, and be answered at once.
        if link.is_paused() {
            self.flush(now);
        }
        let State::Serving { link, stalled_at, .. } = &mut self.state else { return };
        if link.waiting_bytes() > OUTBOX_BYTES_MAX - FRAME_BYTES_MAX {
            return self.end("it takes no replies");
        }
        message.append_to(&mut link.outbox);
        stalled_at.get_or_insert(now);
    }

    /// Write what fits. Called before every wait.
    pub fn flush(&mut self, now: Moment) {
        let State::Serving { link, stalled_at, .. } = &mut self.state else { return };
        let before = link.waiting_bytes();
        if before == 0 {
            return;
        }
        while link.waiting_bytes() > 0 {
            match fds::write(link.fd.as_fd(), &link.outbox[link.written..]) {
                Ok(count) => link.written += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.end("its connection is broken"),
            }
        }
        let after = link.waiting_bytes();
        if after < before {
            *stalled_at = (after > 0).then_some(now);
        }
        link.tidy_up();
        if after == 0 && self.dropped > 0 {
            let dropped = std::mem::take(&mut self.dropped);
            let text = format!("{dropped} publications were lost: the gateway was too slow");
            self.note(LogLevel::Warning, text);
        }
    }

    /// The end: it delivers what it has got, and ends. `None` if there is nothing to wait for.
    pub fn finish(&mut self, now: Moment) -> Option<Pid> {
        self.flush(now);
        let State::Serving { pid, link, .. } = &self.state else { return None };
        fds::finish(link.fd.as_fd());
        Some(*pid)
    }
}

/// What the next frame is.
enum Frame {
    Request(Incoming),
    /// Acted on already.
    Other,
    /// There is none yet.
    None,
}

/// A frame is not what it should be.
struct Broken;

impl Link {
    fn waiting_bytes(&self) -> usize {
        self.outbox.len() - self.written
    }

    /// It has to take its replies before it gets more.
    fn is_paused(&self) -> bool {
        self.waiting_bytes() >= OUTBOX_PAUSE_BYTES
    }

    fn tidy_up(&mut self) {
        const KEPT_BYTES: usize = 64 * 1024;
        if self.written == self.outbox.len() {
            self.outbox.clear();
            self.written = 0;
            self.outbox.shrink_to(KEPT_BYTES);
        } else if self.written > OUTBOX_PAUSE_BYTES {
            self.outbox.drain(..self.written);
            self.written = 0;
        }
    }
}

fn level_of(level: u8) -> LogLevel {
    match level {
        0 => LogLevel::Debug,
        1 => LogLevel::Info,
        2 => LogLevel::Warning,
        3 => LogLevel::Error,
        _ => LogLevel::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_never_serves_is_started_less_and_less_often() {
        let mut gateway = Gateway::new(c"/absent".into(), Vec::new(), Vec::new(), None);
        let mut rest_ms = |was_ready| {
            let pid = Pid::new(7).expect("positive");
            gateway.state = State::Ending { pid, was_ready, is_told: true, _launch: None };
            gateway.ended(Ending::Exited(2), Moment::from_ms(1000));
            gateway.deadline().map(|until| until.since_ms(Moment::from_ms(1000)))
        };
        let rests: Vec<Option<u64>> = (0..100).map(|_| rest_ms(false)).collect();
        assert_eq!(rests[..4], [Some(50), Some(100), Some(200), Some(400)]);
        assert_eq!(rests[99], Some(60_000));
        assert_eq!(rest_ms(true), Some(50), "this one has served");
    }

    #[test]
    fn while_replies_wait_for_it_its_requests_wait_and_nothing_spins() {
        let mut gateway = Gateway::new(c"/absent".into(), Vec::new(), Vec::new(), None);
        let (fd, theirs) = fds::connection().expect("a pair of sockets");
        let mut inbox = Inbox::new(INBOX_BYTES_MAX);
        let mut bytes = Vec::new();
        for body in [b"one", b"two"] {
            FromGateway::Request { uid: None, identity: b"x", body }.append_to(&mut bytes);
        }
        inbox.space()[..bytes.len()].copy_from_slice(&bytes);
        inbox.filled(bytes.len());
        let (outbox, launch) = (Vec::new(), None);
        let link = Link { fd, inbox, has_more: true, outbox, written: 0, launch };
        let pid = Pid::new(i32::MAX).expect("positive");
        gateway.state = State::Serving { pid, link, stalled_at: None, was_ready: true };
        let now = Moment::from_ms(1000);
        assert_eq!(gateway.deadline(), Some(Moment::default()), "there is work");
        assert_eq!(gateway.next_request(now).expect("the first").body[..], b"one"[..]);
        // More than the kernel takes for it.
        gateway.reply(b"x", &vec![b'x'; 4 << 20], now);
        assert!(gateway.next_request(now).is_none(), "it has to take that first");
        assert_eq!(gateway.deadline(), Some(now.after_ms(STALLED_MS)));
        let mut buffer = vec![0; 64 << 10];
        let request = loop {
            fds::read(theirs.as_fd(), &mut buffer).expect("there is more");
            if let Some(request) = gateway.next_request(now) {
                break request;
            }
        };
        assert_eq!(request.body[..], b"two"[..]);
    }
}
