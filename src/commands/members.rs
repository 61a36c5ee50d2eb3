//! Reading JSON as clients of Circus write it: the members of an object in their order, the values
//! still text, so that each is read by whoever knows what it should be.

use serde_core::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::fmt;

/// The members of an object; of equal keys the last counts, as in Python.
#[derive(Debug, Default)]
pub struct Members<'a>(Vec<(Box<str>, &'a RawValue)>);

/// Why a text has no members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoMembers {
    /// It is not JSON.
    NotJson,
    /// It is another kind of JSON.
    NotAnObject,
}

impl<'a> Members<'a> {
    /// Of this JSON text.
    ///
    /// # Errors
    /// It is not an object.
    pub fn read(text: &'a str) -> Result<Members<'a>, NoMembers> {
        // Looks for the end of each value and no deeper, so nothing in it can be nested too deep.
        let value: &RawValue = serde_json::from_str(text).map_err(|_| NoMembers::NotJson)?;
        if !value.get().starts_with('{') {
            return Err(NoMembers::NotAnObject);
        }
        serde_json::from_str(value.get()).map_err(|_| NoMembers::NotJson)
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(known, _)| **known == *key).map(|(_, value)| *value)
    }

    /// How many there are, equal keys included.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// All of them; equal keys once, at their first place.
    pub fn unique(self) -> Vec<(Box<str>, &'a RawValue)> {
        let mut unique: Vec<(Box<str>, &'a RawValue)> = Vec::with_capacity(self.0.len());
        for (key, value) in self.0 {
            match unique.iter_mut().find(|(known, _)| *known == key) {
                Some(member) => member.1 = value,
                None => unique.push((key, value)),
            }
        }
        unique
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InOrder)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// The same text with `null` in place of what Python writes for numbers that are none.
pub fn without_nan(text: &str) -> String {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['"', 'N', 'I', '-']) {
        let (before, from) = rest.split_at(at);
        replaced.push_str(before);
        let word = ["NaN", "Infinity", "-Infinity"].iter().find(|word| from.starts_with(**word));
        let (length, shown) = match word {
            Some(word) => (word.len(), "null"),
            None => {
                let length = if from.starts_with('"') { string_length(from) } else { 1 };
                (length, &from[..length])
            }
        };
        replaced.push_str(shown);
        rest = &from[length..];
    }
    replaced.push_str(rest);
    replaced
}

/// Of a string that begins here, with its quotes; of all if it does not end.
fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            b'"' if !is_escaped => return at + 1,
            _ => is_escaped = byte == b'\\' && !is_escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_of_equal_keys_the_last_counts() {
        let members = Members::read(r#" {"b": 1, "a": [2, {}], "b": "3" } "#).unwrap();
        assert_eq!(members.get("b").unwrap().get(), "\"3\"");
        assert!(members.get("c").is_none());
        assert_eq!(members.count(), 3);
        let unique: Vec<_> =
            members.unique().iter().map(|(key, value)| format!("{key}={}", value.get())).collect();
        assert_eq!(unique, ["b=\"3\"", "a=[2, {}]"]);
    }

    #[test]
    fn what_is_no_object_has_no_members() {
        for text in ["", "{", "{} {}", "{\"a\":1,}", "nan", "{\"a\": NaN}", "{\"\\ud800\": 1}"] {
            assert_eq!(Members::read(text).unwrap_err(), NoMembers::NotJson, "{text}");
        }
        for text in ["[]", "12", "null", "\"s\"", "true"] {
            assert_eq!(Members::read(text).unwrap_err(), NoMembers::NotAnObject, "{text}");
        }
    }

    #[test]
    fn depth_is_no_danger() {
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(Members::read(&deep).unwrap().count(), 1);
    }

    #[test]
    fn only_words_outside_of_strings_are_replaced() {
        for (text, expected) in [
            (r#"{"x":NaN}"#, r#"{"x":null}"#),
            (r#"[Infinity, -Infinity, -1, 1e-5]"#, r#"[null, null, -1, 1e-5]"#),
            (r#"{"NaN \" NaN": NaN}"#, r#"{"NaN \" NaN": null}"#),
            (r#"["\\", NaN, "é NaN"#, r#"["\\", null, "é NaN"#),
        ] {
            assert_eq!(without_nan(text), expected);
        }
    }
}
