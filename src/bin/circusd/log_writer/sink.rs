//! What all streams with the same target share: whole lines come in, and what the target does not take
//! now waits here. That is at most what was read at once: whoever has more waits too, or its lines
//! are dropped and counted.
//!
//! ```text
//! ready ── takes no more ──> full ── has room ──> ready
//!   └──── fails ──> broken (tries again, ever more rarely) ──> ready
//!   └──── our own descriptor fails ──> gone (all is dropped and counted; the next line after a
//!         while is an attempt) ──> ready
//! ```

use circus::config::settings::{Overflow, StreamTarget};
use circus::moment::Moment;
use std::io::{self, ErrorKind};
use std::os::fd::BorrowedFd;

use super::form::Form;
use super::place::Place;
use super::ring;
use super::stamp::Wall;

/// Both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    pub moment: Moment,
    pub wall: Wall,
}

/// A line for circusd's log: level and text.
pub type Note = (u8, String);

#[derive(Debug)]
pub struct Sink {
    pub place: Place,
    /// Streams that write here.
    pub users: usize,
    state: State,
    pending: Vec<u8>,
    at_line_start: bool,
    /// Who has written last.
    holder: u64,
    /// How those wrote whose lines wait here.
    pending_form: Option<Box<Form>>,
    losses: Vec<Loss>,
    /// It was told that something is wrong.
    is_told: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready,
    Full { since: Moment },
    Broken { retry: Moment, wait_ms: u64 },
    Gone { retry: Moment, wait_ms: u64 },
}

#[derive(Debug)]
struct Loss {
    form: Box<Form>,
    lines: u64,
    bytes: u64,
}

const RETRY_MIN_MS: u64 = 1000;
const RETRY_MAX_MS: u64 = 30_000;
/// Who reads so slowly has stopped.
const STOPPED_MS: u64 = 10_000;
const INFO: u8 = 1;
const WARNING: u8 = 2;

impl Sink {
    /// `None` for what is only kept in memory.
    pub fn new(target: &StreamTarget) -> Option<Sink> {
        Some(Sink {
            place: Place::new(target)?,
            users: 0,
            state: State::Ready,
            pending: Vec::new(),
            at_line_start: true,
            holder: 0,
            pending_form: None,
            losses: Vec::new(),
            is_told: false,
        })
    }

    /// Have it open, so that what is wrong is known before a line comes.
    pub fn open(&mut self, form: &Form, now: Now, notes: &mut Vec<Note>) {
        if self.state == State::Ready {
            match self.place.open() {
                Ok(Some(is_whole)) => self.at_line_start = is_whole,
                Ok(None) => {}
                Err(error) => self.fail(&error, &[], form, now, notes),
            }
        }
    }

    /// Lines are written now, or at least it is time to try.
    pub fn is_ready(&self, now: Moment) -> bool {
        match self.state {
            State::Ready => true,
            State::Full { .. } | State::Broken { .. } => false,
            State::Gone { retry, .. } => retry <= now,
        }
    }

    /// Whoever blocks has to wait for this one.
    pub fn holds_up(&self) -> bool {
        matches!(self.state, State::Full { .. } | State::Broken { .. })
    }

    /// Nothing is waiting here.
    pub fn is_idle(&self) -> bool {
        self.pending.is_empty() && !self.holds_up()
    }

    /// It can be forgotten when nobody writes there.
    pub fn is_disposable(&self) -> bool {
        self.users == 0
            && self.is_idle()
            && self.losses.is_empty()
            && !matches!(self.place, Place::Own { .. })
    }

    /// What is waited for, if it takes no more.
    pub fn awaited(&self) -> Option<BorrowedFd<'_>> {
        match self.state {
            State::Full { .. } => self.place.fd(),
            State::Ready | State::Broken { .. } | State::Gone { .. } => None,
        }
    }

    /// When it is to be looked at.
    pub fn deadline(&self) -> Option<Moment> {
        match self.state {
            State::Full { since } if !self.is_told => Some(since.after_ms(STOPPED_MS)),
            State::Broken { retry, .. } => Some(retry),
            State::Full { .. } | State::Ready | State::Gone { .. } => None,
        }
    }

    /// Lines that are not written.
    pub fn lose(&mut self, lines: &[u8], form: &Form) {
        self.lose_counted(ring::count(lines), lines.len() as u64, form);
    }

    fn lose_counted(&mut self, lines: u64, bytes: u64, form: &Form) {
        let source = form.source();
        let is_same = |loss: &&mut Loss| {
            let other = loss.form.source();
            (&other.watcher, other.wid, other.channel)
                == (&source.watcher, source.wid, source.channel)
        };
        match self.losses.iter_mut().find(is_same) {
            Some(loss) => {
                loss.lines += lines;
                loss.bytes += bytes;
            }
            None => self.losses.push(Loss { form: Box::new(form.clone()), lines, bytes }),
        }
    }

    /// Write lines, or the beginning of one. What does not go now waits.
    pub fn write(
        &mut self,
        bytes: &[u8],
        owner: u64,
        form: &Form,
        now: Now,
        notes: &mut Vec<Note>,
    ) {
        if bytes.is_empty() {
            return;
        }
        if matches!(self.state, State::Gone { .. }) && !self.is_ready(now.moment) {
            return self.lose(bytes, form);
        }
        if !self.losses.is_empty() && self.pending.is_empty() {
            self.mark_losses(form, now, notes);
            if !self.is_ready(now.moment) && !self.holds_up() {
                return self.lose(bytes, form);
            }
        }
        if !self.at_line_start && self.holder != owner {
            self.put(b"\n", form, now, notes);
        }
        self.put(bytes, form, now, notes);
        self.holder = owner;
    }

    /// It has room again, or it is time to try or to tell.
    pub fn resume(&mut self, is_writable: bool, now: Now, notes: &mut Vec<Note>) {
        match self.state {
            State::Ready | State::Gone { .. } => return,
            State::Full { since } if !is_writable => {
                if now.moment >= since.after_ms(STOPPED_MS) && !self.is_told {
                    self.is_told = true;
                    let overflow = self.pending_form.as_ref().map(|form| form.overflow());
                    let seconds = STOPPED_MS / 1000;
                    notes.push((
                        WARNING,
                        format!(
                            "{} has taken nothing for {seconds} s; {}",
                            self.place.name(),
                            consequence(overflow.unwrap_or_default()),
                        ),
                    ));
                }
                return;
            }
            State::Broken { retry, .. } if now.moment < retry => return,
            State::Full { .. } | State::Broken { .. } => {}
        }
        let Some(form) = self.pending_form.take() else {
            self.state = State::Ready;
            return;
        };
        let pending = std::mem::take(&mut self.pending);
        match self.place.open() {
            Ok(is_whole) => {
                // The rest of a line goes on in the same file only.
                if let Some(is_whole) = is_whole {
                    self.at_line_start = is_whole || self.at_line_start;
                }
                self.put_now(&pending, &form, now, notes);
            }
            Err(error) => self.fail(&error, &pending, &form, now, notes),
        }
        if self.state == State::Ready && !self.losses.is_empty() {
            self.mark_losses(&form, now, notes);
        }
    }

    /// Open files anew.
    pub fn reopen(&mut self) {
        if let Place::File(file) = &mut self.place {
            file.reopen(self.at_line_start && self.pending.is_empty());
        }
    }

    fn mark_losses(&mut self, form: &Form, now: Now, notes: &mut Vec<Note>) {
        let mut losses = std::mem::take(&mut self.losses);
        let mut marker = Vec::new();
        for loss in &mut losses {
            let (lines, bytes) = (loss.lines, loss.bytes);
            let source = loss.form.source().clone();
            let text = format!(
                "circus: {lines} lines ({bytes} bytes) of {}.{} {} are missing here",
                source.watcher,
                source.wid,
                source.channel.name(),
            );
            loss.form.write(&mut marker, text.as_bytes(), now.wall);
        }
        if !self.at_line_start {
            self.put(b"\n", form, now, notes);
        }
        self.put(&marker, form, now, notes);
        if matches!(self.state, State::Gone { .. }) {
            // What is missing is still to be told, and was not lost once more.
            self.losses = losses;
        }
    }

    fn put(&mut self, bytes: &[u8], form: &Form, now: Now, notes: &mut Vec<Note>) {
        match self.state {
            State::Full { .. } | State::Broken { .. } => self.pending.extend(bytes),
            State::Ready | State::Gone { .. } => {
                self.put_now(bytes, form, now, notes);
            }
        }
    }

    fn put_now(&mut self, mut bytes: &[u8], form: &Form, now: Now, notes: &mut Vec<Note>) {
        while !bytes.is_empty() {
            let result = match self.place.fd() {
                Some(_) => Ok(()),
                None => self.place.open().map(drop),
            };
            let written =
                result.and_then(|()| self.place.write(bytes, self.at_line_start, now.wall));
            match written {
                Ok(0) => return self.fail(&ErrorKind::WriteZero.into(), bytes, form, now, notes),
                Ok(count) => {
                    self.at_line_start = bytes[count - 1] == b'\n';
                    bytes = &bytes[count..];
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.state = State::Full { since: now.moment };
                    self.pending = bytes.to_vec();
                    self.pending_form = Some(Box::new(form.clone()));
                    return;
                }
                Err(error) => return self.fail(&error, bytes, form, now, notes),
            }
        }
        if let Place::File(file) = &mut self.place
            && let Some(failure) = file.failure.take()
        {
            notes.push((WARNING, failure));
        }
        self.state = State::Ready;
        if std::mem::take(&mut self.is_told) {
            notes.push((INFO, format!("{} is written to again", self.place.name())));
        }
    }

    fn fail(
        &mut self,
        error: &io::Error,
        rest: &[u8],
        form: &Form,
        now: Now,
        notes: &mut Vec<Note>,
    ) {
        let is_gone = self.place.is_gone(error);
        let wait_ms = match self.state {
            State::Broken { wait_ms, .. } | State::Gone { wait_ms, .. } => {
                (wait_ms * 2).min(RETRY_MAX_MS)
            }
            State::Ready | State::Full { .. } => RETRY_MIN_MS,
        };
        let retry = now.moment.after_ms(wait_ms);
        if !std::mem::replace(&mut self.is_told, true) {
            let overflow = if is_gone { Overflow::Drop } else { form.overflow() };
            notes.push((
                WARNING,
                format!(
                    "cannot write to {}: {}; {}",
                    self.place.name(),
                    super::told(error),
                    consequence(overflow)
                ),
            ));
        }
        // A full disk keeps its file.
        if !matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG)) {
            self.place.close();
        }
        if is_gone {
            self.state = State::Gone { retry, wait_ms };
            self.at_line_start = true;
            if !rest.is_empty() {
                self.lose(rest, form);
            }
        } else {
            self.state = State::Broken { retry, wait_ms };
            self.pending = rest.to_vec();
            self.pending_form = Some(Box::new(form.clone()));
        }
    }
}

fn consequence(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::Block => "whoever writes there waits",
        Overflow::Drop => "lines are dropped and counted",
    }
}
