//! Values as Python writes them: in Circus's error texts, and where its variables put an option into
//! a command.

use serde_json::Value;

/// As `str()` has it.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => repr(value),
    }
}

/// As `repr()` has it.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", quoted(name), repr(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

/// In single quotes, unless there are only single ones inside.
fn quoted(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::from(mark);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\\' => out.push_str("\\\\"),
            c if c == mark => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_look_as_in_python() {
        for (value, expected) in [
            (json!({"a": [1, 2.5, true, null]}), "{'a': [1, 2.5, True, None]}"),
            (json!("it's"), "\"it's\""),
            (json!("it's \"x\"\n\u{1}"), "'it\\'s \"x\"\\n\\x01'"),
            (json!("é\\"), "'é\\\\'"),
        ] {
            assert_eq!(repr(&value), expected);
        }
        assert_eq!(text(&json!("it's")), "it's");
        assert_eq!(text(&json!(30.0)), "30.0");
    }
}
