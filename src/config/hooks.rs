//! Options `hooks.NAME`: a function and whether its failure is ignored.

use crate::config::spelling;
use crate::config::value::flag;

/// Checks the name.
pub fn check_name(name: &str) -> Result<(), String> {
    if NAMES.contains(&name) {
        return Ok(());
    }
    let question = spelling::question(name, NAMES);
    Err(format!("is no hook{question}; hooks are {}", NAMES.join(", ")))
}

/// Checks the value.
pub fn check(text: &str) -> Result<(), String> {
    let (function, ignore_failure) = match text.rsplit_once(',') {
        Some((function, ignore_failure)) => (function, Some(ignore_failure)),
        None => (text, None),
    };
    if function.trim().is_empty() {
        return Err(
            "names no function; write `module.function` or `module.function, True`".to_owned()
        );
    }
    ignore_failure.map_or(Ok(()), |text| {
        flag(text).map(drop).map_err(|reason| format!("has a part after the comma that {reason}"))
    })
}

const NAMES: [&str; 11] = [
    "before_start",
    "after_start",
    "before_spawn",
    "after_spawn",
    "before_stop",
    "after_stop",
    "before_signal",
    "after_signal",
    "before_reap",
    "after_reap",
    "extended_stats",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_are_checked() {
        assert_eq!(check_name("before_start"), Ok(()));
        assert_eq!(check("a.b"), Ok(()));
        assert_eq!(check("a.c, TRUE"), Ok(()));
        assert!(check("a.b,maybe").is_err());
        assert!(check("").is_err());
        assert!(check_name("before_strat").expect_err("wrong").contains("`before_start`"));
    }
}
