//! A file that lines are appended to, and its rotation. A line is never in two files: whoever rotates
//! does it where a line begins.

use circus::config::settings::{FileSettings, Rotation};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::backups;
use super::input::LINE_BYTES_MAX;
use super::period::Schedule;
use super::stamp::Wall;

/// One for each name, whoever writes there.
#[derive(Debug)]
pub struct LogFile {
    settings: FileSettings,
    file: Option<Opened>,
    schedule: Option<Schedule>,
    /// Open it anew where the next line begins.
    is_old: bool,
    /// Old files that somebody has left uncompressed were looked for.
    knows_old_files: bool,
    /// Rotation has failed: not before this second again.
    rotate_after: i64,
    /// What the one who keeps the compressor has not taken yet: inodes of old files.
    pub rotated: Vec<u64>,
    /// What nobody has been told yet.
    pub failure: Option<String>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    device: u64,
    inode: u64,
    size: u64,
    is_regular: bool,
    /// The second when it was last looked at.
    checked: i64,
}

/// For whoever may read logs: the group, as elsewhere.
const MODE: u32 = 0o640;
/// Between two attempts to rotate.
const ROTATE_AGAIN_SECONDS: i64 = 30;

impl LogFile {
    /// Not opened yet.
    pub fn new(settings: FileSettings) -> LogFile {
        LogFile {
            settings,
            file: None,
            schedule: None,
            is_old: false,
            knows_old_files: false,
            rotate_after: i64::MIN,
            rotated: Vec::new(),
            failure: None,
        }
    }

    /// The same file with other rules.
    pub fn set(&mut self, settings: FileSettings) {
        if self.settings.rotation != settings.rotation {
            self.schedule = None;
            self.is_old = true;
        }
        self.settings = settings;
    }

    pub fn path(&self) -> &str {
        &self.settings.path
    }

    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.file.as_ref().map(|opened| opened.file.as_fd())
    }

    /// Where the next line begins, and at once if that is now.
    pub fn reopen(&mut self, at_line_start: bool) {
        self.is_old = true;
        if at_line_start {
            // What fails now is told when a line comes.
            let _ = self.open();
        }
    }

    /// Open it if it is not open. Whether what is there ends in a whole line, if that was needed.
    pub fn open(&mut self) -> io::Result<Option<bool>> {
        if self.file.is_some() && !self.is_old {
            return Ok(None);
        }
        self.file = None;
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        let options = OpenOptions::new().append(true).create(true).mode(MODE).clone();
        let file = options.clone().custom_flags(flags).open(&*self.settings.path)?;
        let data = file.metadata()?;
        let (size, is_regular) = (data.st_size(), data.is_file());
        if let Rotation::Time { period, interval, utc, .. } = self.settings.rotation
            && self.schedule.is_none()
        {
            let last = if size > 0 { data.st_mtime() } else { Wall::now().seconds };
            self.schedule = Some(Schedule::new(period, interval, utc, last));
        }
        self.file = Some(Opened {
            file,
            device: data.st_dev(),
            inode: data.st_ino(),
            size,
            is_regular,
            checked: Wall::now().seconds,
        });
        self.is_old = false;
        if self.settings.compress && !std::mem::replace(&mut self.knows_old_files, true) {
            self.find_old_files();
        }
        Ok(Some(!is_regular || size == 0 || self.ends_in_newline(size)))
    }

    /// Those that a predecessor did not come to compress.
    fn find_old_files(&mut self) {
        let is_ours: Box<dyn Fn(&str) -> bool> = match (self.settings.rotation, &self.schedule) {
            (Rotation::Size { backups, .. }, _) => Box::new(move |rest| {
                rest.parse::<u32>().is_ok_and(|number| (1..=backups).contains(&number))
            }),
            (Rotation::Time { .. }, Some(schedule)) => {
                let digits = schedule.suffix_digits();
                Box::new(move |rest| backups::is_dated(rest, digits))
            }
            _ => return,
        };
        self.rotated.extend(backups::plain(&self.settings.path, is_ours));
    }

    fn ends_in_newline(&self, size: u64) -> bool {
        let mut last = [b'\n'];
        // It may be for us to write only.
        let read = File::open(&*self.settings.path)
            .and_then(|file| file.read_exact_at(&mut last, size - 1));
        read.is_err() || last == *b"\n"
    }

    /// Write as much as goes into one file, and no more than to the end of the line that has begun.
    pub fn write(&mut self, bytes: &[u8], at_line_start: bool, now: Wall) -> io::Result<usize> {
        if at_line_start {
            self.prepare(now)?;
        }
        let part = self.part(bytes, at_line_start, now)?;
        let Some(opened) = &mut self.file else { return Err(io::ErrorKind::NotFound.into()) };
        let written = opened.file.write(part)?;
        opened.size += written as u64;
        Ok(written)
    }

    /// A line begins: is it still the right file?
    fn prepare(&mut self, now: Wall) -> io::Result<()> {
        let is_watched = self.settings.rotation == Rotation::Watched;
        if let Some(opened) = &mut self.file
            && !self.is_old
            && opened.is_regular
        {
            if is_watched {
                self.is_old = fs::metadata(&*self.settings.path).map_or(true, |data| {
                    (data.st_dev(), data.st_ino()) != (opened.device, opened.inode)
                });
            } else if opened.checked != now.seconds {
                let data = opened.file.metadata()?;
                opened.checked = now.seconds;
                // It may have been emptied, or removed by somebody.
                opened.size = data.st_size();
                self.is_old = data.st_nlink() == 0;
            }
        }
        self.open()?;
        let is_due = self.schedule.as_ref().is_some_and(|schedule| now.seconds >= schedule.due);
        if is_due && now.seconds >= self.rotate_after {
            self.rotate(now)?;
        }
        Ok(())
    }

    fn part<'a>(&mut self, bytes: &'a [u8], begins: bool, now: Wall) -> io::Result<&'a [u8]> {
        let Rotation::Size { bytes: max, .. } = self.settings.rotation else { return Ok(bytes) };
        let size = self.file.as_ref().map_or(0, |opened| opened.size);
        // As in Circus, a file is always smaller than this.
        let room = usize::try_from(max.saturating_sub(size + 1)).unwrap_or(usize::MAX);
        let first_line =
            || &bytes[..memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1)];
        // A line that never ends does not make a file that never ends.
        let is_endless = size >= max.saturating_add(LINE_BYTES_MAX as u64);
        if !begins && !is_endless {
            return Ok(if bytes.len() <= room { bytes } else { first_line() });
        }
        if bytes.len() <= room || now.seconds < self.rotate_after {
            return Ok(bytes);
        }
        if let Some(end) = memchr::memrchr(b'\n', &bytes[..room]) {
            return Ok(&bytes[..=end]);
        }
        if size == 0 {
            return Ok(first_line());
        }
        self.rotate(now)?;
        let is_new = self.file.as_ref().is_some_and(|opened| opened.size == 0);
        if is_new { self.part(bytes, begins, now) } else { Ok(bytes) }
    }

    /// Put the file away and begin a new one. If the old one cannot be put away it goes on.
    fn rotate(&mut self, now: Wall) -> io::Result<()> {
        let Some(opened) = &mut self.file else { return Ok(()) };
        if !opened.is_regular {
            self.rotate_after = i64::MAX;
            return Ok(());
        }
        let base = &*self.settings.path;
        let result = match self.settings.rotation {
            Rotation::Size { backups: 0, .. } => {
                opened.file.set_len(0)?;
                opened.size = 0;
                return Ok(());
            }
            Rotation::Size { backups, .. } => backups::shift(base, backups),
            Rotation::Time { backups, .. } => match &self.schedule {
                Some(schedule) => backups::put_away(base, &schedule.suffix())
                    .and_then(|()| backups::drop_oldest(base, schedule.suffix_digits(), backups)),
                None => Ok(()),
            },
            Rotation::Never | Rotation::Watched => Ok(()),
        };
        if let Err(error) = result {
            let is_new = self.rotate_after == i64::MIN;
            self.rotate_after = now.seconds + ROTATE_AGAIN_SECONDS;
            let text = format!("cannot rotate {base}: {}", super::told(&error));
            self.failure = Some(text).filter(|_| is_new);
            let is_there = fs::metadata(base).is_ok_and(|data| data.st_ino() == opened.inode);
            if is_there {
                return Ok(());
            }
        } else {
            self.rotate_after = i64::MIN;
        }
        if self.settings.compress {
            self.rotated.push(opened.inode);
        }
        if let Some(schedule) = &mut self.schedule {
            schedule.next(now.seconds);
        }
        self.is_old = true;
        self.open().map(drop)
    }
}
