//! The pipe of one process: what it has written beyond the last line end waits here for the rest.

use circus::moment::Moment;
use circus::sys::fds;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use super::form::Form;

/// One pipe.
#[derive(Debug)]
pub struct Input {
    /// As circusd calls it.
    pub id: u64,
    pipe: OwnedFd,
    pub form: Form,
    /// Where its lines go; `None` for memory only.
    pub sink: Option<usize>,
    /// Where its lines are kept.
    pub ring: usize,
    /// A line that has no end yet.
    unfinished: Vec<u8>,
    /// So much of that is written already.
    written: usize,
    /// When that is written though it has no end.
    pub flush_at: Option<Moment>,
    /// Somebody will look then, or before.
    pub is_queued: bool,
    /// The last line that is not empty, shortened.
    last: Vec<u8>,
    /// The process has ended: so many bytes are still to be read before that is answered.
    pub left: Option<usize>,
    /// Nobody writes to it any more.
    pub is_at_end: bool,
    /// It is not read until its sink takes more.
    pub is_paused: bool,
}

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Read {
    /// So many bytes.
    Some(usize),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    End,
}

/// A longer line goes on in parts.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
const LAST_BYTES_MAX: usize = 1024;
/// An unfinished line that took more gives it back.
const SPARE_BYTES_MAX: usize = 1024;
const PIPE_BYTES: i32 = 1 << 20;

impl Input {
    /// # Errors
    /// It cannot be made to never wait.
    pub fn new(
        id: u64,
        pipe: OwnedFd,
        form: Form,
        sink: Option<usize>,
        ring: usize,
    ) -> io::Result<Input> {
        fds::settle_pipe(pipe.as_fd(), PIPE_BYTES)?;
        Ok(Input {
            id,
            pipe,
            form,
            sink,
            ring,
            unfinished: Vec::new(),
            written: 0,
            flush_at: None,
            is_queued: false,
            last: Vec::new(),
            left: None,
            is_at_end: false,
            is_paused: false,
        })
    }

    /// Bytes that can be read now.
    pub fn readable(&self) -> usize {
        fds::readable_bytes(self.pipe.as_fd())
    }

    /// Read once, and leave room at the beginning for what is unfinished.
    pub fn read(&self, buffer: &mut [u8]) -> Read {
        let start = self.unfinished.len();
        let result = loop {
            match fds::read(self.pipe.as_fd(), &mut buffer[start..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        match result {
            Ok(0) => Read::End,
            Ok(length) => Read::Some(length),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Read::Nothing,
            Err(_) => Read::End,
        }
    }

    /// What is unfinished.
    pub fn unfinished(&self) -> &[u8] {
        &self.unfinished
    }

    /// This has no end yet either.
    pub fn extend(&mut self, rest: &[u8]) {
        self.unfinished.extend(rest);
    }

    /// The beginning of the first line is written already, so far.
    pub fn take_written(&mut self) -> usize {
        self.flush_at = None;
        std::mem::take(&mut self.written)
    }

    /// Keep what has no end, in place of what was kept.
    pub fn keep(&mut self, rest: &[u8]) {
        self.unfinished.clear();
        self.unfinished.extend(rest);
        if self.unfinished.capacity() > SPARE_BYTES_MAX.max(rest.len() * 2) {
            self.unfinished.shrink_to(rest.len());
        }
    }

    /// What has no end and is not written, and now is.
    pub fn write_early(&mut self) -> Vec<u8> {
        self.flush_at = None;
        let rest = self.unfinished[self.written..].to_vec();
        self.written = self.unfinished.len();
        rest
    }

    /// What has no end and never will have one.
    pub fn take_unfinished(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.unfinished)
    }

    pub fn has_unfinished(&self) -> bool {
        self.unfinished.len() > self.written
    }

    /// See which line is the last one that is not empty.
    pub fn note_last(&mut self, lines: &[u8]) {
        let mut rest = lines;
        while let Some(text) = rest.strip_suffix(b"\n") {
            rest = text;
        }
        if rest.is_empty() {
            return;
        }
        let start = memchr::memrchr(b'\n', rest).map_or(0, |end| end + 1);
        let line = &rest[start..];
        self.last.clear();
        self.last.extend(&line[..line.len().min(LAST_BYTES_MAX)]);
    }

    pub fn last(&self) -> Option<Box<str>> {
        let text = String::from_utf8_lossy(&self.last);
        Some(text.trim_end()).filter(|text| !text.is_empty()).map(Box::from)
    }
}

impl AsFd for Input {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}
