//! A circusd that runs what a page configures, with stand-ins for the commands, in a folder of its
//! own; and a shell that finds our programs there. All of it ends when it is dropped.

use super::blocks::Page;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything here takes on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(25);

/// `docker exec [OPTIONS] NAME COMMAND`.
const DOCKER: &str = "#!/bin/sh
[ \"$1\" = exec ] || exit 0
shift
while [ \"${1#-}\" != \"$1\" ]; do shift; done
shift
exec \"$@\"
";

/// `kubectl exec NAME -- COMMAND`.
const KUBECTL: &str = "#!/bin/sh
[ \"$1\" = exec ] || exit 0
while [ \"$1\" != -- ]; do shift; done
shift
exec \"$@\"
";

/// What tells how watchers behave; the rest is about their programs.
const KEPT: [&str; 14] = [
    "autostart",
    "depends_on",
    "enabled",
    "essential",
    "forward_signals",
    "graceful_timeout",
    "healthy_after",
    "max_restarts",
    "numprocesses",
    "oneshot",
    "priority",
    "respawn",
    "stop_children",
    "stop_signal",
];

/// A folder with programs.
pub struct Folder {
    pub path: PathBuf,
}

impl Folder {
    pub fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("documents-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(path.join("bin")).expect("a folder for the test");
        let folder = Folder { path };
        for (name, text) in
            [("docker", DOCKER), ("kubectl", KUBECTL), ("cargo", "#!/bin/sh\nexit 0\n")]
        {
            let program = folder.write(&format!("bin/{name}"), text);
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(program, mode).expect("the test's own file");
        }
        for (name, program) in [
            ("circusd", env!("CARGO_BIN_EXE_circusd")),
            ("circusctl", env!("CARGO_BIN_EXE_circusctl")),
        ] {
            symlink(program, folder.path.join("bin").join(name)).expect("a link");
        }
        folder
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::write(&path, text).expect("the test's own file");
        path
    }

    /// A command in the folder that sees nothing from outside and ends in time.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "5", "300"]).args(words);
        command.current_dir(&self.path).stdin(Stdio::null()).env_clear();
        let path = format!("{}/bin:/usr/bin:/bin:/usr/sbin:/sbin", self.path.display());
        command.env("PATH", path).env("HOME", &self.path);
        command.env("CIRCUSCTL_ENDPOINT", self.endpoint("control"));
        command
    }

    pub fn endpoint(&self, name: &str) -> String {
        format!("ipc://{}/{name}.sock", self.path.display())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// What a program that failed has said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr))
}

/// A circusd that runs.
pub struct Stage {
    pub folder: Folder,
    circusd: Child,
}

impl Stage {
    /// With the watchers of a page.
    pub fn of(page: &Page) -> Stage {
        let folder = Folder::new();
        let ini = stand_ins(page, &folder);
        folder.write("circus.ini", &ini);
        let mut command = folder.command(&["circusd", "circus.ini"]);
        let log = fs::File::create(folder.path.join("log")).expect("the test's own file");
        command.stdout(log).stderr(Stdio::inherit());
        let circusd = command.spawn().expect("it starts");
        let stage = Stage { folder, circusd };
        let end = Instant::now() + DEADLINE;
        loop {
            let output = stage.run("circusctl health");
            if output.status.success() {
                return stage;
            }
            let log = fs::read_to_string(stage.folder.path.join("log")).unwrap_or_default();
            let text = said(&output);
            assert!(Instant::now() < end, "{} runs\n{ini}\n{text}\n{log}", page.name);
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// A script, to its end.
    pub fn run(&self, script: &str) -> Output {
        let mut command = self.folder.command(&["sh", "-e", "-c", script]);
        command.output().expect("a shell")
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let Ok(pid) = i32::try_from(self.circusd.id()) else { return };
        let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        let _ = self.circusd.wait();
    }
}

/// The page's watchers with `sleep` as their command, each name once.
fn stand_ins(page: &Page, folder: &Folder) -> String {
    let mut ini = format!(
        "[circus]\nendpoint = {}\npubsub_endpoint = {}\n",
        folder.endpoint("control"),
        folder.endpoint("events")
    );
    let mut names = BTreeSet::new();
    for block in page.ours("ini") {
        for section in format!("\n{}", block.text).split("\n[").skip(1) {
            let (header, body) = section.split_once(']').expect("a header");
            if !header.starts_with("watcher:") || !names.insert(header.to_owned()) {
                continue;
            }
            let options = body.lines().filter_map(|line| line.split_once('='));
            let kept = options.filter(|(key, _)| KEPT.contains(&key.trim()));
            let mut lines: Vec<String> =
                kept.map(|(key, value)| format!("{key}={value}")).collect();
            let is_oneshot = lines.iter().any(|line| line.replace(' ', "") == "oneshot=True");
            lines.push(format!("cmd = {}", if is_oneshot { "true" } else { "sleep 1000" }));
            ini.push_str(&format!("[{header}]\n{}\n", lines.join("\n")));
        }
    }
    if names.is_empty() {
        ini.push_str("[watcher:web]\ncmd = sleep 1000\n");
    }
    ini
}
