//! What a process tells about itself: the messages of sd_notify(3), lines of `NAME=value`. What is
//! not known or makes no sense is passed over, as the protocol wants it.

use crate::process::Pid;

/// A longer message is no message: systemd's own limit.
pub const MESSAGE_BYTES_MAX: usize = 4096;

/// A text for people is cut here.
const STATUS_CHARS_MAX: usize = 200;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notification {
    /// `READY=1`: it does its work, for the first time or after reading its configuration again.
    pub ready: bool,
    /// `RELOADING=1`: it reads its configuration again.
    pub reloading: bool,
    /// `STOPPING=1`: it is about to end.
    pub stopping: bool,
    /// `STATUS=`: what it is at; empty takes the last one back.
    pub status: Option<Box<str>>,
    /// `MAINPID=`: the process that counts from now on.
    pub main_pid: Option<Pid>,
    /// `WATCHDOG=`.
    pub watchdog: Option<Watchdog>,
    /// `WATCHDOG_USEC=`, in milliseconds, at least 1; 0 makes no sense here.
    pub watchdog_ms: Option<u64>,
    /// `EXTEND_TIMEOUT_USEC=`, in milliseconds.
    pub extend_ms: Option<u64>,
}

/// `WATCHDOG=`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watchdog {
    /// `1`: it lives.
    Alive,
    /// `trigger`: it wants to be replaced.
    Trigger,
}

impl Notification {
    /// Reads a message.
    pub fn parse(message: &[u8]) -> Notification {
        let mut said = Notification::default();
        for line in message.split(|byte| *byte == b'\n') {
            let Some(at) = line.iter().position(|byte| *byte == b'=') else { continue };
            let value = &line[at + 1..];
            match &line[..at] {
                b"READY" => said.ready |= value == b"1",
                b"RELOADING" => said.reloading |= value == b"1",
                b"STOPPING" => said.stopping |= value == b"1",
                b"STATUS" => said.status = Some(shown(value)),
                b"MAINPID" => said.main_pid = number(value).and_then(pid),
                b"WATCHDOG" => {
                    said.watchdog = match value {
                        b"1" => Some(Watchdog::Alive),
                        b"trigger" => Some(Watchdog::Trigger),
                        _ => said.watchdog,
                    }
                }
                b"WATCHDOG_USEC" => {
                    let us = number(value).filter(|us| *us > 0);
                    said.watchdog_ms = us.map(|us| (us / 1000).max(1));
                }
                b"EXTEND_TIMEOUT_USEC" => said.extend_ms = number(value).map(|us| us / 1000),
                _ => {}
            }
        }
        said
    }
}

fn number(value: &[u8]) -> Option<u64> {
    // No sign, no blanks.
    let digits = value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn pid(number: u64) -> Option<Pid> {
    Pid::new(i32::try_from(number).ok()?)
}

/// One line without anything that a terminal would take for an order.
fn shown(value: &[u8]) -> Box<str> {
    let text = String::from_utf8_lossy(value);
    let plain = text.trim().chars().take(STATUS_CHARS_MAX);
    plain.map(|char| if char.is_control() { '?' } else { char }).collect::<String>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_may_say_several_things() {
        let said =
            Notification::parse(b"READY=1\nSTATUS=serving 3 \nMAINPID=77\nX_MINE=1\nFDSTORE=1\n");
        let expected = Notification {
            ready: true,
            status: Some("serving 3".into()),
            main_pid: Pid::new(77),
            ..Notification::default()
        };
        assert_eq!(said, expected);
        let said =
            Notification::parse(b"WATCHDOG=1\nWATCHDOG_USEC=500\nEXTEND_TIMEOUT_USEC=2500000");
        assert_eq!(said.watchdog, Some(Watchdog::Alive));
        assert_eq!((said.watchdog_ms, said.extend_ms), (Some(1), Some(2500)));
        assert_eq!(Notification::parse(b"WATCHDOG=trigger").watchdog, Some(Watchdog::Trigger));
    }

    #[test]
    fn nonsense_says_nothing() {
        for message in [
            &b""[..],
            b"READY",
            b"READY=yes",
            b"=1",
            b"ready=1",
            b"MAINPID=-1",
            b"MAINPID=0",
            b"MAINPID=99999999999999999999",
            b"WATCHDOG=2\0",
            b"WATCHDOG_USEC=+5",
            b"WATCHDOG_USEC=0",
            b"EXTEND_TIMEOUT_USEC= 5",
            b"\xff\xfe=\x00",
        ] {
            assert_eq!(Notification::parse(message), Notification::default(), "{message:?}");
        }
    }

    #[test]
    fn a_text_for_people_is_one_short_line_for_a_terminal() {
        let long = format!("STATUS={}", "é".repeat(3000));
        let status = Notification::parse(long.as_bytes()).status.expect("a text");
        assert_eq!(status.chars().count(), STATUS_CHARS_MAX);
        let said = Notification::parse(b"STATUS=\x1b[31mred\x07\xff");
        assert_eq!(said.status.as_deref(), Some("?[31mred?\u{fffd}"));
        assert_eq!(Notification::parse(b"STATUS=").status.as_deref(), Some(""));
    }
}
