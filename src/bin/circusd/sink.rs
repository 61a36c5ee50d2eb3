//! Where circusd's own log goes: one of our descriptors, a file, or syslog.

use circus::config::settings::LogLevel;
use circus::config::syslog::{SyslogPlace, SyslogTarget};
use circus::sys::output::Output;
use std::ffi::CStr;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;

use crate::journal::is_gone;

/// A place to log to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Stdout,
    Stderr,
    File(String),
    Syslog(SyslogTarget),
}

impl Target {
    /// Understand `logoutput`. The error is a sentence.
    pub fn parse(text: &str) -> Result<Target, String> {
        match text {
            // Our own descriptors are never opened by their path: that fails after a change of
            // user, and truncates where they are files.
            "-" | "stdout" | "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => Ok(Target::Stdout),
            "stderr" | "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => Ok(Target::Stderr),
            _ => match SyslogTarget::parse(text) {
                Some(target) => target.map(Target::Syslog),
                None => Ok(Target::File(text.to_string())),
            },
        }
    }
}

/// An open target.
#[derive(Debug)]
pub struct Sink {
    target: Target,
    output: Option<Output>,
    /// Device and inode of a file, to see that it was moved away.
    file: Option<(u64, u64)>,
}

impl Sink {
    /// # Errors
    /// A file cannot be opened, or no socket made; the error is a sentence.
    pub fn open(target: Target) -> Result<Sink, String> {
        let mut sink = Sink { target, output: None, file: None };
        // Standard output may be closed and a syslog daemon may come later: no reason not to run.
        if let Err(error) = sink.connect()
            && let Target::File(path) = &sink.target
        {
            let reason = error.raw_os_error().map(circus::sys::error_text);
            return Err(format!("cannot log to {path}: {}", reason.unwrap_or("unknown error")));
        }
        Ok(sink)
    }

    fn connect(&mut self) -> io::Result<()> {
        let output = match &self.target {
            Target::Stdout => Output::shared(io::stdout().as_fd())?,
            Target::Stderr => Output::shared(io::stderr().as_fd())?,
            Target::File(path) => Output::append(path)?,
            Target::Syslog(target) => syslog(&target.place)?,
        };
        if let Target::File(path) = &self.target {
            self.file = identify(path);
        }
        self.output = Some(output);
        Ok(())
    }

    /// The descriptor, if there is one.
    pub fn output(&self) -> Option<&Output> {
        self.output.as_ref()
    }

    /// A line is sent as a whole, not as part of a stream.
    pub fn is_datagram(&self) -> bool {
        self.facility().is_some()
    }

    fn facility(&self) -> Option<u8> {
        match &self.target {
            Target::Syslog(target) => Some(target.facility),
            Target::Stdout | Target::Stderr | Target::File(_) => None,
        }
    }

    /// How a line's time is written.
    pub fn time_pattern(&self) -> &'static CStr {
        if self.is_datagram() { c"%b %e %H:%M:%S" } else { c"%Y-%m-%d %H:%M:%S" }
    }

    /// A line as it is sent: with its priority and a NUL at the end as Circus does it, or with a
    /// newline.
    pub fn framed(&self, level: LogLevel, mut line: String) -> Vec<u8> {
        let Some(facility) = self.facility() else {
            line.push('\n');
            return line.into_bytes();
        };
        let severity = match level {
            LogLevel::Debug => 7,
            LogLevel::Info => 6,
            LogLevel::Warning => 4,
            LogLevel::Error => 3,
            LogLevel::Critical => 2,
        };
        format!("<{}>{line}\0", facility * 8 + severity).into_bytes()
    }

    /// Write what fits now.
    ///
    /// # Errors
    /// `WouldBlock`, or the target is broken.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.output.is_none() && self.is_datagram() {
            self.connect()?;
        }
        let Some(output) = &mut self.output else { return Err(io::ErrorKind::NotConnected.into()) };
        match output.write(bytes) {
            Err(error) if self.is_datagram() && is_gone(&error) => {
                // The daemon was restarted: its socket is another one now.
                self.output = None;
                self.connect()?;
                match &mut self.output {
                    Some(output) => output.write(bytes),
                    None => Err(error),
                }
            }
            result => result,
        }
    }

    /// A file that was moved away by whoever rotates logs is opened anew.
    pub fn reopen_if_moved(&mut self) {
        if let Target::File(path) = &self.target
            && identify(path) != self.file
            && let Ok(output) = Output::append(path)
        {
            self.file = identify(path);
            self.output = Some(output);
        }
    }
}

/// A socket that sends there and never waits.
pub fn syslog(place: &SyslogPlace) -> io::Result<Output> {
    let socket = match place {
        SyslogPlace::Udp(address) => {
            let any = match address {
                SocketAddr::V4(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
                SocketAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::UNSPECIFIED, 0)),
            };
            let socket = UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            socket.connect(address)?;
            OwnedFd::from(socket)
        }
        SyslogPlace::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            socket.connect(&**path)?;
            OwnedFd::from(socket)
        }
    };
    Ok(Output::socket(socket))
}

fn identify(path: &str) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|data| (data.st_dev(), data.st_ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_descriptors_are_never_opened_by_path() {
        assert_eq!(Target::parse("/dev/stdout"), Ok(Target::Stdout));
        assert_eq!(Target::parse("/dev/fd/2"), Ok(Target::Stderr));
        assert_eq!(Target::parse("/var/log/x"), Ok(Target::File("/var/log/x".into())));
    }

    #[test]
    fn syslog_addresses_are_numbers_paths_and_nothing_that_must_be_asked_for() {
        let syslog = |place, facility| Ok(Target::Syslog(SyslogTarget { place, facility }));
        let udp = |port| syslog(SyslogPlace::Udp(SocketAddr::from(([127, 0, 0, 1], port))), 1);
        assert_eq!(Target::parse("syslog://localhost"), udp(514));
        assert_eq!(Target::parse("syslog://127.0.0.1:99"), udp(99));
        assert_eq!(
            Target::parse("syslog:///dev/log?local3"),
            syslog(SyslogPlace::Unix("/dev/log".into()), 19)
        );
        assert!(Target::parse("syslog://log.example").is_err());
        assert!(Target::parse("syslog:///dev/log?nope").is_err());
    }
}
