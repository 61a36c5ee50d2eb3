//! Hears all publications, whatever happens to the endpoint.

use crate::json::Json;
use crate::record::Publication;
use crate::zmtp::{Kind, Peer};
use std::io::ErrorKind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long one attempt to connect or to hear something takes.
const TURN: Duration = Duration::from_millis(100);

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(4);

/// What was heard.
#[derive(Debug, Default)]
pub struct Heard {
    pub publications: Vec<Publication>,
    pub problems: Vec<String>,
    /// How often it has connected.
    pub connections: usize,
}

/// A connection to the publications, in a thread of its own.
#[derive(Debug)]
pub struct Subscriber {
    heard: Arc<Mutex<Heard>>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Subscriber {
    pub fn start(endpoint: &str) -> Subscriber {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let is_over = Arc::new(AtomicBool::new(false));
        let (to, over) = (Arc::clone(&heard), Arc::clone(&is_over));
        let endpoint = endpoint.to_owned();
        let thread = thread::spawn(move || listen(&endpoint, &to, &over));
        Subscriber { heard, is_over, thread: Some(thread) }
    }

    /// Look at what was heard.
    pub fn look<T>(&self, at: impl FnOnce(&Heard) -> T) -> T {
        at(&self.heard.lock().expect("nobody panics with it"))
    }

    /// Forget all publications from before this time, in seconds since 1970.
    pub fn forget_before(&self, time: f64) {
        let mut heard = self.heard.lock().expect("nobody panics with it");
        heard.publications.retain(|publication| publication.time() >= time);
    }

    /// The daemon is gone: hear what is left.
    pub fn finish(&mut self) -> Heard {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the subscriber has not panicked");
        }
        std::mem::take(&mut *self.heard.lock().expect("nobody panics with it"))
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.finish();
    }
}

fn listen(endpoint: &str, heard: &Mutex<Heard>, is_over: &AtomicBool) {
    while let Some(mut peer) = connect(endpoint, is_over) {
        heard.lock().expect("nobody panics with it").connections += 1;
        loop {
            match peer.receive(TURN) {
                Ok(frames) => take(&frames, heard),
                Err(error) if error.kind() != ErrorKind::TimedOut => break,
                Err(_) if is_over.load(Ordering::Relaxed) => return,
                Err(_) => {}
            }
        }
    }
}

fn connect(endpoint: &str, is_over: &AtomicBool) -> Option<Peer> {
    loop {
        let peer = Peer::try_connect(endpoint, Kind::Sub, b"", TURN * 20).and_then(|mut peer| {
            peer.subscribe(b"")?;
            Ok(peer)
        });
        match peer {
            Ok(peer) => return Some(peer),
            Err(_) if is_over.load(Ordering::Relaxed) => return None,
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn take(frames: &[Vec<u8>], heard: &Mutex<Heard>) {
    let result = publication(frames);
    let mut heard = heard.lock().expect("nobody panics with it");
    match result {
        Ok(publication) => heard.publications.push(publication),
        Err(problem) => heard.problems.push(problem),
    }
}

fn publication(frames: &[Vec<u8>]) -> Result<Publication, String> {
    let texts: Vec<_> = frames.iter().map(|frame| String::from_utf8_lossy(frame)).collect();
    let [topic, body] = &texts[..] else {
        return Err(format!("a publication of {} frames: {texts:?}", texts.len()));
    };
    let fields = Json::parse(body).map_err(|error| format!("{topic} {body}: {error}"))?;
    if fields.to_string() != *body {
        return Err(format!("{topic} {body}: Python's json.dumps would write {fields}"));
    }
    if !matches!(fields.get("time"), Json::Number(text) if text.contains('.')) {
        return Err(format!("{topic} {body}: time is no float"));
    }
    Publication::new(topic, fields)
}
