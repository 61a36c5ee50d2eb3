//! `health`: whether every watcher is as it should be, in words and as an exit code: now, or within
//! some time. circusd is asked again when it publishes something, and now and then without that.

use super::daemon::{self, Daemon};
use super::detail::{self, Watcher};
use super::failure::Failure;
use super::json::Json;
use super::listen;
use super::output::Output;
use super::words::{Options, Words};
use circus::sys::signals::SignalFd;
use std::time::{Duration, Instant};

/// Exit code for what is not well: what container platforms take for it.
const UNHEALTHY: u8 = 1;

/// Between two questions: at least, however much is published, ...
const PAUSE: Duration = Duration::from_millis(50);
/// ... and at most, as publications may be lost. The pauses grow from the one to the other.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long an answer may take even if the time is over.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// What `--wait` is where it says nothing.
const WAIT_USUAL: Duration = Duration::from_secs(60);

/// The longest `--wait`: a year.
const WAIT_MAX: f64 = 366.0 * 86_400.0;

/// What was found.
struct Verdict {
    reply: Json,
    text: String,
    healthy: bool,
    /// One of them does not become healthy by itself.
    hopeless: bool,
}

/// Find out, and tell.
pub fn run(
    output: &Output,
    interrupts: Option<&SignalFd>,
    words: &Words,
    options: &Options,
) -> Result<(), Failure> {
    let patience = words.value("wait").map_or(Ok(WAIT_USUAL), seconds)?;
    let verdict = match words.has("wait") {
        false => Daemon::new(options, interrupts).and_then(|daemon| look(&daemon, words.all())),
        true => wait(patience, interrupts, words.all(), options),
    };
    let verdict = verdict.map_err(|failure| match failure {
        // Platforms know two answers.
        Failure::Refused(reason) => Failure::Trouble(reason),
        other => other,
    })?;
    match (words.has("quiet"), options.prettify, options.json) {
        (true, _, _) => {}
        (_, true, _) => output.print(&verdict.reply.pretty())?,
        (_, _, true) => output.print(&verdict.reply.line())?,
        (false, false, false) => output.say(&verdict.text)?,
    }
    if verdict.healthy { Ok(()) } else { Err(Failure::Said(UNHEALTHY)) }
}

/// What `--wait` says.
fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.trim().parse::<f64>().ok();
    match seconds.filter(|seconds| (0.0..=WAIT_MAX).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs_f64(seconds)),
        None => Err(Failure::Usage(format!("--wait {text:?}: use seconds, such as 30"))),
    }
}

/// Ask until all is well or the time is over. circusd need not be there yet.
fn wait(
    patience: Duration,
    interrupts: Option<&SignalFd>,
    names: &[String],
    options: &Options,
) -> Result<Verdict, Failure> {
    let end = Instant::now() + patience;
    let mut news = None;
    let mut is_subscribed = false;
    let mut pause = PAUSE;
    loop {
        let asked = Instant::now();
        let left = end.saturating_duration_since(asked);
        let limit_ms = left.max(LAST_LOOK).as_millis() as u64;
        let timeout_ms = Some(options.timeout_ms.map_or(limit_ms, |ms| ms.min(limit_ms)));
        let daemon = Daemon::new(&Options { timeout_ms, ..options.clone() }, interrupts);
        let found = daemon.as_ref().map_err(Clone::clone).and_then(|daemon| look(daemon, names));
        let goes_on = match &found {
            Ok(verdict) => !verdict.healthy && !verdict.hopeless,
            // It may not be there yet, or be away for a moment.
            Err(failure) => matches!(failure, Failure::Trouble(_)),
        };
        if !goes_on || left.is_zero() {
            return found;
        }
        if let (Ok(daemon), Ok(_), false) = (&daemon, &found, is_subscribed) {
            // Where there are no publications, the pauses are all there is.
            is_subscribed = true;
            news = listen::subscribe(daemon).ok();
            continue;
        }
        let left = end.saturating_duration_since(Instant::now());
        let mut items: Vec<_> =
            news.iter().map(|socket: &zmq::Socket| socket.as_poll_item(zmq::POLLIN)).collect();
        daemon::wait_for(interrupts, &mut items, Some(pause.min(left)))?;
        pause = (pause * 2).min(PAUSE_MAX);
        // Of a thousand publications at once, one is enough.
        let rest = PAUSE.saturating_sub(asked.elapsed());
        daemon::wait_for(interrupts, &mut Vec::new(), Some(rest))?;
        while news.as_ref().is_some_and(|socket| socket.recv_multipart(zmq::DONTWAIT).is_ok()) {}
    }
}

/// Ask once.
fn look(daemon: &Daemon<'_>, names: &[String]) -> Result<Verdict, Failure> {
    let name = match names {
        [name] => Some(("name".to_string(), Json::text(name))),
        _ => None,
    };
    let detail = ("detail".to_string(), Json::Bool(true));
    let reply = daemon.ask("status", name.into_iter().chain([detail]).collect())?;
    let known = detail::watchers(&reply).ok_or_else(|| {
        Failure::Refused("this circusd does not tell whether its watchers are healthy".to_string())
    })?;
    let is = |watcher: &Watcher<'_>, name: &str| watcher.name.to_lowercase() == name.to_lowercase();
    let unknown = |name: &&String| !known.iter().any(|watcher| is(watcher, name));
    if let Some(name) = names.iter().find(unknown) {
        return Err(Failure::Refused(format!("program {name} not found")));
    }
    let is_wanted =
        |watcher: &Watcher<'_>| names.is_empty() || names.iter().any(|name| is(watcher, name));
    let wanted: Vec<Watcher<'_>> = known.into_iter().filter(is_wanted).collect();
    let (text, healthy) = judge(&wanted);
    let is_named = |name: &str| wanted.iter().any(|watcher| watcher.name == name);
    let narrowed = |(name, value): &(String, Json)| {
        let value = match (&**name, value) {
            ("watchers", Json::List(items)) => Json::List(
                items
                    .iter()
                    .filter(|item| item.get("name").and_then(Json::as_text).is_some_and(is_named))
                    .cloned()
                    .collect(),
            ),
            ("statuses", Json::Object(members)) => {
                Json::Object(members.iter().filter(|(name, _)| is_named(name)).cloned().collect())
            }
            (_, value) => value.clone(),
        };
        (name.clone(), value)
    };
    let mut members: Vec<(String, Json)> = reply.members().iter().map(narrowed).collect();
    members.push(("healthy".to_string(), Json::Bool(healthy)));
    let hopeless = wanted.iter().any(|watcher| watcher.hopeless);
    Ok(Verdict { reply: Json::Object(members), text, healthy, hopeless })
}

/// The word on all of them, and whether all is well.
fn judge(watchers: &[Watcher<'_>]) -> (String, bool) {
    let ill: Vec<String> =
        watchers.iter().filter(|watcher| !watcher.healthy).map(complaint).collect();
    if !ill.is_empty() {
        return (ill.join("\n"), false);
    }
    let text = match watchers {
        [watcher] => format!("{}: healthy", watcher.name),
        _ => format!("healthy: all {} watchers", watchers.len()),
    };
    (text, true)
}

/// What is wrong with one.
fn complaint(watcher: &Watcher<'_>) -> String {
    let mut parts = vec![watcher.state()];
    if watcher.is_group() {
        parts.push(format!("{} processes", watcher.count()));
    }
    if watcher.restarts > 0 {
        parts.push(format!("{} restarts", watcher.restarts));
    }
    let death = watcher.death();
    if !death.is_empty() {
        parts.push(format!("last death: {death}"));
    }
    format!("{}: {}", watcher.name, parts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watcher(name: &str, healthy: bool) -> String {
        format!(
            r#"{{"name": "{name}", "status": "starting", "healthy": {healthy}, "note": "",
                "numprocesses": 4, "processes": [], "restarts": 2,
                "last_death": {{"reason": "exit code 1", "seconds_ago": 12}}}}"#
        )
    }

    fn judged(watchers: &[String]) -> (String, bool) {
        let reply = format!(r#"{{"watchers": [{}]}}"#, watchers.join(", "));
        let reply = Json::read(reply.as_bytes()).expect("JSON");
        judge(&detail::watchers(&reply).expect("details"))
    }

    #[test]
    fn one_that_is_not_well_makes_all_unwell_and_is_named() {
        let (text, healthy) = judged(&[watcher("web", false), watcher("db", true)]);
        assert!(!healthy);
        let expected =
            "web: starting, 0 of 4 processes, 2 restarts, last death: exit code 1, 12s ago";
        assert_eq!(text, expected);
    }

    #[test]
    fn all_well_is_one_line() {
        assert_eq!(judged(&[watcher("db", true)]), ("db: healthy".to_string(), true));
        let all = judged(&[watcher("web", true), watcher("db", true)]);
        assert_eq!(all, ("healthy: all 2 watchers".to_string(), true));
        assert!(judged(&[]).1);
    }
}
