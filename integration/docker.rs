//! The `docker` command. Every call ends: one that hangs is killed after some minutes.

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::{env, fs, io, process, thread};

/// On everything that the tests make; the value is the pid of the test run.
pub const LABEL: &str = "circus-test";

/// What a finished command left behind.
#[derive(Debug, Clone)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Is there an engine? Without one the test is to be skipped.
pub fn is_here() -> bool {
    static HERE: OnceLock<bool> = OnceLock::new();
    let here = *HERE.get_or_init(|| {
        let answers = docker(&["info"]).is_ok_and(|ended| ended.code == 0);
        if answers {
            remove_leftovers();
        }
        answers
    });
    if !here {
        assert!(env::var_os("CIRCUS_REQUIRE_DOCKER").is_none(), "no Docker engine answers");
        skipped("no Docker engine answers");
    }
    here
}

/// Says that this test was skipped, past the capture of the test harness.
pub fn skipped(why: &str) {
    let name = thread::current().name().unwrap_or("test").to_owned();
    let _ = writeln!(io::stderr(), "SKIPPED {name}: {why}");
}

/// Runs `docker ARGS` to its end.
pub fn docker(args: &[&str]) -> io::Result<Ended> {
    let output = command(args).stdin(Stdio::null()).output()?;
    Ok(Ended::from(output))
}

/// Like `docker`, and it must succeed; returns what it printed without the last newline.
#[track_caller]
pub fn must(args: &[&str]) -> String {
    let ended = docker(args).expect("docker was found before");
    assert_eq!(ended.code, 0, "docker {args:?} failed: {}{}", ended.stdout, ended.stderr);
    ended.stdout.trim_end().to_owned()
}

/// `docker ARGS` as a command that cannot hang for ever.
pub fn command(args: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after=5", "900", "docker"]).args(args);
    command.env("DOCKER_CLI_HINTS", "false");
    command
}

/// The label of this run.
pub fn label() -> String {
    format!("{LABEL}={}", process::id())
}

/// Removes the containers of runs that were killed before they could tidy up.
fn remove_leftovers() {
    let filter = format!("label={LABEL}");
    let format = format!("{{{{.ID}}}} {{{{.Label \"{LABEL}\"}}}}");
    let listed = must(&["ps", "-a", "--filter", &filter, "--format", &format]);
    for (id, run) in listed.lines().filter_map(|line| line.split_once(' ')) {
        if !fs::exists(format!("/proc/{run}")).unwrap_or(true) {
            let _ = docker(&["rm", "-f", "-v", id]);
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
