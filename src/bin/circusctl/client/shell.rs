//! Commands from a person at a prompt, or from a pipe: one a line, with the words split as a POSIX
//! shell splits them.

use super::completion::{self, Candidate};
use super::daemon::Daemon;
use super::failure::Failure;
use super::json::Json;
use super::words::{self, Options, Wants};
use super::{Session, help};
use circus::config::words::split;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::io::{BufRead, Read};

/// What follows after a line.
enum Next {
    GoOn,
    Leave,
}

/// A prompt, until the person leaves. The exit code is 0, as what went wrong was seen.
pub fn interactive(session: &Session) -> u8 {
    // History is for this session only: a command line may contain a password.
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .auto_add_history(true)
        .max_history_size(1000)
        .map(rustyline::config::Builder::build);
    let editor = config.and_then(Editor::<Completion, DefaultHistory>::with_config);
    let Ok(mut editor) = editor else { return piped(session) };
    editor.set_helper(Some(Completion { options: session.options.clone() }));
    let version = concat!("circusctl ", env!("CARGO_PKG_VERSION"));
    session.report(session.output.print(version));
    session.report(line(session, "status").map(drop));
    loop {
        let read = match editor.readline("(circusctl) ") {
            Ok(read) => read,
            // Ctrl-C forgets the line, as in every shell.
            Err(ReadlineError::Interrupted) => continue,
            Err(_) => return 0,
        };
        session.forget_interrupts();
        match line(session, &read) {
            Ok(Next::Leave) => return 0,
            Ok(Next::GoOn) => {}
            Err(failure) => {
                session.report(Err(failure));
            }
        }
    }
}

/// All lines of standard input; without any, the status. The exit code is that of the first line
/// that failed.
pub fn piped(session: &Session) -> u8 {
    let mut stdin = std::io::stdin().lock();
    let (mut code, mut empty) = (0, true);
    loop {
        let mut read = Vec::new();
        let result = stdin.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut read);
        if result.is_err() || read.is_empty() {
            break;
        }
        let result = match std::str::from_utf8(&read) {
            Ok(text) if text.trim().is_empty() => continue,
            Ok(text) => line(session, text),
            Err(_) => Err(Failure::Usage("a line is not UTF-8".to_string())),
        };
        empty = false;
        match result {
            Ok(Next::GoOn) => {}
            Ok(Next::Leave) | Err(Failure::NobodyReads) => return code,
            Err(failure) => {
                let this = session.report(Err(failure));
                code = if code == 0 { this } else { code };
            }
        }
    }
    if empty {
        return session.report(line(session, "status").map(drop));
    }
    code
}

/// Do what a line says.
fn line(session: &Session, text: &str) -> Result<Next, Failure> {
    if text.trim_start().starts_with('#') {
        return Ok(Next::GoOn);
    }
    let words =
        split(text.as_bytes()).map_err(|problem| Failure::Usage(format!("the line {problem}")))?;
    let words: Vec<String> =
        words.into_iter().map(|word| String::from_utf8_lossy(&word).into_owned()).collect();
    match words.first().map(String::as_str) {
        Some("exit" | "EOF") => return Ok(Next::Leave),
        Some("?") => return session.output.print(help::all().trim_end()).map(|()| Next::GoOn),
        _ => {}
    }
    let line = words::parse(words, &session.options).map_err(Failure::Usage)?;
    match &line.wants {
        Wants::Command(row, words)
            if session.interactive && row.name == "quit" && !words.has("yes") =>
        {
            Err(Failure::Usage(
                "quit stops circusd and all its watchers: `quit --yes` if that is meant; `exit` \
                 or Ctrl-D leave this shell"
                    .to_string(),
            ))
        }
        Wants::Shell => Ok(Next::GoOn),
        _ => session.perform(&line).map(|()| Next::GoOn),
    }
}

/// Names of the watchers, as configured; none if nobody answers soon.
pub fn watcher_names(options: &Options) -> Vec<String> {
    let options = Options { timeout_ms: Some(1000), ..options.clone() };
    let reply = Daemon::new(&options, None).and_then(|daemon| daemon.ask("status", Vec::new()));
    let names = |reply: &Json| {
        let statuses = reply.get("statuses").map_or(&[][..], Json::members);
        statuses.iter().map(|(name, _)| name.clone()).collect()
    };
    reply.as_ref().map(names).unwrap_or_default()
}

/// Completion at the prompt.
struct Completion {
    options: Options,
}

impl Completer for Completion {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        end: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let line = &line[..end];
        let (start, mut found) = completion::candidates(line, || watcher_names(&self.options));
        if line[..start].trim().is_empty() {
            let words = completion::shell_words().into_iter();
            found.extend(words.filter(|candidate| candidate.fits(&line[start..])));
        }
        Ok((start, found.into_iter().map(pair).collect()))
    }
}

/// With quotes around what would be several words.
fn pair(candidate: Candidate) -> Pair {
    let plain = |char: char| char.is_alphanumeric() || "-_.:/@%+=".contains(char);
    let quoted = if candidate.word.chars().all(plain) {
        candidate.word.clone()
    } else {
        format!("'{}'", candidate.word.replace('\'', "'\"'\"'"))
    };
    let end = if quoted.ends_with(['.', '=']) { "" } else { " " };
    Pair { display: candidate.word, replacement: format!("{quoted}{end}") }
}

impl Hinter for Completion {
    type Hint = String;
}
impl Highlighter for Completion {}
impl Validator for Completion {}
impl Helper for Completion {}

/// What circusd takes of a request.
const LINE_BYTES_MAX: u64 = 262_144;
