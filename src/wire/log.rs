//! What circusd and its log writer say to each other: one JSON object a packet, over a socket that
//! keeps packets apart (`SOCK_SEQPACKET`). A pipe comes with the packet that tells of it.
//!
//! Whoever reads trusts nothing: a packet that cannot be understood is an error, never a panic.

use serde_json::{Map, Value, json};

/// The longest packet. The kernel takes as much in one piece.
pub const PACKET_BYTES_MAX: usize = 160 * 1024;

/// So many bytes of lines fit into one answer, with room for what JSON adds.
pub const LINES_BYTES_MAX: usize = 48 * 1024;

/// Which output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Channel {
    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Channel::Stdout => "stdout",
            Channel::Stderr => "stderr",
        }
    }

    /// The one of this name.
    pub fn of(name: &str) -> Option<Channel> {
        [Channel::Stdout, Channel::Stderr].into_iter().find(|channel| channel.name() == name)
    }
}

/// What circusd says to the log writer.
#[derive(Debug, Clone, PartialEq)]
pub enum ToWriter {
    /// A process writes to the pipe whose read end comes with this packet.
    Open {
        /// Names the pipe from now on.
        id: u64,
        /// Whose output.
        watcher: Box<str>,
        /// Its number in the watcher.
        wid: u32,
        /// The process.
        pid: i32,
        /// Which output.
        channel: Channel,
        /// `stdout_stream.…` or `stderr_stream.…`: names without their beginning, and texts.
        options: Vec<(Box<str>, Box<str>)>,
    },
    /// The process has ended: what it wrote is to be written out, then `FromWriter::Drained` said.
    Ended {
        /// Of which pipe.
        id: u64,
    },
    /// A watcher's stream has other options from now on.
    Change {
        /// Whose.
        watcher: Box<str>,
        /// Which.
        channel: Channel,
        /// All options.
        options: Vec<(Box<str>, Box<str>)>,
    },
    /// A watcher is gone: its memory can be forgotten.
    Forget {
        /// Which.
        watcher: Box<str>,
    },
    /// Open all files anew.
    Reopen,
    /// Memory for each stream of a watcher, in bytes.
    Ring {
        /// So many.
        bytes: u64,
    },
    /// Lines from memory, answered by `FromWriter::Lines`.
    Tail {
        /// Names the question.
        token: u64,
        /// Of this watcher only.
        watcher: Option<Box<str>>,
        /// Of this output only.
        channel: Option<Channel>,
        /// The last so many of those that there are.
        count: u32,
        /// Only those after this number, the oldest first: how a client follows.
        after: Option<u64>,
        /// Only those since this wall time, in seconds.
        since: Option<f64>,
    },
    /// Nothing more will come: write out what is there, at most for so long, and end.
    Finish {
        /// Milliseconds.
        within_ms: u64,
    },
}

/// A line of a process's output.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counts up over all lines of all streams.
    pub number: u64,
    /// Wall time, in seconds.
    pub time: f64,
    /// Whose.
    pub watcher: Box<str>,
    /// Its number in the watcher.
    pub wid: u32,
    /// The process.
    pub pid: i32,
    /// Which output.
    pub channel: Channel,
    /// Without its end; what is not UTF-8 is replaced.
    pub text: Box<str>,
}

/// What the log writer says to circusd.
#[derive(Debug, Clone, PartialEq)]
pub enum FromWriter {
    /// All that a process wrote before it ended is written out.
    Drained {
        /// Of which pipe.
        id: u64,
        /// The last line that is not empty.
        last: Option<Box<str>>,
    },
    /// Nobody writes to a pipe any more, and all is written out.
    Closed {
        /// Which.
        id: u64,
    },
    /// A line for circusd's log.
    Note {
        /// 0 debug, 1 info, 2 warning, 3 error, 4 critical.
        level: u8,
        /// One line.
        text: Box<str>,
    },
    /// The answer to `ToWriter::Tail`.
    Lines {
        /// To which question.
        token: u64,
        /// The lines, the oldest first.
        lines: Vec<Line>,
        /// The number of the last line that was looked at: to go on after.
        last: u64,
        /// So many were asked for and are not in memory any more.
        missed: u64,
        /// More are there: ask again after the last one.
        more: bool,
    },
}

impl ToWriter {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        let value = match self {
            ToWriter::Open { id, watcher, wid, pid, channel, options } => json!({
                "kind": "open", "id": id, "watcher": watcher, "wid": wid, "pid": pid,
                "channel": channel.name(), "options": object(options),
            }),
            ToWriter::Ended { id } => json!({"kind": "ended", "id": id}),
            ToWriter::Change { watcher, channel, options } => json!({
                "kind": "change", "watcher": watcher, "channel": channel.name(),
                "options": object(options),
            }),
            ToWriter::Forget { watcher } => json!({"kind": "forget", "watcher": watcher}),
            ToWriter::Reopen => json!({"kind": "reopen"}),
            ToWriter::Ring { bytes } => json!({"kind": "ring", "bytes": bytes}),
            ToWriter::Tail { token, watcher, channel, count, after, since } => json!({
                "kind": "tail", "token": token, "watcher": watcher,
                "channel": channel.map(Channel::name), "count": count, "after": after,
                "since": since,
            }),
            ToWriter::Finish { within_ms } => json!({"kind": "finish", "within_ms": within_ms}),
        };
        value.to_string().into_bytes()
    }

    /// From a packet; `None` if it is none of these.
    pub fn from_packet(packet: &[u8]) -> Option<ToWriter> {
        let value: Value = serde_json::from_slice(packet).ok()?;
        Some(match text(&value, "kind")? {
            "open" => ToWriter::Open {
                id: number(&value, "id")?,
                watcher: text(&value, "watcher")?.into(),
                wid: number(&value, "wid")?.try_into().ok()?,
                pid: number(&value, "pid")?.try_into().ok()?,
                channel: channel(&value)?,
                options: options(&value)?,
            },
            "ended" => ToWriter::Ended { id: number(&value, "id")? },
            "change" => ToWriter::Change {
                watcher: text(&value, "watcher")?.into(),
                channel: channel(&value)?,
                options: options(&value)?,
            },
            "forget" => ToWriter::Forget { watcher: text(&value, "watcher")?.into() },
            "reopen" => ToWriter::Reopen,
            "ring" => ToWriter::Ring { bytes: number(&value, "bytes")? },
            "tail" => ToWriter::Tail {
                token: number(&value, "token")?,
                watcher: text(&value, "watcher").map(Box::from),
                channel: channel(&value),
                count: number(&value, "count")?.try_into().ok()?,
                after: number(&value, "after"),
                since: value.get("since").and_then(Value::as_f64),
            },
            "finish" => ToWriter::Finish { within_ms: number(&value, "within_ms")? },
            _ => return None,
        })
    }
}

impl FromWriter {
    /// As a packet.
    pub fn to_packet(&self) -> Vec<u8> {
        let value = match self {
            FromWriter::Drained { id, last } => json!({"kind": "drained", "id": id, "last": last}),
            FromWriter::Closed { id } => json!({"kind": "closed", "id": id}),
            FromWriter::Note { level, text } => {
                json!({"kind": "note", "level": level, "text": text})
            }
            FromWriter::Lines { token, lines, last, missed, more } => json!({
                "kind": "lines", "token": token, "last": last, "missed": missed, "more": more,
                "lines": lines.iter().map(Line::value).collect::<Vec<_>>(),
            }),
        };
        value.to_string().into_bytes()
    }

    /// From a packet; `None` if it is none of these.
    pub fn from_packet(packet: &[u8]) -> Option<FromWriter> {
        let value: Value = serde_json::from_slice(packet).ok()?;
        Some(match text(&value, "kind")? {
            "drained" => FromWriter::Drained {
                id: number(&value, "id")?,
                last: text(&value, "last").map(Box::from),
            },
            "closed" => FromWriter::Closed { id: number(&value, "id")? },
            "note" => FromWriter::Note {
                level: number(&value, "level")?.try_into().ok().filter(|level| *level <= 4)?,
                text: text(&value, "text")?.into(),
            },
            "lines" => FromWriter::Lines {
                token: number(&value, "token")?,
                lines: value
                    .get("lines")?
                    .as_array()?
                    .iter()
                    .map(Line::of)
                    .collect::<Option<_>>()?,
                last: number(&value, "last")?,
                missed: number(&value, "missed")?,
                more: value.get("more")?.as_bool()?,
            },
            _ => return None,
        })
    }
}

impl Line {
    /// As clients get it too.
    pub fn value(&self) -> Value {
        json!({
            "number": self.number, "time": self.time, "watcher": self.watcher, "wid": self.wid,
            "pid": self.pid, "stream": self.channel.name(), "message": self.text,
        })
    }

    fn of(value: &Value) -> Option<Line> {
        Some(Line {
            number: number(value, "number")?,
            time: value.get("time")?.as_f64()?,
            watcher: text(value, "watcher")?.into(),
            wid: number(value, "wid")?.try_into().ok()?,
            pid: number(value, "pid")?.try_into().ok()?,
            channel: Channel::of(text(value, "stream")?)?,
            text: text(value, "message")?.into(),
        })
    }
}

fn object(options: &[(Box<str>, Box<str>)]) -> Value {
    let all = options.iter().map(|(name, text)| (name.to_string(), Value::from(&**text)));
    Value::Object(all.collect::<Map<_, _>>())
}

fn options(value: &Value) -> Option<Vec<(Box<str>, Box<str>)>> {
    let all = value.get("options")?.as_object()?.iter();
    all.map(|(name, text)| Some((name.as_str().into(), text.as_str()?.into()))).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

fn number(value: &Value, name: &str) -> Option<u64> {
    value.get(name)?.as_u64()
}

fn channel(value: &Value) -> Option<Channel> {
    Channel::of(text(value, "channel")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let options: Vec<(Box<str>, Box<str>)> = vec![("class".into(), "FileStream".into())];
        let (watcher, channel): (Box<str>, _) = ("web".into(), Channel::Stderr);
        let all = [
            ToWriter::Open {
                id: 7,
                watcher: watcher.clone(),
                wid: 1,
                pid: 12,
                channel,
                options: options.clone(),
            },
            ToWriter::Ended { id: u64::MAX },
            ToWriter::Change { watcher: watcher.clone(), channel, options },
            ToWriter::Forget { watcher: watcher.clone() },
            ToWriter::Reopen,
            ToWriter::Ring { bytes: 65536 },
            ToWriter::Tail {
                token: 1,
                watcher: None,
                channel: None,
                count: 10,
                after: Some(3),
                since: Some(1.5),
            },
            ToWriter::Finish { within_ms: 500 },
        ];
        for said in all {
            assert_eq!(ToWriter::from_packet(&said.to_packet()), Some(said));
        }
        let line = Line {
            number: 3,
            time: 0.25,
            watcher,
            wid: 2,
            pid: 12,
            channel,
            text: "a \" \u{1b}".into(),
        };
        let all = [
            FromWriter::Drained { id: 1, last: None },
            FromWriter::Drained { id: 1, last: Some("x".into()) },
            FromWriter::Closed { id: 1 },
            FromWriter::Note { level: 2, text: "full".into() },
            FromWriter::Lines { token: 1, lines: vec![line], last: 3, missed: 2, more: true },
        ];
        for said in all {
            assert_eq!(FromWriter::from_packet(&said.to_packet()), Some(said));
        }
    }

    #[test]
    fn what_nobody_says_is_not_understood() {
        for packet in [&b""[..], b"{}", b"[]", b"{\"kind\":\"open\"}", b"{\"kind\":7}", b"\xff"] {
            assert_eq!(ToWriter::from_packet(packet), None);
            assert_eq!(FromWriter::from_packet(packet), None);
        }
    }
}
