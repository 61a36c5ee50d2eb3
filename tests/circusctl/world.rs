//! A daemon that answers what the test says, and the client's program, in a folder of their own.

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Far more than anything here takes on the slowest machine.
pub const DEADLINE: Duration = Duration::from_secs(25);

/// Wait for something to be there.
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {DEADLINE:?}: {what}");
        thread::sleep(Duration::from_millis(4));
    }
}

/// A folder, which is removed with it.
pub struct World {
    pub folder: PathBuf,
}

/// What a run of the client came to.
#[derive(Debug, PartialEq)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl World {
    pub fn new() -> World {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("circusctl-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).expect("a folder for the test");
        World { folder }
    }

    /// The endpoint at a path in the folder.
    pub fn endpoint(&self, name: &str) -> String {
        format!("ipc://{}/{name}", self.folder.display())
    }

    /// A daemon at `control.sock`. `answer` gets each request and makes the reply, without its id
    /// and, if all is well, without status and time; `None` is silence.
    pub fn daemon(&self, answer: impl FnMut(&Value) -> Option<Value> + Send + 'static) -> Daemon {
        Daemon::start(&self.endpoint("control.sock"), Box::new(answer))
    }

    /// The client, with nothing that comes from outside.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("timeout");
        command.args(["-k", "1", "60", env!("CARGO_BIN_EXE_circusctl")]).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC");
        command.env("CIRCUSCTL_ENDPOINT", self.endpoint("control.sock"));
        command
    }

    /// Run the client.
    pub fn run(&self, words: &[&str]) -> Run {
        finish(self.command(words))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Run a command to its end.
pub fn finish(mut command: Command) -> Run {
    let output = command.output().expect("the program starts");
    Run {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

type Answer = Box<dyn FnMut(&Value) -> Option<Value> + Send>;

/// A ROUTER that answers, until it is dropped.
pub struct Daemon {
    requests: Arc<Mutex<Vec<Value>>>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Daemon {
    fn start(endpoint: &str, mut answer: Answer) -> Daemon {
        let router = zmq::Context::new().socket(zmq::ROUTER).expect("a socket");
        router.set_linger(0).expect("an option");
        router.bind(endpoint).expect("the endpoint is free");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = mpsc::channel();
        let seen = Arc::clone(&requests);
        let serve = move || {
            while stopped.try_recv() == Err(mpsc::TryRecvError::Empty) {
                if router.poll(zmq::POLLIN, 10) != Ok(1) {
                    continue;
                }
                let frames = router.recv_multipart(0).expect("a request");
                assert_eq!(frames.len(), 2, "one frame a request");
                assert_eq!(frames[0].len(), 32, "an identity as Circus's");
                let request: Value = serde_json::from_slice(&frames[1]).expect("JSON");
                let reply = answer(&request);
                seen.lock().expect("not poisoned").push(request.clone());
                if let Some(reply) = reply {
                    // An answer to somebody else first: it is skipped.
                    let stray = json!({"status": "stray", "id": "another"}).to_string();
                    router.send_multipart([&frames[0], stray.as_bytes()], 0).expect("room");
                    let reply = complete(reply, &request["id"]).to_string();
                    router.send_multipart([&frames[0], reply.as_bytes()], 0).expect("room");
                }
            }
        };
        Daemon { requests, stop: Some(stop), thread: Some(thread::spawn(serve)) }
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().expect("not poisoned").clone()
    }

    /// The commands that were asked for so far.
    pub fn commands(&self) -> Vec<String> {
        let requests = self.requests();
        requests.iter().map(|request| request["command"].as_str().expect("text").into()).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn complete(reply: Value, id: &Value) -> Value {
    let mut whole = json!({"status": "ok", "time": 1795332847.2685513});
    let members = whole.as_object_mut().expect("an object");
    members.extend(reply.as_object().expect("an object").clone());
    members.insert("id".to_string(), id.clone());
    whole
}
