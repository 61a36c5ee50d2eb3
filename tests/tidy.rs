//! Our own rules, kept by a test: sizes, who may know whom, words that have no place here.

#![allow(clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Without the tests at the end.
    fn body(&self) -> impl Iterator<Item = &str> {
        self.text.lines().take_while(|line| *line != "#[cfg(test)]" && *line != "mod tests {")
    }
}

fn sources(folder: &str) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(&path).expect("UTF-8");
                found.push(Source { path, text });
            }
        }
    }
    assert!(!found.is_empty());
    found
}

fn fail_if_any(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn files_and_functions_are_small_enough_to_read() {
    let mut found = Vec::new();
    for source in sources("src") {
        let is_test = source.path.ends_with("tests.rs");
        let lines: Vec<&str> = source.body().collect();
        if lines.len() > FILE_LINES_MAX && !is_test {
            found.push(format!("{}: {} lines", source.name(), lines.len()));
        }
        let mut start = None;
        for (number, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            let indent = line.len() - code.len();
            let is_function = code.starts_with("fn ")
                || code.starts_with("pub") && code.contains(" fn ")
                || code.starts_with("extern \"C\" fn ");
            if is_function && start.is_none() {
                start = Some((number, indent));
            }
            if let Some((first, outer)) = start
                && code == "}"
                && indent == outer
            {
                if number - first + 1 > FUNCTION_LINES_MAX && !is_test {
                    let lines = number - first + 1;
                    found.push(format!("{}:{}: {lines} lines", source.name(), first + 1));
                }
                start = None;
            }
        }
    }
    fail_if_any("too large", found);
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = sources("src")
        .into_iter()
        .chain(sources("tests"))
        .filter(|source| !source.text.starts_with("//! "))
        .map(|source| source.name())
        .collect();
    fail_if_any("no doc comment at the top", silent);
}

/// For these the kernel takes the lock of the process's memory, and a process that hangs may hold that
/// for ever.
const HANGING: [&str; 6] = ["cmdline", "environ", "maps", "smaps", "smaps_rollup", "numa_maps"];

#[test]
fn pid_1_reads_nothing_that_a_hanging_process_can_hold_up() {
    let mut found = Vec::new();
    for source in sources("src/sys").into_iter().chain(sources("src/bin/circusd")) {
        for (number, line) in source.body().enumerate() {
            let reads = |file: &&str| {
                let ends = [format!("/{file}\""), format!("(\"{file}\")")];
                ends.iter().any(|end| line.contains(end.as_str()))
            };
            if HANGING.iter().any(reads) {
                found.push(format!("{}:{}", source.name(), number + 1));
            }
        }
    }
    fail_if_any("may wait for another process", found);
}

/// Which rooms the files of a room may name.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("src/commands", &["commands", "pattern", "process", "signal"]),
    ("src/config", &["config", "pattern", "signal", "sort"]),
    (
        "src/supervisor",
        &[
            "commands",
            "config",
            "moment",
            "notification",
            "process",
            "signal",
            "sort",
            "supervisor",
        ],
    ),
    ("src/wire", &["wire"]),
    // Plain settings are plain words too.
    ("src/sys", &["config", "moment", "notification", "process", "signal", "sys"]),
];

#[test]
fn rooms_know_only_what_they_may() {
    let mut found = Vec::new();
    for (folder, allowed) in MAY_KNOW {
        for source in sources(folder) {
            for (number, line) in source.text.lines().enumerate() {
                for part in line.split("crate::").skip(1) {
                    let room: String =
                        part.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                    if !allowed.contains(&room.as_str()) && !line.trim_start().starts_with("//") {
                        found.push(format!("{}:{}: {room}", source.name(), number + 1));
                    }
                }
                let is_sys = *folder == "src/sys";
                if is_sys && line.contains("crate::config") && !line.contains("settings") {
                    found.push(format!("{}:{}: more than settings", source.name(), number + 1));
                }
            }
        }
    }
    fail_if_any("a room knows what it must not", found);
}

#[test]
fn the_core_has_no_io_clock_threads_or_chance() {
    let mut found = Vec::new();
    let rooms = ["src/commands", "src/config", "src/supervisor", "src/wire"];
    for source in rooms.into_iter().flat_map(sources) {
        for word in [
            "std::fs",
            "std::io",
            "std::net",
            "std::process",
            "std::thread",
            "std::time",
            "std::env",
            "libc",
            "nix::",
            "println!",
            "eprintln!",
            "HashMap",
        ] {
            if source.body().any(|line| line.contains(word) && !line.trim().starts_with("//")) {
                found.push(format!("{}: {word}", source.name()));
            }
        }
    }
    fail_if_any("not in the core", found);
}

#[test]
fn unsafe_code_is_in_one_room_and_says_why_it_is_sound() {
    let mut found = Vec::new();
    for source in sources("src") {
        // libzmq's own interface is the one exception.
        let in_sys = source.path.components().any(|part| part.as_os_str() == "sys")
            || source.path.ends_with("src/bin/circusctl/zeromq.rs");
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.trim_start();
            if code.starts_with("//") || !code.contains("unsafe {") {
                continue;
            }
            let reason = lines[number.saturating_sub(6)..=number]
                .iter()
                .any(|line| line.contains("// SAFETY:"));
            if !in_sys || !reason {
                found.push(format!("{}:{}", source.name(), number + 1));
            }
        }
    }
    fail_if_any("unsafe code in the wrong room, or without a reason", found);
}

#[test]
fn nothing_is_left_open_and_no_room_is_a_drawer_for_everything() {
    // In two parts, so that this file does not hold what it looks for.
    let words: Vec<String> = [("to", "do!("), ("unimpl", "emented!("), ("FIX", "ME"), ("XX", "X")]
        .map(|(a, b)| format!("{a}{b}"))
        .to_vec();
    let mut found = Vec::new();
    for source in sources("src").into_iter().chain(sources("tests")) {
        for word in &words {
            if source.text.contains(word.as_str()) {
                found.push(format!("{}: {word}", source.name()));
            }
        }
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        if ["util", "utils", "common", "misc", "manager", "helpers"].contains(&stem) {
            found.push(format!("{}: what is it for?", source.name()));
        }
    }
    fail_if_any("left open", found);
}

#[test]
fn every_document_that_is_linked_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut documents = vec![root.join("README.md"), root.join("CHANGELOG.md")];
    documents.extend(fs::read_dir(root.join("docs")).expect("docs").flatten().map(|e| e.path()));
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document");
        let folder = document.parent().expect("a folder");
        for part in text.split("](").skip(1) {
            let target = part.split([')', '#']).next().unwrap_or("");
            if target.is_empty() || target.contains("://") {
                continue;
            }
            if !folder.join(target).exists() {
                found.push(format!("{}: {target}", document.display()));
            }
        }
    }
    fail_if_any("links that lead nowhere", found);
}
