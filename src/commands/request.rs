//! The bytes of a request → a `Request`, or why it cannot be carried out. Every body is answered,
//! whatever is in it; only what a client can be told in one sentence is refused.

use crate::commands::given::{Given, isnt};
use crate::commands::members::{Members, NoMembers, without_nan};
use crate::commands::{Command, Errno, Matching, Receivers, Refusal, Request, Selection, quoted};
use crate::signal::Signal;
use serde_json::value::RawValue;

/// A request that is not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// As in `Request`; `null` too if it cannot be read.
    pub id: Box<str>,
    /// As in `Request`.
    pub cast: bool,
    /// Why.
    pub refusal: Refusal,
}

/// Reads the body of a request. It is at most as long as a frame may be, which limits everything.
///
/// # Errors
/// It cannot be carried out, whatever watchers there are.
pub fn parse(body: &[u8]) -> Result<Request, Rejected> {
    let nameless = |refusal| Rejected { id: "null".into(), cast: false, refusal };
    let text = std::str::from_utf8(stripped(body)).map_err(|_| nameless(json_invalid()))?;
    let replaced;
    let members = match Members::read(text) {
        Err(NoMembers::NotJson) => {
            replaced = without_nan(text);
            Members::read(&replaced)
        }
        read => read,
    };
    let members = members.map_err(|error| match error {
        NoMembers::NotJson => nameless(json_invalid()),
        NoMembers::NotAnObject => {
            nameless(Refusal::new(Errno::Message, "a request should be an object"))
        }
    })?;
    let id = members.get("id").map_or("null", RawValue::get);
    if id.len() > ID_BYTES_MAX {
        let reason = format!("'id' is longer than {ID_BYTES_MAX} bytes");
        return Err(nameless(Refusal::new(Errno::Message, reason)));
    }
    let cast = members.get("msg_type").and_then(string).as_deref() == Some("cast");
    match read(&members) {
        Ok((command, waiting)) => Ok(Request { id: id.into(), cast, waiting, command }),
        Err(refusal) => Err(Rejected { id: id.into(), cast, refusal }),
    }
}

fn read(members: &Members<'_>) -> Result<(Command, bool), Refusal> {
    let Some(name) = members.get("command") else {
        return Err(Refusal::new(Errno::Message, "message invalid 'command' is missing"));
    };
    let name = string(name).ok_or_else(|| isnt("command", "a string"))?;
    let given = Given::read(members.get("properties"));
    let command = command(&name, given.as_ref().map_err(Refusal::clone));
    Ok((command?, given?.flag("waiting", false)?))
}

/// The table of commands. That there is such a command is said before what is wrong with it.
fn command(name: &str, given: Result<&Given<'_>, Refusal>) -> Result<Command, Refusal> {
    let known = name.to_lowercase();
    Ok(match &*known {
        "add" => add(given?)?,
        "decr" => more_or_fewer(given?, true)?,
        "dstats" => Command::Dstats,
        "get" => get(given?)?,
        "globaloptions" => {
            // An empty one is none, as in Circus.
            let option = given?.word("option")?.filter(|option| !option.is_empty());
            Command::GlobalOptions { option }
        }
        "incr" => more_or_fewer(given?, false)?,
        "ipython" => {
            let reason = "there is no Python in circusd, so there is no ipython shell";
            return Err(Refusal::new(Errno::Command, reason));
        }
        "kill" => kill(given?)?,
        "list" => Command::List { name: given?.name_if_any()? },
        "listen" => {
            let reason = "invalid message. use a pub/sub socket";
            return Err(Refusal::new(Errno::Message, reason));
        }
        "listsockets" => {
            // Circus takes no notice of what is sent with it.
            let detail = given.ok().and_then(|given| given.flag("detail", false).ok());
            Command::ListSockets { detail: detail.unwrap_or(false) }
        }
        "logs" => logs(given?)?,
        "numprocesses" => Command::Numprocesses { name: given?.name_if_any()? },
        "numwatchers" => Command::Numwatchers,
        "options" => Command::Options { name: given?.name()? },
        "quit" => Command::Quit,
        "reload" => reload(given?)?,
        "reloadconfig" => Command::ReloadConfig { dry_run: given?.flag("dry_run", false)? },
        "reopenlogs" => Command::ReopenLogs,
        "restart" => match (selection(given.clone()?)?, given?.flag("dependants", false)?) {
            // Among all are all that depend on one of them.
            (selection @ Selection::Matching { .. }, true) => {
                Command::RestartWithDependants(selection)
            }
            (selection, _) => Command::Restart(selection),
        },
        "rm" => rm(given?)?,
        "set" => set(given?)?,
        "signal" => signal(given?)?,
        "start" => match (selection(given.clone()?)?, given?.flag("dependants", false)?) {
            (selection @ Selection::Matching { .. }, true) => {
                Command::StartWithDependants(selection)
            }
            (selection, _) => Command::Start(selection),
        },
        "stats" => stats(given?)?,
        "status" => status(given?)?,
        "stop" if given.clone()?.flag("dependants", false)? => {
            Command::StopWithDependants(selection(given?)?)
        }
        "stop" => Command::Stop(selection(given?)?),
        _ => {
            let reason = format!("unknown command: {}", quoted(name));
            return Err(Refusal::new(Errno::UnknownCommand, reason));
        }
    })
}

fn add(given: &Given<'_>) -> Result<Command, Refusal> {
    given.require(&["name", "cmd"])?;
    let name = given.name()?;
    if name.is_empty() {
        return Err(Refusal::new(Errno::Message, "'name' is empty"));
    }
    Ok(Command::Add {
        name,
        cmd: given.command_line("cmd")?,
        args: given.arguments("args")?,
        options: given.options()?,
        start: given.flag("start", false)?,
    })
}

/// Fewer than none fewer is more, as in Circus.
fn more_or_fewer(given: &Given<'_>, fewer: bool) -> Result<Command, Refusal> {
    let name = given.name()?;
    let nb = given.integer("nb")?.unwrap_or(1);
    let fewer = fewer != (nb < 0);
    let nb = u32::try_from(nb.unsigned_abs()).unwrap_or(u32::MAX);
    Ok(if fewer { Command::Decr { name, nb } } else { Command::Incr { name, nb } })
}

fn get(given: &Given<'_>) -> Result<Command, Refusal> {
    given.require(&["name", "keys"])?;
    Ok(Command::Get { name: given.name()?, keys: given.keys()? })
}

fn kill(given: &Given<'_>) -> Result<Command, Refusal> {
    let name = given.name()?;
    let signal = match given.signal_number("signum")? {
        Some(0) => {
            let reason = "signal invalid: 0 ends nothing";
            return Err(Refusal::new(Errno::Message, reason));
        }
        number => number.and_then(|number| Signal::from_number(number.into())),
    };
    Ok(Command::Kill {
        name,
        pid: given.pid("pid")?,
        signal,
        grace_ms: given.seconds_ms("graceful_timeout")?,
    })
}

fn reload(given: &Given<'_>) -> Result<Command, Refusal> {
    Ok(Command::Reload {
        name: given.name_if_any()?,
        graceful: given.flag("graceful", true)?,
        sequential: given.flag("sequential", false)?,
    })
}

fn rm(given: &Given<'_>) -> Result<Command, Refusal> {
    Ok(Command::Rm { name: given.name()?, nostop: given.flag("nostop", false)? })
}

fn set(given: &Given<'_>) -> Result<Command, Refusal> {
    given.require(&["name", "options"])?;
    Ok(Command::Set { name: given.name()?, options: given.options_not_null()? })
}

fn signal(given: &Given<'_>) -> Result<Command, Refusal> {
    given.require(&["name", "signum"])?;
    if given.has("childpid") && !given.has("pid") {
        let reason = "cannot specify childpid without pid";
        return Err(Refusal::new(Errno::Command, reason));
    }
    let Some(number) = given.signal_number("signum")? else {
        return Err(Refusal::new(Errno::Message, "signal invalid"));
    };
    // Documented by Circus, sent by its own plugin and never read: `child_pid`.
    let child = if given.has("childpid") { "childpid" } else { "child_pid" };
    Ok(Command::Signal {
        name: given.name()?,
        signal: Signal::from_number(number.into()),
        receivers: Receivers {
            pid: given.pid("pid")?,
            child: given.pid(child)?,
            children: given.flag("children", false)?,
            recursive: given.flag("recursive", false)?,
        },
    })
}

fn logs(given: &Given<'_>) -> Result<Command, Refusal> {
    let stream = given.word("stream")?.filter(|word| !word.is_empty());
    if stream.as_deref().is_some_and(|word| !["stdout", "stderr"].contains(&word)) {
        return Err(Refusal::new(Errno::Message, "'stream' is neither stdout nor stderr"));
    }
    let number = |key: &str| -> Result<Option<u64>, Refusal> {
        let wrong = || Refusal::new(Errno::Message, format!("'{key}' is less than 0"));
        given.integer(key)?.map(|number| u64::try_from(number).map_err(|_| wrong())).transpose()
    };
    let lines = number("lines")?.unwrap_or(LINES).min(LINES_MAX) as u32;
    Ok(Command::Logs {
        name: given.name_if_any()?,
        stream,
        lines,
        after: number("after")?,
        since: given.seconds_ms("since")?.map(|ms| ms as f64 / 1000.0),
    })
}

/// So many lines where nobody says how many, and at most.
const LINES: u64 = 10;
const LINES_MAX: u64 = 100_000;

fn stats(given: &Given<'_>) -> Result<Command, Refusal> {
    let name = given.name_if_any()?;
    // Without a name Circus does not look at it.
    let process = if name.is_some() { given.asked_process("process")? } else { None };
    Ok(Command::Stats { name, process, extended: given.flag("extended", false)? })
}

fn status(given: &Given<'_>) -> Result<Command, Refusal> {
    Ok(Command::Status { name: given.name_if_any()?, detail: given.flag("detail", false)? })
}

fn selection(given: &Given<'_>) -> Result<Selection, Refusal> {
    let Some(pattern) = given.name_if_any()? else { return Ok(Selection::All) };
    let kind = given.word("match")?;
    let matching = Matching::from_name(kind.as_deref().unwrap_or("glob"), &pattern)?;
    Ok(Selection::Matching { pattern, matching })
}

fn string(text: &RawValue) -> Option<String> {
    serde_json::from_str(text.get()).ok()
}

fn json_invalid() -> Refusal {
    Refusal::new(Errno::InvalidJson, "json invalid")
}

/// Without what Python calls blank around it.
fn stripped(body: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0b;
    let start = body.iter().position(|byte| !is_blank(byte)).unwrap_or(body.len());
    let end = body.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
    &body[start..end]
}

/// It is kept as long as the client waits.
const ID_BYTES_MAX: usize = 1024;
