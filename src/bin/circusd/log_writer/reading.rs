//! From pipes to sinks: what is read, cut into lines, and passed on.

use circus::config::settings::Overflow;
use circus::sys::epoll::Wanted;
use circus::wire::log::FromWriter;
use std::os::fd::AsFd;

use super::input::{Input, LINE_BYTES_MAX, Read};
use super::place::Place;
use super::sink::{Now, Sink};
use super::{READ_BYTES, Writer};

/// A line without end that has a file for itself waits so long for the rest.
const UNFINISHED_MS: u64 = 40;
/// What is put into another form may become much more.
const FORMED_READ_BYTES: usize = 64 * 1024;
/// Of what a burst took, so much is kept.
const FORMED_SPARE_BYTES: usize = 256 * 1024;
/// Ends that circusd may still ask about.
const CLOSED_MAX: usize = 256;

impl Writer {
    /// Wait for this pipe.
    pub(super) fn attend(&mut self, place: usize) {
        let Some(input) = &self.inputs[place] else { return };
        if let Err(error) = self.epoll.add(input.as_fd(), place as u64, Wanted::Read) {
            let text = format!("cannot wait for a pipe: {}", super::told(&error));
            self.note(3, text);
        }
    }

    /// A pipe has something: read once.
    pub(super) fn serve(&mut self, place: usize, now: Now) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read(place, &mut buffer, now);
        self.buffer = buffer;
        self.conclude(place);
    }

    fn read(&mut self, place: usize, buffer: &mut [u8], now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        if input.is_at_end {
            return;
        }
        let is_held = |sink: usize| self.sinks[sink].as_ref().is_some_and(Sink::holds_up);
        if input.form.overflow() == Overflow::Block && input.sink.is_some_and(is_held) {
            if !input.is_paused {
                input.is_paused = true;
                self.paused.push(place);
                self.epoll.remove(input.as_fd());
            }
            return;
        }
        let old = input.unfinished().len();
        let read_bytes = if input.form.is_raw() { READ_BYTES } else { FORMED_READ_BYTES };
        let read = match input.read(&mut buffer[..old + read_bytes]) {
            Read::Nothing => {
                input.left = input.left.map(|_| 0);
                return;
            }
            Read::End => return self.end(place, now),
            Read::Some(read) => read,
        };
        input.left = input.left.map(|left| left.saturating_sub(read));
        let total = old + read;
        let Some(end) = memchr::memrchr(b'\n', &buffer[old..total]) else {
            input.extend(&buffer[old..total]);
            return self.leave_unfinished(place, now);
        };
        buffer[..old].copy_from_slice(input.unfinished());
        let (lines, rest) = buffer[..total].split_at(old + end + 1);
        let skip = input.take_written();
        input.keep(rest);
        self.pass_on(place, lines, skip, now);
        if !rest.is_empty() {
            self.leave_unfinished(place, now);
        }
    }

    /// A line has no end yet.
    fn leave_unfinished(&mut self, place: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        if input.unfinished().len() >= LINE_BYTES_MAX {
            let part = input.take_unfinished();
            let skip = input.take_written();
            return self.pass_on(place, &part, skip, now);
        }
        if input.form.is_raw() && input.sink.is_some() && input.flush_at.is_none() {
            let at = now.moment.after_ms(UNFINISHED_MS);
            input.flush_at = Some(at);
            if !std::mem::replace(&mut input.is_queued, true) {
                self.flushes.push_back((at, place));
            }
        }
    }

    /// A line may have waited for its end: who has a sink for himself may see it now.
    pub(super) fn write_early(&mut self, place: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        input.is_queued = false;
        match input.flush_at {
            Some(at) if at <= now.moment => input.flush_at = None,
            // A later one waits: not for longer than for as long again.
            Some(_) => {
                input.is_queued = true;
                let at = now.moment.after_ms(UNFINISHED_MS);
                return self.flushes.push_back((at, place));
            }
            None => return,
        }
        let Some(sink) = input.sink.and_then(|index| self.sinks[index].as_mut()) else { return };
        if sink.users == 1 && sink.is_ready(now.moment) && input.has_unfinished() {
            let text = input.write_early();
            sink.write(&text, input.id, &input.form, now, &mut self.notes);
        }
    }

    /// Lines, or a part of a long one, go to memory and to the sink, where the beginning may be already.
    fn pass_on(&mut self, place: usize, lines: &[u8], skip: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        input.note_last(lines);
        let source = input.form.source().clone();
        let (ring, sink) = (input.ring, input.sink);
        if let Some(sink) = sink.and_then(|index| self.sinks[index].as_mut()) {
            write(input, sink, &lines[skip..], &mut self.formed, now, &mut self.notes);
        }
        self.memory.push(ring, lines, now.wall.as_seconds(), &source);
    }

    /// The process has ended, or nobody writes any more: a last line need not have an end.
    pub(super) fn flush(&mut self, place: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        let text = input.take_unfinished();
        let skip = input.take_written();
        if text.is_empty() {
            return;
        }
        self.pass_on(place, &text, skip, now);
        // Where circusd and others write too, nobody else would end it.
        let Some(input) = &mut self.inputs[place] else { return };
        let sink = input.sink.and_then(|index| self.sinks[index].as_mut());
        if let Some(sink) = sink.filter(|sink| matches!(sink.place, Place::Own { .. }))
            && input.form.is_raw()
            && sink.is_ready(now.moment)
        {
            sink.write(b"\n", input.id, &input.form, now, &mut self.notes);
        }
    }

    /// A process has ended: what is in its pipe now is read, as far as its sink takes it.
    pub(super) fn drain(&mut self, place: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        input.left = Some(if input.is_at_end { 0 } else { input.readable() });
        let mut before = None;
        loop {
            let left = self.inputs[place].as_ref().and_then(|input| input.left);
            if left == before || left.is_none_or(|left| left == 0) {
                break;
            }
            before = left;
            self.serve(place, now);
        }
        self.conclude(place);
    }

    fn end(&mut self, place: usize, now: Now) {
        let Some(input) = &mut self.inputs[place] else { return };
        input.is_at_end = true;
        input.left = input.left.map(|_| 0);
        self.epoll.remove(input.as_fd());
        self.flush(place, now);
    }

    /// Say that all is written, if it is.
    pub(super) fn conclude(&mut self, place: usize) {
        let Some(input) = &mut self.inputs[place] else { return };
        if input.left != Some(0) && !input.is_at_end {
            return;
        }
        if input.left == Some(0) && !input.unfinished().is_empty() {
            let now = Now { moment: circus::sys::clock::now(), wall: super::Wall::now() };
            self.flush(place, now);
        }
        let Some(input) = &mut self.inputs[place] else { return };
        let is_written = |index: usize| self.sinks[index].as_ref().is_none_or(Sink::is_idle);
        // Whoever drops waits for nobody: what was taken is safe or counted.
        if input.form.overflow() == Overflow::Block && !input.sink.is_none_or(is_written) {
            return;
        }
        let (id, last) = (input.id, input.last());
        if input.left.take().is_some() {
            self.post.send(&FromWriter::Drained { id, last: last.clone() });
        }
        let Some(input) = &self.inputs[place] else { return };
        if input.is_at_end {
            self.remove(place);
            self.closed.push_back((id, last));
            if self.closed.len() > CLOSED_MAX {
                self.closed.pop_front();
            }
            self.post.send(&FromWriter::Closed { id });
        }
    }

    /// A sink has written out what waited there.
    pub(super) fn conclude_all(&mut self, sink: usize) {
        for place in 0..self.inputs.len() {
            if self.inputs[place].as_ref().is_some_and(|input| input.sink == Some(sink)) {
                self.conclude(place);
            }
        }
    }

    /// We end: lines that have no end yet will get none.
    pub(super) fn finish_inputs(&mut self, now: Now) {
        for place in 0..self.inputs.len() {
            if self.inputs[place].as_ref().is_some_and(|input| input.readable() == 0) {
                self.flush(place, now);
            }
        }
    }

    /// Forget a pipe.
    pub(super) fn remove(&mut self, place: usize) {
        let Some(input) = self.inputs[place].take() else { return };
        // circusd has the same pipe, so that closing ours does not take it out of the set.
        self.epoll.remove(input.as_fd());
        self.places.remove(&input.id);
        self.memory.leave(input.ring);
        if let Some(sink) = input.sink.and_then(|index| self.sinks[index].as_mut()) {
            sink.users -= 1;
        }
    }
}

/// In their form, or counted as lost.
fn write(
    input: &mut Input,
    sink: &mut Sink,
    lines: &[u8],
    formed: &mut Vec<u8>,
    now: Now,
    notes: &mut Vec<super::Note>,
) {
    let waits = input.form.overflow() == Overflow::Block && sink.holds_up();
    if !waits && !sink.is_ready(now.moment) {
        return sink.lose(lines, &input.form);
    }
    if input.form.is_raw() {
        return sink.write(lines, input.id, &input.form, now, notes);
    }
    formed.clear();
    input.form.write(formed, lines, now.wall);
    sink.write(formed, input.id, &input.form, now, notes);
    formed.shrink_to(FORMED_SPARE_BYTES);
}
