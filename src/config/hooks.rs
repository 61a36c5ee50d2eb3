//! Options `hooks.NAME`: a function and whether its failure is ignored.

use crate::config::spelling;
use crate::config::value::flag;

/// Checks name and value.
pub fn check(name: &str, text: &str) -> Result<(), String> {
    if !NAMES.contains(&name) {
        let question = spelling::question(name, NAMES);
        return Err(format!(
            "is set for an unknown hook{question}; hooks are {}",
            NAMES.join(", ")
        ));
    }
    let (function, ignore_failure) = match text.rsplit_once(',') {
        Some((function, ignore_failure)) => (function, Some(ignore_failure)),
        None => (text, None),
    };
    if function.trim().is_empty() {
        return Err(
            "names no function; write `module.function` or `module.function, True`".to_owned(),
        );
    }
    ignore_failure.map_or(Ok(()), |text| {
        flag(text)
            .map(drop)
            .map_err(|reason| format!("has a part after the comma that {reason}"))
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
        assert_eq!(check("before_start", "a.b"), Ok(()));
        assert_eq!(check("after_stop", "a.c, TRUE"), Ok(()));
        assert!(check("before_start", "a.b,maybe").is_err());
        assert!(check("before_start", "").is_err());
        assert!(
            check("before_strat", "a.b")
                .expect_err("wrong")
                .contains("`before_start`")
        );
    }
}
