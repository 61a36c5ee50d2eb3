//! Options of `stdout_stream.…` and `stderr_stream.…`. Streams come later; until then they are only
//! checked.

use super::{Change, Form, Row, Show, Support, free};
use crate::config::value::{choice, flag, size, whole};

use Change::Restart;
use Form::{Flag, Number, Text};
use Show::Kept;
use Support::Later;

/// What is needed to check the options of one stream together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StreamDraft {
    /// Class, as we spell it.
    pub class: Option<&'static str>,
    /// A file name is given.
    pub has_filename: bool,
    /// A time of rotation is given.
    pub has_rotate_when: bool,
}

/// All of them, sorted by name.
#[rustfmt::skip]
pub static STREAM: [Row<StreamDraft>; 12] = [
    Row { name: "backup_count", default: "0", change: Restart, support: Later, parse: |_, text| whole(text, 0, 100_000).map(drop),
        show: Kept(Number), help: "old files that are kept" },
    Row { name: "class", default: "", change: Restart, support: Later, parse: class,
        show: Kept(Text), help: "FileStream, StdoutStream, JsonStream, …" },
    Row { name: "color", default: "", change: Restart, support: Later, parse: |_, text| choice(text, &["red", "green", "yellow", "blue", "magenta", "cyan", "white", "random"]).map(drop),
        show: Kept(Text), help: "of FancyStdoutStream" },
    Row { name: "compress", default: "False", change: Restart, support: Later, parse: truth,
        show: Kept(Flag), help: "compress old files" },
    Row { name: "filename", default: "", change: Restart, support: Later, parse: |to, text| { to.has_filename = !text.trim().is_empty(); Ok(()) },
        show: Kept(Text), help: "file that is written" },
    Row { name: "max_bytes", default: "0", change: Restart, support: Later, parse: |_, text| size(text).map(drop),
        show: Kept(Text), help: "size at which the file is rotated; 0 is never" },
    Row { name: "overflow", default: "block", change: Restart, support: Later, parse: |_, text| choice(text, &["block", "drop"]).map(drop),
        show: Kept(Text), help: "what happens when the reader is too slow: block or drop" },
    Row { name: "prefix", default: "", change: Restart, support: Later, parse: free,
        show: Kept(Text), help: "text before each line" },
    Row { name: "rotate_interval", default: "1", change: Restart, support: Later, parse: |_, text| whole(text, 1, 1_000_000).map(drop),
        show: Kept(Number), help: "units between two rotations" },
    Row { name: "rotate_when", default: "", change: Restart, support: Later, parse: |to, text| choice(text, &["S", "M", "H", "D", "MIDNIGHT", "W0", "W1", "W2", "W3", "W4", "W5", "W6"]).map(|_| to.has_rotate_when = true),
        show: Kept(Text), help: "S, M, H, D, MIDNIGHT, or W0 (Monday) to W6" },
    Row { name: "time_format", default: "", change: Restart, support: Later, parse: free,
        show: Kept(Text), help: "time before each line, as strftime writes it" },
    Row { name: "utc", default: "False", change: Restart, support: Later, parse: truth,
        show: Kept(Flag), help: "rotate by universal time" },
];

const CLASSES: [&str; 8] = [
    "FileStream",
    "WatchedFileStream",
    "TimedRotatingFileStream",
    "StdoutStream",
    "FancyStdoutStream",
    "JsonStream",
    "SyslogStream",
    "Ring",
];

fn class(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    let name = text.trim();
    let name = name.strip_prefix("circus.stream.").unwrap_or(name);
    if name.contains('.') {
        return Err(format!(
            "is a Python class, and there is no Python here; choose one of {}",
            CLASSES.join(", ")
        ));
    }
    if name.eq_ignore_ascii_case("QueueStream") {
        return Err("is a queue inside Python; Ring keeps output in memory here".to_owned());
    }
    to.class = Some(choice(name, &CLASSES)?);
    Ok(())
}

fn truth(_: &mut StreamDraft, text: &str) -> Result<(), String> {
    flag(text).map(drop)
}
