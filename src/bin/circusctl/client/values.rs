//! Values of options as people type them, made into the JSON that `set` sends. The table of
//! options says what is valid, so that most mistakes are found before anything is sent.

use super::json::Json;
use circus::config::options::{self, WATCHER};
use circus::config::value::flag;
use circus::signal::Signal;

/// The value of an option. The error is a sentence that begins with the option.
pub fn value(key: &str, text: &str) -> Result<Json, String> {
    match key {
        "env" => return environment(text),
        "hooks" => return hooks(text),
        // Known to Circus and without effect.
        "retry_in" => return number(text).ok_or_else(|| format!("{key}: {text:?} is no number")),
        _ => {}
    }
    let Some(row) = options::find(&WATCHER, key) else {
        return Err(format!(
            "unknown key '{key}': it {}",
            options::unknown(&WATCHER, "[watcher:NAME]", key)
        ));
    };
    (row.parse)(&mut Default::default(), text)
        .map_err(|problem| format!("{key}: {text:?} {problem}"))?;
    Ok(match key {
        "stop_signal" => Signal::parse(text)
            .map_or(Json::text(text), |signal| Json::Whole(signal.number().into())),
        // Circus sends these as decimals, whole or not.
        "warmup_delay" | "graceful_timeout" => match number(text) {
            Some(Json::Whole(seconds)) => Json::Float(seconds as f64),
            Some(other) => other,
            None => Json::text(text),
        },
        _ if key.starts_with("rlimit_") => limit(text),
        "nice"
        | "oom_score_adj"
        | "stdout_stream.max_bytes"
        | "stdout_stream.backup_count"
        | "stderr_stream.max_bytes"
        | "stderr_stream.backup_count" => number(text).unwrap_or(Json::text(text)),
        _ if flag(row.default).is_ok() && number(row.default).is_none() => {
            flag(text).map_or(Json::text(text), Json::Bool)
        }
        _ if number(row.default).is_some() => number(text).unwrap_or(Json::text(text)),
        _ => Json::text(text),
    })
}

fn number(text: &str) -> Option<Json> {
    let text = text.trim();
    match text.parse::<i64>() {
        Ok(number) => Some(Json::Whole(number)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::Float),
    }
}

/// No limit is `null`.
fn limit(text: &str) -> Json {
    match text.trim() {
        "" | "-1" => Json::Null,
        other => number(other).unwrap_or(Json::text(text)),
    }
}

/// `NAME=value,NAME=value`, or a JSON object where values contain commas.
fn environment(text: &str) -> Result<Json, String> {
    if text.trim_start().starts_with('{') {
        let json =
            Json::read(text.as_bytes()).map_err(|error| format!("env is no JSON: {error}"))?;
        return match json.members().iter().find(|(_, value)| value.as_text().is_none()) {
            Some((name, _)) => Err(format!("env: the value of {name} is no text")),
            None => Ok(json),
        };
    }
    let mut members = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                members.push((name.trim().to_string(), Json::text(value.trim())));
            }
            _ => {
                return Err(format!(
                    "env: {pair:?} is not NAME=value (where a value contains a comma, write \
                     JSON: '{{\"NAME\": \"a,b\"}}')"
                ));
            }
        }
    }
    Ok(Json::Object(members))
}

/// `before_start:module.function,after_start:module.function`.
fn hooks(text: &str) -> Result<Json, String> {
    let mut members = Vec::new();
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        match pair.split_once(':') {
            Some((name, hook)) if !name.is_empty() && !hook.is_empty() => {
                members.push((name.trim().to_string(), Json::text(hook.trim())));
            }
            _ => return Err(format!("hooks: {pair:?} is not NAME:MODULE.FUNCTION")),
        }
    }
    Ok(Json::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_sent_as_circus_sends_them() {
        for (key, text, json) in [
            ("numprocesses", "3", "3"),
            ("max_retry", "-1", "-1"),
            ("max_age", "60", "60"),
            ("graceful_timeout", "5", "5.0"),
            ("warmup_delay", "0.5", "0.5"),
            ("send_hup", "yes", "true"),
            ("respawn", "off", "false"),
            ("respawn", "on-failure", "\"on-failure\""),
            ("stop_signal", "sigint", "2"),
            ("stop_signal", "9", "9"),
            ("cmd", "sleep 5", "\"sleep 5\""),
            ("uid", "1000", "\"1000\""),
            ("working_dir", "/srv", "\"/srv\""),
            ("rlimit_nofile", "100", "100"),
            ("rlimit_nofile", "", "null"),
            ("stdout_stream.max_bytes", "1000", "1000"),
            ("stdout_stream.filename", "/tmp/7", "\"/tmp/7\""),
            (
                "hooks",
                "before_start:a.b,after_stop:c.d",
                r#"{"before_start": "a.b", "after_stop": "c.d"}"#,
            ),
            ("hooks.before_start", "a.b", "\"a.b\""),
            ("env", "A=1,B = x=y ,", r#"{"A": "1", "B": "x=y"}"#),
            ("env", r#"{"A": "1,2"}"#, r#"{"A": "1,2"}"#),
            ("nice", "5", "5"),
            ("max_restarts", "10", "10"),
            ("success_codes", "0, TERM", "\"0, TERM\""),
        ] {
            assert_eq!(value(key, text).expect(key).line(), json, "{key}");
        }
    }

    #[test]
    fn mistakes_are_found_before_anything_is_sent() {
        for (key, text, part) in [
            ("nope", "1", "unknown key 'nope'"),
            ("numproceses", "1", "did you mean `numprocesses`?"),
            ("numprocesses", "abc", "numprocesses: "),
            ("send_hup", "perhaps", "send_hup: "),
            ("stop_signal", "FOO", "stop_signal: "),
            ("env", "A", "is not NAME=value"),
            ("env", r#"{"A": 1}"#, "no text"),
            ("hooks", "before_start", "NAME:MODULE.FUNCTION"),
        ] {
            let error = value(key, text).expect_err(key);
            assert!(error.contains(part), "{error}");
        }
    }
}
