//! The page for those who come from Supervisor has every option, and its rules turn whole files
//! of Supervisor into ours.

use super::blocks::{Page, variables, with_known_users};
use super::stage::{Folder, said};
use circus::config::settings::{Config, Respawn};
use circus::config::{Source, load};
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// All that Supervisor 4.3 reads. Those of `[program:x]` count for the other kinds of programs too.
const SECTIONS: [(&str, &str); 8] = [
    (
        "## Options of `[program:x]`",
        "command process_name numprocs numprocs_start priority autostart autorestart startsecs \
         startretries exitcodes stopsignal stopwaitsecs stopasgroup killasgroup user \
         redirect_stderr stdout_logfile stdout_logfile_maxbytes stdout_logfile_backups \
         stdout_capture_maxbytes stdout_events_enabled stdout_syslog stderr_logfile \
         stderr_logfile_maxbytes stderr_logfile_backups stderr_capture_maxbytes \
         stderr_events_enabled stderr_syslog environment directory umask serverurl",
    ),
    ("| `[group:x]` ", "programs priority"),
    ("| `[eventlistener:x]` ", "events buffer_size result_handler"),
    ("| `[fcgi-program:x]` ", "socket socket_backlog socket_owner socket_mode"),
    (
        "| `[supervisord]` ",
        "logfile logfile_maxbytes logfile_backups loglevel pidfile umask nodaemon silent minfds \
         minprocs nocleanup childlogdir strip_ansi user directory environment identifier",
    ),
    ("| `[unix_http_server]` ", "file chmod chown username password"),
    ("| `[inet_http_server]` ", "port username password"),
    ("| `[supervisorctl]` ", "serverurl username password prompt history_file"),
];

/// Whether Supervisor has an option of this name.
pub fn reads(name: &str) -> bool {
    SECTIONS.iter().any(|(_, options)| options.split_whitespace().any(|option| option == name))
}

#[test]
fn every_option_of_supervisor_has_its_row() {
    let page = Page::read("docs/coming-from-supervisor.md");
    for (start, options) in SECTIONS {
        let (_, rest) = page.text.split_once(start).unwrap_or_else(|| panic!("no {start}"));
        let table = rest.trim_start().trim_start_matches("`[program:x]` becomes");
        let rows: Vec<&str> = table
            .lines()
            .skip_while(|line| !line.starts_with("| `"))
            .take_while(|line| line.starts_with('|'))
            .filter_map(|line| line.split('|').nth(1))
            .collect();
        for option in options.split_whitespace() {
            let quoted = [format!("`{option}`"), format!("`{option} = ")];
            let has = |row: &&str| quoted.iter().any(|text| row.contains(text));
            assert!(rows.iter().any(has), "{start} has no row for {option}");
        }
    }
}

#[test]
fn what_is_shown_as_supervisors_is_what_supervisor_reads() {
    let is_here = Command::new("python3").args(["-c", "import supervisor"]).output();
    if !is_here.is_ok_and(|output| output.status.success()) {
        println!("SKIPPED: there is no python3 with Supervisor here");
        return;
    }
    let mut texts: Vec<(String, String)> = Vec::new();
    for page in Page::all() {
        let blocks = page.blocks.into_iter().filter(|block| block.is_supervisors());
        texts.extend(blocks.map(|block| (block.place, block.text)));
    }
    texts.extend(PAIRS.map(|name| (name.to_owned(), data(&format!("{name}.conf")))));
    let script = "import sys; from supervisor.options import ServerOptions; \
                  ServerOptions().realize(['-n', '-c', sys.argv[1]])";
    for (place, text) in texts {
        let folder = Folder::new();
        let text = with_known_users(&text);
        let file = folder.write("supervisord.conf", &text);
        let mut command = Command::new("python3");
        command.args(["-c", script]).arg(file).envs(variables(&text));
        let output = command.current_dir(&folder.path).output().expect("python3");
        assert!(output.status.success(), "{place}: {}", said(&output));
    }
}

/// Files as people have them, and what the page makes of them.
const PAIRS: [&str; 3] = ["cron", "mail", "web"];

fn data(name: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/supervisor");
    fs::read_to_string(format!("{folder}/{name}")).expect("the test's data")
}

struct File(String);

impl Source for File {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        match path {
            "/etc/passwd" => Ok("www-data:x:33:33::/:/\nfetchmail:x:99:99::/:/\n".into()),
            "/etc/group" => Ok("www-data:x:33:\nfetchmail:x:99:\n".into()),
            "circus.ini" => Ok(self.0.clone().into_bytes()),
            _ => Err("No such file or directory".to_owned()),
        }
    }

    fn glob(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn current_dir(&self) -> String {
        "/".to_owned()
    }
}

fn settings(name: &str) -> Config {
    let ini = data(&format!("{name}.ini"));
    let variables = variables(&ini);
    let bytes = |text: &String| Box::from(text.as_bytes());
    let variables: Vec<_> = variables.iter().map(|(n, v)| (bytes(n), bytes(v))).collect();
    load("circus.ini", &variables, &File(ini)).unwrap_or_else(|all| panic!("{name}: {all:?}"))
}

/// The programs of one of Supervisor's files, with their options.
fn programs(name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = format!("\n{}", data(&format!("{name}.conf")));
    let sections = text.split("\n[").skip(1).filter_map(|section| section.split_once(']'));
    let programs = sections.filter_map(|(header, body)| {
        let options = body.lines().filter_map(|line| line.split_once('='));
        let options = options.map(|(key, value)| (key.trim().into(), value.trim().into()));
        Some((header.strip_prefix("program:")?.to_owned(), options.collect()))
    });
    programs.collect()
}

#[test]
fn the_rules_of_the_page_turn_whole_files_into_ours() {
    for name in PAIRS {
        let ours = settings(name);
        assert_eq!(ours.unsupported, Vec::<String>::new(), "{name}");
        let theirs = programs(name);
        let mut names: Vec<&str> = ours.watchers.iter().map(|watcher| &*watcher.name).collect();
        names.sort_unstable();
        assert_eq!(names, theirs.keys().map(String::as_str).collect::<Vec<_>>(), "{name}");
        let ends_with_it = data(&format!("{name}.conf")).contains("[eventlistener:");
        let mut order: Vec<(i64, i64)> = Vec::new();
        for watcher in &ours.watchers {
            let program = &theirs[&*watcher.name];
            let number = |key: &str, default: i64| -> i64 {
                program.get(key).map_or(default, |text| text.parse().expect("a number"))
            };
            let place = format!("{name}: {}", watcher.name);
            let grace = i64::try_from(watcher.graceful_timeout_ms).expect("a small number");
            assert_eq!(grace, 1000 * number("stopwaitsecs", 10), "{place}");
            assert_eq!(i64::from(watcher.numprocesses), number("numprocs", 1), "{place}");
            assert_eq!(watcher.identity.is_some(), program.contains_key("user"), "{place}");
            let is_started = program.get("autostart").is_none_or(|text| text == "true");
            assert_eq!(watcher.autostart, is_started, "{place}");
            let expected = match program.get("autorestart").map(String::as_str) {
                Some("true") => Respawn::Always,
                Some("false") => Respawn::Never,
                _ => Respawn::OnFailure,
            };
            assert!(watcher.respawn == expected || watcher.oneshot, "{place}");
            assert_eq!(watcher.essential && !watcher.oneshot, ends_with_it, "{place}");
            order.push((number("priority", 999), -i64::from(watcher.priority)));
        }
        order.sort_unstable();
        assert!(order.is_sorted_by_key(|(_, ours)| *ours), "{name}: {order:?}");
    }
}
