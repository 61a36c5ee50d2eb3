//! What was recorded: requests, replies, publications and notes, in their order.

use crate::json::Json;
use std::fs;
use std::path::PathBuf;

/// One thing that happened.
#[derive(Debug, Clone)]
pub enum Step {
    Exchange(Exchange),
    Publication(Publication),
    Note(String),
}

/// A request and what came of it.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Its id, or `#n` for the nth request of the file.
    pub label: String,
    pub request: Sent,
    /// What the recorder says of it.
    pub note: String,
    /// Seconds since the reply before it.
    pub pause: f64,
    /// When it was sent, and how many seconds later the reply came.
    pub at: f64,
    pub took: f64,
    pub reply: Option<Heard>,
}

/// What was sent.
#[derive(Debug, Clone)]
pub enum Sent {
    /// An object, written by Python.
    Json(Json),
    /// A text as it was.
    Bytes(Vec<u8>),
    /// Three frames.
    Parts,
    /// A datagram.
    Datagram(Vec<u8>),
}

/// What was heard.
#[derive(Debug, Clone)]
pub enum Heard {
    Reply(Json),
    /// Nothing, for so many seconds.
    Silence(f64),
    Datagram(String),
}

/// A publication; its topic is taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    pub watcher: String,
    pub action: String,
    pub fields: Json,
    /// The number of the recorded step, from the beginning of its part.
    pub at: usize,
}

impl Publication {
    /// From its frames.
    ///
    /// # Errors
    /// It is none.
    pub fn new(topic: &str, fields: Json) -> Result<Publication, String> {
        let parts = topic.strip_prefix("watcher.").and_then(|rest| rest.rsplit_once('.'));
        let (watcher, action) = parts.ok_or_else(|| format!("what a topic: {topic}"))?;
        let (watcher, action) = (watcher.to_owned(), action.to_owned());
        Ok(Publication { watcher, action, fields, at: 0 })
    }

    pub fn pid(&self) -> Option<i64> {
        self.fields.get("process_pid").integer()
    }

    /// When, in seconds since 1970.
    pub fn time(&self) -> f64 {
        self.fields.get("time").float().unwrap_or(0.0)
    }
}

/// Where the recordings are.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/circus"))
}

/// The text of a recording, or of its configuration.
pub fn read(name: &str) -> String {
    let path = folder().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The parts of a recording: one for each daemon that was started. `adapt` puts our names of
/// places into the text.
pub fn parts(name: &str, adapt: &dyn Fn(&str) -> String) -> Vec<Vec<Step>> {
    let mut parts = vec![Vec::new()];
    let mut count = 0;
    let mut last_reply_at = 0.0;
    for line in read(&format!("{name}.jsonl")).lines() {
        let record = Json::parse(&adapt(line)).expect("a record is JSON");
        let at = record.get("t").float().unwrap_or(0.0);
        let steps = parts.last_mut().expect("there is one");
        match record.get("dir").text() {
            Some("request") => {
                count += 1;
                steps.push(Step::Exchange(request(&record, count, at, at - last_reply_at)));
            }
            Some("response") => {
                last_reply_at = at;
                reply(steps, &record);
            }
            Some("event") => {
                let topic = record.get("topic").text().expect("a topic");
                let fields = record.get("payload").clone();
                let mut publication = Publication::new(topic, fields).expect("a publication");
                publication.at = steps.len();
                steps.push(Step::Publication(publication));
            }
            Some("note") => {
                let text = record.get("payload").text().expect("a text").to_owned();
                let ends = text.contains("exit code") || text.contains("returncode");
                steps.push(Step::Note(text));
                if ends {
                    parts.push(Vec::new());
                }
            }
            other => panic!("what is {other:?}?"),
        }
    }
    parts.retain(|steps| steps.iter().any(|step| matches!(step, Step::Exchange(_))));
    parts
}

fn request(record: &Json, count: usize, at: f64, pause: f64) -> Exchange {
    let payload = record.get("payload");
    let request = match (payload, record.get("raw").text()) {
        (_, Some(raw)) if record.find("udp").is_some() => {
            let length =
                record.get("len").integer().and_then(|length| usize::try_from(length).ok());
            let all = bytes(raw).into_iter().cycle().take(length.unwrap_or(0)).collect();
            Sent::Datagram(all)
        }
        (Json::Null, Some(raw)) => Sent::Bytes(bytes(raw)),
        (Json::Null, None) => Sent::Parts,
        (payload, _) => Sent::Json(payload.clone()),
    };
    let label = payload.get("id").text().map_or_else(|| format!("#{count}"), str::to_owned);
    let note = record.get("note").text().unwrap_or_default().to_owned();
    Exchange { label, request, note, pause, at, took: 0.0, reply: None }
}

/// The recorder wrote each byte as one character.
fn bytes(raw: &str) -> Vec<u8> {
    raw.chars().map(|unit| u8::try_from(u32::from(unit)).expect("a byte")).collect()
}

/// Give a reply to its request. One that came long after its time changes nothing.
fn reply(steps: &mut [Step], record: &Json) {
    let last = steps.iter_mut().rev().find_map(|step| match step {
        Step::Exchange(exchange) => Some(exchange),
        Step::Publication(_) | Step::Note(_) => None,
    });
    let exchange = last.expect("a reply follows a request");
    if exchange.reply.is_some() {
        return;
    }
    exchange.took = record.get("t").float().unwrap_or(0.0) - exchange.at;
    exchange.reply = Some(match record.get("payload") {
        Json::Null => {
            let note = record.get("note").text().unwrap_or_default();
            let seconds = note.strip_prefix("no response within ");
            let seconds = seconds.and_then(|rest| rest.strip_suffix('s')?.parse().ok());
            Heard::Silence(seconds.unwrap_or(1.0))
        }
        Json::Text(text) => Heard::Datagram(text.clone()),
        Json::List(frames) => {
            let text = frames[0].text().expect("a frame");
            Heard::Reply(Json::parse(text).expect("JSON"))
        }
        reply => Heard::Reply(reply.clone()),
    });
}
