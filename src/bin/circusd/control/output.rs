//! What clients want to know of the output of processes.

use super::View;
use circus::commands::{Answer, Command, Errno, Refusal};
use circus::config::settings::WatcherSettings;
use circus::wire::log::{Channel, FromWriter, Line, ToWriter};
use serde_json::Value;

/// What the log writer is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// For lines; the question has no name yet.
    Lines(ToWriter),
    /// To open its files anew.
    Reopen,
}

/// `None`: the command is about something else.
pub fn asked(command: &Command, view: &View<'_>) -> Result<Option<Asked>, Refusal> {
    let Command::Logs { name, stream, lines, after, since } = command else {
        return Ok(matches!(command, Command::ReopenLogs).then_some(Asked::Reopen));
    };
    let channel = stream.as_deref().and_then(Channel::of);
    let mut watcher = None;
    if let Some(name) = name {
        let settings = view.supervisor.settings(view.supervisor.find(name)?);
        if !is_captured(settings, channel) {
            let (name, side) = (&settings.name, channel.map_or("stdout", Channel::name));
            let reason = format!(
                "the output of {name} is not captured: it goes where that of circusd goes (see \
                 `docker logs`); {side}_stream.class = Ring keeps it in memory, StdoutStream passes it on too"
            );
            return Err(Refusal::new(Errno::Command, reason));
        }
        watcher = Some(settings.name.clone());
    }
    let (count, after, since) = (*lines, *after, *since);
    Ok(Some(Asked::Lines(ToWriter::Tail { token: 0, watcher, channel, count, after, since })))
}

fn is_captured(settings: &WatcherSettings, channel: Option<Channel>) -> bool {
    let sides = [Channel::Stdout, Channel::Stderr];
    let mut wanted = sides.into_iter().filter(|side| channel.is_none_or(|only| only == *side));
    wanted.any(|side| {
        let prefix = format!("{}_stream.", side.name());
        settings.kept.iter().any(|(name, _)| name.starts_with(&prefix))
    })
}

/// The answer with lines.
pub fn lines(said: &FromWriter) -> Answer {
    let FromWriter::Lines { lines, last, missed, more, .. } = said else { return Answer::Done };
    let lines: Vec<Value> = lines.iter().map(Line::value).collect();
    Answer::Members(vec![
        ("lines", Value::from(lines).to_string().into()),
        ("last", last.to_string().into()),
        ("missed", missed.to_string().into()),
        ("more", more.to_string().into()),
    ])
}
