//! JSON whose objects keep their order: what `set` changes first is sent first, and options are
//! printed as the daemon ordered them. Written as Python's `json.dumps` writes it.

use circus::commands::json;
use serde_core::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A JSON value.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Whole(i64),
    Float(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Read a text. The reader limits how deep it may go.
    pub fn read(text: &[u8]) -> Result<Json, String> {
        serde_json::from_slice(text).map_err(|error| error.to_string())
    }

    /// An object of these members.
    pub fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
        Json::Object(members.map(|(name, value)| (name.to_string(), value)).into())
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.members().iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All members of an object; none of anything else.
    pub fn members(&self) -> &[(String, Json)] {
        match self {
            Json::Object(members) => members,
            _ => &[],
        }
    }

    /// The values of a list; none of anything else.
    pub fn items(&self) -> &[Json] {
        match self {
            Json::List(items) => items,
            _ => &[],
        }
    }

    /// If it is a text.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }

    /// If it is a number.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Json::Whole(number) => Some(*number as f64),
            Json::Float(number) => Some(*number),
            _ => None,
        }
    }

    /// If it is true or false.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Json::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// On one line.
    pub fn line(&self) -> String {
        self.written(None)
    }

    /// On many lines, with sorted members.
    pub fn pretty(&self) -> String {
        self.written(Some(0))
    }

    fn written(&self, indent: Option<usize>) -> String {
        let mut out = Vec::new();
        self.write_to(&mut out, indent);
        String::from_utf8(out).expect("only ASCII is written")
    }

    /// `indent`: how deep it is, if it is written on many lines.
    fn write_to(&self, out: &mut Vec<u8>, indent: Option<usize>) {
        match self {
            Json::Null => json::push_null(out),
            Json::Bool(value) => json::push_flag(out, *value),
            Json::Whole(number) => json::push_integer(out, *number),
            Json::Float(number) => json::push_float(out, *number),
            Json::Text(text) => json::push_string(out, text),
            Json::List(items) => {
                write_group(out, [b'[', b']'], indent, items.iter(), |out, item, inner| {
                    item.write_to(out, inner);
                });
            }
            Json::Object(members) => {
                let mut members: Vec<&(String, Json)> = members.iter().collect();
                if indent.is_some() {
                    members.sort_by(|a, b| a.0.cmp(&b.0));
                }
                write_group(
                    out,
                    [b'{', b'}'],
                    indent,
                    members.into_iter(),
                    |out, member, inner| {
                        json::push_string(out, &member.0);
                        out.extend_from_slice(b": ");
                        member.1.write_to(out, inner);
                    },
                );
            }
        }
    }
}

fn write_group<T>(
    out: &mut Vec<u8>,
    brackets: [u8; 2],
    indent: Option<usize>,
    items: impl ExactSizeIterator<Item = T>,
    mut write_item: impl FnMut(&mut Vec<u8>, T, Option<usize>),
) {
    let inner = indent.map(|depth| depth + 1);
    let empty = items.len() == 0;
    out.push(brackets[0]);
    for (number, item) in items.enumerate() {
        match inner {
            Some(depth) => {
                out.extend_from_slice(if number == 0 { b"\n" } else { b",\n" });
                out.resize(out.len() + 2 * depth, b' ');
            }
            None if number > 0 => out.extend_from_slice(b", "),
            None => {}
        }
        write_item(out, item, inner);
    }
    if let (Some(depth), false) = (indent, empty) {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    }
    out.push(brackets[1]);
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Whole(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        // Nothing that circusd counts is larger.
        Ok(i64::try_from(number).map_or(Json::Float(number as f64), Json::Whole))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Float(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Json::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_python_has_written_is_written_alike() {
        for text in [
            r#"{"status": "ok", "time": 1795332847.2685513, "watchers": ["single", "web"], "id": null}"#,
            r#"{"b": [], "a": {}, "c": [true, false, -7, 1.0, 0.0001, 1e-05, 1e+16, 123456789012345680.0]}"#
                .replace("123456789012345680.0", "1.2345678901234568e+17")
                .as_str(),
            r#""\"\\\n\r\t\b\f\u0000\u001b\u007f \u00e9 \ud83d\ude00""#,
        ] {
            let json = Json::read(text.as_bytes()).expect("JSON");
            assert_eq!(json.line(), text);
        }
    }

    #[test]
    fn many_lines_have_sorted_members() {
        let json = Json::read(br#"{"b": [1, {"z": 1}], "a": {}, "c": []}"#).expect("JSON");
        let lines = "{\n  \"a\": {},\n  \"b\": [\n    1,\n    {\n      \"z\": 1\n    }\n  ],\n  \"c\": []\n}";
        assert_eq!(json.pretty(), lines);
    }

    #[test]
    fn depth_is_limited() {
        assert!(Json::read("[".repeat(100_000).as_bytes()).is_err());
    }
}
