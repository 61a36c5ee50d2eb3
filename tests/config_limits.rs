//! Short texts that ask for a lot: each is read, or refused with a mistake that names the place, in
//! time and memory that grow with what is written. Before there were limits each of these took
//! minutes or gigabytes.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use circus::config::program::program;
use circus::config::settings::{Config, Variable};
use circus::config::{Mistake, Source, changed, differences, load, shown_options};
use serde_json::{Value, json};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Files in memory, and how often one was asked for.
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    asked: Cell<usize>,
}

impl Files {
    fn new(main: &str, more: &[(&str, &[u8])]) -> Files {
        let mut files = BTreeMap::from([("/etc/c.ini".to_owned(), main.as_bytes().to_vec())]);
        files.extend(more.iter().map(|(path, content)| (path.to_string(), content.to_vec())));
        Files { files, asked: Cell::new(0) }
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        self.asked.set(self.asked.get() + 1);
        self.files.get(path).cloned().ok_or("No such file or directory".to_owned())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        self.asked.set(self.asked.get() + 1);
        self.files.keys().filter(|path| circus::pattern::matches(pattern, path)).cloned().collect()
    }

    fn current_dir(&self) -> String {
        "/srv".to_owned()
    }
}

const FILE_BYTES: usize = 1 << 20;

fn environment() -> Vec<Variable> {
    vec![(b"BIG"[..].into(), vec![b'x'; 100_000].into()), (b"E"[..].into(), b""[..].into())]
}

fn read(main: &str, more: &[(&str, &[u8])]) -> Result<Config, Vec<Mistake>> {
    assert!(main.len() <= FILE_BYTES, "{} bytes", main.len());
    let result = load("/etc/c.ini", &environment(), &Files::new(main, more));
    match &result {
        Ok(config) => {
            let lines = config.warnings.iter().chain(&config.unsupported);
            assert!(lines.clone().count() <= 2500, "{}", lines.count());
            assert!(lines.clone().all(|line| line.len() < 2000), "a long line");
        }
        Err(mistakes) => {
            assert!(mistakes.len() <= 1001);
            assert!(mistakes.iter().all(|mistake| mistake.to_string().len() < 2000));
        }
    }
    result
}

/// The file is refused, and this mistake tells where and why.
fn refused(main: &str, more: &[(&str, &[u8])], expected: &str) -> Mistake {
    let mistakes = read(main, more).map(|_| ()).expect_err("refused");
    let found = mistakes.iter().find(|mistake| mistake.to_string().contains(expected));
    found.unwrap_or_else(|| panic!("no {expected}: {}", mistakes[0])).clone()
}

/// As many of these as one file holds, up to `most`, after a beginning.
fn many(start: &str, most: usize, line: impl Fn(usize) -> String) -> String {
    let mut text = start.to_owned();
    for number in 0..most {
        let line = line(number);
        if text.len() + line.len() > FILE_BYTES {
            break;
        }
        text.push_str(&line);
    }
    text
}

fn watchers(most: usize) -> String {
    many("", most, |number| format!("[watcher:w{number}]\ncmd=x\n"))
}

#[test]
fn a_value_does_not_become_longer_than_a_mebibyte() {
    let text = many("[watcher:w]\ncmd = x", 1000, |_| "$(circus.env.BIG)".to_owned());
    let mistake = refused(&text, &[], "is longer than 1 MiB");
    assert_eq!((mistake.line, &*mistake.option), (2, "cmd"));
    let text = many("[env]\nA = ", 10_000, |_| "$BIG".to_owned());
    assert_eq!(refused(&text, &[], "is longer than 1 MiB").line, 2);
    let inside = |inner: &str| format!("$(circus.env.E:-{inner}{inner}{inner}{inner})");
    let text = format!("[watcher:w]\ncmd = {}\n", inside(&inside("$(circus.env.BIG)")));
    refused(&text, &[], "is longer than 1 MiB");
}

#[test]
fn a_long_value_is_not_given_to_thousands() {
    for line in ["args = $(circus.env.BIG)\n", "x_a = 1\nargs = ((circus.env.big))\n"] {
        let text = many("", 10_000, |number| format!("[watcher:w{number}]\ncmd=x\n{line}"));
        assert!(refused(&text, &[], "more than 32 MiB").line > 300);
    }
    let text = format!("[DEFAULT]\nargs = {}\n{}", "x".repeat(60_000), watchers(9000));
    refused(&text, &[], "more than 32 MiB");
    let start = many("[DEFAULT]\n", 990, |number| format!("stdout_stream.x_{number}=1\n"));
    refused(&format!("{start}{}", watchers(9000)), &[], "more than 32 MiB");
    let text = many("[DEFAULT]\nx_a=1\nport = $(circus.env.BIG)\n", 9000, |number| {
        format!("[socket:s{number}]\n")
    });
    read(&text, &[]).map(|_| ()).expect_err("refused");
}

#[test]
fn environments_of_their_own_for_thousands_have_a_limit() {
    let start = many("[env]\n", 5000, |number| format!("V{number}=1\n"));
    let text =
        many(&start, 9000, |number| format!("[env:w{number}]\nA=1\n[watcher:w{number}]\ncmd=x\n"));
    refused(&text, &[], "larger than 32 MiB");
    let file = "A=1\n".repeat(200_000);
    let text =
        many("", 9000, |number| format!("[watcher:w{number}]\ncmd=x\nenv_file=e ?{number}\n"));
    refused(&text, &[("/etc/e", file.as_bytes())], "larger than 32 MiB");
    // The same for all of them is one.
    let text = many(&start, 9000, |number| format!("[watcher:w{number}]\ncmd=x\n"));
    assert!(read(&text, &[]).expect("loads").watchers.len() > 8000);
}

#[test]
fn patterns_are_compared_with_names_only_so_often() {
    let text =
        many("", 20_000, |number| format!("[env:*{number}*x]\nA=1\n[watcher:w{number}]\ncmd=x\n"));
    refused(&text, &[], "too many sections [env:PATTERN]");
    let text = format!("[env:{}]\nA = 1\n[watcher:w]\ncmd=x\n", "*a".repeat(30_000));
    refused(&text, &[], "longer than 255 bytes");
    let text = many("[env:a]\n", 10_000, |number| format!("[env:w{number}, *]\nA{number}=1\n"));
    refused(&format!("{}{}", &text[..text.len() / 2], watchers(9000)), &[], "[env:PATTERN]");
}

#[test]
fn variables_that_differ_in_case_only_are_found_as_others_are() {
    let spelt = |number: usize| -> String {
        let letter = |bit: usize| if number >> bit & 1 == 1 { 'A' } else { 'a' };
        (0..17).map(letter).collect()
    };
    let text =
        many("[watcher:w]\ncmd=x $(circus.env.aaaaaaaaaaaaaaaaa)\n[env]\n", 1 << 17, |number| {
            format!("{}=1\n", spelt(number))
        });
    let config = read(&text, &[]).expect("loads");
    assert!(config.watchers[0].environment.set.len() > 50_000);
    assert_eq!(&*config.watchers[0].cmd, "x 1");
    let all = shown_options(&config.watchers[0], "/");
    assert!(all.iter().any(|(name, value)| **name == *"env" && value[&*spelt(9)] == "1"));
}

#[test]
fn unknown_names_are_not_compared_with_thousands_of_known_ones_for_ever() {
    let similar = |number: usize| format!("VARIABLE_{number:06}");
    let start = many("[env]\n", 15_000, |number| format!("{}=1\n", similar(number)));
    let text = many(&format!("{start}[watcher:w]\ncmd = x"), 10_000, |number| {
        format!("\n $(circus.env.{}z)", similar(number))
    });
    let found = read(&text, &[]).map(|_| ()).expect_err("unset");
    assert!(found.len() <= 21 && found[0].text.contains("did you mean"), "{}", found.len());
    let text = many(&start, 20_000, |number| {
        format!("[watcher:{number}]\ncmd=$(circus.env.{}z)\n", similar(number))
    });
    refused(&text, &[], "maybe more than 1000 mistakes");
    let start = watchers(10_000);
    let text =
        many(&start[..start.len() / 2], 1, |_| "\n[watcher:a]\ncmd=x\ndepends_on=".to_owned());
    let text = many(&text, 100_000, |number| format!("\n w{number}x"));
    refused(&text, &[], "maybe more than 1000 mistakes");
    let text = many("[watcher:w]\ncmd=x\n", 100_000, |number| format!("numprocesse{number} = 1\n"));
    refused(&text, &[], "more than 1000 options");
}

#[test]
fn circles_among_thousands_are_found_without_showing_them_all() {
    let text = many("[DEFAULT]\nx_a=1\n", 9000, |number| {
        format!("[watcher:w{number}]\ncmd=x\ndepends_on=w0,w{}\n", number + 1)
    });
    let found = read(&text, &[]).map(|_| ()).expect_err("circles");
    assert!((1..=100).contains(&found.len()), "{}", found.len());
    // Whoever is behind all others: as many dependencies as there is room for.
    let all: String = (0..6000).map(|number| format!("w{number},")).collect();
    let start = format!("[DEFAULT]\ndepends_on={all}\n");
    refused(
        &many(&start, 9000, |number| format!("[watcher:w{number}]\ncmd=x\n")),
        &[],
        "more than 32 MiB",
    );
}

#[test]
fn includes_and_their_names_are_counted() {
    let text = many("[circus]\ninclude =", 100_000, |number| format!(" {number}*"));
    let text = text.replacen('=', "= ", 1);
    let mut lines = String::from("[circus]\ninclude =\n");
    for chunk in text.as_bytes()[20..].chunks(1000).take(900) {
        lines.push_str("  ");
        lines.push_str(std::str::from_utf8(chunk).unwrap());
        lines.push('\n');
    }
    let files = Files::new(&lines, &[]);
    let found = load("/etc/c.ini", &[], &files).map(|_| ()).expect_err("refused");
    assert!(found[0].text.contains("names more than 100 files"), "{}", found[0]);
    assert!(files.asked.get() < 200);
}

#[test]
fn warnings_are_short_and_not_endless() {
    let text =
        many(&format!("[env]\n{} = 1\n", "k".repeat(60_000)), 200_000, |_| " [x]\n".to_owned());
    let warnings = read(&text, &[]).expect("loads").warnings;
    assert_eq!(warnings.len(), 1001);
    assert!(warnings[1000].contains("more than 1000 warnings"));
    let long = "n".repeat(60_000);
    let text = format!(
        "[circus]\ninclude = {long}\n[watcher:{long}]\nenabled = 0\n[watcher:a]\ncmd = x\ndepends_on = {long}\n[socket:{long}]\n"
    );
    let config = read(&text, &[]).expect("loads");
    assert_eq!(config.warnings.len(), 2, "{:?}", config.warnings);
    let text = format!(
        "[watcher:a]\ncmd = x\ndepends_on = {long}\nstdin_socket = {long}\nenv_file = {long}\n[plugin:{long}]\n"
    );
    assert_eq!(read(&text, &[]).map(|_| ()).expect_err("refused").len(), 4);
}

#[test]
fn a_command_does_not_grow_without_end_when_a_process_starts() {
    let config = read("[watcher:a]\ncmd = x\n", &[]).expect("loads");
    let settings = &config.watchers[0];
    let set = |options: Value| {
        let Value::Object(options) = options else { panic!("an object") };
        let options: Vec<_> =
            options.into_iter().map(|(name, value)| (Box::from(&*name), value)).collect();
        changed(settings, &options, &Files::new("", &[]), &config.watchers).expect("valid").0
    };
    let args = "y".repeat(100_000);
    let new = set(json!({"cmd": format!("x {}", "$(circus.args)".repeat(10_000)), "args": args}));
    let reason = program(&new, 1, &[], &[]).expect_err("too long");
    assert!(reason.contains("cmd is longer than 1 MiB"), "{reason}");
    let many: Vec<Variable> = (0..50_000)
        .map(|number| (format!("V{number}").into_bytes().into(), b"1"[..].into()))
        .collect();
    let new =
        set(json!({"cmd": format!("x {} $(circus.env.v7)", "$(circus.env.NONE)".repeat(12_000))}));
    let words = program(&new, 1, &many, &[]).expect("runs").argv;
    assert_eq!(words[2], b"1");
}

#[test]
fn as_many_options_as_there_may_be_are_shown_and_compared_soon() {
    let text =
        many("[watcher:a]\ncmd = x\n", 990, |number| format!("x_{number} = $(circus.file.s)\n"));
    let one = read(&text, &[("/etc/s", b"1")]).expect("loads").watchers.remove(0);
    let two = read(&text, &[("/etc/s", b"2")]).expect("loads").watchers.remove(0);
    assert_eq!(differences(&one, &two).len(), 990);
    let masked = shown_options(&one, "/").into_iter().filter(|(_, value)| value == "***").count();
    assert_eq!(masked, 990);
}
