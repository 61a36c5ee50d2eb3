//! JSON that keeps what a client can see: the order of keys, and numbers as they were written.

use std::fmt;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    Text(String),
    List(Vec<Json>),
    /// In the order of the text.
    Object(Vec<(String, Json)>),
}

static NULL: Json = Json::Null;

impl Json {
    /// Read a text.
    ///
    /// # Errors
    /// It is no JSON; the error says where.
    pub fn parse(text: &str) -> Result<Json, String> {
        let mut reader = Reader { rest: text };
        let value = reader.value()?;
        reader.blanks();
        match reader.rest {
            "" => Ok(value),
            rest => Err(format!("more after the end: {rest:?}")),
        }
    }

    /// A member of an object; null if there is none.
    pub fn get(&self, name: &str) -> &Json {
        self.find(name).unwrap_or(&NULL)
    }

    /// A member of an object.
    pub fn find(&self, name: &str) -> Option<&Json> {
        let Json::Object(members) = self else { return None };
        members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// A member of an object, to be changed.
    pub fn find_mut(&mut self, name: &str) -> Option<&mut Json> {
        let Json::Object(members) = self else { return None };
        members.iter_mut().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// Give an object's member this value; a new one comes last.
    pub fn set(&mut self, name: &str, value: Json) {
        match (self.find_mut(name), value) {
            (Some(old), value) => *old = value,
            (None, value) => {
                if let Json::Object(members) = self {
                    members.push((name.to_owned(), value));
                }
            }
        }
    }

    /// Take a member out of an object.
    pub fn remove(&mut self, name: &str) {
        if let Json::Object(members) = self {
            members.retain(|(key, _)| key != name);
        }
    }

    pub fn text(&self) -> Option<&str> {
        if let Json::Text(text) = self { Some(text) } else { None }
    }

    pub fn integer(&self) -> Option<i64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    pub fn float(&self) -> Option<f64> {
        if let Json::Number(text) = self { text.parse().ok() } else { None }
    }

    /// The text of every text in it, changed so.
    pub fn map_text(&mut self, change: &dyn Fn(&str) -> String) {
        match self {
            Json::Text(text) => *text = change(text),
            Json::List(items) => items.iter_mut().for_each(|item| item.map_text(change)),
            Json::Object(members) => {
                members.iter_mut().for_each(|(_, value)| value.map_text(change));
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// As Python's json.dumps writes it.
impl fmt::Display for Json {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(truth) => write!(out, "{truth}"),
            Json::Number(text) => out.write_str(text),
            Json::Text(text) => quoted(out, text),
            Json::List(items) => {
                out.write_str("[")?;
                for (number, item) in items.iter().enumerate() {
                    write!(out, "{}{item}", if number == 0 { "" } else { ", " })?;
                }
                out.write_str("]")
            }
            Json::Object(members) => {
                out.write_str("{")?;
                for (number, (name, value)) in members.iter().enumerate() {
                    out.write_str(if number == 0 { "" } else { ", " })?;
                    quoted(out, name)?;
                    write!(out, ": {value}")?;
                }
                out.write_str("}")
            }
        }
    }
}

fn quoted(out: &mut fmt::Formatter, text: &str) -> fmt::Result {
    out.write_str("\"")?;
    for unit in text.chars() {
        match unit {
            '"' => out.write_str("\\\"")?,
            '\\' => out.write_str("\\\\")?,
            '\n' => out.write_str("\\n")?,
            '\r' => out.write_str("\\r")?,
            '\t' => out.write_str("\\t")?,
            '\u{8}' => out.write_str("\\b")?,
            '\u{c}' => out.write_str("\\f")?,
            ' '..='~' => write!(out, "{unit}")?,
            _ => {
                let mut space = [0; 2];
                for half in unit.encode_utf16(&mut space) {
                    write!(out, "\\u{half:04x}")?;
                }
            }
        }
    }
    out.write_str("\"")
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn takes(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn expect(&mut self, word: &str) -> Result<(), String> {
        if self.takes(word) {
            return Ok(());
        }
        let here: String = self.rest.chars().take(20).collect();
        Err(format!("no {word:?} at {here:?}"))
    }

    fn value(&mut self) -> Result<Json, String> {
        self.blanks();
        match self.rest.chars().next() {
            Some('{') => self.object(),
            Some('[') => self.list(),
            Some('"') => self.string().map(Json::Text),
            Some('n') => self.expect("null").map(|()| Json::Null),
            Some('t') => self.expect("true").map(|()| Json::Bool(true)),
            Some('f') => self.expect("false").map(|()| Json::Bool(false)),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<Json, String> {
        let is_part = |unit: char| unit.is_ascii_digit() || "+-.eE".contains(unit);
        let length = self.rest.find(|unit| !is_part(unit)).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(length);
        if text.parse::<f64>().is_err() {
            let here: String = self.rest.chars().take(20).collect();
            return Err(format!("no value at {here:?}"));
        }
        self.rest = rest;
        Ok(Json::Number(text.to_owned()))
    }

    fn list(&mut self) -> Result<Json, String> {
        self.expect("[")?;
        let mut items = Vec::new();
        self.blanks();
        if self.takes("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.takes("]") {
                return Ok(Json::List(items));
            }
            self.expect(",")?;
        }
    }

    fn object(&mut self) -> Result<Json, String> {
        self.expect("{")?;
        let mut members = Vec::new();
        self.blanks();
        if self.takes("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            let name = self.string()?;
            self.blanks();
            self.expect(":")?;
            members.push((name, self.value()?));
            self.blanks();
            if self.takes("}") {
                return Ok(Json::Object(members));
            }
            self.expect(",")?;
        }
    }

    fn string(&mut self) -> Result<String, String> {
        self.expect("\"")?;
        let mut text = String::new();
        loop {
            let unit = self.rest.chars().next().ok_or("a text without an end")?;
            self.rest = &self.rest[unit.len_utf8()..];
            match unit {
                '"' => return Ok(text),
                '\\' => text.push(self.escaped()?),
                _ => text.push(unit),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let unit = self.rest.chars().next().ok_or("a text without an end")?;
        self.rest = &self.rest[unit.len_utf8()..];
        Ok(match unit {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let high = self.half()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high).ok_or_else(|| "half a character".to_owned());
                }
                self.expect("\\u")?;
                let code = 0x10000 + ((high - 0xd800) << 10) + self.half()?.wrapping_sub(0xdc00);
                char::from_u32(code).ok_or("half a character")?
            }
            other => other,
        })
    }

    fn half(&mut self) -> Result<u32, String> {
        let digits = self.rest.get(..4).ok_or("a text without an end")?;
        self.rest = &self.rest[4..];
        u32::from_str_radix(digits, 16).map_err(|error| error.to_string())
    }
}
