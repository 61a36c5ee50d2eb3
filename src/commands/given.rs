//! The properties of a request, read as what a command needs. Numbers may be written as texts, as
//! command lines send them; what cannot be what it should be is refused, naming it.

use crate::commands::members::{Members, NoMembers};
use crate::commands::{AskedProcess, Errno, Properties, Refusal, options, quoted};
use crate::process::Pid;
use crate::signal::Signal;
use serde_json::Value;
use serde_json::value::RawValue;

/// What the client gave.
#[derive(Debug)]
pub struct Given<'a>(Members<'a>);

impl<'a> Given<'a> {
    /// From the text of `properties`. Nothing, null and an empty list are no properties.
    ///
    /// # Errors
    /// It is something else.
    pub fn read(properties: Option<&'a RawValue>) -> Result<Given<'a>, Refusal> {
        let text = properties.map_or("null", RawValue::get);
        match Members::read(text) {
            Ok(members) => Ok(Given(members)),
            Err(NoMembers::NotAnObject) if is_nothing(text) => Ok(Given(Members::default())),
            Err(NoMembers::NotAnObject | NoMembers::NotJson) => {
                Err(Refusal::new(Errno::Message, "'properties' should be an object"))
            }
        }
    }

    /// # Errors
    /// One of these is not given.
    pub fn require(&self, keys: &[&str]) -> Result<(), Refusal> {
        match keys.iter().find(|key| self.0.get(key).is_none()) {
            Some(key) => {
                let reason = format!("message invalid {} is missing", quoted(key));
                Err(Refusal::new(Errno::Message, reason))
            }
            None => Ok(()),
        }
    }

    /// It is there, even if it is null.
    pub fn has(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    fn value(&self, key: &str) -> Result<Option<Value>, Refusal> {
        self.0.get(key).map(|text| value_of(key, text)).transpose()
    }

    /// The name of a watcher, or a pattern for names. Null is refused: a variable that was not set
    /// must not become all watchers.
    pub fn name(&self) -> Result<Box<str>, Refusal> {
        self.require(&["name"])?;
        Ok(self.name_if_any()?.unwrap_or_default())
    }

    /// The same, if it is given.
    pub fn name_if_any(&self) -> Result<Option<Box<str>>, Refusal> {
        match self.value("name")? {
            None => Ok(None),
            Some(Value::String(name)) => short("name", name).map(Some),
            Some(_) => Err(isnt("name", "a string")),
        }
    }

    /// A short text; null is none.
    pub fn word(&self, key: &str) -> Result<Option<Box<str>>, Refusal> {
        match self.value(key)? {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => short(key, text).map(Some),
            Some(_) => Err(isnt(key, "a string")),
        }
    }

    /// A command.
    pub fn command_line(&self, key: &str) -> Result<Box<str>, Refusal> {
        match self.value(key)? {
            Some(Value::String(text)) => Ok(text.into()),
            None | Some(_) => Err(isnt(key, "a string")),
        }
    }

    /// Arguments: a text or a list of texts; a number in it is a text too.
    pub fn arguments(&self, key: &str) -> Result<Option<Value>, Refusal> {
        match self.value(key)? {
            None | Some(Value::Null) => Ok(None),
            Some(text @ Value::String(_)) => Ok(Some(text)),
            Some(Value::Array(words)) => words
                .into_iter()
                .map(|word| match word {
                    Value::String(_) => Ok(word),
                    Value::Number(number) => Ok(Value::String(number.to_string())),
                    _ => Err(isnt(key, "a string or a list of strings")),
                })
                .collect::<Result<Vec<Value>, Refusal>>()
                .map(|words| Some(Value::Array(words))),
            Some(_) => Err(isnt(key, "a string or a list of strings")),
        }
    }

    /// True or false, in the words that Circus takes in files too; null is the default.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool, Refusal> {
        match self.value(key)? {
            None | Some(Value::Null) => Ok(default),
            Some(Value::Bool(flag)) => Ok(flag),
            Some(Value::Number(number)) => Ok(number.as_f64() != Some(0.0)),
            Some(Value::String(word)) => match word.trim().to_ascii_lowercase().as_str() {
                "yes" | "true" | "on" | "1" => Ok(true),
                "no" | "false" | "off" | "0" | "" => Ok(false),
                _ => Err(isnt(key, "a valid boolean")),
            },
            Some(Value::Array(_) | Value::Object(_)) => Err(isnt(key, "a valid boolean")),
        }
    }

    /// A whole number; null is none. What is too large for the type is its largest value.
    pub fn integer(&self, key: &str) -> Result<Option<i64>, Refusal> {
        match self.value(key)? {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match whole(&value) {
                Some(number) => Ok(Some(number)),
                None => Err(isnt(key, "an integer")),
            },
        }
    }

    /// A process id. Null is refused: a variable that was not set must not become all processes.
    pub fn pid(&self, key: &str) -> Result<Option<Pid>, Refusal> {
        let Some(value) = self.value(key)? else { return Ok(None) };
        let number = whole(&value).ok_or_else(|| isnt(key, "an integer"))?;
        let pid = i32::try_from(number).ok().and_then(Pid::new);
        pid.map(Some).ok_or_else(|| isnt(key, "the number of a process"))
    }

    /// A process id that the reply repeats as it was sent.
    pub fn asked_process(&self, key: &str) -> Result<Option<AskedProcess>, Refusal> {
        let as_sent = self.0.get(key).map(|text| text.get().into()).unwrap_or_default();
        Ok(self.pid(key)?.map(|pid| AskedProcess { pid, as_sent }))
    }

    /// Seconds, as milliseconds; null is none.
    pub fn seconds_ms(&self, key: &str) -> Result<Option<u64>, Refusal> {
        let seconds = match self.value(key)? {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Number(number)) => number.as_f64(),
            Some(Value::String(text)) => text.trim().parse::<f64>().ok(),
            Some(_) => None,
        };
        match seconds.filter(|seconds| seconds.is_finite()) {
            // 0.0004 is not nothing.
            Some(seconds) if seconds >= 0.0 => {
                Ok(Some((seconds.min(SECONDS_MAX) * 1000.0).ceil() as u64))
            }
            Some(_) => Err(isnt(key, "a number of seconds from 0 on")),
            None => Err(isnt(key, "a number")),
        }
    }

    /// The number of a signal, from 0 on, given as number or name; null is none.
    pub fn signal_number(&self, key: &str) -> Result<Option<i32>, Refusal> {
        let number = match self.value(key)? {
            None | Some(Value::Null) => return Ok(None),
            // Circus cuts off what follows the point.
            Some(Value::Number(number)) => number.as_f64().map(|number| number as i64),
            Some(Value::String(text)) => match text.trim().parse::<i64>() {
                Ok(number) => Some(number),
                Err(_) => match Signal::parse(&text) {
                    Some(signal) => Some(i64::from(signal.number())),
                    None if text.is_empty() => None,
                    None => {
                        let reason = format!("signal invalid: there is no {}", quoted(&text));
                        return Err(Refusal::new(Errno::Message, reason));
                    }
                },
            },
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => None,
        };
        match number {
            Some(0) => Ok(Some(0)),
            // The kernel's word for a number that is no signal, as Circus passes it on.
            Some(number) => match Signal::from_number(number) {
                Some(signal) => Ok(Some(signal.number())),
                None => Err(Refusal::new(Errno::Os, "[Errno 22] Invalid argument")),
            },
            None => Err(Refusal::new(Errno::Message, "signal invalid")),
        }
    }

    /// Names of options: a list, or one alone. Each once.
    pub fn keys(&self) -> Result<Vec<Box<str>>, Refusal> {
        let names = match self.value("keys")? {
            Some(Value::Array(names)) => names,
            Some(name @ Value::String(_)) => vec![name],
            None | Some(_) => return Err(isnt("keys", "a list of strings")),
        };
        if names.len() > OPTIONS_MAX {
            return Err(too_many("keys"));
        }
        let mut keys: Vec<Box<str>> = Vec::new();
        for name in names {
            let Value::String(name) = name else { return Err(isnt("keys", "a list of strings")) };
            let name = short("keys", name)?;
            if !keys.contains(&name) {
                keys.push(name);
            }
        }
        Ok(keys)
    }

    /// Options of a watcher: names and values, each name once; null is none.
    pub fn options(&self) -> Result<Properties, Refusal> {
        let text = self.0.get("options").map_or("null", RawValue::get);
        let members = match Members::read(text) {
            Ok(members) => members,
            Err(_) if text == "null" => return Ok(Properties::new()),
            Err(_) => return Err(not_an_object()),
        };
        if members.count() > OPTIONS_MAX {
            return Err(too_many("options"));
        }
        let mut options = Properties::new();
        for (key, text) in members.unique() {
            let value = value_of(&key, text)?;
            options.push((short("options", key.into())?, value));
        }
        options::check(&mut options)?;
        Ok(options)
    }

    /// The same; null is refused.
    pub fn options_not_null(&self) -> Result<Properties, Refusal> {
        match self.0.get("options").map(RawValue::get) {
            Some("null") => Err(not_an_object()),
            Some(_) | None => self.options(),
        }
    }
}

fn is_nothing(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    text == "null" || inside.is_some_and(|inside| inside.trim().is_empty())
}

fn value_of(key: &str, text: &RawValue) -> Result<Value, Refusal> {
    serde_json::from_str(text.get()).map_err(|error| {
        let reason = format!("{} cannot be read: {error}", quoted(key));
        Refusal::new(Errno::Message, reason)
    })
}

/// A whole number, also as a text or with a point and nothing behind it.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => Some(number),
            (None, Some(number)) => (number.fract() == 0.0).then_some(number as i64),
            (None, None) => None,
        },
        Value::String(text) if text.len() <= DIGITS_MAX => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            None
        }
    }
}

fn short(key: &str, text: String) -> Result<Box<str>, Refusal> {
    if text.len() > WORD_BYTES_MAX {
        let reason = format!("{} is longer than {WORD_BYTES_MAX} bytes", quoted(key));
        return Err(Refusal::new(Errno::Message, reason));
    }
    Ok(text.into())
}

pub(super) fn isnt(key: &str, what: &str) -> Refusal {
    Refusal::new(Errno::Message, format!("{} isn't {what}", quoted(key)))
}

fn not_an_object() -> Refusal {
    Refusal::new(Errno::Message, "'options' property should be an object")
}

fn too_many(key: &str) -> Refusal {
    Refusal::new(Errno::Message, format!("{} has more than {OPTIONS_MAX} members", quoted(key)))
}

/// Of names of watchers and options, and of patterns for them.
const WORD_BYTES_MAX: usize = 255;
const DIGITS_MAX: usize = 32;
const OPTIONS_MAX: usize = 1000;
/// Thirty years.
const SECONDS_MAX: f64 = 1e9;
