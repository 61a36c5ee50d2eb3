//! Which output of a process is captured, and the pipes for it.

use circus::config::settings::WatcherSettings;
use circus::sys::fds;
use circus::sys::spawn::Plan;
use circus::wire::log::Channel;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// What a new process gets, to be kept until it has it.
#[derive(Debug, Default)]
pub struct Captured {
    pub(super) pipes: Vec<(Channel, OwnedFd, OwnedFd)>,
}

impl Captured {
    /// Pipes for a new process, if its watcher's output is captured.
    ///
    /// # Errors
    /// The kernel's limits.
    pub fn new(settings: &WatcherSettings) -> io::Result<Captured> {
        let mut captured = Captured::default();
        for channel in [Channel::Stdout, Channel::Stderr] {
            let is_closed = match channel {
                Channel::Stdout => settings.close_child_stdout,
                Channel::Stderr => settings.close_child_stderr,
            };
            if !is_closed && is_captured(settings, channel) {
                let (read, write) = fds::pipe_for_output()?;
                captured.pipes.push((channel, read, write));
            }
        }
        Ok(captured)
    }

    /// Let the process write there.
    pub fn add_to(&self, plan: &mut Plan) {
        for (channel, _, write) in &self.pipes {
            plan.streams[number(*channel)] = Some(write.as_raw_fd());
        }
    }
}

fn number(channel: Channel) -> usize {
    match channel {
        Channel::Stdout => 1,
        Channel::Stderr => 2,
    }
}

fn prefix(channel: Channel) -> &'static str {
    match channel {
        Channel::Stdout => "stdout_stream.",
        Channel::Stderr => "stderr_stream.",
    }
}

pub fn is_captured(settings: &WatcherSettings, channel: Channel) -> bool {
    settings.kept.iter().any(|(name, _)| name.starts_with(prefix(channel)))
}

pub fn options(settings: &WatcherSettings, channel: Channel) -> Vec<(Box<str>, Box<str>)> {
    let all = settings.kept.iter();
    all.filter_map(|(name, text)| Some((name.strip_prefix(prefix(channel))?.into(), text.clone())))
        .collect()
}

/// A line as people may see it.
pub fn shown(line: &str) -> String {
    const SHOWN_CHARS_MAX: usize = 200;
    let plain = line.chars().take(SHOWN_CHARS_MAX);
    plain.map(|char| if char.is_control() { '?' } else { char }).collect()
}
