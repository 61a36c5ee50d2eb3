//! `circusd --check`: say what would run, or every mistake; starts nothing.

use crate::args::Args;
use crate::boot::{find_config, load};
use crate::files::environment;
use circus::config;
use circus::config::program::program;
use circus::config::settings::{Config, Respawn, WatcherSettings};

pub fn check(args: &Args) -> Result<String, String> {
    let path = match &args.config {
        Some(path) => path.to_string_lossy().into_owned(),
        None => find_config().ok_or("--check: no configuration was named or found")?,
    };
    let environment = environment();
    let config = load(&path, &environment)?;
    Ok(text(&path, &config, &environment))
}

fn text(path: &str, config: &Config, environment: &[config::settings::Variable]) -> String {
    let mut watchers: Vec<&WatcherSettings> = config.watchers.iter().map(|w| &**w).collect();
    circus::sort::sort_by_key(&mut watchers, |watcher| -i64::from(watcher.priority));
    let mut text = format!("{path} is valid. In this order would start:\n");
    for watcher in &watchers {
        let passed = config::sockets::passed_names(watcher, &config.sockets);
        let command = match program(watcher, 1, environment, &passed) {
            _ if holds_secret(watcher) => "***".to_string(),
            Ok(program) => {
                let words: Vec<String> = program
                    .argv
                    .iter()
                    .map(|word| quoted(&String::from_utf8_lossy(word)))
                    .collect();
                words.join(" ")
            }
            Err(reason) => format!("({reason})"),
        };
        text.push_str(&format!("  {}: {command}\n", watcher.name));
        let traits = traits(watcher);
        if !traits.is_empty() {
            text.push_str(&format!("      {}\n", traits.join(", ")));
        }
    }
    for warning in &config.warnings {
        text.push_str(&format!("note: {warning}\n"));
    }
    if !config.unsupported.is_empty() {
        text.push_str(&format!("not supported yet: {}\n", config.unsupported.join("; ")));
    }
    text
}

/// Whether the command line shows the content of a file.
pub fn holds_secret(watcher: &WatcherSettings) -> bool {
    // Other options may be in it as variables of the process.
    watcher.masked.iter().any(|option| circus::config::program::is_spawn_variable(option))
}

/// What is not as it is by default.
fn traits(watcher: &WatcherSettings) -> Vec<String> {
    let mut all = Vec::new();
    if !watcher.autostart {
        all.push("not started by itself (autostart)".to_string());
    }
    if watcher.priority != 0 {
        all.push(format!("priority {}", watcher.priority));
    }
    if watcher.numprocesses != 1 {
        all.push(format!("{} processes", watcher.numprocesses));
    }
    if watcher.oneshot {
        all.push("runs to completion once".to_string());
    }
    if watcher.essential {
        all.push("essential".to_string());
    }
    match watcher.respawn {
        Respawn::OnFailure => all.push("started again on failure".to_string()),
        Respawn::Never if !watcher.oneshot => all.push("not started again".to_string()),
        Respawn::Always | Respawn::Never => {}
    }
    if !watcher.depends_on.is_empty() {
        let needs = watcher.depends_on.iter();
        let needs: Vec<String> =
            needs.map(|it| format!("{} ({})", it.name, it.gate.name())).collect();
        all.push(format!("waits for {}", needs.join(" and ")));
    }
    if let Some(ready) = kept(watcher, "ready").filter(|_| !watcher.oneshot) {
        all.push(format!("ready by {ready}"));
    }
    if let (Some(check), Some(form)) = (&watcher.check, kept(watcher, "check")) {
        let seconds = check.interval_ms as f64 / 1000.0;
        all.push(format!("checked by {form} every {seconds} s"));
    }
    if let Some(identity) = &watcher.identity {
        let number = |id: Option<u32>| id.map_or("-".to_string(), |id| id.to_string());
        all.push(format!("user {}, group {}", number(identity.uid), number(identity.gid)));
    }
    all
}

/// An option as it is written, unless it is the default.
fn kept<'a>(watcher: &'a WatcherSettings, option: &str) -> Option<&'a str> {
    let is_masked = watcher.masked.iter().any(|masked| **masked == *option);
    let kept = watcher.kept.iter().find(|(name, _)| **name == *option);
    kept.map(|(_, text)| if is_masked { "***" } else { &**text })
}

/// As one would type it for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_string()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
