//! Options of `stdout_stream.…` and `stderr_stream.…`.

use super::{Change, Form, Row, Show, Support};
use crate::config::settings::{Overflow, Period};
use crate::config::value::{choice, flag, size, whole};

use Change::Restart;
use Form::{Flag, Number, Text};
use Show::Kept;
use Support::Full;

/// What the options of one stream say, before they are looked at together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StreamDraft {
    /// Class, as we spell it.
    pub class: Option<&'static str>,
    /// File, or syslog daemon.
    pub filename: Box<str>,
    /// Size of a file at which it is rotated; 0 is never.
    pub max_bytes: u64,
    /// Old files that are kept.
    pub backup_count: u32,
    /// Time of rotation.
    pub rotate_when: Option<Period>,
    /// Periods between two rotations.
    pub rotate_interval: u32,
    /// Rotate by universal time.
    pub utc: bool,
    /// Compress old files.
    pub compress: bool,
    /// 1 to 7 as terminals count them; 0 if it is all the same.
    pub color: u8,
    /// Time before each line.
    pub time_format: Box<str>,
    /// Text before each line; empty is another thing than nothing said.
    pub prefix: Option<Box<str>>,
    /// What happens when the reader is too slow.
    pub overflow: Overflow,
}

/// All of them, sorted by name.
#[rustfmt::skip]
pub static STREAM: [Row<StreamDraft>; 12] = [
    Row { name: "backup_count", default: "0", change: Restart, support: Full, parse: |to, text| whole(text, 0, 100_000).map(|count| to.backup_count = count as u32),
        show: Kept(Number), help: "old files that are kept" },
    Row { name: "class", default: "", change: Restart, support: Full, parse: class,
        show: Kept(Text), help: "FileStream, StdoutStream, JsonStream, …" },
    Row { name: "color", default: "", change: Restart, support: Full, parse: color,
        show: Kept(Text), help: "of FancyStdoutStream" },
    Row { name: "compress", default: "False", change: Restart, support: Full, parse: |to, text| flag(text).map(|on| to.compress = on),
        show: Kept(Flag), help: "compress old files" },
    Row { name: "filename", default: "", change: Restart, support: Full, parse: filename,
        show: Kept(Text), help: "file that is written" },
    Row { name: "max_bytes", default: "0", change: Restart, support: Full, parse: |to, text| size(text).map(|bytes| to.max_bytes = bytes),
        show: Kept(Text), help: "size at which the file is rotated; 0 is never" },
    Row { name: "overflow", default: "block", change: Restart, support: Full, parse: |to, text| choice(text, &["block", "drop"]).map(|word| to.overflow = if word == "drop" { Overflow::Drop } else { Overflow::Block }),
        show: Kept(Text), help: "what happens when the reader is too slow: block or drop" },
    Row { name: "prefix", default: "", change: Restart, support: Full, parse: prefix,
        show: Kept(Text), help: "text before each line" },
    Row { name: "rotate_interval", default: "1", change: Restart, support: Full, parse: |to, text| whole(text, 1, 1_000_000).map(|count| to.rotate_interval = count as u32),
        show: Kept(Number), help: "units between two rotations" },
    Row { name: "rotate_when", default: "", change: Restart, support: Full, parse: rotate_when,
        show: Kept(Text), help: "S, M, H, D, MIDNIGHT, or W0 (Monday) to W6" },
    Row { name: "time_format", default: "", change: Restart, support: Full, parse: time_format,
        show: Kept(Text), help: "time before each line, as strftime writes it" },
    Row { name: "utc", default: "False", change: Restart, support: Full, parse: |to, text| flag(text).map(|on| to.utc = on),
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

/// As terminals number them, from 1.
const COLORS: [&str; 8] = ["random", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

const PERIODS: [&str; 12] =
    ["S", "M", "H", "D", "MIDNIGHT", "W0", "W1", "W2", "W3", "W4", "W5", "W6"];

/// What may be written between `%(` and `)s`.
const PREFIX_NAMES: [&str; 4] = ["watcher", "wid", "pid", "stream"];

const TIME_FORMAT_BYTES_MAX: usize = 100;
const PREFIX_BYTES_MAX: usize = 200;

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

fn filename(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    if text.contains('\0') {
        return Err("has a NUL, which no file name has".to_owned());
    }
    to.filename = text.trim().into();
    Ok(())
}

fn color(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    let word = choice(text, &COLORS)?;
    to.color = COLORS.iter().position(|known| *known == word).unwrap_or_default() as u8;
    Ok(())
}

fn rotate_when(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    let word = choice(text, &PERIODS)?;
    to.rotate_when = Some(match word {
        "S" => Period::Second,
        "M" => Period::Minute,
        "H" => Period::Hour,
        "D" => Period::Day,
        "MIDNIGHT" => Period::Midnight,
        day => Period::Weekday(day.as_bytes()[1] - b'0'),
    });
    Ok(())
}

fn time_format(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    if text.len() > TIME_FORMAT_BYTES_MAX || text.contains(['\0', '\n']) {
        return Err(format!("is no format of a time with up to {TIME_FORMAT_BYTES_MAX} bytes"));
    }
    to.time_format = text.trim().into();
    Ok(())
}

fn prefix(to: &mut StreamDraft, text: &str) -> Result<(), String> {
    let text = text.trim();
    if text.len() > PREFIX_BYTES_MAX || text.contains('\n') {
        return Err(format!("is no line with up to {PREFIX_BYTES_MAX} bytes"));
    }
    let parts = text.split("%(").skip(1);
    for part in parts {
        let name = part.split_once(")s").map(|(name, _)| name);
        if !name.is_some_and(|name| PREFIX_NAMES.contains(&name)) {
            return Err(
                "has a `%(` that is none of %(watcher)s, %(wid)s, %(pid)s, %(stream)s".to_owned()
            );
        }
    }
    to.prefix = Some(text.into());
    Ok(())
}
