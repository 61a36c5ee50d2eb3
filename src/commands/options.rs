//! The kinds of JSON that options of watchers may be, with Circus's words for what they are not.
//! Whether there is such an option and what its values mean is for `config` to say.

use crate::commands::given::isnt;
use crate::commands::{Errno, Properties, Refusal, quoted};
use serde_json::Value;

/// What an option has to be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Integer,
    /// An integer in Circus, decimals too here.
    Seconds,
    Number,
    Id,
    Flag,
    /// A flag in Circus, `on-failure` too here.
    Respawn,
    Environment,
    Hooks,
    Stream,
    Command,
    Arguments,
}

const KINDS: [(&str, Kind); 25] = [
    ("args", Kind::Arguments),
    ("close_child_stderr", Kind::Flag),
    ("close_child_stdin", Kind::Flag),
    ("close_child_stdout", Kind::Flag),
    ("cmd", Kind::Command),
    ("copy_env", Kind::Flag),
    ("env", Kind::Environment),
    ("gid", Kind::Id),
    ("graceful_timeout", Kind::Number),
    ("hooks", Kind::Hooks),
    ("max_age", Kind::Seconds),
    ("max_age_variance", Kind::Seconds),
    ("max_retry", Kind::Integer),
    ("numprocesses", Kind::Integer),
    ("respawn", Kind::Respawn),
    ("retry_in", Kind::Number),
    ("send_hup", Kind::Flag),
    ("shell", Kind::Flag),
    ("singleton", Kind::Flag),
    ("stderr_stream", Kind::Stream),
    ("stdout_stream", Kind::Stream),
    ("stop_children", Kind::Flag),
    ("stop_signal", Kind::Integer),
    ("uid", Kind::Id),
    ("warmup_delay", Kind::Number),
];

/// Refuses an option whose value is of the wrong kind. What Circus takes for a number becomes one.
pub fn check(options: &mut Properties) -> Result<(), Refusal> {
    for (key, value) in options {
        match KINDS.iter().find(|(known, _)| **known == **key) {
            Some((_, kind)) => check_kind(*kind, key, value)?,
            None if key.starts_with("rlimit_") => check_limit(value)?,
            None => {}
        }
    }
    Ok(())
}

fn check_kind(kind: Kind, key: &str, value: &mut Value) -> Result<(), Refusal> {
    if let (Kind::Integer | Kind::Seconds | Kind::Number | Kind::Id, Value::Bool(flag)) =
        (kind, &*value)
    {
        *value = Value::from(u8::from(*flag));
    }
    let is_integer = value.is_i64() || value.is_u64();
    let (fits, what) = match kind {
        Kind::Integer => (is_integer, "an integer"),
        Kind::Seconds => (value.is_number(), "an integer"),
        Kind::Number => (value.is_number(), "a number"),
        Kind::Id => (is_integer || value.is_string(), "an integer or string"),
        Kind::Flag => (value.is_boolean(), "a valid boolean"),
        Kind::Respawn => {
            (value.is_boolean() || value.as_str() == Some("on-failure"), "a valid boolean")
        }
        Kind::Command => (value.is_string(), "a string"),
        Kind::Arguments => {
            let fits = value.is_string() || value.is_array() || value.is_null();
            (fits, "a string or a list of strings")
        }
        Kind::Environment => return check_environment(key, value),
        Kind::Hooks => return check_hooks(value),
        Kind::Stream => return check_stream(key, value),
    };
    if fits { Ok(()) } else { Err(isnt(key, what)) }
}

fn check_environment(key: &str, value: &Value) -> Result<(), Refusal> {
    let Value::Object(variables) = value else { return Err(isnt(key, "a valid object")) };
    match variables.iter().find(|(_, value)| !value.is_string()) {
        Some((name, _)) => Err(isnt(name, "a string")),
        None => Ok(()),
    }
}

fn check_hooks(value: &Value) -> Result<(), Refusal> {
    match value {
        Value::Object(_) => Ok(()),
        value => {
            let reason = format!("{} isn't a valid hook dict", shown(value));
            Err(Refusal::new(Errno::Message, reason))
        }
    }
}

fn check_stream(key: &str, value: &Value) -> Result<(), Refusal> {
    let Value::Object(stream) = value else { return Err(isnt(key, "a valid object")) };
    if stream.contains_key("class") {
        return Ok(());
    }
    Err(Refusal::new(Errno::Message, format!("{} must have a 'class' key", quoted(key))))
}

fn check_limit(value: &mut Value) -> Result<(), Refusal> {
    match value {
        Value::Null => Ok(()),
        Value::Bool(flag) => {
            *value = Value::from(u8::from(*flag));
            Ok(())
        }
        value if value.is_i64() || value.is_u64() => Ok(()),
        value => {
            let shown = shown(value);
            Err(Refusal::new(Errno::Message, format!("{shown} rlimit value isn't a valid int")))
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn checked(key: &str, value: Value) -> Result<Value, String> {
        let mut options: Properties = vec![(key.into(), value)];
        check(&mut options).map_err(|refusal| refusal.reason)?;
        Ok(options.remove(0).1)
    }

    #[test]
    fn values_of_the_right_kind_pass() {
        for (key, value) in [
            ("numprocesses", json!(-3)),
            ("graceful_timeout", json!(2.5)),
            ("max_age", json!(0.5)),
            ("uid", json!("nobody")),
            ("uid", json!(65534)),
            ("shell", json!(false)),
            ("respawn", json!("on-failure")),
            ("env", json!({"A": "1"})),
            ("hooks", json!({})),
            ("stdout_stream", json!({"class": "FileStream"})),
            ("stdout_stream.backup_count", json!([])),
            ("rlimit_nofile", json!(null)),
            ("rlimit_nofile", json!(100)),
            ("args", json!(null)),
            ("args", json!(["1"])),
            ("what_config_knows", json!([1])),
        ] {
            assert_eq!(checked(key, value.clone()), Ok(value), "{key}");
        }
        // It is one in Python.
        assert_eq!(checked("numprocesses", json!(true)), Ok(json!(1)));
    }

    #[test]
    fn values_of_another_kind_are_refused_in_the_words_of_circus() {
        for (key, value, reason) in [
            ("numprocesses", json!("2"), "'numprocesses' isn't an integer"),
            ("stop_signal", json!("TERM"), "'stop_signal' isn't an integer"),
            ("max_retry", json!(1.5), "'max_retry' isn't an integer"),
            ("warmup_delay", json!("1"), "'warmup_delay' isn't a number"),
            ("uid", json!(1.5), "'uid' isn't an integer or string"),
            ("send_hup", json!("yes"), "'send_hup' isn't a valid boolean"),
            ("respawn", json!("yes"), "'respawn' isn't a valid boolean"),
            ("env", json!("A=1"), "'env' isn't a valid object"),
            ("env", json!({"A": 1}), "'A' isn't a string"),
            ("hooks", json!("x"), "'x' isn't a valid hook dict"),
            ("stdout_stream", json!("x"), "'stdout_stream' isn't a valid object"),
            ("stderr_stream", json!({}), "'stderr_stream' must have a 'class' key"),
            ("rlimit_nofile", json!("x"), "'x' rlimit value isn't a valid int"),
            ("cmd", json!(5), "'cmd' isn't a string"),
        ] {
            assert_eq!(checked(key, value), Err(reason.to_owned()));
        }
    }
}
