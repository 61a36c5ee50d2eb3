//! Values of options: text to numbers, flags, durations, sizes. An error is the end of a sentence
//! that begins with what the file says; it never repeats the value.

use crate::config::settings::{Limit, LogLevel, Respawn};
use crate::config::spelling;

/// `yes true on 1` and `no false off 0`, in any case, as in Circus.
pub fn flag(text: &str) -> Result<bool, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "yes" | "true" | "on" | "1" => Ok(true),
        "no" | "false" | "off" | "0" => Ok(false),
        _ => Err("is neither true nor false; write True or False".to_owned()),
    }
}

/// A whole number within limits.
pub fn whole(text: &str, min: i64, max: i64) -> Result<i64, String> {
    let digits = text.trim().replace('_', "");
    match digits.parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("is not a whole number from {min} to {max}")),
    }
}

/// A whole number of which `-1` means that there is no limit.
pub fn limit(text: &str) -> Result<Limit, String> {
    let number = whole(text, -1, COUNT_MAX)
        .map_err(|_| format!("is not a whole number from 0 to {COUNT_MAX}, or -1 for no limit"))?;
    Ok(u32::try_from(number).map_or(Limit::Never, Limit::AtMost))
}

/// Seconds, decimals allowed, as milliseconds.
pub fn seconds(text: &str) -> Result<u64, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if (0.0..=SECONDS_MAX).contains(&seconds) => {
            let milliseconds = (seconds * 1000.0).round() as u64;
            Ok(if seconds > 0.0 { milliseconds.max(1) } else { 0 })
        }
        Ok(_) | Err(_) => Err(format!(
            "is not a number of seconds from 0 to {SECONDS_MAX}; write one such as 5 or 0.5"
        )),
    }
}

/// Any finite number.
pub fn decimal(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        Ok(_) | Err(_) => Err("is not a number".to_owned()),
    }
}

/// An octal number up to `0777`: a mask or a mode.
pub fn octal(text: &str) -> Result<u32, String> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0o").unwrap_or(digits);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    match u32::from_str_radix(digits, 8) {
        Ok(number) if plain && number <= 0o777 => Ok(number),
        Ok(_) | Err(_) => {
            Err("is not an octal number up to 0777; write one such as 022".to_owned())
        }
    }
}

/// Bytes: `4096`, `64k`, `10M`, `1G`.
pub fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_end_matches(['b', 'B']).trim_end_matches(['k', 'K', 'm', 'M', 'g', 'G']);
    let shift = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" => Some(0),
        "k" | "kb" => Some(10),
        "m" | "mb" => Some(20),
        "g" | "gb" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok().filter(|number| *number <= 1 << 40);
    match (number, shift) {
        (Some(number), Some(shift)) => Ok(number << shift),
        (None, _) | (_, None) => {
            Err("is not a size; write one such as 65536, 64k or 10M".to_owned())
        }
    }
}

/// One of some words, in any case. Returns it as listed.
pub fn choice(text: &str, words: &[&'static str]) -> Result<&'static str, String> {
    let text = text.trim();
    if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
        return Ok(word);
    }
    let question = spelling::question(text, words.iter().copied());
    Err(format!("is none of {}{question}", words.join(", ")))
}

/// A level of the log.
pub fn level(text: &str) -> Result<LogLevel, String> {
    Ok(match choice(text, &["debug", "info", "warning", "error", "critical"])? {
        "debug" => LogLevel::Debug,
        "info" => LogLevel::Info,
        "warning" => LogLevel::Warning,
        "error" => LogLevel::Error,
        _ => LogLevel::Critical,
    })
}

/// `True`, `False` or `on-failure`.
pub fn respawn(text: &str) -> Result<Respawn, String> {
    if text.trim().replace('_', "-").eq_ignore_ascii_case("on-failure") {
        return Ok(Respawn::OnFailure);
    }
    match flag(text) {
        Ok(true) => Ok(Respawn::Always),
        Ok(false) => Ok(Respawn::Never),
        Err(_) => Err("is none of True, False, on-failure".to_owned()),
    }
}

/// Items between commas or blanks.
pub fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|item| !item.is_empty())
}

const COUNT_MAX: i64 = 1_000_000_000;
/// Some thirty years.
const SECONDS_MAX: f64 = 1e9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_those_of_circus() {
        for (text, expected) in [("YES", true), ("1", true), ("off", false), ("False", false)] {
            assert_eq!(flag(text), Ok(expected));
        }
        assert!(flag("maybe").is_err() && flag("").is_err());
    }

    #[test]
    fn numbers_have_limits() {
        assert_eq!(whole("1_0", 0, 10), Ok(10));
        assert!(
            whole("11", 0, 10).is_err() && whole("1.5", 0, 10).is_err() && whole("", 0, 1).is_err()
        );
        assert_eq!(limit("-1"), Ok(Limit::Never));
        assert_eq!(limit("0"), Ok(Limit::AtMost(0)));
        assert!(limit("-2").is_err());
    }

    #[test]
    fn seconds_may_have_decimals_but_are_never_negative_or_endless() {
        assert_eq!(seconds("7.5"), Ok(7500));
        assert_eq!(seconds("1.1"), Ok(1100));
        assert_eq!(seconds("0.0001"), Ok(1));
        assert_eq!(seconds("0"), Ok(0));
        for text in ["-1", "inf", "nan", "x", "", "1e300"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn masks_are_octal_and_sizes_have_units() {
        assert_eq!(octal("022"), Ok(0o22));
        assert_eq!(octal("0o27"), Ok(0o27));
        for text in ["9", "1000", "", "-1", "+1"] {
            assert!(octal(text).is_err(), "{text}");
        }
        assert_eq!(size("64k"), Ok(65536));
        assert_eq!(size("1G"), Ok(1 << 30));
        assert!(size("1T").is_err() && size("").is_err() && size("kk").is_err());
    }

    #[test]
    fn a_misspelt_choice_gets_a_question() {
        assert_eq!(level("DEBUG"), Ok(LogLevel::Debug));
        assert!(level("debgu").expect_err("wrong").contains("did you mean `debug`?"));
        assert_eq!(respawn("on-failure"), Ok(Respawn::OnFailure));
    }
}
