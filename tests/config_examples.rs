//! The configurations with which Circus was recorded: each loads, or has exactly these mistakes.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, clippy::unwrap_used)]

use circus::config::{Source, load};

const PAGE: &str = include_str!("../docs/differences.md");
const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\n";

struct Example(Vec<u8>);

impl Source for Example {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/etc/passwd" => Ok(PASSWD.into()),
            "/etc/group" => Ok(GROUP.into()),
            path if path.ends_with(".ini") => Ok(self.0.clone()),
            _ => Err("No such file or directory".to_owned()),
        }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn current_dir(&self) -> String {
        "/tmp/example".to_owned()
    }
}

/// What ours says to a file that Circus took. Everything else loads.
/// Each text is the beginning of one mistake; the number is that of `docs/differences.md`.
#[rustfmt::skip]
const MISTAKES: [(&str, &[(u32, &str)]); 5] = [
    ("hooks.ini", &[(17, "hooks.ini:167: hooks.on_full_moon: is no hook")]),
    ("one-bad-watcher.ini", &[(2, "one-bad-watcher.ini:9: cmd: is missing in [watcher:b-empty]")]),
    ("process.ini", &[
        (16, "process.ini:24: args: `$(circus.my_opt)` is no variable"),
        (4, "process.ini:24: args: variable nope is not set; set it"),
        (1, "process.ini:25: my_opt: is no option of [watcher:NAME]"),
        (19, "process.ini:104: rlimit_bogus: is no resource limit"),
        (19, "process.ini:160: cmd: `sh -c \"unterminated` has an opening \" without a closing one"),
        (19, "process.ini:165: gid: `nosuchgroup` is no group in /etc/group"),
    ]),
    ("sockets.ini", &[
        (19, "sockets.ini:7: cmd: there is no section [socket:nope]"),
        (19, "sockets.ini:29: stdin_socket: there is no section [socket:nosuch]"),
    ]),
    ("streams.ini", &[
        (18, "streams.ini:88: stdout_stream.class: `custom.S` is a Python class"),
        (17, "streams.ini:89: stdout_stream.some: is no option of a stream"),
        (18, "streams.ini:95: stdout_stream.class: `QueueStream` is a queue inside Python"),
        (17, "streams.ini:103: stdout_stream.class: `NoSuchStream` is none of FileStream"),
        (17, "streams.ini:108: stdout_stream: needs rotate_when"),
        (17, "streams.ini:127: stdout_stream: needs a class or a filename"),
    ]),
];

#[test]
fn every_recorded_configuration_loads_or_has_exactly_the_listed_mistakes() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/circus");
    let environment: Vec<_> = [("HOME", "/tmp/example"), ("LANG", "C.UTF-8"), ("PATH", "/bin")]
        .map(|(name, value)| (Box::from(name.as_bytes()), Box::from(value.as_bytes())))
        .into();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the examples are there") {
        let path = entry.expect("the examples are readable").path();
        let name =
            path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
        if !name.ends_with(".ini") {
            continue;
        }
        seen += 1;
        let content = std::fs::read(&path).expect("the example is readable");
        let expected = MISTAKES.iter().find(|(file, _)| *file == name);
        let expected = expected.map_or(&[][..], |(_, mistakes)| mistakes);
        let mistakes = match load(&name, &environment, &Example(content)) {
            Ok(_) => Vec::new(),
            Err(mistakes) => mistakes.iter().map(|mistake| mistake.to_string()).collect(),
        };
        let fits = |(mistake, (number, text)): (&String, &(u32, &str))| {
            mistake.starts_with(text) && PAGE.contains(&format!("| {number} |"))
        };
        if mistakes.len() != expected.len() || !mistakes.iter().zip(expected).all(fits) {
            wrong.push(format!("{name}: {mistakes:#?}"));
        }
    }
    assert!(seen >= 28, "only {seen} examples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
