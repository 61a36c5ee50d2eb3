//! `docker run -it` at a terminal of its own, as a person has it: keys go in, the screen comes out.

use crate::container::unique_name;
use crate::deadline::wait_until;
use crate::docker::{docker, label};
use nix::pty::openpty;
use nix::unistd::ttyname;
use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

pub struct Terminal {
    name: String,
    client: Child,
    keyboard: File,
    screen: Arc<Mutex<Vec<u8>>>,
    device: PathBuf,
    seen: usize,
}

impl Terminal {
    /// `docker run -it IMAGE WORDS`.
    pub fn run(image: &str, words: &[&str]) -> Terminal {
        let pty = openpty(None, None).expect("this machine has terminals");
        let device = ttyname(&pty.slave).expect("a terminal has a name");
        let name = unique_name();
        let [input, output] = [&pty.slave, &pty.slave].map(|end| end.try_clone());
        // The docker client must own the terminal, else it is not told about a new window size.
        let client = Command::new("setsid")
            .args(["--ctty", "docker", "run", "-it", "--name", &name, "--label", &label()])
            .arg(image)
            .args(words)
            .stdin(Stdio::from(input.expect("a descriptor can be copied")))
            .stdout(Stdio::from(output.expect("a descriptor can be copied")))
            .stderr(Stdio::from(pty.slave))
            .spawn()
            .expect("setsid is there");
        let keyboard = File::from(pty.master);
        let screen = Arc::new(Mutex::new(Vec::new()));
        read_all(keyboard.try_clone().expect("a descriptor can be copied"), screen.clone());
        Terminal { name, client, keyboard, screen, device, seen: 0 }
    }

    /// Types these characters.
    pub fn keys(&mut self, text: &str) {
        self.keyboard.write_all(text.as_bytes()).expect("the terminal is open");
    }

    /// Types a command and waits for what it prints. The text must not be part of the command,
    /// which the screen shows too.
    #[track_caller]
    pub fn command(&mut self, command: &str, answer: &str) {
        self.keys(&format!("{command}\r"));
        self.wait_for(answer);
    }

    /// Waits until the screen shows the text, after what was already waited for.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let seen = self.seen;
        let screen = wait_until(
            &format!("the screen shows {text:?}"),
            || String::from_utf8_lossy(&self.screen()[seen..]).into_owned(),
            |screen| screen.contains(text),
        );
        let place = screen.find(text).expect("it was just found");
        self.seen += place + text.len();
    }

    /// Gives the terminal another size.
    pub fn resize(&mut self, rows: u32, columns: u32) {
        let mut stty = Command::new("stty");
        stty.arg("-F").arg(&self.device).args(["rows", &rows.to_string()]);
        stty.args(["cols", &columns.to_string()]);
        assert!(stty.status().is_ok_and(|status| status.success()), "stty failed");
    }

    /// Waits until the container has ended; the exit code that the docker client passes on.
    #[track_caller]
    pub fn exit_code(&mut self) -> i32 {
        let ended = wait_until(
            "docker run has ended",
            || self.client.try_wait().expect("it is our child"),
            Option::is_some,
        );
        ended.and_then(|status| status.code()).unwrap_or(-1)
    }

    /// What was printed so far.
    fn screen(&self) -> Vec<u8> {
        self.screen.lock().expect("the reader does not panic").clone()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("--- screen\n{}\n---", String::from_utf8_lossy(&self.screen()));
        }
        let _ = docker(&["rm", "-f", "-v", &self.name]);
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// Collects what is printed until the other end is closed.
fn read_all(mut terminal: File, screen: Arc<Mutex<Vec<u8>>>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = terminal.read(&mut buffer) {
            let mut screen = screen.lock().expect("nobody panics with the lock");
            screen.extend_from_slice(&buffer[..count]);
        }
    });
}
