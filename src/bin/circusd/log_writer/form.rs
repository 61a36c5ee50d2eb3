//! What a line looks like where it goes.

use circus::config::settings::{LineForm, Overflow, StreamSettings, StreamTarget};
use circus::wire::log::Channel;
use std::io::IsTerminal;
use std::rc::Rc;

use super::ring;
use super::stamp::{Stamp, Wall};

/// Whose lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub watcher: Box<str>,
    pub wid: u32,
    pub pid: i32,
    pub channel: Channel,
}

impl Source {
    #[cfg(test)]
    pub fn for_test(watcher: &str) -> Source {
        Source { watcher: watcher.into(), wid: 1, pid: 12, channel: Channel::Stdout }
    }

    fn prefix(&self, pattern: &str) -> String {
        pattern
            .replace("%(wid)s", &self.wid.to_string())
            .replace("%(pid)s", &self.pid.to_string())
            .replace("%(stream)s", self.channel.name())
            .replace("%(watcher)s", &self.watcher)
    }
}

/// How the lines of one process are written.
#[derive(Debug, Clone)]
pub struct Form {
    source: Rc<Source>,
    overflow: Overflow,
    way: Way,
}

#[derive(Debug, Clone)]
enum Way {
    /// As they are.
    Raw,
    /// Prefix; time; what is between time and text; text; end.
    Dressed {
        before: Vec<u8>,
        stamp: Option<Stamp>,
        between: Vec<u8>,
        end: &'static [u8],
        skips_empty: bool,
    },
    /// What follows the time; the text and an end.
    Json {
        between: Vec<u8>,
    },
    Syslog {
        before: Vec<u8>,
        stamp: Stamp,
        between: Vec<u8>,
    },
}

/// Where a terminal reads along, it is told who speaks.
const TERMINAL_PREFIX: &str = "%(watcher)s.%(wid)s |";
/// Circus's, where a time is always written.
const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S";
/// The longest message that syslog daemons take as it is.
const SYSLOG_BYTES_MAX: usize = 8000;
const COLORS: u8 = 7;

impl Form {
    pub fn new(source: Rc<Source>, settings: &StreamSettings) -> Form {
        let pattern = match &settings.prefix {
            Some(text) => Some(&**text).filter(|text| !text.is_empty()),
            None => Some(TERMINAL_PREFIX).filter(|_| {
                matches!(settings.form, LineForm::Plain | LineForm::Fancy { .. })
                    && settings.target == StreamTarget::Stdout
                    && std::io::stdout().is_terminal()
            }),
        };
        // Options lose the blanks at their ends.
        let mut before = pattern.map(|text| source.prefix(text) + " ").unwrap_or_default();
        let pid = source.pid;
        let way = match settings.form {
            LineForm::Plain => match &settings.time_format {
                None if before.is_empty() => Way::Raw,
                None => Way::Dressed {
                    before: before.into_bytes(),
                    stamp: None,
                    between: Vec::new(),
                    end: b"\n",
                    skips_empty: false,
                },
                Some(format) => Way::Dressed {
                    before: before.into_bytes(),
                    stamp: Some(Stamp::new(format)),
                    between: format!(" [{pid}] | ").into_bytes(),
                    end: b"\n",
                    skips_empty: false,
                },
            },
            LineForm::Fancy { color } => {
                let color = if color == 0 { any_color(&source) } else { color };
                before.insert_str(0, &format!("\x1b[0;3{color};40m"));
                Way::Dressed {
                    before: before.into_bytes(),
                    stamp: Some(Stamp::new(settings.time_format.as_deref().unwrap_or(TIME_FORMAT))),
                    between: format!(" [{pid}] | ").into_bytes(),
                    end: b"\x1b[0m\n",
                    skips_empty: true,
                }
            }
            LineForm::Json => Way::Json { between: json_members(&source) },
            LineForm::Syslog => {
                let StreamTarget::Syslog(target) = &settings.target else {
                    unreachable!("only syslog daemons take lines like this")
                };
                // As other collectors have it: informational, and error.
                let severity = if source.channel == Channel::Stdout { 6 } else { 3 };
                Way::Syslog {
                    before: format!("<{}>", target.facility * 8 + severity).into_bytes(),
                    stamp: Stamp::new("%b %e %H:%M:%S "),
                    between: format!("{}[{pid}]: {before}", source.watcher).into_bytes(),
                }
            }
        };
        Form { source, overflow: settings.overflow, way }
    }

    /// Lines are written as they come.
    pub fn is_raw(&self) -> bool {
        matches!(self.way, Way::Raw)
    }

    /// What happens when no more is taken.
    pub fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub fn source(&self) -> &Rc<Source> {
        &self.source
    }

    /// Write lines; a last one without end gets one.
    pub fn write(&mut self, out: &mut Vec<u8>, lines: &[u8], now: Wall) {
        let lines = lines.strip_suffix(b"\n").unwrap_or(lines);
        let mut head = Vec::new();
        let mut rest = Some(lines);
        match &mut self.way {
            Way::Raw => {
                out.extend(lines);
                out.push(b'\n');
            }
            Way::Dressed { before, stamp, between, end, skips_empty } => {
                head.extend(&*before);
                if let Some(stamp) = stamp {
                    stamp.write(&mut head, now);
                }
                head.extend(&*between);
                let longest = (head.len() + end.len()) * ring::count(lines) as usize;
                out.reserve(lines.len() + longest);
                while let Some(line) = next_line(&mut rest) {
                    if !(*skips_empty && line.is_empty()) {
                        out.extend(&head);
                        out.extend(line);
                        out.extend(*end);
                    }
                }
            }
            Way::Json { between } => {
                let seconds = now.as_seconds();
                head.extend(format!("{{\"time\":{seconds}").as_bytes());
                head.extend(&*between);
                while let Some(line) = next_line(&mut rest) {
                    out.extend(&head);
                    write_json(out, line);
                    out.extend(b"}\n");
                }
            }
            Way::Syslog { before, stamp, between } => {
                head.extend(&*before);
                stamp.write(&mut head, now);
                head.extend(&*between);
                while let Some(line) = next_line(&mut rest) {
                    for part in line.chunks(SYSLOG_BYTES_MAX) {
                        out.extend(&head);
                        out.extend(part);
                        out.push(b'\n');
                    }
                }
            }
        }
    }
}

fn next_line<'a>(rest: &mut Option<&'a [u8]>) -> Option<&'a [u8]> {
    let lines = (*rest)?;
    match memchr::memchr(b'\n', lines) {
        Some(end) => {
            *rest = Some(&lines[end + 1..]);
            Some(&lines[..end])
        }
        None => rest.take(),
    }
}

/// Most lines have nothing that must be escaped.
fn write_json(out: &mut Vec<u8>, line: &[u8]) {
    if is_plain(line) {
        out.push(b'"');
        out.extend(line);
        out.push(b'"');
        return;
    }
    let text = String::from_utf8_lossy(line);
    // Writing text into memory does not fail.
    let _ = serde_json::to_writer(out, &*text);
}

/// Neither control characters, quotes, backslashes, nor anything beyond ASCII. Eight at a time: a
/// byte of a difference is above 127 where what it was taken from was smaller.
fn is_plain(line: &[u8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let has = |word: u64, byte: u8| {
        let other = word ^ (ONES * u64::from(byte));
        other.wrapping_sub(ONES) & !other
    };
    let (words, rest) = line.as_chunks::<8>();
    let is_odd = |word: &[u8; 8]| {
        let word = u64::from_le_bytes(*word);
        let control = word.wrapping_sub(ONES * 0x20);
        (word | control | has(word, b'"') | has(word, b'\\')) & HIGH != 0
    };
    let is_odd_byte = |byte: &u8| !matches!(byte, 0x20..0x80) || matches!(byte, b'"' | b'\\');
    !words.iter().any(is_odd) && !rest.iter().any(is_odd_byte)
}

fn json_members(source: &Source) -> Vec<u8> {
    let watcher = serde_json::Value::from(&*source.watcher);
    let (wid, pid, stream) = (source.wid, source.pid, source.channel.name());
    format!(
        ",\"watcher\":{watcher},\"wid\":{wid},\"pid\":{pid},\"stream\":\"{stream}\",\"message\":"
    )
    .into_bytes()
}

/// The same one each time, so that a stream does not change its colour when we are replaced.
fn any_color(source: &Source) -> u8 {
    let sum = source.watcher.bytes().fold(0u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    let sum = sum + u32::from(source.channel == Channel::Stderr);
    (sum % u32::from(COLORS)) as u8 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(options: &[(&str, &str)], lines: &str) -> String {
        let settings = StreamSettings::from_options(options).expect("valid");
        let mut form = Form::new(Rc::new(Source::for_test("web")), &settings);
        let mut out = Vec::new();
        form.write(&mut out, lines.as_bytes(), Wall { seconds: 1_700_000_000, micros: 500_000 });
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_time_stands_before_each_line_as_in_circus() {
        let options = [("filename", "x"), ("time_format", "%s")];
        let expected = "1700000000 [12] | a\n1700000000 [12] | \n1700000000 [12] | b\n";
        assert_eq!(written(&options, "a\n\nb"), expected);
    }

    #[test]
    fn a_prefix_has_names_and_a_blank_after_it() {
        let options = [("filename", "x"), ("prefix", "%(watcher)s.%(wid)s %(stream)s/%(pid)s |")];
        assert_eq!(written(&options, "a\nb\n"), "web.1 stdout/12 | a\nweb.1 stdout/12 | b\n");
        let both = [("filename", "x"), ("prefix", "%(watcher)s:"), ("time_format", "%s")];
        assert_eq!(written(&both, "a\n"), "web: 1700000000 [12] | a\n");
        assert_eq!(written(&[("filename", "x"), ("prefix", "")], "a"), "a\n");
    }

    #[test]
    fn colours_are_those_of_circus_and_empty_lines_are_left_out() {
        let options = [("class", "FancyStdoutStream"), ("color", "green"), ("time_format", "%s")];
        let line = "\x1b[0;32;40m1700000000 [12] | a\x1b[0m\n";
        assert_eq!(written(&options, "a\n\na\n"), [line, line].concat());
        let any = written(&[("class", "FancyStdoutStream")], "a\n");
        assert!(any.starts_with("\x1b[0;3") && any.contains("2023-11-1"), "{any:?}");
    }

    #[test]
    fn an_object_is_one_line_whatever_the_text_is() {
        let line = written(&[("class", "JsonStream")], "a \"\u{1b}\t\n");
        let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        let expected = serde_json::json!({"time": 1_700_000_000.5, "watcher": "web", "wid": 1,
            "pid": 12, "stream": "stdout", "message": "a \"\u{1b}\t"});
        assert_eq!((value, line.matches('\n').count()), (expected, 1));
    }

    #[test]
    fn what_need_not_be_escaped_is_known_at_every_place() {
        for length in 0..20 {
            let mut line = vec![b'~'; length];
            line.iter_mut().step_by(3).for_each(|byte| *byte = b' ');
            assert!(is_plain(&line));
            for place in 0..length {
                for byte in 0..=255u8 {
                    let mut other = line.clone();
                    other[place] = byte;
                    let is_odd = matches!(byte, 0..0x20 | b'"' | b'\\' | 0x80..);
                    assert_eq!(is_plain(&other), !is_odd, "{byte} at {place} of {length}");
                }
            }
        }
    }

    #[test]
    fn syslog_gets_priority_time_and_tag() {
        let options = [("class", "SyslogStream"), ("filename", "syslog:///x?local3")];
        let line = written(&options, "hello\n");
        assert!(line.starts_with("<158>Nov 1") && line.ends_with(" web[12]: hello\n"), "{line:?}");
        let long = written(&options, &"x".repeat(20_000));
        assert_eq!(long.matches(" web[12]: ").count(), 3);
    }
}
