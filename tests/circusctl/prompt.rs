//! The interactive shell on a terminal, and the completion scripts.

use crate::world::{World, finish, until_some};
use nix::pty::openpty;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

fn answer(request: &Value) -> Option<Value> {
    let detail = json!({"name": "Web", "status": "active", "healthy": true, "note": "",
        "numprocesses": 1, "restarts": 0, "last_death": null,
        "processes": [{"wid": 1, "pid": 31, "state": "running", "seconds": 5, "restarts": 0}]});
    match request["command"].as_str() {
        Some("status") if request["properties"]["detail"] == true => {
            Some(json!({"statuses": {"Web": "active"}, "watchers": [detail]}))
        }
        Some("status") => Some(json!({"statuses": {"Web": "active", "plugin:x": "active"}})),
        // A command that takes long.
        Some("stop") => None,
        _ => Some(json!({})),
    }
}

/// The client on a terminal of its own.
struct Prompt {
    keys: File,
    shown: Arc<Mutex<String>>,
    child: Child,
}

impl Prompt {
    fn start(world: &World) -> Prompt {
        let pty = openpty(None, None).expect("a terminal");
        let mut command = world.command(&[]);
        let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut on_terminal = Command::new("setsid");
        on_terminal.args(["--ctty", "--wait"]).args(&words[3..]);
        for (name, value) in command.env("TERM", "xterm").get_envs() {
            on_terminal.env(name, value.expect("set"));
        }
        let side = || Stdio::from(pty.slave.try_clone().expect("a descriptor"));
        on_terminal.stdin(side()).stdout(side()).stderr(side());
        let child = on_terminal.spawn().expect("it starts");
        drop(on_terminal);
        let keys = File::from(pty.master);
        let mut screen = keys.try_clone().expect("a descriptor");
        let shown = Arc::new(Mutex::new(String::new()));
        let seen = Arc::clone(&shown);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = screen.read(&mut buffer) {
                let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                seen.lock().expect("not poisoned").push_str(&text);
            }
        });
        Prompt { keys, shown, child }
    }

    /// Wait for a text on the screen; it is forgotten up to there.
    fn wait_for(&self, text: &str) {
        until_some(&format!("{text:?} on the screen"), || {
            let mut shown = self.shown.lock().expect("not poisoned");
            let at = shown.find(text)?;
            shown.drain(..at + text.len());
            Some(())
        });
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("it reads");
    }
}

const PROMPT: &str = "(circusctl) ";

#[test]
fn a_person_sees_the_table_completes_and_leaves() {
    let world = World::new();
    let daemon = world.daemon(answer);
    let mut prompt = Prompt::start(&world);
    prompt.wait_for(concat!("circusctl ", env!("CARGO_PKG_VERSION")));
    prompt.wait_for("LAST DEATH");
    prompt.wait_for("\u{1b}[32mactive\u{1b}[0m");
    prompt.wait_for(PROMPT);
    // Tab completes the command, and the watcher by its name in any case.
    prompt.press("reloadc\t\r");
    prompt.wait_for("ok");
    prompt.press("incr w\t\r");
    prompt.wait_for("ok");
    assert_eq!(daemon.requests().last().expect("a request")["properties"]["name"], "Web");
    // The arrow brings the line back.
    prompt.press("\u{1b}[A\r");
    prompt.wait_for("ok");
    assert_eq!(daemon.commands().iter().filter(|command| *command == "incr").count(), 2);
    prompt.press("exit\r");
    let status = until_some("the end", || prompt.child.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn quit_at_the_prompt_must_be_meant() {
    let world = World::new();
    let daemon = world.daemon(answer);
    let mut prompt = Prompt::start(&world);
    prompt.wait_for(PROMPT);
    prompt.press("quit\r");
    prompt.wait_for("quit --yes");
    assert!(!daemon.commands().contains(&"quit".to_string()));
    prompt.press("quit --yes\r");
    prompt.wait_for("ok");
    assert!(daemon.commands().contains(&"quit".to_string()));
    prompt.press("\u{4}");
    let status = until_some("the end", || prompt.child.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn ctrl_c_ends_a_command_and_not_the_shell() {
    let world = World::new();
    let daemon = world.daemon(answer);
    let mut prompt = Prompt::start(&world);
    prompt.wait_for(PROMPT);
    prompt.press("--timeout 0 stop --waiting\r");
    until_some("the request", || daemon.commands().contains(&"stop".to_string()).then_some(()));
    prompt.press("\u{3}");
    prompt.wait_for(PROMPT);
    prompt.press("numwatchers\r");
    prompt.wait_for("--json shows it");
    prompt.press("exit\r");
    let status = until_some("the end", || prompt.child.try_wait().expect("our child"));
    assert_eq!(status.code(), Some(0));
}

#[test]
fn completion_scripts_ask_the_program() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    let run = world.run(&["completion", "--line", "circusctl stop "]);
    assert_eq!((run.code, run.out.as_str()), (0, "Web\t\nplugin:x\t\n"));
    for shell in ["bash", "fish", "zsh"] {
        assert!(world.run(&["completion", shell]).out.contains("completion --line"));
    }
    assert_eq!(world.run(&["completion", "tcsh"]).code, 2);
}

#[test]
fn bash_completes_commands_and_watchers_with_colons() {
    let world = World::new();
    let _daemon = world.daemon(answer);
    let program = env!("CARGO_BIN_EXE_circusctl");
    let complete = |line: &str| {
        let script = format!(
            "source <({program} completion bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; \
             _circusctl {program}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let mut bash = world.command(&[]);
        let mut command = Command::new("bash");
        command.args(["-c", &script]).stdin(Stdio::null());
        for (name, value) in bash.env("LANG", "C").get_envs() {
            command.env(name, value.expect("set"));
        }
        let run = finish(command);
        assert_eq!(run.err, "");
        run.out
    };
    assert_eq!(complete("circusctl numw"), "numwatchers\n");
    assert_eq!(complete("circusctl stop "), "Web\nplugin:x\n");
    assert_eq!(complete("circusctl stop plugin:"), "x\n");
    assert_eq!(complete("circusctl stop --match r"), "regex\n");
}

#[test]
fn circus_own_completion_for_bash_works() {
    let world = World::new();
    let mut command = world.command(&[]);
    command.env("AUTO_COMPLETE", "1").env("COMP_WORDS", "circusctl sta").env("COMP_CWORD", "1");
    let run = finish(command);
    assert_eq!((run.code, run.out.as_str()), (1, "start stats status\n"));
}
