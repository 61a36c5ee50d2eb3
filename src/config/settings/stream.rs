//! Where the output of a process goes and what its lines look like: `stdout_stream.…` and
//! `stderr_stream.…`. circusd keeps only the texts; the log writer makes these of them.

use crate::config::options::{self, STREAM, StreamDraft};
use crate::config::syslog::SyslogTarget;

/// One stream of a watcher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSettings {
    /// Where lines go.
    pub target: StreamTarget,
    /// What they look like there.
    pub form: LineForm,
    /// strftime(3), with `%f` for microseconds as Python has it.
    pub time_format: Option<Box<str>>,
    /// Before each line, with `%(watcher)s` and the like. `None` if nothing is said.
    pub prefix: Option<Box<str>>,
    /// What happens when the target takes no more.
    pub overflow: Overflow,
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamTarget {
    /// circusd's standard output.
    Stdout,
    /// circusd's standard error.
    Stderr,
    /// A file.
    File(FileSettings),
    /// A syslog daemon.
    Syslog(SyslogTarget),
    /// Nowhere but into memory, where all are.
    Memory,
}

/// A file that is appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSettings {
    /// Its name.
    pub path: Box<str>,
    /// When a new one is begun.
    pub rotation: Rotation,
    /// Old ones are compressed.
    pub compress: bool,
}

/// When a new file is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Never.
    Never,
    /// Before it has so many bytes. With no old files it is emptied.
    Size {
        /// So many.
        bytes: u64,
        /// Old files that are kept.
        backups: u32,
    },
    /// When a time has come.
    Time {
        /// Of this unit.
        period: Period,
        /// So many of them.
        interval: u32,
        /// By universal time.
        utc: bool,
        /// Old files that are kept; 0 for all.
        backups: u32,
    },
    /// When somebody else has taken it away.
    Watched,
}

/// `rotate_when`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// `S`
    Second,
    /// `M`
    Minute,
    /// `H`
    Hour,
    /// `D`: a day after it was begun.
    Day,
    /// `MIDNIGHT`: at the end of a day.
    Midnight,
    /// `W0` to `W6`: at the end of this day of the week, where Monday is 0.
    Weekday(u8),
}

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineForm {
    /// As it was written, after a time and a prefix if they are asked for.
    Plain,
    /// In colour, with time and process: `FancyStdoutStream`.
    Fancy {
        /// 1 to 7; 0 for any.
        color: u8,
    },
    /// An object.
    Json,
    /// What a syslog daemon takes.
    Syslog,
}

/// `overflow`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overflow {
    /// The process that writes waits.
    #[default]
    Block,
    /// Lines are dropped and counted.
    Drop,
}

impl StreamSettings {
    /// From names without their beginning, and texts.
    ///
    /// # Errors
    /// A sentence.
    pub fn from_options<T: AsRef<str>>(all: &[(T, T)]) -> Result<StreamSettings, String> {
        let mut draft = StreamDraft::default();
        for (name, text) in all {
            let (name, text) = (name.as_ref(), text.as_ref());
            let Some(row) = options::find(&STREAM, name) else { continue };
            (row.parse)(&mut draft, text).map_err(|reason| format!("{name}: {reason}"))?;
        }
        StreamSettings::from_draft(&draft)
    }

    /// From options that are valid each for itself.
    ///
    /// # Errors
    /// The end of a sentence.
    pub fn from_draft(draft: &StreamDraft) -> Result<StreamSettings, String> {
        let class = match draft.class {
            Some(class) => class,
            None if draft.filename.is_empty() => {
                return Err("needs a class or a filename".to_owned());
            }
            None => "FileStream",
        };
        let by_size = match draft.max_bytes {
            0 => Rotation::Never,
            bytes => Rotation::Size { bytes, backups: draft.backup_count },
        };
        let by_time = draft.rotate_when.map(|period| Rotation::Time {
            period,
            interval: draft.rotate_interval.max(1),
            utc: draft.utc,
            backups: draft.backup_count,
        });
        let (target, form) = match class {
            "StdoutStream" => (StreamTarget::Stdout, LineForm::Plain),
            "FancyStdoutStream" => (StreamTarget::Stdout, LineForm::Fancy { color: draft.color }),
            "JsonStream" if draft.filename.is_empty() => (StreamTarget::Stdout, LineForm::Json),
            "JsonStream" => (file(draft, by_time.unwrap_or(by_size))?, LineForm::Json),
            "SyslogStream" => (syslog(&draft.filename)?, LineForm::Syslog),
            "Ring" => (StreamTarget::Memory, LineForm::Plain),
            "WatchedFileStream" => (file(draft, Rotation::Watched)?, LineForm::Plain),
            "TimedRotatingFileStream" => {
                let rotation = by_time
                    .ok_or("needs rotate_when: S, M, H, D, MIDNIGHT, or W0 to W6")
                    .and_then(|rotation| match draft.filename.is_empty() {
                        true => Err("needs a filename"),
                        false => Ok(rotation),
                    })?;
                (file(draft, rotation)?, LineForm::Plain)
            }
            _ => (file(draft, by_size)?, LineForm::Plain),
        };
        Ok(StreamSettings {
            target,
            form,
            time_format: Some(&draft.time_format).filter(|text| !text.is_empty()).cloned(),
            prefix: draft.prefix.clone(),
            overflow: draft.overflow,
        })
    }
}

/// Our own descriptors are never opened by their path: that fails after a change of user, and
/// truncates where they are files.
fn file(draft: &StreamDraft, rotation: Rotation) -> Result<StreamTarget, String> {
    Ok(match &*draft.filename {
        "" => return Err("needs a filename".to_owned()),
        "/dev/stdout" | "/dev/fd/1" | "/proc/self/fd/1" => StreamTarget::Stdout,
        "/dev/stderr" | "/dev/fd/2" | "/proc/self/fd/2" => StreamTarget::Stderr,
        path => StreamTarget::File(FileSettings {
            path: path.into(),
            rotation,
            compress: draft.compress,
        }),
    })
}

fn syslog(place: &str) -> Result<StreamTarget, String> {
    if place.is_empty() {
        return Ok(StreamTarget::Syslog(SyslogTarget::local()));
    }
    let target = SyslogTarget::parse(place)
        .ok_or("has a filename that is none of syslog:///dev/log and syslog://ADDRESS:PORT")??;
    Ok(StreamTarget::Syslog(target))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::syslog::SyslogPlace;

    fn settings(text: &str) -> Result<StreamSettings, String> {
        let all: Vec<_> = text.split(", ").filter_map(|part| part.split_once(" = ")).collect();
        StreamSettings::from_options(&all)
    }

    #[test]
    fn a_filename_alone_is_a_file() {
        let plain = settings("filename = a.log").expect("valid");
        let StreamTarget::File(file) = plain.target else { panic!("no file") };
        assert_eq!((&*file.path, file.rotation, file.compress), ("a.log", Rotation::Never, false));
        assert_eq!((plain.form, plain.overflow), (LineForm::Plain, Overflow::Block));
        assert_eq!((plain.time_format, plain.prefix), (None, None));
    }

    #[test]
    fn rotation_is_that_of_the_class() {
        let rotation = |text: &str| match settings(text).expect("valid").target {
            StreamTarget::File(file) => file.rotation,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            rotation("filename = a, max_bytes = 1k, backup_count = 3"),
            Rotation::Size { bytes: 1024, backups: 3 }
        );
        assert_eq!(rotation("class = WatchedFileStream, filename = a"), Rotation::Watched);
        let timed = "class = TimedRotatingFileStream, filename = a, rotate_when = W6, utc = 1";
        assert_eq!(
            rotation(timed),
            Rotation::Time { period: Period::Weekday(6), interval: 1, utc: true, backups: 0 }
        );
    }

    #[test]
    fn our_own_descriptors_are_no_files() {
        for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
            let stream = settings(&format!("filename = {name}")).expect("valid");
            assert_eq!(stream.target, StreamTarget::Stdout);
        }
        let stream = settings("class = JsonStream, filename = /dev/stderr").expect("valid");
        assert_eq!((stream.target, stream.form), (StreamTarget::Stderr, LineForm::Json));
    }

    #[test]
    fn syslog_is_where_logoutput_would_find_it() {
        let stream = settings("class = SyslogStream, filename = syslog:///run/log?local3");
        let place = SyslogPlace::Unix("/run/log".into());
        let target = StreamTarget::Syslog(SyslogTarget { place, facility: 19 });
        assert_eq!(stream.expect("valid").target, target);
        assert!(settings("class = SyslogStream").is_ok());
        assert!(settings("class = SyslogStream, filename = /dev/log").is_err());
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, part) in [
            ("time_format = x", "needs a class or a filename"),
            ("class = FileStream", "needs a filename"),
            ("class = TimedRotatingFileStream, filename = a", "rotate_when"),
            ("class = a.b", "class: is a Python class"),
            ("class = QueueStream", "Ring"),
            ("filename = a, prefix = %(nope)s", "%(watcher)s"),
            ("filename = a, overflow = x", "overflow: is none of"),
        ] {
            assert!(settings(text).expect_err(text).contains(part), "{text}");
        }
    }
}
