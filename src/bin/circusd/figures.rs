//! Figures of processes for `stats` and `dstats`, as Circus writes them. What cannot be read is `N/A`;
//! nothing here is an error.
//!
//! One question leads to a bounded amount of work: after `LOOKS_MAX` processes, the rest is `N/A`.

use crate::files::Files;
use circus::commands::json::{self, List, Object};
use circus::config::Source;
use circus::process::Pid;
use circus::supervisor::Running;
use circus::sys::figures::{self, Look, Stat};
use circus::sys::procfs::Families;
use circus::sys::{clock, identity};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

/// What is remembered from one question to the next.
#[derive(Debug, Default)]
pub struct Figures {
    samples: Samples,
    wall: Wall,
    users: Users,
}

impl Figures {
    /// The processes of some watchers: `{"web": {"7": {…}, "8": {…}}, "db": {}}`.
    pub fn of_watchers(&mut self, out: &mut Vec<u8>, watchers: &[(&str, Vec<Running>)]) {
        let mut question = Question::new(self);
        let mut object = Object::new(out);
        for (name, processes) in watchers {
            question.processes(object.key(name), processes);
        }
        object.end();
        self.samples.forget_the_dead();
    }

    /// Some processes: `{"7": {…}, "8": {…}}`.
    pub fn of_processes(&mut self, out: &mut Vec<u8>, processes: &[Running]) {
        Question::new(self).processes(out, processes);
        self.samples.forget_the_dead();
    }

    /// One process: `{…}`.
    pub fn of_process(&mut self, out: &mut Vec<u8>, process: &Running) {
        Question::new(self).process(out, process);
        self.samples.forget_the_dead();
    }

    /// Ourselves: `{…}`.
    pub fn of_circusd(&mut self, out: &mut Vec<u8>) {
        let us = identity::pid();
        let mut question = Question::new(self);
        let stat = question.look(us).ok().flatten();
        let since_start =
            stat.as_ref().map(|stat| question.now - question.seconds(stat.start_ticks));
        let mut object = Object::new(out);
        question.members(&mut object, us, stat.as_ref(), since_start, First::AverageOfLife);
        object.list("children").end();
        object.end();
    }
}

/// What is read once for all processes of a question.
struct Question<'a> {
    figures: &'a mut Figures,
    /// Seconds since the boot.
    now: f64,
    physical_bytes: u64,
    ticks_per_second: f64,
    families: Families,
    looks_left: usize,
}

/// More than a container should have, and a tenth of a second's work.
const LOOKS_MAX: usize = 2048;

/// There is no such process any more, or only a zombie.
struct Gone;

/// What to say of the processor time of a process that nobody has asked about before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Nothing.
    Zero,
    /// What it has used on average since it began.
    AverageOfLife,
}

impl Question<'_> {
    fn new(figures: &mut Figures) -> Question<'_> {
        let now = clock::since_boot();
        figures.wall.look(now);
        figures.users.look();
        Question {
            figures,
            now,
            physical_bytes: figures::physical_bytes(),
            ticks_per_second: figures::ticks_per_second() as f64,
            families: Families::default(),
            looks_left: LOOKS_MAX,
        }
    }

    fn processes(&mut self, out: &mut Vec<u8>, processes: &[Running]) {
        let mut object = Object::new(out);
        for process in processes {
            self.process(object.key(&process.pid.to_string()), process);
        }
        object.end();
    }

    fn process(&mut self, out: &mut Vec<u8>, process: &Running) {
        let stat = match self.look(process.pid) {
            Ok(stat) if !stat.as_ref().is_some_and(|stat| stat.is_zombie) => stat,
            Ok(_) | Err(Gone) => return json::push_string(out, "No such process (stopped?)"),
        };
        let age = clock::now().since_ms(process.started) as f64 / 1000.0;
        let mut object = Object::new(out);
        self.members(&mut object, process.pid, stat.as_ref(), Some(age), First::Zero);
        let mut children = object.list("children");
        if let Some(stat) = stat {
            self.children(&mut children, process.pid, stat.threads);
        }
        children.end();
        object.float("started", self.figures.wall.time_of(process));
        object.integer("wid", process.wid);
        object.end();
    }

    fn children(&mut self, list: &mut List<'_>, parent: Pid, threads: u32) {
        for child in self.families.children_of(parent, Some(threads)) {
            if self.looks_left == 0 {
                return;
            }
            let Ok(stat) = self.look(child) else { continue };
            let age = stat.as_ref().map(|stat| self.now - self.seconds(stat.start_ticks));
            let mut object = list.object();
            self.members(&mut object, child, stat.as_ref(), age, First::Zero);
            object.list("children").end();
            object.end();
        }
    }

    /// `None` for what can be read nothing of.
    fn look(&mut self, pid: Pid) -> Result<Option<Stat>, Gone> {
        let Some(left) = self.looks_left.checked_sub(1) else { return Ok(None) };
        self.looks_left = left;
        match figures::look(pid) {
            Look::Seen(stat) => Ok(Some(stat)),
            Look::Hidden => Ok(None),
            Look::Gone => Err(Gone),
        }
    }

    /// The members that all processes have, up to `children`.
    fn members(
        &mut self,
        object: &mut Object<'_>,
        pid: Pid,
        stat: Option<&Stat>,
        age: Option<f64>,
        first: First,
    ) {
        let status = stat.and_then(|_| figures::status(pid));
        // The kernel counts more exactly in the status.
        let memory = status.and_then(|status| status.memory).or(stat.map(|stat| stat.memory));
        text(object, "mem_info1", memory.map(|memory| human(memory.resident_bytes)));
        text(object, "mem_info2", memory.map(|memory| human(memory.virtual_bytes)));
        number(object, "cpu", stat.map(|stat| self.percent(pid, stat, first)));
        let whole = Some(self.physical_bytes).filter(|bytes| *bytes > 0);
        let share = memory
            .zip(whole)
            .map(|(memory, whole)| rounded(memory.resident_bytes as f64 / whole as f64 * 100.0, 3));
        number(object, "mem", share);
        let hundredths =
            |stat: &Stat| (stat.ticks as f64 * 100.0 / self.ticks_per_second).round() as u64;
        text(object, "ctime", stat.map(|stat| minutes(hundredths(stat))));
        object.integer("pid", pid.number());
        text(object, "username", status.map(|status| self.figures.users.name(status.uid)));
        match stat {
            Some(stat) if stat.is_zombie => object.string("nice", "Zombie"),
            Some(stat) => object.integer("nice", stat.nice),
            None => object.string("nice", UNKNOWN),
        }
        let created =
            stat.map(|stat| self.figures.wall.since_boot + self.seconds(stat.start_ticks));
        number(object, "create_time", created.map(|time| rounded(time, 2)));
        number(object, "age", age.map(|age| age.max(0.0)));
        text(object, "cmdline", stat.map(|stat| stat.name.to_string()));
    }

    fn percent(&mut self, pid: Pid, stat: &Stat, first: First) -> f64 {
        let last = self.figures.samples.by_pid.get(&pid).copied();
        // The number may be another process's by now.
        let last = last.filter(|sample| sample.start_ticks == stat.start_ticks);
        let (ticks, at) = match (last, first) {
            // In so short a time one tick would count for too much.
            (Some(sample), _) if self.now - sample.at < SAMPLE_SECONDS_MIN => {
                return sample.percent;
            }
            (Some(sample), _) => (sample.ticks, sample.at),
            (None, First::AverageOfLife) => (0, self.seconds(stat.start_ticks)),
            (None, First::Zero) => (stat.ticks, self.now),
        };
        let used = self.seconds(stat.ticks.saturating_sub(ticks));
        let percent = match self.now - at {
            passed if passed > 0.0 => rounded(used / passed * 100.0, 1),
            _ => 0.0,
        };
        let Stat { start_ticks, ticks, .. } = *stat;
        let sample = Sample { start_ticks, ticks, at: self.now, percent };
        self.figures.samples.by_pid.insert(pid, sample);
        percent
    }

    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / self.ticks_per_second
    }
}

const UNKNOWN: &str = "N/A";

fn text(object: &mut Object<'_>, key: &str, value: Option<String>) {
    object.string(key, value.as_deref().unwrap_or(UNKNOWN));
}

fn number(object: &mut Object<'_>, key: &str, value: Option<f64>) {
    match value {
        Some(value) => object.float(key, value),
        None => object.string(key, UNKNOWN),
    }
}

/// `1.52M`.
fn human(bytes: u64) -> String {
    let mut unit = (1024.0, 'K');
    for (exponent, letter) in (1..).zip("KMGTPE".chars()) {
        let size = 1024_f64.powi(exponent);
        if bytes as f64 >= size {
            unit = (size, letter);
        }
    }
    match bytes {
        0..1024 => format!("{bytes}B"),
        _ => format!("{:.2}{}", bytes as f64 / unit.0, unit.1),
    }
}

/// `12:07.50`.
fn minutes(hundredths: u64) -> String {
    let (seconds, hundredths) = (hundredths / 100, hundredths % 100);
    format!("{}:{:02}.{hundredths:02}", seconds / 60, seconds % 60)
}

fn rounded(number: f64, decimals: usize) -> f64 {
    format!("{number:.decimals$}").parse().unwrap_or(number)
}

/// How much processor time processes had used when somebody asked.
#[derive(Debug, Default)]
struct Samples {
    by_pid: BTreeMap<Pid, Sample>,
    /// How many were left by the last clean-up.
    kept: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    start_ticks: u64,
    ticks: u64,
    /// Seconds since the boot.
    at: f64,
    percent: f64,
}

const SAMPLE_SECONDS_MIN: f64 = 0.1;

/// With more than can be of living processes, all are forgotten.
const SAMPLES_MAX: usize = 4 * LOOKS_MAX;

impl Samples {
    /// Now and then: when there are twice as many as there were living ones.
    fn forget_the_dead(&mut self) {
        if self.by_pid.len() <= 2 * self.kept + 64 {
            return;
        }
        self.by_pid.retain(|pid, _| figures::exists(*pid));
        if self.by_pid.len() > SAMPLES_MAX {
            self.by_pid.clear();
        }
        self.kept = self.by_pid.len();
    }
}

/// What time it was, on the wall, at the zero of the other clocks. Kept, so that the same moment is told
/// in the same way, until somebody sets the clock.
#[derive(Debug, Default)]
struct Wall {
    /// Of the clock by which processes begin.
    since_boot: f64,
    /// Of `Moment`.
    since_zero: f64,
}

impl Wall {
    fn look(&mut self, since_boot: f64) {
        let (seconds, micros) = clock::wall();
        let wall = seconds as f64 + f64::from(micros) / 1e6;
        if (wall - since_boot - self.since_boot).abs() > 0.05 {
            self.since_boot = wall - since_boot;
        }
        let now = clock::now().as_ms() as f64 / 1000.0;
        if (wall - now - self.since_zero).abs() > 0.05 {
            self.since_zero = wall - now;
        }
    }

    fn time_of(&self, process: &Running) -> f64 {
        rounded(self.since_zero + process.started.as_ms() as f64 / 1000.0, 6)
    }
}

/// Names of users as `/etc/passwd` has them, those that somebody has asked for.
#[derive(Debug, Default)]
struct Users {
    version: Option<Version>,
    names: BTreeMap<u32, Box<str>>,
}

/// Of a file: device and inode, size, time of change.
type Version = ([u64; 3], [i64; 2]);

const PASSWD: &str = "/etc/passwd";

/// So many different users at most are remembered.
const NAMES_MAX: usize = 256;

/// A longer name is none.
const NAME_BYTES_MAX: usize = 64;

impl Users {
    /// Forget all, if the file is another one.
    fn look(&mut self) {
        let version = std::fs::metadata(PASSWD)
            .ok()
            .map(|file| ([file.dev(), file.ino(), file.size()], [file.ctime(), file.ctime_nsec()]));
        if version != self.version || self.names.len() >= NAMES_MAX {
            self.version = version;
            self.names.clear();
        }
    }

    /// The name, or the number for who has none.
    fn name(&mut self, uid: u32) -> String {
        if let Some(name) = self.names.get(&uid) {
            return name.to_string();
        }
        let content = Files.read(PASSWD).unwrap_or_default();
        let name = name_in(&content, uid).unwrap_or_else(|| uid.to_string());
        if self.names.len() < NAMES_MAX {
            self.names.insert(uid, name.as_str().into());
        }
        name
    }
}

/// The first line wins, as in getpwuid(3).
fn name_in(passwd: &[u8], uid: u32) -> Option<String> {
    let mut lines = passwd.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (std::str::from_utf8(number).ok()?.trim().parse() == Ok(uid)).then_some(name)
    });
    let name = lines.next().filter(|name| (1..=NAME_BYTES_MAX).contains(&name.len()))?;
    Some(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use circus::moment::Moment;
    use circus::sys::procfs;
    use serde_json::Value;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    /// Ended when dropped.
    struct Process(Child);

    impl Process {
        fn start(script: &str) -> Process {
            let mut command = Command::new("sh");
            command.args(["-c", script]).stdin(Stdio::null());
            Process(command.spawn().expect("a shell"))
        }

        /// Started now, as its process 3.
        fn running(&self) -> Running {
            let pid = Pid::new(self.0.id() as i32).expect("positive");
            Running { pid, wid: 3, started: clock::now() }
        }
    }

    impl Drop for Process {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn value(write: impl FnOnce(&mut Vec<u8>)) -> Value {
        let mut out = Vec::new();
        write(&mut out);
        serde_json::from_slice(&out).expect("JSON")
    }

    const KEYS: [&str; 12] = [
        "mem_info1",
        "mem_info2",
        "cpu",
        "mem",
        "ctime",
        "pid",
        "username",
        "nice",
        "create_time",
        "age",
        "cmdline",
        "children",
    ];

    /// Wait for a fact, far longer than it takes on the slowest machine.
    fn until(what: &str, mut fact: impl FnMut() -> bool) {
        let end = Instant::now() + Duration::from_secs(25);
        while !fact() {
            assert!(Instant::now() < end, "never: {what}");
            std::thread::yield_now();
        }
    }

    /// The keys of an object without objects in it, in their order.
    fn keys(text: &str) -> Vec<&str> {
        let mut parts: Vec<&str> = text.split("\": ").collect();
        parts.pop();
        parts.iter().filter_map(|part| part.rsplit('"').next()).collect()
    }

    #[test]
    fn a_process_is_told_with_all_its_figures() {
        let process = Process::start("exec sleep 300");
        let running = process.running();
        let mut figures = Figures::default();
        let mut out = Vec::new();
        until("the program runs", || {
            out.clear();
            figures.of_process(&mut out, &running);
            String::from_utf8_lossy(&out).contains("\"sleep\"")
        });
        let text = String::from_utf8(out).expect("ASCII");
        let all: Vec<&str> = KEYS.into_iter().chain(["started", "wid"]).collect();
        assert_eq!(keys(&text), all, "{text}");
        let info: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&info["wid"], &info["pid"]), (&3.into(), &running.pid.number().into()));
        assert_eq!((&info["cpu"], &info["nice"]), (&0.0.into(), &0.into()));
        assert_eq!(info["ctime"].as_str().map(|text| &text[..2]), Some("0:"));
        assert!(info["mem_info1"].as_str().is_some_and(|text| text.ends_with(['K', 'M'])));
        assert!(info["mem"].as_f64().zip(info["age"].as_f64()).is_some(), "{info}");
        // It began before we said so, and both times are told by the same clock.
        let (created, started) = (info["create_time"].as_f64(), info["started"].as_f64());
        let gap = started.zip(created).map(|(started, created)| started - created);
        assert!(gap.is_some_and(|gap| gap > -0.1), "{info}");
    }

    /// What a process makes of its command line would be read from its memory, and so wait for it.
    #[test]
    fn a_process_is_called_as_the_kernel_calls_it() {
        let mut command = Command::new("sleep");
        let command = command.arg0("/x/another name").arg("300").stdin(Stdio::null());
        let process = Process(command.spawn().expect("a program"));
        let mut figures = Figures::default();
        let info = value(|out| figures.of_process(out, &process.running()));
        assert_eq!(info["cmdline"], "sleep");
    }

    #[test]
    fn a_process_is_told_with_its_children_and_not_theirs() {
        let process = Process::start("sh -c 'sleep 300; :' & wait");
        let running = process.running();
        let mut figures = Figures::default();
        until("there are three generations", || procfs::descendants(running.pid).len() == 2);
        let info = value(|out| figures.of_process(out, &running));
        for (_, pid) in procfs::descendants(running.pid) {
            let pid = nix::unistd::Pid::from_raw(pid.number());
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("our own");
        }
        let children = info["children"].as_array().expect("a list");
        let [child] = &children[..] else { panic!("{info}") };
        assert_eq!(child.as_object().map(serde_json::Map::len), Some(KEYS.len()));
        assert_eq!(child["children"], Value::Array([].into()));
        assert!(child["age"].as_f64().is_some_and(|age| age >= 0.0));
    }

    #[test]
    fn who_has_ended_is_no_such_process() {
        let mut process = Process::start("exit 0");
        let running = process.running();
        let mut figures = Figures::default();
        until(
            "it is a zombie",
            || matches!(figures::look(running.pid), Look::Seen(stat) if stat.is_zombie),
        );
        let gone = Value::from("No such process (stopped?)");
        assert_eq!(value(|out| figures.of_process(out, &running)), gone, "a zombie");
        process.0.wait().expect("it has ended");
        assert_eq!(value(|out| figures.of_process(out, &running)), gone, "reaped");
        let all =
            value(|out| figures.of_watchers(out, &[("Web", vec![running]), ("db", Vec::new())]));
        let expected = format!(
            "{{\"Web\":{{\"{}\":\"No such process (stopped?)\"}},\"db\":{{}}}}",
            running.pid
        );
        assert_eq!(all.to_string(), expected);
    }

    /// In a mount namespace of its own, if that can be made: there, another file system hides /proc.
    #[test]
    fn without_proc_a_process_is_there_and_nothing_is_known_of_it() {
        const INSIDE: &str = "FIGURES_TEST_WITHOUT_PROC";
        if std::env::var_os(INSIDE).is_some() {
            let mut mount = Command::new("mount");
            mount.args(["-t", "tmpfs", "none", "/proc"]);
            assert!(mount.status().is_ok_and(|status| status.success()));
            let mut process = Process::start("exec sleep 300");
            let running = process.running();
            let mut figures = Figures::default();
            check_unknown(&value(|out| figures.of_process(out, &running)), &running);
            process.0.kill().and_then(|()| process.0.wait()).expect("our own");
            let gone = Value::from("No such process (stopped?)");
            assert_eq!(value(|out| figures.of_process(out, &running)), gone);
            assert_eq!(value(|out| figures.of_circusd(out))["mem_info1"], "N/A");
            return;
        }
        let ourselves = std::env::current_exe().expect("a path");
        let inside = || {
            let mut command = Command::new("unshare");
            command.args(["--mount", "--propagation", "private"]).stdin(Stdio::null());
            command
        };
        if !inside().arg("true").status().is_ok_and(|status| status.success()) {
            println!("SKIPPED: unshare may not make a mount namespace here");
            return;
        }
        let name = "figures::tests::without_proc_a_process_is_there_and_nothing_is_known_of_it";
        let mut command = inside();
        command.arg(ourselves).args(["--exact", name]).env(INSIDE, "1");
        let output = command.output().expect("it ran before");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    fn check_unknown(info: &Value, running: &Running) {
        for key in KEYS {
            match key {
                "pid" => assert_eq!(info[key], running.pid.number()),
                "age" => assert!(info[key].is_number()),
                "children" => assert_eq!(info[key], Value::Array([].into())),
                _ => assert_eq!(info[key], "N/A", "{key}"),
            }
        }
        assert_eq!(info["wid"], running.wid);
        assert!(info["started"].is_number());
    }

    #[test]
    fn we_are_told_without_place_and_children() {
        let info = value(|out| Figures::default().of_circusd(out));
        assert_eq!(info.as_object().map(serde_json::Map::len), Some(KEYS.len()));
        assert_eq!(info["pid"], std::process::id());
        assert!(info["age"].as_f64().zip(info["cpu"].as_f64()).is_some());
    }

    #[test]
    fn what_is_too_much_for_one_question_is_not_available() {
        let process = Process::start("sleep 300");
        let running = process.running();
        let mut figures = Figures::default();
        let mut question = Question::new(&mut figures);
        question.looks_left = 0;
        let info = value(|out| question.process(out, &running));
        check_unknown(&info, &running);
    }

    #[test]
    fn the_processor_is_counted_from_question_to_question() {
        let mut figures = Figures::default();
        let pid = Pid::new(7).expect("positive");
        let memory = figures::Memory { resident_bytes: 0, virtual_bytes: 0 };
        let stat = |ticks, start_ticks| Stat {
            name: "web".into(),
            is_zombie: false,
            ticks,
            nice: 0,
            threads: 1,
            start_ticks,
            memory,
        };
        let mut ask = |now, stat, first| {
            let mut question = Question::new(&mut figures);
            (question.now, question.ticks_per_second) = (now, 100.0);
            question.percent(pid, &stat, first)
        };
        assert_eq!(ask(1000.0, stat(500, 1), First::Zero), 0.0);
        assert_eq!(ask(1010.0, stat(1000, 1), First::Zero), 50.0);
        assert_eq!(ask(1010.01, stat(1001, 1), First::Zero), 50.0, "too soon to say");
        assert_eq!(ask(1011.0, stat(1300, 1), First::Zero), 300.0, "three threads");
        assert_eq!(ask(1012.0, stat(20, 101_100), First::Zero), 0.0, "another process");
        assert_eq!(ask(1021.0, stat(50, 102_000), First::AverageOfLife), 50.0);
    }

    #[test]
    fn the_dead_are_forgotten() {
        let mut samples = Samples::default();
        let us = identity::pid();
        let sample = Sample { start_ticks: 1, ticks: 1, at: 1.0, percent: 0.0 };
        samples.by_pid.insert(us, sample);
        for number in 0..64 {
            // Greater than any pid.
            let pid = Pid::new(i32::MAX - number).expect("positive");
            samples.by_pid.insert(pid, sample);
            samples.forget_the_dead();
        }
        assert!(samples.by_pid.contains_key(&us));
        assert_eq!(samples.by_pid.len(), 1);
    }

    #[test]
    fn sizes_and_times_are_written_as_circus_writes_them() {
        for (bytes, text) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_593_344, "1.52M"),
            (124_256_256, "118.50M"),
            (3 << 30, "3.00G"),
            (5 << 40, "5.00T"),
            (1 << 50, "1.00P"),
            (u64::MAX, "16.00E"),
        ] {
            assert_eq!(human(bytes), text);
        }
        for (hundredths, text) in
            [(0, "0:00.00"), (5, "0:00.05"), (6_150, "1:01.50"), (360_000 + 700, "60:07.00")]
        {
            assert_eq!(minutes(hundredths), text);
        }
        assert_eq!(
            (rounded(0.0078, 3), rounded(1_795_332_263.424_9, 2)),
            (0.008, 1_795_332_263.42)
        );
    }

    #[test]
    fn a_user_without_a_name_is_a_number() {
        let passwd = b"root:x:0:0::/:/bin/sh\nbroken\nx:y\nweb:x:33:33::/:\nother:x:33:1::/:\n:x:5:5\nbad:x:-1:0\n";
        for (uid, name) in [(0, Some("root")), (33, Some("web")), (5, None), (34, None)] {
            assert_eq!(name_in(passwd, uid).as_deref(), name, "{uid}");
        }
        let long = format!("{}:x:1:1::/:\n", "x".repeat(65));
        assert_eq!(name_in(long.as_bytes(), 1), None);
        let mut users = Users::default();
        users.look();
        assert_eq!(users.name(4_000_000_000), "4000000000");
        assert_eq!(users.names.len(), 1);
    }

    #[test]
    fn the_same_moment_is_told_in_the_same_way() {
        let mut wall = Wall::default();
        let process = Running { pid: identity::pid(), wid: 1, started: Moment::from_ms(1234) };
        wall.look(clock::since_boot());
        let first = wall.time_of(&process);
        wall.look(clock::since_boot());
        assert_eq!(wall.time_of(&process), first);
    }
}
