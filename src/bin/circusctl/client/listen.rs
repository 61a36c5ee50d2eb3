//! `listen`: publications as lines, as they come. libzmq connects again by itself, so it goes on
//! when the gateway or circusd has been away.

use super::daemon::{self, Daemon};
use super::endpoint::reachable;
use super::failure::Failure;
use super::json::Json;
use super::output::{Output, printable};
use super::python;
use super::words::{Options, Words};
use circus::signal::Signal;
use circus::sys::clock;
use std::os::fd::AsRawFd;

/// How a publication is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Line,
    Json,
    Raw,
}

/// Print what comes until nobody reads it, or Ctrl-C.
pub fn run(
    daemon: &Daemon<'_>,
    options: &Options,
    words: &Words,
    output: &Output,
) -> Result<(), Failure> {
    let form = match (words.has("raw"), options.json || options.prettify) {
        (true, _) => Form::Raw,
        (false, true) => Form::Json,
        (false, false) => Form::Line,
    };
    let endpoint = match words.value("pubsub") {
        Some(endpoint) => endpoint.to_string(),
        None if options.endpoint.is_some() => either(daemon)?,
        None => publications(daemon, &daemon.ask("globaloptions", pubsub_endpoint())?)?,
    };
    let socket = daemon.socket(zmq::SUB)?;
    let everything = [String::new()];
    let wanted = if words.all().is_empty() { &everything[..] } else { words.all() };
    for topic in wanted.iter().flat_map(|word| topics(word)) {
        socket.set_subscribe(topic.as_bytes()).map_err(daemon::ours)?;
    }
    daemon.connect(&socket, &endpoint)?;
    if output.terminal && form == Form::Line {
        output.say(&format!("listening at {endpoint}; Ctrl-C ends it"))?;
    }
    print_all(daemon, &socket, form, output)
}

/// All publications on watchers, from now on.
pub fn subscribe(daemon: &Daemon<'_>) -> Result<zmq::Socket, Failure> {
    let endpoint = publications(daemon, &daemon.ask("globaloptions", pubsub_endpoint())?)?;
    let socket = daemon.socket(zmq::SUB)?;
    socket.set_subscribe(b"watcher.").map_err(daemon::ours)?;
    daemon.connect(&socket, &endpoint)?;
    Ok(socket)
}

fn print_all(
    daemon: &Daemon<'_>,
    socket: &zmq::Socket,
    form: Form,
    output: &Output,
) -> Result<(), Failure> {
    loop {
        let stdout = std::io::stdout().as_raw_fd();
        let mut items =
            vec![socket.as_poll_item(zmq::POLLIN), zmq::PollItem::from_fd(stdout, zmq::POLLERR)];
        daemon.wait_for(&mut items, None)?;
        // The reader of a pipe has gone: do not wait for something to tell it.
        if items[1].is_error() {
            return Err(Failure::NobodyReads);
        }
        if !items[0].is_readable() {
            continue;
        }
        let frames = match socket.recv_multipart(zmq::DONTWAIT) {
            Ok(frames) => frames,
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => continue,
            Err(error) => return Err(daemon::ours(error)),
        };
        if let [topic, payload] = &frames[..] {
            output.say(&shown(&String::from_utf8_lossy(topic), payload, form))?;
        }
    }
}

/// The beginnings of topics that a word means: it is one, or a watcher's name, or that and an event.
fn topics(word: &str) -> Vec<String> {
    const WATCHER: &str = "watcher";
    let rest = word.strip_prefix(WATCHER);
    if word.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
        return vec![word.to_string()];
    }
    // As topics have it.
    let name = word.to_lowercase().replace(' ', "_");
    // Without a dot it is the whole name: `web` is not `webmail`.
    let end = if name.contains('.') { "" } else { "." };
    let mut found = vec![format!("{WATCHER}.{name}{end}")];
    // There may be other topics; but a watcher `w` is not all topics that begin so.
    if !WATCHER.starts_with(word) {
        found.push(word.to_string());
    }
    found
}

fn pubsub_endpoint() -> Vec<(String, Json)> {
    vec![("option".to_string(), Json::text("pubsub_endpoint"))]
}

/// Where publications are, by the reply to `globaloptions`.
fn publications(daemon: &Daemon<'_>, reply: &Json) -> Result<String, Failure> {
    let options = reply.get("options");
    let endpoint = options.and_then(|options| options.get("pubsub_endpoint")?.as_text());
    endpoint.map(|endpoint| reachable(endpoint, &daemon.endpoint)).ok_or_else(|| {
        Failure::Trouble("circusd publishes nowhere: it has no pubsub_endpoint".to_string())
    })
}

/// Circus's `listen` is given the publications' endpoint, all other commands the control endpoint.
/// Both are tried: a subscriber comes to terms with the one, a dealer with the other.
fn either(daemon: &Daemon<'_>) -> Result<String, Failure> {
    const MONITOR: &str = "inproc://subscriber";
    let subscriber = daemon.socket(zmq::SUB)?;
    let succeeded = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as i32;
    subscriber.monitor(MONITOR, succeeded).map_err(daemon::ours)?;
    let monitor = daemon.socket(zmq::PAIR)?;
    monitor.connect(MONITOR).map_err(daemon::ours)?;
    daemon.connect(&subscriber, &daemon.endpoint)?;
    let call = daemon.call("globaloptions", pubsub_endpoint())?;
    let mut patience = daemon.patience();
    loop {
        let mut items =
            vec![call.socket.as_poll_item(zmq::POLLIN), monitor.as_poll_item(zmq::POLLIN)];
        daemon.wait_for(&mut items, patience.next())?;
        if items[1].is_readable() {
            return Ok(daemon.endpoint.clone());
        }
        if !items[0].is_readable() {
            daemon.persist(&mut patience)?;
        } else if let Some(reply) = call.take()? {
            return publications(daemon, &daemon::accepted(reply)?);
        }
    }
}

fn shown(topic: &str, payload: &[u8], form: Form) -> String {
    let text = String::from_utf8_lossy(payload);
    match form {
        Form::Raw => format!("b'{topic}': b'{text}'"),
        Form::Json => {
            let payload = Json::read(payload).unwrap_or(Json::text(text));
            Json::object([("topic", Json::text(topic)), ("payload", payload)]).line()
        }
        Form::Line => match Json::read(payload) {
            Ok(payload) => line(topic, &payload),
            Err(_) => printable(&format!("{topic} {text}")),
        },
    }
}

/// When, who, what, and how.
fn line(topic: &str, payload: &Json) -> String {
    let time = payload.get("time").and_then(Json::as_number);
    let (seconds, ms) = match time {
        Some(time) => (time as i64, (time.fract() * 1000.0) as u32),
        None => {
            let (seconds, micros) = clock::wall();
            (seconds, micros / 1000)
        }
    };
    let time = clock::format(seconds, c"%H:%M:%S", false);
    let named = topic.strip_prefix("watcher.").and_then(|rest| rest.rsplit_once('.'));
    let (watcher, action) = named.unwrap_or((topic, ""));
    let line = format!("{time}.{ms:03} {watcher:<12} {action:<9} {}", details(payload));
    printable(line.trim_end())
}

/// What else a publication tells; the known parts first, in words.
fn details(payload: &Json) -> String {
    // It is a whole sentence, which says what the other parts say.
    if let Some(reason) = payload.get("reason").and_then(Json::as_text).filter(|it| !it.is_empty())
    {
        return reason.to_string();
    }
    let mut parts = Vec::new();
    for (name, value) in payload.members() {
        let whole = value.as_number().map(|number| number as i64);
        parts.push(match (name.as_str(), whole) {
            ("time", _) => continue,
            ("process_pid", Some(pid)) => format!("pid {pid}"),
            ("exit_code", Some(code)) if code >= 0 => format!("exit code {code}"),
            ("exit_code", Some(code)) => match Signal::from_number(-code) {
                Some(signal) => format!("killed by {signal}"),
                None => format!("exit code {code}"),
            },
            ("name" | "error", None) => python::plain(value),
            _ => format!("{name} {}", python::plain(value)),
        });
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without the time, which depends on where we are.
    fn said(topic: &str, payload: &str) -> String {
        let line = shown(topic, payload.as_bytes(), Form::Line);
        assert_eq!(line.find('.'), Some(8), "{line}");
        line[12..].to_string()
    }

    #[test]
    fn a_watchers_name_is_a_topic() {
        for (word, expected) in [
            ("", &[""][..]),
            ("watcher", &["watcher"]),
            ("watcher.", &["watcher."]),
            ("watcher.web", &["watcher.web"]),
            ("web", &["watcher.web.", "web"]),
            ("Web App", &["watcher.web_app.", "Web App"]),
            ("web.reap", &["watcher.web.reap", "web.reap"]),
            ("watchers", &["watcher.watchers.", "watchers"]),
            ("w", &["watcher.w."]),
        ] {
            assert_eq!(topics(word), expected, "{word:?}");
        }
    }

    #[test]
    fn a_line_says_who_and_what_and_how_it_ended() {
        for (topic, payload, line) in [
            (
                "watcher.web.spawn",
                r#"{"process_pid": 31, "time": 1795332834.026305}"#,
                "web          spawn     pid 31",
            ),
            (
                "watcher.web.reap",
                r#"{"process_pid": 31, "time": 1.5, "exit_code": -15}"#,
                "web          reap      pid 31, killed by SIGTERM",
            ),
            (
                "watcher.my.app.reap",
                r#"{"process_pid": 31, "time": 1.5, "exit_code": 3}"#,
                "my.app       reap      pid 31, exit code 3",
            ),
            ("watcher.web.stop", r#"{"time": 1.5}"#, "web          stop"),
            (
                "watcher.web.hook_failure",
                r#"{"name": "before_start", "time": 1.5, "error": "boom"}"#,
                "web          hook_failure before_start, boom",
            ),
            // A sentence that says all.
            (
                "watcher.web.backoff",
                r#"{"process_pid": 7, "time": 1.5, "reason": "web (pid 7) ended", "delay": 3.99}"#,
                "web          backoff   web (pid 7) ended",
            ),
            (
                "watcher.web.giveup",
                "{\"time\": 1.5, \"reason\": \"\\u001b[2J\"}",
                "web          giveup    \u{fffd}[2J",
            ),
        ] {
            assert_eq!(said(topic, payload), format!(" {line}"));
        }
    }

    #[test]
    fn programs_get_json_and_old_scripts_what_circus_prints() {
        let payload = br#"{"process_pid": 31, "time": 1.5}"#;
        let json = shown("watcher.web.spawn", payload, Form::Json);
        assert_eq!(
            json,
            r#"{"topic": "watcher.web.spawn", "payload": {"process_pid": 31, "time": 1.5}}"#
        );
        let raw = shown("watcher.web.spawn", payload, Form::Raw);
        assert_eq!(raw, r#"b'watcher.web.spawn': b'{"process_pid": 31, "time": 1.5}'"#);
    }
}
