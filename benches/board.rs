//! The file in shared memory on which the measured programs leave their stamps (`board.h` has the
//! writers' side). It is read with plain reads: the file is memory, and nobody waits for us.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

const HEAD_BYTES: u64 = 32;
const STAMP_BYTES: u64 = 24;
const GO_AT: u64 = 8;
const CAPACITY_AT: u64 = 16;

/// Something that happened, by the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    pub ns: u64,
    pub kind: u8,
    pub value: i64,
}

/// The program's first instruction.
pub const STARTED: u8 = b'S';
/// PID 1 is about to be executed.
pub const EXECUTED: u8 = b'X';
/// PID 1 has this number out here.
pub const PID: u8 = b'P';
/// PID 1 is gone.
pub const GONE: u8 = b'E';
/// The last orphan is made.
pub const MADE: u8 = b'D';
/// No orphan is left, or not waited for any more.
pub const CLEAR: u8 = b'C';

#[derive(Debug)]
pub struct Board {
    file: File,
    stamps: Vec<Stamp>,
}

impl Board {
    /// Make one with room for so many stamps.
    pub fn create(path: &Path, capacity: u64) -> std::io::Result<Board> {
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        file.set_len(HEAD_BYTES + capacity * STAMP_BYTES)?;
        file.write_all_at(&capacity.to_ne_bytes(), CAPACITY_AT)?;
        Ok(Board { file, stamps: Vec::new() })
    }

    /// Let those begin who wait for the word.
    pub fn go(&self) {
        self.file.write_all_at(&1u64.to_ne_bytes(), GO_AT).expect("the board is memory");
    }

    /// All stamps so far, in the order in which places were taken.
    pub fn stamps(&mut self) -> &[Stamp] {
        loop {
            let mut bytes = [0; STAMP_BYTES as usize];
            let at = HEAD_BYTES + self.stamps.len() as u64 * STAMP_BYTES;
            if self.file.read_exact_at(&mut bytes, at).is_err() {
                return &self.stamps;
            }
            let long = |at: usize| u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("eight"));
            let ns = long(0);
            if ns == 0 {
                return &self.stamps;
            }
            self.stamps.push(Stamp { ns, kind: bytes[8], value: long(16) as i64 });
        }
    }

    /// The stamps of one kind so far.
    pub fn of(&mut self, kind: u8) -> Vec<Stamp> {
        self.stamps().iter().filter(|stamp| stamp.kind == kind).copied().collect()
    }

    /// Wait until there are so many of a kind.
    pub fn wait(&mut self, kind: u8, count: usize, limit: Duration) -> Result<Vec<Stamp>, String> {
        let end = Instant::now() + limit;
        loop {
            let found = self.of(kind);
            if found.len() >= count {
                return Ok(found);
            }
            if kind != GONE && !self.of(GONE).is_empty() {
                return Err("PID 1 ended too early".to_string());
            }
            if Instant::now() > end {
                let (letter, seconds) = (char::from(kind), limit.as_secs());
                return Err(format!("{} of {count} {letter} in {seconds} s", found.len()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
