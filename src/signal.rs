//! Signal numbers and their names, as signal(7) has them on Linux. A plain type: it sends nothing.

use std::fmt;

/// A signal number from 1 to 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

/// First real-time signal that glibc leaves to programs; 32 and 33 are its own.
const RTMIN: u8 = 34;
const RTMAX: u8 = 64;

/// Names without `SIG`, by number.
const NAMES: [&str; 32] = [
    "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// Other names for the same numbers.
const ALIASES: [(&str, u8); 4] = [("CLD", 17), ("IOT", 6), ("POLL", 29), ("UNUSED", 31)];

impl Signal {
    /// Hangup.
    pub const HUP: Signal = Signal(1);
    /// Interrupt.
    pub const INT: Signal = Signal(2);
    /// Quit.
    pub const QUIT: Signal = Signal(3);
    /// Kill: cannot be caught.
    pub const KILL: Signal = Signal(9);
    /// User-defined 1.
    pub const USR1: Signal = Signal(10);
    /// User-defined 2.
    pub const USR2: Signal = Signal(12);
    /// Write to a pipe that nobody reads.
    pub const PIPE: Signal = Signal(13);
    /// Terminate.
    pub const TERM: Signal = Signal(15);
    /// A child ended or stopped.
    pub const CHLD: Signal = Signal(17);
    /// Continue if stopped.
    pub const CONT: Signal = Signal(18);
    /// Stop: cannot be caught.
    pub const STOP: Signal = Signal(19);
    /// The window's size changed.
    pub const WINCH: Signal = Signal(28);

    /// From the kernel's number; `None` unless it is from 1 to 64.
    pub fn from_number(number: i64) -> Option<Signal> {
        (1..=64).contains(&number).then_some(Signal(number as u8))
    }

    /// The kernel's number.
    pub fn number(self) -> i32 {
        i32::from(self.0)
    }

    /// From a number or a name, with or without `SIG`, in any case, `RTMIN+n` and `RTMAX-n` too:
    /// `15`, `term`, `SIGRTMIN+2`. `None` for anything else.
    pub fn parse(text: &str) -> Option<Signal> {
        let text = text.trim().to_ascii_uppercase();
        if let Ok(number) = text.parse::<i64>() {
            return Signal::from_number(number);
        }
        let name = text.strip_prefix("SIG").unwrap_or(&text);
        if let Some(offset) = name.strip_prefix("RTMIN") {
            return real_time(RTMIN, offset, '+');
        }
        if let Some(offset) = name.strip_prefix("RTMAX") {
            return real_time(RTMAX, offset, '-');
        }
        if let Some(number) = NAMES.iter().skip(1).position(|known| *known == name) {
            return Signal::from_number(number as i64 + 1);
        }
        ALIASES.iter().find(|(alias, _)| *alias == name).map(|(_, number)| Signal(*number))
    }

    /// Neither SIGKILL nor SIGSTOP.
    pub fn can_be_caught(self) -> bool {
        self != Signal::KILL && self != Signal::STOP
    }
}

fn real_time(base: u8, offset: &str, sign: char) -> Option<Signal> {
    let offset = match offset.strip_prefix(sign) {
        Some(digits) => digits.trim().parse::<i64>().ok().filter(|n| *n >= 0)?,
        None if offset.is_empty() => 0,
        None => return None,
    };
    let number = i64::from(base) + if sign == '+' { offset } else { -offset };
    (i64::from(RTMIN)..=i64::from(RTMAX)).contains(&number).then_some(Signal(number as u8))
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RTMIN => write!(f, "SIGRTMIN"),
            number if number > RTMIN => write!(f, "SIGRTMIN+{}", number - RTMIN),
            number => match NAMES.get(usize::from(number)) {
                Some(name) => write!(f, "SIG{name}"),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_in_every_spelling_are_understood() {
        for (text, number) in [
            ("TERM", 15),
            ("sigterm", 15),
            ("9", 9),
            ("SIGRTMIN+2", 36),
            ("rtmax-1", 63),
            ("CLD", 17),
        ] {
            assert_eq!(Signal::parse(text).map(Signal::number), Some(number), "{text}");
        }
        for text in ["", "0", "65", "FOO", "SIG", "RTMIN+31", "RTMIN-1", "RTMAX+1", "-15"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_signal_is_shown_by_a_name_that_is_understood_again() {
        for number in (1..=31).chain(34..=64) {
            let signal = Signal::from_number(number).expect("in range");
            assert_eq!(Signal::parse(&signal.to_string()), Some(signal));
        }
    }
}
