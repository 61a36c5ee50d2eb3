//! What is to come of each request: what was recorded, and what is listed in its place.

use crate::classes::CLASSES;
use crate::compare::ANYTHING;
use crate::differences::{self, Here, Row, is_conflict};
use crate::json::Json;
use crate::plans::Plan;
use crate::record::{Exchange, Heard, Sent, Step};
use crate::replay::Replay;

/// What is expected in reply to a request.
pub enum Expected {
    Skip(String),
    Silence(f64),
    Datagram(String),
    Reply {
        reply: Json,
        /// Differences that made this of the recorded reply.
        by: Vec<String>,
    },
}

impl Replay<'_> {
    /// What is to come of a request.
    pub fn expected(&self, exchange: &Exchange) -> Expected {
        if let Some(why) = self.skipped(exchange) {
            return Expected::Skip(why.to_owned());
        }
        let heard = exchange.reply.clone();
        let row = differences::find(self.plan.name, &exchange.label).filter(|_| self.is_here());
        let conflict = matches!(&heard, Some(Heard::Reply(reply)) if is_conflict(reply));
        match (row, heard) {
            (Some(row), heard) => self.expected_by_row(row, exchange, heard),
            _ if conflict && self.is_here() => {
                Expected::Skip("a conflict in Circus: made in a conversation of its own".to_owned())
            }
            (None, Some(Heard::Reply(reply))) => self.expected_by_class(exchange, reply),
            (None, Some(Heard::Silence(seconds))) => Expected::Silence(seconds),
            (None, Some(Heard::Datagram(text))) => Expected::Datagram(text),
            (None, None) => Expected::Skip("no reply was recorded".to_owned()),
        }
    }

    pub fn expected_by_class(&self, exchange: &Exchange, mut reply: Json) -> Expected {
        let mut by = Vec::new();
        leave_out_absent(&mut reply, self.plan.absent);
        if self.is_here() {
            for class in &CLASSES {
                if (class.change)(exchange, &mut reply) {
                    by.push(class.name.to_owned());
                }
            }
        }
        Expected::Reply { reply, by }
    }

    pub fn expected_by_row(
        &self,
        row: &Row,
        exchange: &Exchange,
        heard: Option<Heard>,
    ) -> Expected {
        let name = format!("{} {}", row.recording, row.label);
        let any = |mut value: Json| {
            value.map_text(&|text| if text == "?" { ANYTHING.to_owned() } else { text.to_owned() });
            value
        };
        match row.here {
            Here::Ask(_) => match heard {
                Some(Heard::Reply(reply)) => self.expected_by_class(exchange, reply),
                other => panic!("{name}: {other:?}"),
            },
            Here::Unsent => Expected::Skip(format!("listed: {}", row.why)),
            Here::Reply(text) => {
                let reply = any(Json::parse(text).expect("a listed reply is JSON"));
                Expected::Reply { reply, by: vec![name] }
            }
            Here::Refused(errno, words) => {
                let id = match &exchange.request {
                    Sent::Json(request) => request.get("id").clone(),
                    Sent::Bytes(bytes) => {
                        let request = Json::parse(&String::from_utf8_lossy(bytes));
                        request.map_or(Json::Null, |request| request.get("id").clone())
                    }
                    Sent::Parts | Sent::Datagram(_) => Json::Null,
                };
                let members = [
                    ("status", Json::Text("error".to_owned())),
                    ("reason", Json::Text(format!("{ANYTHING}{words}"))),
                    ("tb", Json::Null),
                    ("time", Json::Number("0.5".to_owned())),
                    ("errno", Json::Number(errno.to_string())),
                    ("id", id),
                ];
                let members = members.map(|(name, value)| (name.to_owned(), value));
                Expected::Reply { reply: Json::Object(members.into()), by: vec![name] }
            }
            Here::With(changes) => {
                let Some(Heard::Reply(reply)) = heard else { panic!("{name}: no recorded reply") };
                let Expected::Reply { mut reply, mut by } = self.expected_by_class(exchange, reply)
                else {
                    unreachable!("it was a reply")
                };
                for (path, text) in changes {
                    let value = any(Json::parse(text).expect("a listed value is JSON"));
                    let (way, last) = path.rsplit_once('.').unwrap_or(("", path));
                    let mut object = &mut reply;
                    for name in way.split('.').filter(|name| !name.is_empty()) {
                        object = object.find_mut(name).expect("a listed path is there");
                    }
                    object.set(last, value);
                }
                by.push(name);
                Expected::Reply { reply, by }
            }
        }
    }

    /// Why a request is not made, if it is not.
    pub fn skipped(&self, exchange: &Exchange) -> Option<&'static str> {
        let labels: Vec<&str> = self
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Exchange(exchange) => Some(&*exchange.label),
                Step::Publication(_) | Step::Note(_) => None,
            })
            .collect();
        let place = |label: &str| labels.iter().position(|other| *other == label);
        let here = place(&exchange.label)?;
        let is_in = |first: &str, last: &str| {
            place(first).is_some_and(|first| first <= here)
                && place(last).is_some_and(|last| here <= last)
        };
        let found = self.plan.skipped.iter().find(|(first, last, _)| is_in(first, last));
        found.map(|(_, _, why)| *why)
    }
}

/// Put requests that do the same without what is not built yet in place of others.
pub fn substitute(plan: &Plan, steps: &mut [Step]) {
    for step in steps {
        let Step::Exchange(exchange) = step else { continue };
        let found = plan.substituted.iter().find(|(label, _)| *label == exchange.label);
        if let Some((_, request)) = found {
            exchange.request = Sent::Json(Json::parse(request).expect("JSON"));
        }
    }
}

/// Put requests that do here what the recorded ones did in Circus in their place.
pub fn ask_others(plan: &Plan, steps: &mut [Step]) {
    for step in steps {
        let Step::Exchange(exchange) = step else { continue };
        let row = differences::find(plan.name, &exchange.label);
        if let Some(Row { here: Here::Ask(request), .. }) = row {
            exchange.request = Sent::Json(Json::parse(request).expect("JSON"));
        }
    }
}

/// A reply as if these watchers had not been there.
fn leave_out_absent(reply: &mut Json, absent: &[&str]) {
    for name in absent {
        for member in ["statuses", "infos"] {
            if let Some(object) = reply.find_mut(member) {
                object.remove(name);
            }
        }
        if let Some(Json::List(names)) = reply.find_mut("watchers") {
            names.retain(|other| other.text() != Some(name));
        }
    }
}
