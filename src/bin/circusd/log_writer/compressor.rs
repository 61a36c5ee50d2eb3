//! Compresses old files in a thread of its own, one after the other, while lines are written on. The
//! thread only reads one file and writes another one; names are changed by the log writer alone.

use circus::sys::fds;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread::JoinHandle;

use super::backups;

/// What is to be compressed.
#[derive(Debug, Default)]
pub struct Compressor {
    /// Names of logs, and the inodes of their old files, which may get other names.
    waiting: VecDeque<(Box<str>, u64)>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    base: Box<str>,
    inode: u64,
    part: PathBuf,
    thread: JoinHandle<io::Result<()>>,
    /// Its other end is closed when the thread ends.
    done: OwnedFd,
}

/// More than these wait only if something is wrong: they stay as they are.
const WAITING_MAX: usize = 1000;

impl Compressor {
    /// This old file too.
    pub fn add(&mut self, base: &str, inode: u64) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push_back((base.into(), inode));
        }
    }

    /// Begin with the next one if there is one. Gives what tells of its end.
    pub fn start(&mut self) -> Option<BorrowedFd<'_>> {
        if self.running.is_some() {
            return None;
        }
        while let Some((base, inode)) = self.waiting.pop_front() {
            if let Some(running) = begin(base, inode) {
                return Some(self.running.insert(running).done.as_fd());
            }
        }
        None
    }

    /// The one that runs has ended: it takes the place of the old file. An error is a sentence.
    pub fn finish(&mut self) -> Option<String> {
        let running = self.running.take()?;
        let part = running.part;
        let result = match running.thread.join() {
            Ok(result) => result,
            Err(_) => Err(io::Error::other("the thread has ended")),
        };
        let result = result.and_then(|()| match backups::find(&running.base, running.inode) {
            Some(old) => {
                let mut name = old.clone().into_os_string();
                name.push(backups::COMPRESSED);
                fs::rename(&part, name)?;
                fs::remove_file(old)
            }
            // It was old enough to be dropped in the meantime.
            None => fs::remove_file(&part),
        });
        let error = result.err()?;
        let _ = fs::remove_file(&part);
        Some(format!("cannot compress an old file of {}: {}", running.base, super::told(&error)))
    }

    /// Leave what is unfinished.
    pub fn give_up(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = fs::remove_file(running.part);
        }
    }
}

fn begin(base: Box<str>, inode: u64) -> Option<Running> {
    let path = backups::find(&base, inode)?;
    let mut old = File::open(path).ok().filter(|file| {
        file.metadata().is_ok_and(|data| data.st_ino() == inode && data.is_file())
    })?;
    let mode = old.metadata().ok()?.st_mode() & 0o777;
    let part = backups::unfinished(&base);
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).clone();
    let new = options.open(&part).ok()?;
    let (done, end) = fds::pipe().ok()?;
    let work = move || {
        let _end = end;
        let mut encoder = GzEncoder::new(new, Compression::new(6));
        io::copy(&mut old, &mut encoder)?;
        encoder.finish()?.flush()
    };
    let thread = std::thread::Builder::new().stack_size(512 * 1024).spawn(work).ok()?;
    Some(Running { base, inode, part, thread, done })
}
