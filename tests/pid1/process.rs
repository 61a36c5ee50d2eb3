//! What /proc tells about one process, and signals to it.

use circus::process::Pid;
use circus::signal::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// A process by its number in our own namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(pub i32);

impl Process {
    /// All processes that we can see.
    pub fn all() -> Vec<Process> {
        let entries = fs::read_dir("/proc").expect("/proc is there");
        let number = |name: std::ffi::OsString| name.to_str()?.parse().ok();
        entries.flatten().filter_map(|entry| number(entry.file_name())).map(Process).collect()
    }

    /// A file of its own in /proc.
    pub fn path(self, file: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{file}", self.0))
    }

    /// Its text; nothing if the process is gone.
    pub fn read(self, file: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path(file)).unwrap_or_default()).into_owned()
    }

    /// Its words, with single blanks between them; nothing for a zombie.
    pub fn command(self) -> String {
        self.read("cmdline").trim_end_matches('\0').replace('\0', " ")
    }

    /// Its children.
    pub fn children(self) -> Vec<Process> {
        let text = self.read(&format!("task/{}/children", self.0));
        text.split_whitespace().filter_map(|word| word.parse().ok()).map(Process).collect()
    }

    /// A field of `status`, by name.
    pub fn status(self, name: &str) -> String {
        let text = self.read("status");
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        value.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// A field of `status` that is a hexadecimal mask.
    pub fn mask(self, name: &str) -> u64 {
        let text = self.status(name);
        u64::from_str_radix(&text, 16).unwrap_or_else(|_| panic!("{name} of {self:?}: {text:?}"))
    }

    /// A field of `stat`, by its number in proc(5); 3 is the state.
    pub fn stat(self, number: usize) -> String {
        let text = self.read("stat");
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        rest.split_whitespace().nth(number - 3).unwrap_or_default().to_string()
    }

    fn stat_number(self, number: usize) -> u64 {
        self.stat(number).parse().unwrap_or(0)
    }

    /// Time on the processor, in hundredths of a second.
    pub fn cpu_ticks(self) -> u64 {
        self.stat_number(14) + self.stat_number(15)
    }

    /// When it was made, in hundredths of a second.
    pub fn made_at_ticks(self) -> u64 {
        self.stat_number(22)
    }

    /// It is there and no zombie.
    pub fn is_alive(self) -> bool {
        !matches!(self.stat(3).as_str(), "" | "Z" | "X")
    }

    /// Its environment.
    pub fn environment(self) -> BTreeMap<String, String> {
        let text = self.read("environ");
        text.split('\0')
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect()
    }

    /// Its open descriptors and what they lead to.
    pub fn descriptors(self) -> BTreeMap<u32, String> {
        let Ok(entries) = fs::read_dir(self.path("fd")) else {
            return BTreeMap::new();
        };
        let target = |path: PathBuf| fs::read_link(path).unwrap_or_default().display().to_string();
        entries
            .flatten()
            .filter_map(|entry| {
                let number = entry.file_name().to_str()?.parse().ok()?;
                Some((number, target(entry.path())))
            })
            .collect()
    }

    /// The soft limit, by its name in `limits`.
    pub fn limit(self, name: &str) -> String {
        let text = self.read("limits");
        let rest = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        rest.split_whitespace().next().unwrap_or_default().to_string()
    }

    /// Send a signal, unless it is no child of this one any more.
    pub fn send_if_child_of(self, parent: Process, signal: &str) {
        let signal = Signal::parse(signal).expect("a signal");
        let pid = |process: Process| Pid::new(process.0).expect("a pid");
        let _ = circus::sys::signals::send_to_child_of(pid(parent), pid(self), signal);
    }

    /// Send a signal; that it is gone already is no matter.
    pub fn send(self, signal: &str) {
        let signal = Signal::parse(signal).expect("a signal");
        let _ = circus::sys::signals::send(Pid::new(self.0).expect("a pid"), signal);
    }
}
