//! Replies as Circus's circusctl prints them, to the byte: scripts read this. `None` where a reply
//! lacks what its command promises.

use super::detail::Watcher;
use super::json::Json;
use super::python;

/// A command that has nothing to tell.
pub fn done(_: &Json) -> Option<String> {
    Some("ok".to_string())
}

/// `list`.
pub fn list(reply: &Json) -> Option<String> {
    let items = reply.get("pids").or_else(|| reply.get("watchers"))?;
    let words: Vec<String> = items.items().iter().map(python::plain).collect();
    Some(words.join(","))
}

/// `status`, without details.
pub fn status(reply: &Json) -> Option<String> {
    let Some(statuses) = reply.get("statuses") else {
        return reply.get("status")?.as_text().map(str::to_string);
    };
    let mut lines: Vec<(&String, String)> = statuses
        .members()
        .iter()
        .map(|(name, state)| (name, format!("{name}: {}", python::plain(state))))
        .collect();
    lines.sort();
    Some(join(lines.into_iter().map(|(_, line)| line)))
}

/// The same, and the reason for what is not as it should be.
pub fn states(watchers: &[Watcher<'_>]) -> String {
    let line = |watcher: &Watcher<'_>| match watcher.trouble() {
        Some(trouble) => format!("{}: {} ({trouble})", watcher.name, watcher.status),
        None => format!("{}: {}", watcher.name, watcher.status),
    };
    let mut lines: Vec<(&str, String)> = watchers.iter().map(|it| (it.name, line(it))).collect();
    lines.sort();
    join(lines.into_iter().map(|(_, line)| line))
}

/// `numprocesses`.
pub fn numprocesses(reply: &Json) -> Option<String> {
    reply.get("numprocesses").map(python::plain)
}

/// `numwatchers`.
pub fn numwatchers(reply: &Json) -> Option<String> {
    reply.get("numwatchers").map(python::plain)
}

/// `incr` and `decr`: the number is there when the client has waited.
pub fn number(reply: &Json) -> Option<String> {
    if reply.get("singleton").is_some() {
        let text = "This watcher is a Singleton - not changing the number of processes";
        return Some(text.to_string());
    }
    Some(reply.get("numprocesses").map_or("ok".to_string(), python::plain))
}

/// `options`, `get` and `globaloptions`.
pub fn options(reply: &Json) -> Option<String> {
    let options = reply.get("options")?.members();
    Some(join(
        options.iter().map(|(name, value)| format!("{name}: {}", python::option(name, value))),
    ))
}

/// `dstats`.
pub fn dstats(reply: &Json) -> Option<String> {
    let info = reply.get("info")?;
    let mut lines = vec!["Main Process:".to_string(), format!("    {}", figures(info)?)];
    let children = info.get("children").map_or(&[][..], Json::items);
    if !children.is_empty() {
        lines.push("Children:".to_string());
    }
    for child in children {
        lines.push(format!("    {}", figures(child)?));
    }
    Some(lines.join("\n"))
}

/// `stats`: of all watchers, of one, or of one process.
pub fn stats(reply: &Json) -> Option<String> {
    let mut lines = Vec::new();
    if let Some(name) = reply.get("name") {
        lines.push(format!("{}:", python::plain(name)));
        watcher(&mut lines, reply.get("info")?)?;
    } else if let Some(infos) = reply.get("infos") {
        for (name, info) in infos.members() {
            lines.push(format!("{name}:"));
            watcher(&mut lines, info)?;
        }
    } else {
        process(&mut lines, &python::plain(reply.get("process")?), reply.get("info")?)?;
        // Circus ends this one with an empty line.
        lines.push(String::new());
    }
    Some(lines.join("\n"))
}

fn watcher(lines: &mut Vec<String>, info: &Json) -> Option<()> {
    info.members().iter().try_for_each(|(pid, info)| process(lines, pid, info))
}

fn process(lines: &mut Vec<String>, pid: &str, info: &Json) -> Option<()> {
    // A sentence where there is no such process any more.
    if let Json::Text(sentence) = info {
        lines.push(format!("{pid}: {sentence}"));
        return Some(());
    }
    lines.push(format!("{pid}: {}", figures(info)?));
    for child in info.get("children").map_or(&[][..], Json::items) {
        lines.push(format!("   {}", figures(child)?));
    }
    Some(())
}

/// The figures of a process on one line.
fn figures(info: &Json) -> Option<String> {
    let figure = |name: &str| info.get(name).map(python::plain);
    let mut line = format!("{} ", figure("pid")?);
    for name in ["cmdline", "username", "nice", "mem_info1", "mem_info2", "cpu", "mem", "ctime"] {
        line.push(' ');
        line.push_str(&figure(name)?);
    }
    Some(line)
}

/// `listsockets`.
pub fn sockets(reply: &Json) -> Option<String> {
    let mut lines = Vec::new();
    for socket in reply.get("sockets")?.items() {
        let word = |name: &str| socket.get(name).map(python::plain);
        let address = match word("path") {
            Some(path) => path,
            None => format!("{}:{}", word("host")?, word("port")?),
        };
        lines.push(format!("{}:socket '{}' at {address}", word("fd")?, word("name")?));
    }
    Some(lines.join("\n"))
}

/// `reloadconfig --dry-run`.
pub fn changes(reply: &Json) -> Option<String> {
    let changes = reply.get("changes")?.items();
    if changes.is_empty() {
        return Some("nothing would change".to_string());
    }
    let mut lines = Vec::new();
    for change in changes {
        let options: Vec<String> =
            change.get("options").map_or(&[][..], Json::items).iter().map(python::plain).collect();
        let options =
            if options.is_empty() { String::new() } else { format!(" ({})", options.join(", ")) };
        let watcher = python::plain(change.get("watcher")?);
        lines.push(format!("{watcher}: {}{options}", python::plain(change.get("change")?)));
    }
    Some(lines.join("\n"))
}

fn join(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}
