//! A container of a test. It is gone when the value is dropped, also when the test failed; a
//! failed test prints the container's log first.

use crate::deadline::wait_until;
use crate::docker::{Ended, docker, label, must};
use crate::image;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

/// The path of the configuration in the container.
pub const CONFIG: &str = "/etc/circus/circus.ini";

pub struct Container {
    name: String,
    config: Option<PathBuf>,
}

impl Container {
    /// `docker run -d OPTIONS IMAGE WORDS`.
    #[track_caller]
    pub fn run(options: &[&str], image: &str, words: &[&str]) -> Container {
        let container = Container { name: unique_name(), config: None };
        container.launch(options, image, words);
        container
    }

    /// circusd with this configuration, in the Debian image.
    #[track_caller]
    pub fn with_config(options: &[&str], ini: &str) -> Container {
        Container::with_config_in(options, &image::circusd(), ini, &[CONFIG])
    }

    /// An image with this configuration mounted at `CONFIG`, and the words of the command line.
    #[track_caller]
    pub fn with_config_in(options: &[&str], image: &str, ini: &str, words: &[&str]) -> Container {
        let name = unique_name();
        let file = image::workshop().join(format!("{name}.ini"));
        fs::write(&file, ini).expect("target/ is writable");
        let volume = format!("{}:{CONFIG}:ro", file.display());
        let container = Container { name, config: Some(file) };
        let options = [&["-v", &volume], options].concat();
        container.launch(&options, image, words);
        container
    }

    fn launch(&self, options: &[&str], image: &str, words: &[&str]) {
        let label = label();
        let head = ["run", "-d", "--name", &self.name, "--label", &label];
        must(&[&head, options, &[image], words].concat());
    }

    /// `docker run OPTIONS IMAGE WORDS` to its end: exit code, stdout and stderr apart.
    pub fn to_end(options: &[&str], image: &str, words: &[&str]) -> Ended {
        let container = Container { name: unique_name(), config: None };
        let label = label();
        let head = ["run", "--name", &container.name, "--label", &label];
        docker(&[&head, options, &[image], words].concat()).expect("docker was found before")
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything that was printed, stdout first.
    pub fn logs(&self) -> String {
        let ended = docker(&["logs", &self.name]).expect("docker was found before");
        ended.stdout + &ended.stderr
    }

    /// How many lines of the log are exactly this.
    pub fn count(&self, line: &str) -> usize {
        self.logs().lines().filter(|printed| printed.trim_end() == line).count()
    }

    /// Is there a line in the log that contains all of these?
    pub fn has_line(&self, words: &[&str]) -> bool {
        self.logs().lines().any(|line| words.iter().all(|word| line.contains(word)))
    }

    /// Waits until the log contains the text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("the log says {text:?}"), || self.logs(), |log| log.contains(text));
    }

    /// Runs a shell script in the container.
    pub fn sh(&self, script: &str) -> Ended {
        docker(&["exec", &self.name, "sh", "-c", script]).expect("docker was found before")
    }

    /// `docker exec NAME WORDS`.
    pub fn exec(&self, words: &[&str]) -> Ended {
        self.exec_as(&[], words)
    }

    /// `docker exec OPTIONS NAME WORDS`.
    pub fn exec_as(&self, options: &[&str], words: &[&str]) -> Ended {
        let all = [&["exec"], options, &[&self.name], words].concat();
        docker(&all).expect("docker was found before")
    }

    /// `docker exec NAME circusctl WORDS`: our own, wherever the image has it.
    pub fn circusctl(&self, words: &[&str]) -> Ended {
        self.exec(&[&["circusctl"], words].concat())
    }

    /// The same, and it must succeed; returns what it printed.
    #[track_caller]
    pub fn operate(&self, words: &[&str]) -> String {
        let ended = self.circusctl(words);
        assert_eq!(ended.code, 0, "circusctl {words:?}: {ended:?}");
        ended.stdout.trim_end().to_owned()
    }

    /// Changes the mounted configuration in its place.
    pub fn rewrite_config(&self, ini: &str) {
        let file = self.config.as_ref().expect("it was started with one");
        fs::write(file, ini).expect("target/ is writable");
    }

    /// Waits until a shell script in the container succeeds; returns what it printed.
    #[track_caller]
    pub fn wait_for_sh(&self, script: &str) -> String {
        let ended = wait_until(script, || self.sh(script), |ended| ended.code == 0);
        ended.stdout.trim().to_owned()
    }

    /// The pids, in the container, of processes whose command line is exactly this.
    pub fn pids(&self, command_line: &str) -> Vec<u32> {
        let processes = self.processes();
        let equal = processes.iter().filter(|process| process.command_line == command_line);
        equal.map(|process| process.pid).collect()
    }

    /// Waits until exactly so many processes have this command line; returns their pids.
    #[track_caller]
    pub fn wait_for_pids(&self, command_line: &str, count: usize) -> Vec<u32> {
        let fact = format!("{count} processes are {command_line:?}");
        wait_until(&fact, || self.pids(command_line), |pids| pids.len() == count)
    }

    /// All processes of the container but those of this question.
    pub fn processes(&self) -> Vec<Process> {
        let script = r#"for d in /proc/[0-9]*; do
            read -r stat < $d/stat && echo "$stat|$(tr '\0' ' ' < $d/cmdline)"
        done 2>/dev/null"#;
        let listed = self.sh(script).stdout;
        let all: Vec<Process> = listed.lines().filter_map(Process::parse).collect();
        all.into_iter().filter(|process| !process.command_line.contains("/proc/[0-9]*")).collect()
    }

    /// Waits until no process of the container is a zombie.
    #[track_caller]
    pub fn wait_for_no_zombie(&self) {
        let zombies = || -> Vec<Process> {
            let all = self.processes();
            all.into_iter().filter(|process| process.state == 'Z').collect()
        };
        wait_until("no zombie is left", zombies, Vec::is_empty);
    }

    /// `docker kill -s SIGNAL`.
    #[track_caller]
    pub fn kill(&self, signal: &str) {
        must(&["kill", "-s", signal, &self.name]);
    }

    /// `docker stop` with this grace in seconds; returns how long it took.
    #[track_caller]
    pub fn stop(&self, grace_s: u32) -> Duration {
        let begin = Instant::now();
        must(&["stop", "-t", &grace_s.to_string(), &self.name]);
        begin.elapsed()
    }

    /// `docker start`, for one that has ended.
    #[track_caller]
    pub fn start(&self) {
        must(&["start", &self.name]);
    }

    /// Waits until the container has ended; returns its exit code.
    #[track_caller]
    pub fn exit_code(&self) -> i32 {
        let state = || self.inspect("{{.State.Status}} {{.State.ExitCode}}");
        let ended = wait_until("the container has ended", state, |s| s.starts_with("exited "));
        ended["exited ".len()..].parse().expect("docker prints a number")
    }

    /// `docker inspect -f FORMAT`.
    #[track_caller]
    pub fn inspect(&self, format: &str) -> String {
        must(&["inspect", "-f", format, &self.name])
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if thread::panicking() {
            println!("--- log of {}\n{}---", self.name, self.logs());
        }
        let _ = docker(&["rm", "-f", "-v", &self.name]);
        if let Some(file) = &self.config {
            let _ = fs::remove_file(file);
        }
    }
}

/// A process as /proc shows it.
#[derive(Debug, Clone)]
pub struct Process {
    pub pid: u32,
    pub state: char,
    pub command_line: String,
}

impl Process {
    /// Reads `PID (NAME) STATE …|COMMAND LINE`.
    fn parse(line: &str) -> Option<Process> {
        let (stat, command_line) = line.split_once('|')?;
        let (pid, rest) = stat.split_once(" (")?;
        let state = rest.rsplit_once(") ")?.1.chars().next()?;
        let command_line = command_line.trim_end().to_owned();
        Some(Process { pid: pid.parse().ok()?, state, command_line })
    }
}

/// A name that no other container has.
pub fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("circus-test-{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
