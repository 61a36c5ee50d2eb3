//! The command line client: what people and scripts operate circusd with. A command is looked up
//! in one table, sent as one request, and its reply printed as Circus's circusctl prints it.

mod certificate;
mod commands;
mod completion;
mod daemon;
mod detail;
mod endpoint;
mod failure;
mod globals;
mod health;
mod help;
mod json;
mod listen;
mod output;
mod print;
mod python;
mod request;
mod row;
mod shell;
mod sockets;
mod table;
mod tree;
mod values;
mod words;

use circus::signal::Signal;
use circus::sys::identity;
use circus::sys::signals::SignalFd;
use daemon::Daemon;
use failure::Failure;
use json::Json;
use output::Output;
use row::{Deed, Row};
use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use words::{Line, Options, Wants, Words};

/// What holds for all commands of this process.
struct Session {
    options: Options,
    output: Output,
    /// At a prompt.
    interactive: bool,
    /// Ctrl-C ends a command and not the prompt.
    interrupts: Option<SignalFd>,
}

/// Do what the words (without the program's name) ask for.
pub fn run(words: Vec<OsString>) -> ExitCode {
    let code = match complete_for_circus() {
        Some(code) => code,
        None => start(words),
    };
    // Everything is written; to take libzmq down first would only take time.
    identity::exit_now(code)
}

fn start(words: Vec<OsString>) -> u8 {
    let output = Output::find();
    let mut session =
        Session { options: Options::default(), output, interactive: false, interrupts: None };
    let words: Result<Vec<String>, OsString> =
        words.into_iter().map(OsString::into_string).collect();
    let named = words.iter().flatten().find_map(|word| commands::find(word));
    let line = words
        .map_err(|word| format!("{word:?} is not UTF-8"))
        .and_then(|words| words::parse(words, &session.options));
    let line = match line {
        Ok(line) => line,
        Err(problem) => {
            let hint = match named {
                Some(row) => format!("`circusctl help {}` says more", row.name),
                None => "`circusctl --help` says more".to_string(),
            };
            return session.report(Err(Failure::Usage(format!("{problem}\n{hint}"))));
        }
    };
    if !matches!(line.wants, Wants::Shell) {
        return session.report(session.perform(&line));
    }
    session.options = line.options;
    if !(std::io::stdin().is_terminal() && output.terminal) {
        return shell::piped(&session);
    }
    session.interactive = true;
    session.interrupts = SignalFd::only(Signal::INT).ok();
    shell::interactive(&session)
}

impl Session {
    /// Tell a failure; the exit code.
    fn report(&self, result: Result<(), Failure>) -> u8 {
        let Err(failure) = result else { return 0 };
        if let Some(message) = failure.message() {
            let lines: Vec<String> = message.split('\n').map(output::printable).collect();
            // Nobody may be there to read it: that changes nothing.
            let _ = writeln!(std::io::stderr(), "{}", lines.join("\n"));
        }
        failure.code()
    }

    /// Ctrl-C was for something that is over.
    fn forget_interrupts(&self) {
        if let Some(interrupts) = &self.interrupts {
            interrupts.read(|_| {});
        }
    }

    /// Do what a line asks for.
    fn perform(&self, line: &Line) -> Result<(), Failure> {
        match &line.wants {
            Wants::Help(None) => self.output.print(help::all().trim_end()),
            Wants::Help(Some(row)) => self.output.print(help::one(row).trim_end()),
            Wants::Version => self.output.print(concat!("circusctl ", env!("CARGO_PKG_VERSION"))),
            Wants::Shell => Ok(()),
            Wants::Command(row, words) => self.command(row, words, &line.options),
        }
    }

    fn command(&self, row: &Row, words: &Words, options: &Options) -> Result<(), Failure> {
        let daemon = || Daemon::new(options, self.interrupts.as_ref());
        match row.deed {
            Deed::Ask { properties, print } => {
                let properties = properties(words).map_err(Failure::Usage)?;
                let reply = daemon()?.reply(row.name, properties)?;
                self.show(&reply, options, print)
            }
            Deed::Status => self.status(&daemon()?, words, options),
            Deed::Health => health::run(&self.output, self.interrupts.as_ref(), words, options),
            Deed::Tree => self.tree(&daemon()?, words, options),
            Deed::Sockets => self.sockets(&daemon()?, words, options),
            Deed::ReloadConfig => self.reload_config(&daemon()?, words, options),
            Deed::Listen => listen::run(&daemon()?, options, words, &self.output),
            Deed::Keygen => self.output.print(&certificate::generate(words.value("output"))?),
            Deed::Completion => self.complete(words, options),
            Deed::Help => match words.get(0) {
                Some(name) => {
                    let row = words::command(name).map_err(Failure::Usage)?;
                    self.output.print(help::one(row).trim_end())
                }
                None => self.output.print(help::all().trim_end()),
            },
        }
    }

    /// Print a reply, as JSON or by `print`. A refusal is a failure either way.
    fn show(
        &self,
        reply: &Json,
        options: &Options,
        print: impl FnOnce(&Json) -> Option<String>,
    ) -> Result<(), Failure> {
        let refusal = daemon::refusal(reply);
        if options.prettify || options.json {
            let text = if options.prettify { reply.pretty() } else { reply.line() };
            self.output.print(&text)?;
            return refusal.map_or(Ok(()), |refusal| Err(Failure::Said(refusal.code())));
        }
        match refusal {
            Some(refusal) => Err(refusal),
            None => self.output.say(&print(reply).ok_or_else(strange)?),
        }
    }

    fn status(&self, daemon: &Daemon<'_>, words: &Words, options: &Options) -> Result<(), Failure> {
        let json = options.json || options.prettify;
        let wanted = words.has("detail") || self.output.terminal && !words.has("plain") && !json;
        let reasons = !json && !words.has("plain");
        let reply = daemon.reply("status", with_detail(words, wanted || reasons)?)?;
        let details = (wanted || reasons) && !json && daemon::refusal(&reply).is_none();
        let watchers = detail::watchers(&reply).filter(|_| details);
        match (watchers, words.get(0)) {
            (Some(watchers), _) if wanted => {
                self.output.print(&table::status(&watchers, self.output.width, self.output.colour))
            }
            (Some(watchers), None) => self.output.say(&print::states(&watchers)),
            (Some(watchers), Some(_)) => {
                for watcher in &watchers {
                    self.output.say(watcher.status)?;
                    // Scripts compare the state with a word.
                    if let Some(trouble) = watcher.trouble() {
                        let line = output::printable(&format!("{}: {trouble}", watcher.name));
                        let _ = writeln!(std::io::stderr(), "{line}");
                    }
                }
                Ok(())
            }
            // Circus's own circusd knows no details.
            (None, _) => self.show(&reply, options, print::status),
        }
    }

    fn tree(&self, daemon: &Daemon<'_>, words: &Words, options: &Options) -> Result<(), Failure> {
        let reply = daemon.reply("status", with_detail(words, true)?)?;
        if options.json || options.prettify {
            return self.show(&reply, options, |_| None);
        }
        let reply = daemon::accepted(reply)?;
        let Some(watchers) = detail::watchers(&reply) else {
            let text = "this circusd does not tell what its watchers wait for";
            return Err(Failure::Trouble(text.to_string()));
        };
        self.output.print(&tree::draw(&watchers, &self.output))
    }

    fn sockets(
        &self,
        daemon: &Daemon<'_>,
        words: &Words,
        options: &Options,
    ) -> Result<(), Failure> {
        let reply = daemon.reply("listsockets", with_detail(words, true)?)?;
        // Circus's own circusd knows no details.
        self.show(&reply, options, |reply| sockets::draw(reply).or_else(|| print::sockets(reply)))
    }

    fn reload_config(
        &self,
        daemon: &Daemon<'_>,
        words: &Words,
        options: &Options,
    ) -> Result<(), Failure> {
        if !words.has("dry-run") {
            let properties = request::waiting(words).map_err(Failure::Usage)?;
            let reply = daemon.reply("reloadconfig", properties)?;
            self.warn(&reply, options);
            return self.show(&reply, options, print::done);
        }
        // Circus ignores what it does not know: it would reload.
        let known = daemon.ask("status", vec![("detail".to_string(), Json::Bool(true))])?;
        if known.get("watchers").is_none() {
            let text = "this circusd knows no dry run; nothing was sent";
            return Err(Failure::Trouble(text.to_string()));
        }
        let properties = vec![("dry_run".to_string(), Json::Bool(true))];
        let reply = daemon.reply("reloadconfig", properties)?;
        self.warn(&reply, options);
        self.show(&reply, options, print::changes)
    }

    /// What a reply says that will surprise. As JSON it has it already.
    fn warn(&self, reply: &Json, options: &Options) {
        if options.json || options.prettify {
            return;
        }
        for warning in reply.get("warnings").map_or(&[][..], Json::items) {
            let text = output::printable(&python::plain(warning));
            // Nobody may be there to read it: that changes nothing.
            let _ = writeln!(std::io::stderr(), "warning: {text}");
        }
    }

    fn complete(&self, words: &Words, options: &Options) -> Result<(), Failure> {
        if let Some(line) = words.value("line") {
            // The first word is our own name.
            let Some((_, line)) = line.trim_start().split_once(char::is_whitespace) else {
                return Ok(());
            };
            let (_, found) = completion::candidates(line, || shell::watcher_names(options));
            let lines: Vec<String> =
                found.iter().map(|found| format!("{}\t{}", found.word, found.help)).collect();
            return if lines.is_empty() { Ok(()) } else { self.output.say(&lines.join("\n")) };
        }
        let script = completion::script(words.get(0).unwrap_or(""));
        let usage = || Failure::Usage("completion is for bash, zsh or fish".to_string());
        self.output.print(script.ok_or_else(usage)?.trim_end())
    }
}

/// The properties of a `status`.
fn with_detail(words: &Words, wanted: bool) -> Result<Vec<(String, Json)>, Failure> {
    let mut properties = request::name(words).map_err(Failure::Usage)?;
    if wanted {
        properties.push(("detail".to_string(), Json::Bool(true)));
    }
    Ok(properties)
}

fn strange() -> Failure {
    Failure::Trouble("the reply lacks what it should tell; --json shows it".to_string())
}

/// The protocol of Circus's own completion for bash: it wants exit code 1.
fn complete_for_circus() -> Option<u8> {
    std::env::var_os("AUTO_COMPLETE")?;
    let words = std::env::var("COMP_WORDS").ok()?;
    let position: usize = std::env::var("COMP_CWORD").ok()?.parse().ok()?;
    let mut line: Vec<&str> = words.split_whitespace().skip(1).take(position).collect();
    line.resize(position, "");
    let (_, found) =
        completion::candidates(&line.join(" "), || shell::watcher_names(&Options::default()));
    let words: Vec<String> = found.into_iter().map(|found| found.word).collect();
    let _ = Output::find().print(&words.join(" "));
    Some(1)
}
