//! Wall times as text, made once a second however many lines there are.

use circus::sys::clock;
use std::ffi::CString;

/// A time as `time_format` wants it.
#[derive(Debug, Clone)]
pub struct Stamp {
    /// What is between the places where microseconds go.
    patterns: Vec<CString>,
    second: i64,
    texts: Vec<String>,
}

/// A wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wall {
    pub seconds: i64,
    pub micros: u32,
}

impl Wall {
    pub fn now() -> Wall {
        let (seconds, micros) = clock::wall();
        Wall { seconds, micros }
    }

    pub fn as_seconds(self) -> f64 {
        self.seconds as f64 + f64::from(self.micros) / 1e6
    }
}

impl Stamp {
    /// By a pattern of strftime(3), where `%f` is microseconds as in Python.
    pub fn new(pattern: &str) -> Stamp {
        let mut patterns = vec![String::new()];
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let follows = (character == '%').then(|| characters.next()).flatten();
            match (follows, patterns.last_mut()) {
                (Some('f'), _) => patterns.push(String::new()),
                (follows, Some(last)) => {
                    last.push(character);
                    last.extend(follows);
                }
                (_, None) => {}
            }
        }
        // A NUL was refused before.
        let patterns = patterns.into_iter().map(|text| CString::new(text).unwrap_or_default());
        Stamp { patterns: patterns.collect(), second: i64::MIN, texts: Vec::new() }
    }

    /// Put the time after what is there.
    pub fn write(&mut self, out: &mut Vec<u8>, now: Wall) {
        if self.second != now.seconds {
            let format = |pattern: &CString| clock::format(now.seconds, pattern, false);
            self.texts = self.patterns.iter().map(format).collect();
            self.second = now.seconds;
        }
        for (index, text) in self.texts.iter().enumerate() {
            if index > 0 {
                out.extend(format!("{:06}", now.micros).as_bytes());
            }
            out.extend(text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(pattern: &str) -> String {
        let mut out = Vec::new();
        let now = Wall { seconds: 1_700_000_000, micros: 42 };
        Stamp::new(pattern).write(&mut out, now);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn microseconds_are_written_as_python_does() {
        assert_eq!(written("%s.%f|%f"), "1700000000.000042|000042");
        assert_eq!(written("%%f%"), "%f%");
        assert_eq!(written(""), "");
    }
}
