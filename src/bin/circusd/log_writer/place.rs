//! Where the bytes of a sink end up: a descriptor of ours, a file, a syslog daemon.

use circus::config::settings::StreamTarget;
use circus::config::syslog::{SyslogPlace, SyslogTarget};
use circus::sys::output::Output;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::file::LogFile;
use super::stamp::Wall;

#[derive(Debug)]
pub enum Place {
    Own { name: &'static str, is_stderr: bool, output: Option<Output> },
    File(Box<LogFile>),
    Syslog { target: SyslogTarget, output: Option<Output> },
}

impl Place {
    /// `None` for what is only kept in memory.
    pub fn new(target: &StreamTarget) -> Option<Place> {
        let own = |name, is_stderr| Place::Own { name, is_stderr, output: None };
        Some(match target {
            StreamTarget::Stdout => own("standard output", false),
            StreamTarget::Stderr => own("standard error", true),
            StreamTarget::File(settings) => Place::File(Box::new(LogFile::new(settings.clone()))),
            StreamTarget::Syslog(target) => Place::Syslog { target: target.clone(), output: None },
            StreamTarget::Memory => return None,
        })
    }

    /// Lines for this target come here.
    pub fn is_for(&self, target: &StreamTarget) -> bool {
        match (self, target) {
            (Place::Own { is_stderr, .. }, StreamTarget::Stdout) => !is_stderr,
            (Place::Own { is_stderr, .. }, StreamTarget::Stderr) => *is_stderr,
            (Place::File(file), StreamTarget::File(other)) => {
                Path::new(file.path()).components().eq(Path::new(&*other.path).components())
            }
            (Place::Syslog { target, .. }, StreamTarget::Syslog(other)) => target == other,
            _ => false,
        }
    }

    /// Settings for one that is there.
    pub fn set(&mut self, target: &StreamTarget) {
        if let (Place::File(file), StreamTarget::File(settings)) = (self, target) {
            file.set(settings.clone());
        }
    }

    /// As people call it.
    pub fn name(&self) -> String {
        match self {
            Place::Own { name, .. } => (*name).to_string(),
            Place::File(file) => file.path().to_string(),
            Place::Syslog { target, .. } => match &target.place {
                SyslogPlace::Udp(address) => format!("syslog at {address}"),
                SyslogPlace::Unix(path) => format!("syslog at {path}"),
            },
        }
    }

    /// Nobody will read it any more, and nobody should wait for that.
    pub fn is_gone(&self, error: &io::Error) -> bool {
        matches!(self, Place::Own { .. })
            && !matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG))
    }

    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Place::Own { output, .. } | Place::Syslog { output, .. } => {
                output.as_ref().map(|output| output.as_fd())
            }
            Place::File(file) => file.fd(),
        }
    }

    /// Have it open. Whether what is there ends in a whole line, if that is known now.
    pub fn open(&mut self) -> io::Result<Option<bool>> {
        match self {
            Place::File(file) => return file.open(),
            Place::Own { output: Some(_), .. } | Place::Syslog { output: Some(_), .. } => {}
            Place::Own { is_stderr, output, .. } => {
                let shared = if *is_stderr {
                    Output::shared(io::stderr().as_fd())
                } else {
                    Output::shared(io::stdout().as_fd())
                };
                *output = Some(shared?);
            }
            Place::Syslog { target, output } => *output = Some(crate::sink::syslog(&target.place)?),
        }
        Ok(None)
    }

    /// Write some of it. `WouldBlock`: nothing more goes now.
    pub fn write(&mut self, bytes: &[u8], at_line_start: bool, now: Wall) -> io::Result<usize> {
        match self {
            Place::File(file) => file.write(bytes, at_line_start, now),
            Place::Own { output: Some(output), .. } => output.write(undivided(bytes)),
            Place::Syslog { output: Some(output), .. } => {
                let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1);
                let message = bytes[..end].strip_suffix(b"\n").unwrap_or(bytes);
                match output.write(message) {
                    // An answer to what was sent before.
                    Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                        output.write(message)?
                    }
                    result => result?,
                };
                Ok(end)
            }
            Place::Own { .. } | Place::Syslog { .. } => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// What failed is opened anew next time.
    pub fn close(&mut self) {
        match self {
            Place::Own { output, .. } | Place::Syslog { output, .. } => *output = None,
            Place::File(file) => file.reopen(false),
        }
    }
}

/// Others write to our own descriptors too, circusd among them. A pipe takes so much in one piece or
/// not at all, so that their lines and ours do not mix.
fn undivided(bytes: &[u8]) -> &[u8] {
    if bytes.len() <= libc::PIPE_BUF {
        return bytes;
    }
    let part = &bytes[..libc::PIPE_BUF];
    memchr::memrchr(b'\n', part).map_or(part, |end| &part[..=end])
}
