//! Options `hooks.NAME = COMMAND[, FLAG]`: what is called, and whether its failure is ignored.
//!
//! `my.hooks.control_redis`, two or more names of Python with dots between them, is a function, as in
//! files of Circus. All else is a command: `/srv/hook.sh`, `notify-send x`, `true`. What stands after
//! the last comma is always the flag, so a command that has commas needs one.

use crate::config::settings::{Hook, HookCommand, HookName};
use crate::config::value::flag;
use crate::config::{spelling, words};

/// Checks the name.
pub fn check_name(name: &str) -> Result<(), String> {
    by_name(name).map(drop)
}

/// The hook of a name and a value.
pub fn parse(name: &str, text: &str) -> Result<Hook, String> {
    let name = by_name(name)?;
    let (run, written) = match text.rsplit_once(',') {
        Some((run, written)) => (run.trim(), Some(written)),
        None => (text.trim(), None),
    };
    if run.is_empty() {
        return Err("names nothing to call; write a command, or `module.function`".to_owned());
    }
    let written = written.map(flag).transpose().map_err(|reason| {
        format!("has a part after the last comma that {reason}, and say with it whether a failure is ignored")
    })?;
    let run = match is_function(run) {
        true => HookCommand::Python(run.into()),
        false => command(run)?,
    };
    let ignore_failure = written == Some(true) || IGNORED.contains(&name);
    Ok(Hook { name, run, ignore_failure })
}

fn by_name(name: &str) -> Result<HookName, String> {
    let found = NAMES.iter().find(|hook| hook.name() == name);
    found.copied().ok_or_else(|| {
        let names = NAMES.map(HookName::name);
        let question = spelling::question(name, names);
        format!("is no hook{question}; hooks are {}", names.join(", "))
    })
}

fn command(text: &str) -> Result<HookCommand, String> {
    match words::split(text.as_bytes()) {
        Err(reason) => Err(reason.to_string()),
        Ok(words) if words.first().is_none_or(Vec::is_empty) => Err("names no program".to_owned()),
        Ok(_) => Ok(HookCommand::Command(text.into())),
    }
}

fn is_function(text: &str) -> bool {
    let is_name = |part: &str| {
        let word = |c: char| c == '_' || c.is_alphanumeric();
        part.chars().all(word) && part.starts_with(|c: char| !c.is_numeric())
    };
    text.contains('.') && text.split('.').all(is_name)
}

impl HookName {
    /// As it is written after `hooks.`.
    pub fn name(self) -> &'static str {
        match self {
            HookName::BeforeStart => "before_start",
            HookName::AfterStart => "after_start",
            HookName::BeforeSpawn => "before_spawn",
            HookName::AfterSpawn => "after_spawn",
            HookName::BeforeStop => "before_stop",
            HookName::AfterStop => "after_stop",
            HookName::BeforeSignal => "before_signal",
            HookName::AfterSignal => "after_signal",
            HookName::BeforeReap => "before_reap",
            HookName::AfterReap => "after_reap",
            HookName::ExtendedStats => "extended_stats",
        }
    }
}

const NAMES: [HookName; 11] = [
    HookName::BeforeStart,
    HookName::AfterStart,
    HookName::BeforeSpawn,
    HookName::AfterSpawn,
    HookName::BeforeStop,
    HookName::AfterStop,
    HookName::BeforeSignal,
    HookName::AfterSignal,
    HookName::BeforeReap,
    HookName::AfterReap,
    HookName::ExtendedStats,
];

/// Circus ignores the failure of these whatever the flag says.
const IGNORED: [HookName; 5] = [
    HookName::BeforeStop,
    HookName::AfterStop,
    HookName::BeforeSignal,
    HookName::AfterSignal,
    HookName::ExtendedStats,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_flags_are_checked() {
        assert_eq!(check_name("before_start"), Ok(()));
        assert!(check_name("before_strat").expect_err("wrong").contains("`before_start`"));
        let ignored = |name, text| parse(name, text).map(|hook| hook.ignore_failure);
        assert_eq!(ignored("before_start", "a.b"), Ok(false));
        assert_eq!(ignored("before_start", "a.c, TRUE"), Ok(true));
        assert_eq!(ignored("after_stop", "a.b"), Ok(true));
        assert_eq!(ignored("before_signal", "a.b, False"), Ok(true));
        for text in ["a.b,maybe", "", ", True", "/x 'y", "''", "sh -c \"a, b\""] {
            assert!(parse("before_start", text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_name_of_python_with_a_dot_is_a_function_and_all_else_a_command() {
        let run = |text| parse("after_spawn", text).expect("valid").run;
        for text in ["my.hooks.control_redis", "a._b1", "é.b"] {
            assert_eq!(run(text), HookCommand::Python(text.into()));
        }
        for text in ["true", "/a.b", "./hook.sh", "my-hook.sh", "a.b x", "a.1", "a..b", ".b", "a."]
        {
            assert_eq!(run(text), HookCommand::Command(text.into()));
        }
        assert_eq!(
            run("sh -c \"echo a, b $(circus.wid)\", no"),
            HookCommand::Command("sh -c \"echo a, b $(circus.wid)\"".into())
        );
    }
}
