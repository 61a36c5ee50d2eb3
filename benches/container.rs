//! One contestant as PID 1 of a new pid namespace. When this is dropped, all in it is gone.

use crate::board::{Board, EXECUTED, GONE, PID, STARTED, Stamp};
use crate::contestants::{Contestant, Service};
use crate::laboratory::Laboratory;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long anything may take at most.
pub const PATIENCE: Duration = Duration::from_secs(45);
pub const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

static COUNTER: AtomicU32 = AtomicU32::new(0);

#[derive(Debug)]
pub struct Container {
    pub board: Board,
    pub pid: i32,
    entrance: Child,
    pub folder: PathBuf,
    /// Path of the program that the contestant runs.
    pub child: String,
}

impl Container {
    /// Start a contestant with so many children.
    pub fn children(
        laboratory: &Laboratory,
        contestant: &Contestant,
        count: usize,
    ) -> Result<Container, String> {
        let words: Vec<Vec<String>> = (0..count).map(|index| vec![index.to_string()]).collect();
        Container::start(laboratory, contestant, &words)
    }

    /// Start a contestant with one child for each list of words.
    pub fn start(
        laboratory: &Laboratory,
        contestant: &Contestant,
        words: &[Vec<String>],
    ) -> Result<Container, String> {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let folder = laboratory.folder.join(number.to_string());
        let told = |error: std::io::Error| format!("{}: {error}", contestant.name);
        std::fs::create_dir(&folder).map_err(told)?;
        let board_path = folder.join("board");
        let mut board = Board::create(&board_path, words.len() as u64 * 2 + 256).map_err(told)?;
        let text = |path: &std::path::Path| path.display().to_string();
        let child = text(&laboratory.programs.child);
        let services: Vec<Service> = words
            .iter()
            .map(|words| [&[child.clone(), text(&board_path)], &words[..]].concat())
            .collect();
        let command = contestant.prepare(&folder, &services).map_err(told)?;
        let mut entrance = Command::new(&laboratory.programs.enter)
            .arg(&board_path)
            .arg(folder.join("output"))
            .args(command)
            .env_clear()
            .envs(ENVIRONMENT)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .spawn()
            .map_err(told)?;
        let pid = match board.wait(PID, 1, Duration::from_secs(5)) {
            Ok(stamps) => stamps[0].value as i32,
            Err(error) => {
                let _ = (entrance.kill(), entrance.wait());
                return Err(format!("{}: {error}", contestant.name));
            }
        };
        Ok(Container { board, pid, entrance, folder, child })
    }

    /// Wait until all children run.
    pub fn wait_started(&mut self, count: usize) -> Result<Vec<Stamp>, String> {
        self.board.wait(STARTED, count, PATIENCE).map_err(|error| {
            let said = std::fs::read_to_string(self.folder.join("output")).unwrap_or_default();
            let last = said.lines().last().unwrap_or_default();
            format!("{error} {last}")
        })
    }

    /// When PID 1 was executed.
    pub fn begin_ns(&mut self) -> Result<u64, String> {
        Ok(self.board.wait(EXECUTED, 1, PATIENCE)?[0].ns)
    }

    /// Send PID 1 a signal, and wait until all is gone. Returns the milliseconds.
    pub fn stop(&mut self, signal: Signal) -> Result<f64, String> {
        let before = monotonic_ns();
        kill(Pid::from_raw(self.pid), signal).map_err(|error| error.to_string())?;
        let gone = self.board.wait(GONE, 1, PATIENCE)?[0].ns;
        Ok((gone - before) as f64 / 1e6)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // As long as the entrance has not stamped its end, the number is still that of our PID 1.
        if self.board.of(GONE).is_empty() {
            let _ = kill(Pid::from_raw(self.pid), Signal::SIGKILL);
        }
        let _ = self.entrance.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Now, by the clock of the stamps.
pub fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .expect("every Linux has this clock");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}
