//! Every block of code in the documents works.

use super::blocks::{Block, Page, variables, with_known_users};
use super::stage::{Folder, Stage, said};
use super::supervisor;
use circus::config::options::{CIRCUS, SOCKET, STREAM, WATCHER};
use std::process::Command;

#[test]
fn every_configuration_is_valid_and_asks_for_nothing_that_is_not_there() {
    let mut seen = 0;
    for page in Page::all() {
        for block in page.ours("ini") {
            seen += 1;
            let folder = Folder::new();
            let ini = with_known_users(&block.text);
            folder.write("circus.ini", &ini);
            if ini.contains("curve_secret_key") {
                let keys = "circusctl keygen --output server; cp server.key authorized_keys";
                let output = folder.command(&["sh", "-e", "-c", keys]).output().expect("a shell");
                assert!(output.status.success(), "{}", said(&output));
            }
            let mut command = folder.command(&["circusd", "--check", "circus.ini"]);
            let output = command.envs(variables(&ini)).output().expect("circusd");
            let text = said(&output);
            assert!(output.status.success(), "{}: {text}", block.place);
            let asks_for_nothing_else = !text.contains("not supported yet");
            assert!(asks_for_nothing_else, "{}: {text}", block.place);
        }
    }
    assert!(seen >= 10, "only {seen} configurations");
}

#[test]
fn every_command_that_a_reader_would_type_works() {
    let mut seen = 0;
    for page in Page::all() {
        let scripts = page.scripts();
        let health = page.ours("dockerfile").flat_map(|block| arrays(block, "HEALTHCHECK CMD"));
        let probes = page.ours("yaml").flat_map(|block| arrays(block, "command:"));
        let words: Vec<_> = health.chain(probes).collect();
        if scripts.is_empty() && words.is_empty() {
            continue;
        }
        let stage = Stage::of(&page);
        for (block, script) in scripts {
            let script = possible(&stage, &script);
            let output = stage.run(&script);
            assert!(output.status.success(), "{}:\n{script}{}", block.place, said(&output));
            seen += 1;
        }
        for (block, words) in words {
            let is_ours = words[0] == "circusctl" || words[0] == "circusd";
            assert!(is_ours, "{}: {words:?} is not ours", block.place);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let output = stage.folder.command(&words).output().expect("a program");
            assert!(output.status.success(), "{}: {words:?}{}", block.place, said(&output));
            seen += 1;
        }
    }
    assert!(seen >= 12, "only {seen} blocks");
}

#[test]
fn every_client_in_python_gets_its_answer() {
    let is_here = Command::new("python3").args(["-c", "import circus.client"]).output();
    if !is_here.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: there is no python3 with Circus here");
        return;
    }
    for page in Page::all() {
        if page.ours("python").next().is_none() {
            continue;
        }
        let stage = Stage::of(&page);
        for block in page.ours("python") {
            let endpoint = stage.folder.endpoint("control");
            let program = block.text.replace("ipc:///run/control.sock", &endpoint);
            assert_ne!(program, block.text, "{}", block.place);
            let mut command = Command::new("python3");
            let output = command.args(["-c", &program]).output().expect("python3");
            assert!(output.status.success(), "{}: {}", block.place, said(&output));
        }
    }
}

#[test]
fn every_block_is_of_a_kind_that_is_looked_at() {
    let kinds = ["", "console", "dockerfile", "ini", "python", "sh", "yaml"];
    for page in Page::all() {
        for block in &page.blocks {
            assert!(kinds.contains(&&*block.language), "{}: {}", block.place, block.language);
        }
    }
}

/// Without lines that need another machine, or what `circusctl` has not learnt yet.
fn possible(stage: &Stage, script: &str) -> String {
    let is_possible = |line: &str| {
        let awaits = line.contains("--wait ");
        let lacks = awaits && !stage.run("circusctl help health | grep -e --wait").status.success();
        if lacks {
            println!("SKIPPED: {line}");
        }
        !lacks && !line.contains("--endpoint tcp://")
    };
    script.lines().filter(|line| is_possible(line)).map(|line| format!("{line}\n")).collect()
}

/// The arrays of words after a keyword in a block.
fn arrays<'b>(block: &'b Block, keyword: &str) -> Vec<(&'b Block, Vec<String>)> {
    let rests = block.text.lines().filter_map(|line| line.trim_start().strip_prefix(keyword));
    rests
        .map(|rest| {
            let words = serde_json::from_str(rest.trim());
            (block, words.unwrap_or_else(|_| panic!("{}: {rest} is no array", block.place)))
        })
        .collect()
}

/// Texts between single backquotes.
fn quoted(page: &Page) -> Vec<String> {
    let mut is_block = false;
    let mut found = Vec::new();
    for line in page.text.lines() {
        is_block ^= line.starts_with("```");
        if !is_block && !line.starts_with("```") {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

#[test]
fn every_command_that_is_named_has_its_help() {
    let folder = Folder::new();
    let help = |words: &[&str]| {
        let output = folder.command(words).output().expect("circusctl");
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let general = help(&["circusctl", "--help"]).expect("help");
    for page in Page::all() {
        for text in quoted(&page) {
            let Some(words) = text.strip_prefix("circusctl ") else { continue };
            let words: Vec<&str> =
                words.split('|').take(1).flat_map(str::split_whitespace).collect();
            let is_name = |word: &&&str| word.starts_with(|c: char| c.is_ascii_lowercase());
            let command = words.iter().find(is_name);
            let text = format!("{}: {text}", page.name);
            let own = command.map(|command| help(&["circusctl", "help", command]));
            let own = own.map(|own| own.unwrap_or_else(|| panic!("{text}: no such command")));
            let known = format!("{general}{}", own.unwrap_or_default());
            for option in words.iter().filter(|word| word.starts_with('-')) {
                assert!(known.contains(option) || *option == "--wait", "{text}: no {option}");
            }
        }
    }
}

#[test]
fn every_option_that_is_given_a_value_is_one() {
    let ours = [
        WATCHER.iter().map(|row| row.name).collect::<Vec<_>>(),
        CIRCUS.iter().map(|row| row.name).collect(),
        STREAM.iter().map(|row| row.name).collect(),
        SOCKET.iter().map(|row| row.name).collect(),
    ];
    let ours: Vec<&str> = ours.concat();
    let is_ours = |name: &str| {
        let family = |row: &&str| row.ends_with('*') && name.starts_with(row.trim_end_matches('*'));
        ours.contains(&name) || ours.iter().any(family)
    };
    // The page on differences tells mistakes too.
    for page in Page::all().iter().filter(|page| page.name != "docs/differences.md") {
        for text in quoted(page) {
            let Some((name, _)) = text.split_once(" = ") else { continue };
            let name = name.strip_prefix("[circus] ").unwrap_or(name);
            let is_example = name == "key" || name.starts_with(|c: char| c.is_ascii_uppercase());
            let is_known = is_ours(name) || supervisor::reads(name);
            assert!(is_known || is_example, "{}: {text}: no option", page.name);
        }
    }
}

#[test]
fn every_dockerfile_copies_what_it_starts() {
    let mut seen = 0;
    for page in Page::all() {
        for block in page.ours("dockerfile") {
            seen += 1;
            let copies: Vec<Vec<&str>> = block
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("COPY "))
                .map(|rest| rest.split_whitespace().collect())
                .collect();
            let from_us = copies.iter().find(|words| words[0] == "--from=circus");
            let programs = from_us.map_or(&[][..], |words| &words[1..words.len() - 1]);
            for program in programs {
                assert!(["/circusd", "/circusctl"].contains(program), "{}", block.place);
            }
            let is_whole = block.text.starts_with("FROM ");
            let entry = arrays(block, "ENTRYPOINT").pop().map(|(_, words)| words);
            let entry = entry.unwrap_or_else(|| panic!("{}: no ENTRYPOINT", block.place));
            for (_, words) in arrays(block, "HEALTHCHECK CMD") {
                assert!(programs.contains(&&*format!("/{}", words[0])), "{}", block.place);
            }
            let name = entry[0].trim_start_matches('/');
            assert_eq!(name, "circusd", "{}", block.place);
            assert!(!is_whole || programs.contains(&"/circusd"), "{}", block.place);
            if let Some(config) = entry.get(1).filter(|word| *word != "--") {
                let copied = |words: &Vec<&str>| words.last() == Some(&&**config);
                assert!(copies.iter().any(copied), "{}: {config} is not copied", block.place);
            }
            let folder = Folder::new();
            let mut words = vec!["circusd"];
            words.extend(entry.iter().skip(1).map(String::as_str).filter(|word| *word == "--"));
            words.push(if words.len() > 1 { "true" } else { "--help" });
            let output = folder.command(&words).output().expect("circusd");
            assert!(output.status.success(), "{}: {}", block.place, said(&output));
        }
    }
    assert!(seen >= 5, "only {seen} Dockerfiles");
}

#[test]
fn every_manifest_is_yaml() {
    let script = "import sys, yaml; list(yaml.safe_load_all(sys.stdin))";
    let is_here = Command::new("python3").args(["-c", "import yaml"]).output();
    if !is_here.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: there is no python3 with yaml here");
        return;
    }
    for page in Page::all() {
        for block in page.blocks.iter().filter(|block| block.language == "yaml") {
            let folder = Folder::new();
            let file = folder.write("manifest.yaml", &block.text);
            let mut command = Command::new("python3");
            command.args(["-c", script]);
            command.stdin(std::fs::File::open(file).expect("the test's own file"));
            let output = command.output().expect("python3");
            assert!(output.status.success(), "{}: {}", block.place, said(&output));
        }
    }
}
