//! Values as Python's `str` shows them: what Circus's `options` and `get` print, and what scripts
//! have learned to read.

use super::json::Json;
use circus::commands::quoted_whole;

/// A value of an option. Nothing is empty; an environment is `NAME=value,NAME=value`, sorted.
pub fn option(name: &str, value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::Text(text) => text.clone(),
        Json::Object(members) if name == "env" => {
            let mut pairs: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
            pairs.sort();
            pairs.join(",")
        }
        other => plain(other),
    }
}

/// As `str` shows it: a text as it is, anything else as the source of it.
pub fn plain(value: &Json) -> String {
    match value {
        Json::Text(text) => text.clone(),
        other => {
            let mut out = String::new();
            write_source(&mut out, other);
            out
        }
    }
}

fn write_source(out: &mut String, value: &Json) {
    match value {
        Json::Null => out.push_str("None"),
        Json::Bool(true) => out.push_str("True"),
        Json::Bool(false) => out.push_str("False"),
        // Python has the same digits in its sources as in its JSON.
        Json::Whole(_) | Json::Float(_) => out.push_str(&value.line()),
        Json::Text(text) => out.push_str(&quoted_whole(text)),
        Json::List(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                write_source(out, item);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (number, (name, value)) in members.iter().enumerate() {
                out.push_str(if number > 0 { ", " } else { "" });
                out.push_str(&quoted_whole(name));
                out.push_str(": ");
                write_source(out, value);
            }
            out.push('}');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, json: &str) -> String {
        option(name, &Json::read(json.as_bytes()).expect("JSON"))
    }

    #[test]
    fn options_look_as_in_python() {
        assert_eq!(shown("uid", "null"), "");
        assert_eq!(shown("respawn", "true"), "True");
        assert_eq!(shown("graceful_timeout", "30.0"), "30.0");
        assert_eq!(shown("cmd", "\"sleep 'a' 1\""), "sleep 'a' 1");
        assert_eq!(shown("env", r#"{"B": "2", "A": "1"}"#), "A=1,B=2");
        assert_eq!(shown("env", "{}"), "");
        assert_eq!(
            shown("stdout_stream_conf", r#"{"a": null, "b": [1, "x'y"]}"#),
            r#"{'a': None, 'b': [1, "x'y"]}"#
        );
    }
}
