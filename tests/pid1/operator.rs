//! How circusd is operated in these tests: by `circusctl`, from outside its pid namespace.

use crate::process::Process;
use crate::world::{Running, World};
use std::fs::File;
use std::process::{Child, Command, Output, Stdio};

/// A circusd that is PID 1, and is operated.
pub fn operated(ini: &str) -> World {
    World::pid_1(&with_endpoints(ini))
}

/// The endpoints are in the folder.
pub fn with_endpoints(ini: &str) -> String {
    format!("[circus]\nendpoint = ipc://@/c.sock\npubsub_endpoint = ipc://@/p.sock\n{ini}")
}

/// What a command has left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        Said { code, out: text(output.stdout), err: text(output.stderr) }
    }
}

/// `circusctl WORDS`, which ends by itself.
pub fn command(run: &Running, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_circusctl"));
    command.arg("--endpoint").arg(format!("ipc://{}/c.sock", run.folder().display()));
    if !words.contains("--timeout") {
        command.args(["--timeout", "20"]);
    }
    command.args(words.split_whitespace());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Do it, whatever comes of it.
pub fn ask(run: &Running, words: &str) -> Said {
    command(run, words).output().expect("circusctl was built").into()
}

/// Do it, and it must succeed; returns what it printed.
#[track_caller]
pub fn operate(run: &Running, words: &str) -> String {
    let said = ask(run, words);
    assert_eq!(said.code, 0, "{words}: {said:?}");
    said.out.trim_end().to_string()
}

/// Begin it.
pub fn begin(run: &Running, words: &str) -> Child {
    command(run, words).spawn().expect("circusctl was built")
}

/// Begin `listen`; what it hears is in the file `heard`.
pub fn listen(run: &Running, words: &str) -> Child {
    let heard = File::create(run.folder().join("heard")).expect("a file for the test");
    let mut command = command(run, &format!("listen {words}"));
    command.stdout(heard).spawn().expect("circusctl was built")
}

/// What it has said at its end.
pub fn end(child: Child) -> Said {
    child.wait_with_output().expect("it is our child").into()
}

/// The gateway, if there is one.
pub fn gateway(run: &Running) -> Option<Process> {
    let all = run.process.children();
    all.into_iter().find(|process| process.command().starts_with("circusctl gateway "))
}
