//! The role `circusd log-writer`: takes the output of processes from their pipes and writes it where
//! their streams say, so that a slow disk or a reader that has stopped never holds up PID 1.
//!
//! One thread that waits in one place; nothing ticks. What is not taken from a pipe yet is safe
//! there: circusd keeps the pipes, and a successor of ours reads on.

mod backups;
mod compressor;
mod file;
mod form;
mod input;
mod memory;
mod period;
mod place;
mod post;
mod reading;
mod requests;
mod ring;
mod sink;
mod stamp;

use circus::moment::Moment;
use circus::sys::epoll::{EpollSet, Wanted};
use circus::sys::{clock, identity};
use circus::wire::log::FromWriter;
use compressor::Compressor;
use input::Input;
use memory::Memory;
use place::Place;
use post::Post;
use sink::{Note, Now, Sink};
use stamp::Wall;
use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// The word after `circusd`.
pub const ROLE: &str = "log-writer";

/// Take the role if the words ask for it. Does not come back then.
pub fn asked(words: &[OsString]) -> Option<String> {
    if !matches!(words, [word] if word == ROLE) {
        return None;
    }
    identity::raise_open_files();
    let socket = io::stdin().as_fd().try_clone_to_owned();
    match socket.and_then(Writer::new) {
        Ok(mut writer) => {
            writer.run();
            identity::exit_now(0)
        }
        Err(error) => Some(format!("{ROLE}: {}", told(&error))),
    }
}

/// What an error is called.
fn told(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => circus::sys::error_text(errno).to_string(),
        None => error.to_string(),
    }
}

struct Writer {
    epoll: EpollSet,
    post: Post,
    /// By place, which is their number in `epoll`.
    inputs: Vec<Option<Input>>,
    /// Places of pipes, as circusd calls them.
    places: BTreeMap<u64, usize>,
    sinks: Vec<Option<Sink>>,
    /// Sinks that are in `epoll`.
    awaited: Vec<usize>,
    memory: Memory,
    compressor: Compressor,
    /// Of all pipes: they are read one at a time.
    buffer: Vec<u8>,
    /// Lines in their form.
    formed: Vec<u8>,
    notes: Vec<Note>,
    /// When unfinished lines are written, the next one first.
    flushes: VecDeque<(Moment, usize)>,
    /// Pipes that were closed before circusd knew that their process has ended, and their last lines.
    closed: VecDeque<(u64, Option<Box<str>>)>,
    /// Pipes that are not read until their sinks take more.
    paused: Vec<usize>,
    is_behind: bool,
    /// Write out what is there until then, and end.
    finish: Option<Moment>,
    is_alone: bool,
}

const POST: u64 = u64::MAX;
const COMPRESSOR: u64 = u64::MAX - 1;
/// Sinks are numbered from here, pipes from 0.
const SINKS: u64 = 1 << 32;

/// What is read at once; what is taken from a pipe and not yet written when we are killed is lost.
const READ_BYTES: usize = 256 * 1024;
/// Without circusd nobody says when to end.
const ALONE_MS: u64 = 2000;

impl Writer {
    fn new(socket: OwnedFd) -> io::Result<Writer> {
        let epoll = EpollSet::new()?;
        epoll.add(socket.as_fd(), POST, Wanted::Read)?;
        Ok(Writer {
            epoll,
            post: Post::new(socket),
            inputs: Vec::new(),
            places: BTreeMap::new(),
            sinks: Vec::new(),
            awaited: Vec::new(),
            memory: Memory::new(),
            compressor: Compressor::default(),
            buffer: vec![0; input::LINE_BYTES_MAX + READ_BYTES],
            formed: Vec::new(),
            notes: Vec::new(),
            flushes: VecDeque::new(),
            closed: VecDeque::new(),
            paused: Vec::new(),
            is_behind: false,
            finish: None,
            is_alone: false,
        })
    }

    fn run(&mut self) {
        let mut ready = Vec::new();
        while !self.is_finished() {
            self.epoll.wait(self.deadline(), &mut ready);
            let now = Now { moment: clock::now(), wall: Wall::now() };
            for number in &ready {
                match *number {
                    POST => self.receive(now),
                    COMPRESSOR => self.finish_compression(),
                    number if number >= SINKS => self.resume((number - SINKS) as usize, true, now),
                    number => self.serve(number as usize, now),
                }
            }
            self.act_on_time(now);
            self.settle(now);
        }
        self.compressor.give_up();
    }

    fn deadline(&self) -> Option<Moment> {
        let sinks = self.sinks.iter().flatten().filter_map(Sink::deadline);
        let flush = self.flushes.front().map(|(at, _)| *at);
        sinks.chain(flush).chain(self.finish).min()
    }

    /// What is due.
    fn act_on_time(&mut self, now: Now) {
        while let Some((at, place)) = self.flushes.front().copied()
            && at <= now.moment
        {
            self.flushes.pop_front();
            self.write_early(place, now);
        }
        for index in 0..self.sinks.len() {
            let deadline = self.sinks[index].as_ref().and_then(Sink::deadline);
            if deadline.is_some_and(|deadline| deadline <= now.moment) {
                self.resume(index, false, now);
            }
        }
    }

    /// A sink has room, or its time has come.
    fn resume(&mut self, index: usize, is_writable: bool, now: Now) {
        let Some(sink) = &mut self.sinks[index] else { return };
        if is_writable {
            // Before anything there may be closed: others have the same open file.
            self.awaited.retain(|awaited| *awaited != index);
            if let Some(fd) = sink.awaited() {
                self.epoll.remove(fd);
            }
        }
        sink.resume(is_writable, now, &mut self.notes);
        if sink.is_idle() {
            self.conclude_all(index);
        }
    }

    /// After all events: whatever follows from them.
    fn settle(&mut self, now: Now) {
        for index in 0..self.sinks.len() {
            let Some(sink) = &mut self.sinks[index] else { continue };
            if let Some(fd) = sink.awaited()
                && !self.awaited.contains(&index)
                && self.epoll.add(fd, SINKS + index as u64, Wanted::Write).is_ok()
            {
                self.awaited.push(index);
            }
            if let Place::File(file) = &mut sink.place
                && !file.rotated.is_empty()
            {
                let path = file.path().to_string();
                file.rotated.drain(..).for_each(|inode| self.compressor.add(&path, inode));
            }
            if sink.is_disposable() {
                self.sinks[index] = None;
            }
        }
        for place in std::mem::take(&mut self.paused) {
            let Some(input) = &mut self.inputs[place] else { continue };
            let is_held = |index: usize| self.sinks[index].as_ref().is_some_and(Sink::holds_up);
            if input.is_paused && !input.sink.is_some_and(is_held) {
                input.is_paused = false;
                let _ = self.epoll.add(input.as_fd(), place as u64, Wanted::Read);
            } else if input.is_paused {
                self.paused.push(place);
            }
        }
        if let Some(done) = self.compressor.start() {
            let _ = self.epoll.add(done, COMPRESSOR, Wanted::Read);
        }
        for (level, text) in std::mem::take(&mut self.notes) {
            self.post.send(&FromWriter::Note { level, text: text.into() });
        }
        self.post.flush();
        let is_behind = self.post.is_behind();
        if !self.is_alone && is_behind != std::mem::replace(&mut self.is_behind, is_behind) {
            let wanted = if is_behind { Wanted::Both } else { Wanted::Read };
            self.epoll.change(self.post.as_fd(), POST, wanted);
        }
        if self.finish.is_some() {
            self.finish_inputs(now);
        }
    }

    fn finish_compression(&mut self) {
        if let Some(failure) = self.compressor.finish() {
            self.note(2, failure);
        }
    }

    /// All that was there is written, or there is no more time.
    fn is_finished(&self) -> bool {
        let Some(until) = self.finish else { return false };
        let is_empty = || self.inputs.iter().flatten().all(|input| input.readable() == 0);
        let is_written = || self.sinks.iter().flatten().all(Sink::is_idle);
        let is_said = || self.is_alone || !self.post.is_behind();
        clock::now() >= until || is_empty() && is_written() && is_said()
    }

    fn note(&mut self, level: u8, text: String) {
        self.notes.push((level, text));
    }

    /// circusd is gone.
    fn be_alone(&mut self, now: Now) {
        self.epoll.remove(self.post.as_fd());
        self.is_alone = true;
        let until = now.moment.after_ms(ALONE_MS);
        self.finish = Some(self.finish.map_or(until, |earlier| earlier.min(until)));
    }
}
