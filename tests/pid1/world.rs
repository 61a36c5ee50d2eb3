//! A circusd to test, in a folder and a pid namespace of its own. Whatever happens, nothing of it
//! is left when it is dropped.

use crate::process::Process;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than anything here takes on the slowest machine.
const DEADLINE: Duration = Duration::from_secs(25);

/// Between two looks at a fact.
const PAUSE: Duration = Duration::from_millis(4);

/// In the environment of everything that a world starts.
const MARK: &str = "PID1_TEST_WORLD";

/// Wait for a fact.
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    until_some(what, || fact().then_some(()));
}

/// Wait for something to be there.
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        thread::sleep(PAUSE);
    }
}

/// Whether private pid namespaces can be made here. If not, the test says that it is skipped.
pub fn namespaces_are_possible() -> bool {
    static POSSIBLE: OnceLock<bool> = OnceLock::new();
    let possible = *POSSIBLE.get_or_init(|| {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc", "true"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    if !possible {
        println!("SKIPPED: unshare may not make a pid namespace here");
    }
    possible
}

/// What to start and how. The folder is removed with it.
pub struct World {
    pub folder: PathBuf,
    mark: String,
    as_pid_1: bool,
    own_proc: bool,
    words: Vec<String>,
    through: Vec<String>,
    program: PathBuf,
    is_foreign: bool,
}

impl World {
    /// A circusd that is PID 1, with this configuration; `@` in it is the folder.
    pub fn pid_1(ini: &str) -> World {
        Self::new(ini, true)
    }

    /// The same, but not as PID 1.
    pub fn plain(ini: &str) -> World {
        Self::new(ini, false)
    }

    fn new(ini: &str, as_pid_1: bool) -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("circus-pid1-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(&mark);
        fs::create_dir_all(&folder).expect("a folder for the test");
        let program = PathBuf::from(env!("CARGO_BIN_EXE_circusd"));
        let (words, through) = (Vec::new(), Vec::new());
        let (own_proc, is_foreign) = (true, false);
        let world = World { folder, mark, as_pid_1, own_proc, words, through, program, is_foreign };
        if ini.is_empty() {
            return world;
        }
        let path = world.write("circus.ini", ini);
        world.words(&[&path.display().to_string()])
    }

    /// An entrypoint: CMD and its words.
    pub fn entrypoint(command: &[&str]) -> World {
        Self::pid_1("").words(&["--"]).words(command)
    }

    /// Another program of that name, which knows nothing of our ways with signals.
    #[allow(dead_code)] // The recorded conversations can be held with the original.
    pub fn with_program(mut self, program: &str) -> World {
        self.program = PathBuf::from(program);
        self.is_foreign = true;
        self
    }

    /// The /proc that it sees is that of another namespace.
    pub fn with_foreign_proc(mut self) -> World {
        self.own_proc = false;
        self
    }

    /// More words of its command line.
    pub fn words(mut self, words: &[&str]) -> World {
        self.words.extend(words.iter().map(|word| word.to_string()));
        self
    }

    /// Start it by this command, which executes its further arguments.
    pub fn through(mut self, words: &[&str]) -> World {
        self.through.extend(words.iter().map(|word| word.to_string()));
        self
    }

    /// Start it by a line of bash that ends in `exec "$@"`.
    pub fn through_bash(self, line: &str) -> World {
        let line = line.replace('@', "\u{1}").replace("$\u{1}", "$@");
        let line = line.replace('\u{1}', &self.folder.display().to_string());
        self.through(&["bash", "-c", &line, "bash"])
    }

    /// Start it as this user, who can write nothing.
    pub fn by_user(self, uid: &str) -> World {
        self.by_restricted_user(uid, &[])
    }

    /// The same, with more options of setpriv.
    pub fn by_restricted_user(mut self, uid: &str, options: &[&str]) -> World {
        let copy = self.folder.join("circusd");
        fs::copy(&self.program, &copy).expect("the program can be copied");
        self.program = copy;
        self.through(&["setpriv", "--reuid", uid, "--regid", uid, "--clear-groups"])
            .through(options)
    }

    /// Write a file into the folder; `@` in it is the folder, `@@` an `@`.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        let folder = self.folder.display().to_string();
        let text = text.replace("@@", "\u{1}").replace('@', &folder).replace('\u{1}', "@");
        fs::write(&path, text).expect("a file for the test");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
        path
    }

    /// Write a script that a watcher runs.
    pub fn with(self, name: &str, text: &str) -> World {
        self.write(name, text);
        self
    }

    /// Start it, and wait until it is the program and has blocked its signals.
    pub fn start(self) -> Running {
        let file = |name: &str| File::create(self.folder.join(name)).expect("a file for the test");
        let (out, err) = (file("out"), file("err"));
        self.start_with(Stdio::null(), out.into(), err.into())
    }

    /// The same with these streams.
    pub fn start_with(self, stdin: Stdio, stdout: Stdio, stderr: Stdio) -> Running {
        // Whoever starts this thread's processes: if it ends, so do they.
        let mut words = vec!["setpriv", "--pdeathsig", "KILL"];
        if self.as_pid_1 {
            words.extend(["unshare", "--pid", "--mount", "--fork", "--kill-child"]);
            words.extend(["--mount-proc"].iter().filter(|_| self.own_proc));
            // Each has its endpoints in a /run of its own.
            words.extend(["sh", "-c", "mount -t tmpfs none /run; exec \"$@\"", "sh"]);
        }
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(&self.through).arg(&self.program).args(&self.words);
        command.env(MARK, &self.mark).current_dir(&self.folder);
        command.stdin(stdin).stdout(stdout).stderr(stderr);
        let child = command.spawn().expect("setpriv can be started");
        let process = Process(child.id() as i32);
        let mut running = Running { child, process, namespace: None, status: None, world: self };
        running.find();
        running
    }
}

/// It has blocked its signals. While it waits for them, the kernel shows them as not blocked.
fn takes_signals(circusd: Process) -> bool {
    const TERM: u64 = 1 << 14;
    let blocked = u64::from_str_radix(&circusd.status("SigBlk"), 16).unwrap_or(0);
    blocked & TERM != 0 || circusd.read("wchan").contains("sigtimedwait")
}

/// It runs, or ran.
pub struct Running {
    child: Child,
    /// circusd.
    pub process: Process,
    /// Held open: the kernel gives the number of a namespace that is gone to the next one.
    namespace: Option<File>,
    status: Option<ExitStatus>,
    world: World,
}

impl Running {
    fn find(&mut self) {
        let outer = self.process;
        let as_pid_1 = self.world.as_pid_1;
        let found = until_some("circusd blocks its signals", || {
            if self.child.try_wait().expect("it is our child").is_some() {
                return Some(None);
            }
            let process = if as_pid_1 { outer.children().first().copied()? } else { outer };
            let is_ready = self.world.is_foreign || takes_signals(process);
            let ready = process.read("comm").trim() == "circusd" && is_ready;
            ready.then_some(Some(process))
        });
        let Some(process) = found else { return };
        self.process = process;
        self.namespace = File::open(process.path("ns/pid")).ok();
    }

    pub fn folder(&self) -> &Path {
        &self.world.folder
    }

    /// Write a file into the folder while it runs.
    pub fn write(&self, name: &str, text: &str) {
        self.world.write(name, text);
    }

    /// A file of the folder; nothing if it is not there.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.world.folder.join(name)).unwrap_or_default()
    }

    /// What it wrote on stdout: its log, where nothing else is configured.
    pub fn log(&self) -> String {
        self.file("out")
    }

    pub fn wait_for_log(&self, text: &str) {
        until(&format!("the log says {text:?}"), || self.log().contains(text));
    }

    pub fn wait_for_file(&self, name: &str, text: &str) {
        until(&format!("{name} holds {text:?}"), || self.file(name).contains(text));
    }

    /// Its children with this command line.
    pub fn children(&self, command: &str) -> Vec<Process> {
        let mut all = self.process.children();
        all.retain(|process| process.command() == command);
        all
    }

    /// Wait until it has exactly so many of them.
    pub fn wait_for_children(&self, command: &str, count: usize) -> Vec<Process> {
        until_some(&format!("{count} children are {command:?}"), || {
            Some(self.children(command)).filter(|all| all.len() == count)
        })
    }

    /// Wait until it has one of them.
    pub fn wait_for_child(&self, command: &str) -> Process {
        self.wait_for_children(command, 1)[0]
    }

    /// Wait until another process has taken the place of this one.
    pub fn wait_for_replacement(&self, command: &str, old: Process) -> Process {
        until_some(&format!("another {command:?} is there"), || {
            self.children(command).into_iter().find(|process| *process != old)
        })
    }

    /// Everything in its namespace, or of its world if it has none, but itself.
    pub fn others(&self) -> Vec<Process> {
        let mut all = Process::all();
        let mark = format!("{MARK}={}", self.world.mark);
        let number = |data: io::Result<fs::Metadata>| data.map_or(0, |data| data.ino());
        let namespace = self.namespace.as_ref().map(|file| number(file.metadata()));
        all.retain(|process| {
            *process != self.process
                && if self.world.as_pid_1 {
                    namespace.is_some_and(|ns| ns == number(fs::metadata(process.path("ns/pid"))))
                } else {
                    process.0 != self.child.id() as i32
                        && process.read("environ").split('\0').any(|line| line == mark)
                }
        });
        all
    }

    /// Send it a signal, unless it has ended: its number may be another process's by then.
    pub fn send(&self, signal: &str) {
        let parent = if self.world.as_pid_1 { self.child.id() } else { std::process::id() };
        self.process.send_if_child_of(Process(parent as i32), signal);
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("it is our child");
        }
        self.status.is_some()
    }

    /// Wait for its end; 1000 + number if a signal killed it.
    pub fn exit_code(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        until("circusd ends", || self.has_ended());
        let status = self.status.expect("it has ended");
        status.code().unwrap_or_else(|| 1000 + status.signal().unwrap_or(0))
    }

    /// Ask it to end and expect that it does so well, leaving nothing.
    pub fn stop(&mut self) {
        self.send("TERM");
        assert_eq!(self.exit_code(), 0);
        assert_eq!(self.others(), [], "nothing is left");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if thread::panicking() {
            for name in ["out", "err"] {
                let text = self.file(name);
                let start = text.len().saturating_sub(4000);
                let end = String::from_utf8_lossy(&text.as_bytes()[start..]).into_owned();
                println!("--- {name} of {}:\n{end}", self.world.mark);
            }
        }
        // The end of PID 1 is the end of its namespace.
        if self.status.is_none() {
            self.send("KILL");
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        for process in self.others() {
            process.send("KILL");
        }
        let _ = fs::remove_dir_all(&self.world.folder);
    }
}
