//! The last lines of a stream, in memory: what `tail` is answered from. Costs what it holds; the
//! part of a large block that would be pushed out at once is never copied.

use std::collections::VecDeque;
use std::rc::Rc;

use super::form::Source;

/// One for each output of a watcher.
#[derive(Debug, Default)]
pub struct Ring {
    bytes: VecDeque<u8>,
    pieces: VecDeque<Piece>,
    /// What is not there any more, the oldest first.
    gone: VecDeque<Gone>,
}

/// Lines that came together.
#[derive(Debug)]
struct Piece {
    /// Of the first line.
    number: u64,
    lines: u64,
    bytes: usize,
    time: f64,
    source: Rc<Source>,
}

#[derive(Debug)]
struct Gone {
    first: u64,
    last: u64,
    lines: u64,
}

/// A line that was asked for.
#[derive(Debug)]
pub struct Found {
    pub number: u64,
    pub time: f64,
    pub source: Rc<Source>,
    pub text: Vec<u8>,
}

/// What a piece takes beside its bytes, about.
const PIECE_BYTES: usize = 64;
/// So much of what is gone is known exactly.
const GONE_MAX: usize = 64;

impl Ring {
    /// Take lines, of which the last may have no end, and give their count. They are numbered from
    /// `number` on.
    pub fn push(
        &mut self,
        lines: &[u8],
        number: u64,
        time: f64,
        source: &Rc<Source>,
        bytes_max: usize,
    ) -> u64 {
        let room = bytes_max.saturating_sub(PIECE_BYTES);
        let mut kept = lines;
        if lines.len() > room {
            // The first line end in what fits: a line is kept whole or not at all.
            let tail = &lines[lines.len() - room..];
            let cut = memchr::memchr(b'\n', tail).map_or(tail.len(), |end| end + 1);
            kept = &tail[cut..];
        }
        let kept_count = self::count(kept);
        let skipped = self::count(&lines[..lines.len() - kept.len()]);
        let count = kept_count + skipped;
        if skipped > 0 {
            // All that is older goes with it.
            self.shrink(0);
            self.note_gone(number, number + skipped - 1, skipped);
        }
        if kept_count > 0 {
            self.bytes.extend(kept);
            self.pieces.push_back(Piece {
                number: number + skipped,
                lines: kept_count,
                bytes: kept.len(),
                time,
                source: source.clone(),
            });
            self.shrink(bytes_max);
        }
        count
    }

    /// Hold at most so much from now on.
    pub fn shrink(&mut self, bytes_max: usize) {
        while self.bytes.len() + self.pieces.len() * PIECE_BYTES > bytes_max {
            let over = self.bytes.len() + self.pieces.len() * PIECE_BYTES - bytes_max;
            let Some(piece) = self.pieces.front_mut() else { break };
            let (first, mut lines, mut bytes) = (piece.number, 0, 0);
            if over < piece.bytes {
                // Whole lines of it, however the two parts of the queue lie.
                let (front, back) = self.bytes.as_slices();
                let front = &front[..front.len().min(piece.bytes)];
                let back = &back[..piece.bytes - front.len()];
                let from = over.max(1) - 1;
                let in_front = front.get(from..).and_then(|rest| memchr::memchr(b'\n', rest));
                let in_back = || {
                    let from = from.saturating_sub(front.len());
                    let end = memchr::memchr(b'\n', back.get(from..)?)?;
                    Some(front.len() + from + end + 1)
                };
                if let Some(end) = in_front.map(|end| from + end + 1).or_else(in_back) {
                    let (front, back) =
                        (&front[..end.min(front.len())], &back[..end.saturating_sub(front.len())]);
                    let ends = |part| memchr::memchr_iter(b'\n', part).count() as u64;
                    (bytes, lines) = (end, ends(front) + ends(back));
                }
            }
            if bytes == 0 || bytes >= piece.bytes || lines >= piece.lines {
                (lines, bytes) = (piece.lines, piece.bytes);
                self.pieces.pop_front();
            } else {
                piece.number += lines;
                piece.lines -= lines;
                piece.bytes -= bytes;
            }
            self.bytes.drain(..bytes);
            self.note_gone(first, first + lines - 1, lines);
        }
    }

    fn note_gone(&mut self, first: u64, last: u64, lines: u64) {
        match self.gone.back_mut() {
            Some(gone) if gone.last + 1 == first => {
                gone.last = last;
                gone.lines += lines;
            }
            _ => self.gone.push_back(Gone { first, last, lines }),
        }
        if self.gone.len() > GONE_MAX
            && let Some(oldest) = self.gone.pop_front()
            && let Some(next) = self.gone.front_mut()
        {
            next.first = oldest.first;
            next.lines += oldest.lines;
        }
    }

    /// So many after this number are not there any more.
    pub fn missed_after(&self, number: u64) -> u64 {
        let missed = self.gone.iter().map(|gone| match gone.last.saturating_sub(number) {
            // A range that has holes may be larger than what is in it.
            later if gone.first > number => gone.lines.min(later),
            later => gone.lines.min(later),
        });
        missed.sum()
    }

    /// Lines after a number and not before a time, the oldest first.
    pub fn lines(&self, after: Option<u64>, since: Option<f64>, found: &mut Vec<Found>) {
        let mut start = 0;
        for piece in &self.pieces {
            let end = start + piece.bytes;
            let is_wanted = after.is_none_or(|after| piece.number + piece.lines - 1 > after)
                && since.is_none_or(|since| piece.time >= since);
            if is_wanted {
                let bytes: Vec<u8> = self.bytes.range(start..end).copied().collect();
                let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
                for (number, line) in (piece.number..).zip(text.split(|byte| *byte == b'\n')) {
                    if after.is_none_or(|after| number > after) {
                        let (time, source) = (piece.time, piece.source.clone());
                        found.push(Found { number, time, source, text: line.to_vec() });
                    }
                }
            }
            start = end;
        }
    }
}

/// Lines, a last one without end included.
pub fn count(lines: &[u8]) -> u64 {
    let ends = memchr::memchr_iter(b'\n', lines).count() as u64;
    ends + u64::from(lines.last().is_some_and(|byte| *byte != b'\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Rc<Source> {
        Rc::new(Source::for_test("web"))
    }

    fn texts(ring: &Ring, after: Option<u64>, since: Option<f64>) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        ring.lines(after, since, &mut found);
        let text = |found: Found| (found.number, String::from_utf8(found.text).expect("text"));
        found.into_iter().map(text).collect()
    }

    #[test]
    fn the_last_lines_stay_and_those_that_went_are_counted() {
        let (mut ring, source) = (Ring::default(), source());
        assert_eq!(ring.push(b"a\n\nc", 1, 1.0, &source, 1000), 3);
        assert_eq!(ring.push(b"d\n", 10, 2.0, &source, 1000), 1);
        let all = [(1, "a"), (2, ""), (3, "c"), (10, "d")];
        assert_eq!(texts(&ring, None, None), all.map(|(n, text)| (n, text.to_owned())));
        assert_eq!(texts(&ring, Some(2), None).len(), 2);
        assert_eq!(texts(&ring, None, Some(1.5)), [(10, "d".to_owned())]);
        assert_eq!(ring.missed_after(0), 0);
        ring.shrink(PIECE_BYTES * 2 + 3);
        assert_eq!(texts(&ring, None, None).first(), Some(&(3, "c".to_owned())));
        assert_eq!((ring.missed_after(0), ring.missed_after(1), ring.missed_after(2)), (2, 1, 0));
        ring.shrink(0);
        assert_eq!((texts(&ring, None, None).len(), ring.missed_after(0)), (0, 4));
    }

    #[test]
    fn a_block_that_is_larger_than_the_ring_leaves_its_end() {
        let (mut ring, source) = (Ring::default(), source());
        let block: Vec<u8> = (0..1000).flat_map(|i| format!("line {i}\n").into_bytes()).collect();
        ring.push(b"old\n", 1, 0.0, &source, 200);
        assert_eq!(ring.push(&block, 2, 0.0, &source, 200), 1000);
        let kept = texts(&ring, None, None);
        assert_eq!(kept.last(), Some(&(1001, "line 999".to_owned())));
        assert_eq!(kept[0].1, format!("line {}", kept[0].0 - 2));
        assert_eq!(ring.missed_after(0) + kept.len() as u64, 1001);
        assert!(ring.bytes.len() <= 200);
    }

    #[test]
    fn lines_that_go_are_whole_wherever_the_queue_begins() {
        let (mut ring, source) = (Ring::default(), source());
        let (mut number, mut all) = (1, Vec::new());
        for round in 0..2000u32 {
            let line =
                |i: u32| format!("{round} {}\n", "y".repeat((round * 31 + i * 17) as usize % 90));
            let block: String = (0..round % 40 + 1).map(line).collect();
            all.extend(block.lines().map(str::to_owned));
            number += ring.push(block.as_bytes(), number, 0.0, &source, 2000);
            let kept = texts(&ring, None, None);
            assert!(ring.bytes.len() + ring.pieces.len() * PIECE_BYTES <= 2000);
            assert_eq!(ring.missed_after(0) as usize + kept.len(), all.len());
            let expected = (1..).zip(&all).skip(all.len() - kept.len());
            assert!(kept.iter().map(|(n, text)| (*n, text)).eq(expected), "{kept:?}");
        }
    }

    #[test]
    fn many_small_pieces_are_bounded_too() {
        let (mut ring, source) = (Ring::default(), source());
        for number in 1..=100_000 {
            ring.push(b"\n", number, 0.0, &source, 65536);
        }
        assert!(ring.pieces.len() <= 65536 / PIECE_BYTES);
        assert_eq!(ring.missed_after(0) + ring.pieces.len() as u64, 100_000);
        ring.push(b"x\n", 100_001, 0.0, &source, 0);
        assert_eq!(ring.missed_after(0), 100_001);
    }
}
