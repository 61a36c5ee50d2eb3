//! Configurations, in one file or several: whatever they say, they are refused with mistakes that a
//! person can read, or they are settings that hold what the rest of the program relies on. What
//! comes from secret files is never told.

#![no_main]

#[path = "../parts/files.rs"]
mod files;
#[path = "../parts/limit.rs"]
mod limit;
#[path = "../parts/repeat.rs"]
mod repeat;

use circus::commands::json;
use circus::config::program::program;
use circus::config::settings::{Config, WatcherSettings};
use circus::config::{self, Mistake};
use files::{Files, MAIN, SECRET, environment};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::rc::Rc;

/// Of one mistake or warning: it is a line for people.
const LINE_BYTES_MAX: usize = 2000;
const MISTAKES_MAX: usize = 1001;
/// One of so many options is tried; the length of the input decides which.
const SET_EVERY: usize = 16;

fuzz_target!(|data: &[u8]| {
    let files = Files::new(data);
    let loaded = limit::in_time("load", || config::load(MAIN, &environment(), &files));
    let told = match loaded {
        Ok(config) => settings(&config, &files, data.len()),
        Err(mistakes) => refused(&mistakes),
    };
    // An input that holds the secret itself, or includes its file, shows nothing.
    if !contains(data, SECRET.as_bytes()) && !files.secret_is_configuration.get() {
        assert!(!contains(&told, SECRET.as_bytes()), "a secret is told");
    }
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let repeated = repeat::repeat(data, size, max_size, seed);
    repeated.unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
});

fn refused(mistakes: &[Mistake]) -> Vec<u8> {
    assert!((1..=MISTAKES_MAX).contains(&mistakes.len()), "{} mistakes", mistakes.len());
    let mut told = Vec::new();
    for mistake in mistakes {
        let line = mistake.to_string();
        assert!(line.len() <= LINE_BYTES_MAX + mistake.file.len(), "a long mistake: {line}");
        told.extend_from_slice(line.as_bytes());
    }
    told
}

/// All that is shown of settings. Of one watcher more is looked at, by `chance`.
fn settings(config: &Config, files: &Files, chance: usize) -> Vec<u8> {
    let differing = config::circus_differences(&config.circus, &config.circus);
    assert!(differing.is_empty(), "[circus] differs from itself in {differing:?}");
    let mut told = Vec::new();
    let lines = config.warnings.iter().chain(&config.unsupported);
    for line in lines {
        assert!(line.len() <= LINE_BYTES_MAX, "a long warning: {line}");
        told.extend_from_slice(line.as_bytes());
    }
    for (name, value) in config::shown_circus(&config.circus, "control", "pubsub") {
        json::push_string(&mut told, &name);
        json::push_value(&mut told, &value);
    }
    assert!(config.watchers.is_sorted_by(|a, b| a.name < b.name), "each name once, in order");
    if let Some(count) = config.watchers.len().checked_sub(1) {
        let watcher = &config.watchers[chance % (count + 1)];
        let differing = config::differences(watcher, watcher);
        assert!(differing.is_empty(), "{} differs from itself in {differing:?}", watcher.name);
        told.extend(shown(watcher, &config.watchers, files, chance));
        // What cannot be made words of is a mistake, unless only the environment can tell.
        drop(program(watcher, 1, &environment(), &[]));
    }
    told
}

/// The options as clients see them. To set one to what it is changes nothing.
fn shown(
    watcher: &WatcherSettings,
    watchers: &Vec<Rc<WatcherSettings>>,
    files: &Files,
    chance: usize,
) -> Vec<u8> {
    let mut told = Vec::new();
    for (number, (name, value)) in config::shown_options(watcher, "/srv").into_iter().enumerate() {
        json::push_string(&mut told, &name);
        json::push_value(&mut told, &value);
        if (number + chance) % SET_EVERY > 0 {
            continue;
        }
        let option = [(name, value)];
        match config::changed(watcher, &option, files, watchers) {
            Ok((new, names)) => {
                let differing = config::differences(watcher, &new);
                let is_same = differing.is_empty() || is_made_absolute(&differing);
                assert!(is_same, "{option:?} changes {differing:?} of {}", watcher.name);
                assert!(names.len() <= 1);
            }
            Err(refused) => {
                assert!(refused.reason.len() <= LINE_BYTES_MAX, "{}", refused.reason);
                told.extend_from_slice(refused.reason.as_bytes());
            }
        }
    }
    told
}

/// Where a process runs is always shown, also where no option says it.
fn is_made_absolute(differing: &[Box<str>]) -> bool {
    matches!(differing, [only] if **only == *"working_dir")
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
