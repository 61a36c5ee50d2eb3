//! The rings of all streams, and answers from them.

use circus::wire::log::{Channel, FromWriter, LINES_BYTES_MAX, Line, PACKET_BYTES_MAX};
use std::rc::Rc;

use super::form::Source;
use super::ring::{Found, Ring};

/// All rings. A place is never moved, so that pipes can name theirs.
#[derive(Debug)]
pub struct Memory {
    rings: Vec<Option<Kept>>,
    bytes_max: usize,
    /// Of the last line.
    number: u64,
}

#[derive(Debug)]
struct Kept {
    watcher: Box<str>,
    channel: Channel,
    ring: Ring,
    users: usize,
    /// To be freed when nobody writes there any more.
    is_forgotten: bool,
}

/// A question.
#[derive(Debug)]
pub struct Tail {
    pub token: u64,
    pub watcher: Option<Box<str>>,
    pub channel: Option<Channel>,
    pub count: usize,
    pub after: Option<u64>,
    pub since: Option<f64>,
}

pub const RING_BYTES: usize = 64 * 1024;
const RING_BYTES_MAX: u64 = 1 << 30;
/// Of one line: its packet has room for it, even if each byte becomes `\u0000`.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Of what is around a text.
const LINE_BYTES: usize = 200;

impl Memory {
    pub fn new() -> Memory {
        Memory { rings: Vec::new(), bytes_max: RING_BYTES, number: 0 }
    }

    /// So much for each stream from now on.
    pub fn set_size(&mut self, bytes: u64) {
        self.bytes_max = bytes.min(RING_BYTES_MAX) as usize;
        for kept in self.rings.iter_mut().flatten() {
            kept.ring.shrink(self.bytes_max);
        }
    }

    /// The ring of a stream, for one more that writes there.
    pub fn join(&mut self, watcher: &str, channel: Channel) -> usize {
        let is_it = |kept: &Option<Kept>| {
            kept.as_ref().is_some_and(|kept| &*kept.watcher == watcher && kept.channel == channel)
        };
        let index = self.rings.iter().position(is_it).unwrap_or_else(|| {
            let kept = Kept {
                watcher: watcher.into(),
                channel,
                ring: Ring::default(),
                users: 0,
                is_forgotten: false,
            };
            match self.rings.iter().position(Option::is_none) {
                Some(free) => {
                    self.rings[free] = Some(kept);
                    free
                }
                None => {
                    self.rings.push(Some(kept));
                    self.rings.len() - 1
                }
            }
        });
        if let Some(kept) = &mut self.rings[index] {
            kept.users += 1;
            kept.is_forgotten = false;
        }
        index
    }

    /// One that wrote there is gone.
    pub fn leave(&mut self, index: usize) {
        if let Some(kept) = &mut self.rings[index] {
            kept.users -= 1;
            if kept.users == 0 && kept.is_forgotten {
                self.rings[index] = None;
            }
        }
    }

    /// The watcher is gone.
    pub fn forget(&mut self, watcher: &str) {
        for kept in &mut self.rings {
            if let Some(it) = kept
                && &*it.watcher == watcher
            {
                it.is_forgotten = true;
                if it.users == 0 {
                    *kept = None;
                }
            }
        }
    }

    /// Keep these.
    pub fn push(&mut self, index: usize, lines: &[u8], time: f64, source: &Rc<Source>) {
        if let Some(kept) = &mut self.rings[index] {
            self.number += kept.ring.push(lines, self.number + 1, time, source, self.bytes_max);
        }
    }

    /// Answer.
    pub fn tail(&self, asked: &Tail) -> FromWriter {
        let mut found = Vec::new();
        let mut missed = 0;
        for kept in self.rings.iter().flatten() {
            let is_wanted = asked.watcher.as_ref().is_none_or(|watcher| *watcher == kept.watcher)
                && asked.channel.is_none_or(|channel| channel == kept.channel);
            if is_wanted {
                kept.ring.lines(asked.after, asked.since, &mut found);
                missed += asked.after.map_or(0, |after| kept.ring.missed_after(after));
            }
        }
        found.sort_by_key(|found| found.number);
        let mut more = false;
        if found.len() > asked.count {
            match asked.after {
                Some(_) => {
                    found.truncate(asked.count);
                    more = true;
                }
                None => drop(found.drain(..found.len() - asked.count)),
            }
        }
        let mut room = Room { bytes: LINES_BYTES_MAX, packet: PACKET_BYTES_MAX - LINE_BYTES };
        let all = found.len();
        let lines: Vec<Line> =
            found.into_iter().map(line).take_while(|line| room.takes(line)).collect();
        more |= lines.len() < all;
        let last = match lines.last() {
            Some(line) if more => line.number,
            _ => self.number,
        };
        FromWriter::Lines { token: asked.token, lines, last, missed, more }
    }
}

/// What is left of an answer.
struct Room {
    bytes: usize,
    packet: usize,
}

impl Room {
    fn takes(&mut self, line: &Line) -> bool {
        let packet = escaped(&line.text) + escaped(&line.watcher) + LINE_BYTES;
        let fits = line.text.len() <= self.bytes && packet <= self.packet;
        if fits {
            self.bytes -= line.text.len();
            self.packet -= packet;
        }
        fits
    }
}

/// At most so many bytes as JSON.
fn escaped(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..32 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

fn line(found: Found) -> Line {
    let text = &found.text[..found.text.len().min(TEXT_BYTES_MAX)];
    Line {
        number: found.number,
        time: found.time,
        watcher: found.source.watcher.clone(),
        wid: found.source.wid,
        pid: found.source.pid,
        channel: found.source.channel,
        text: String::from_utf8_lossy(text).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(memory: &Memory, watcher: Option<&str>, count: usize, after: Option<u64>) -> FromWriter {
        let watcher = watcher.map(Box::from);
        memory.tail(&Tail { token: 1, watcher, channel: None, count, after, since: None })
    }

    fn filled() -> (Memory, usize, usize) {
        let mut memory = Memory::new();
        let (a, b) = (memory.join("a", Channel::Stdout), memory.join("b", Channel::Stdout));
        for round in 0..10 {
            for (ring, name) in [(a, "a"), (b, "b")] {
                let source = Rc::new(Source::for_test(name));
                memory.push(ring, format!("{name}{round}\n").as_bytes(), f64::from(round), &source);
            }
        }
        (memory, a, b)
    }

    fn texts(answer: FromWriter) -> (Vec<String>, u64, u64, bool) {
        let FromWriter::Lines { lines, last, missed, more, .. } = answer else {
            panic!("no lines")
        };
        (lines.into_iter().map(|line| line.text.into()).collect(), last, missed, more)
    }

    #[test]
    fn the_last_lines_of_all_streams_come_in_their_order() {
        let (memory, _, _) = filled();
        let (lines, last, missed, more) = texts(ask(&memory, None, 3, None));
        assert_eq!((lines.join(" "), last, missed, more), ("b8 a9 b9".into(), 20, 0, false));
        let (lines, ..) = texts(ask(&memory, Some("a"), 2, None));
        assert_eq!(lines, ["a8", "a9"]);
        assert_eq!(texts(ask(&memory, Some("c"), 2, None)), (vec![], 20, 0, false));
    }

    #[test]
    fn whoever_follows_gets_all_and_is_told_what_is_gone() {
        let (mut memory, _, _) = filled();
        let (lines, last, _, more) = texts(ask(&memory, None, 2, Some(16)));
        assert_eq!((lines.join(" "), last, more), ("a8 b8".into(), 18, true));
        let (lines, last, _, more) = texts(ask(&memory, None, 2, Some(last)));
        assert_eq!((lines.join(" "), last, more), ("a9 b9".into(), 20, false));
        memory.set_size(70);
        let (lines, _, missed, _) = texts(ask(&memory, Some("a"), 100, Some(0)));
        assert_eq!((lines.join(" "), missed), ("a9".into(), 9));
    }

    #[test]
    fn an_answer_fits_into_a_packet_whatever_is_in_it() {
        let mut memory = Memory::new();
        memory.set_size(1 << 20);
        let ring = memory.join("\u{1}", Channel::Stdout);
        let source = Rc::new(Source::for_test(&"\u{1}".repeat(255)));
        for _ in 0..20 {
            memory.push(ring, &[&[1; 40_000][..], b"\n"].concat(), 0.0, &source);
            memory.push(ring, &[b'\n'; 100], 0.0, &source);
        }
        let (mut after, mut count) = (Some(0), 0);
        loop {
            let answer = ask(&memory, None, 1_000_000, after);
            assert!(answer.to_packet().len() <= PACKET_BYTES_MAX);
            let (lines, last, _, more) = texts(answer);
            count += lines.len();
            after = Some(last);
            if !more {
                break;
            }
        }
        assert_eq!(count, 20 * 101);
    }

    #[test]
    fn what_is_forgotten_is_freed_when_nobody_writes_there() {
        let (mut memory, a, b) = filled();
        memory.forget("a");
        assert!(memory.rings[a].is_some());
        memory.leave(a);
        memory.leave(b);
        assert!(memory.rings[a].is_none() && memory.rings[b].is_some());
    }
}
