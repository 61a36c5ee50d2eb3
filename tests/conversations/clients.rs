//! The clients of a conversation, and how each of its requests was framed.

use crate::compare::Pids;
use crate::json::Json;
use crate::record::{Exchange, Sent};
use crate::zmtp::{DEADLINE, Kind, Message, Peer};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Asked after a request that gets no answer.
const NEXT: &[u8] = br#"{"command": "numwatchers", "id": "the next one"}"#;

/// All of them.
#[derive(Debug)]
pub struct Clients {
    endpoint: String,
    peers: BTreeMap<String, Peer>,
    /// Requests that had no answer in time. It may still come.
    unanswered: Vec<Json>,
    count: usize,
}

/// How a request is sent.
struct Manner {
    /// Who sends it.
    client: String,
    is_fresh: bool,
    kind: Kind,
    has_identity: bool,
    frames: Vec<Vec<u8>>,
}

fn manner(exchange: &Exchange, pids: &Pids) -> Manner {
    let body = match &exchange.request {
        Sent::Json(request) => {
            let mut request = request.clone();
            pids.translate_request(&mut request);
            request.to_string().into_bytes()
        }
        Sent::Bytes(bytes) | Sent::Datagram(bytes) => bytes.clone(),
        Sent::Parts => b"{}".to_vec(),
    };
    let note = &*exchange.note;
    let mut manner = Manner {
        client: "main".to_owned(),
        is_fresh: false,
        kind: Kind::Dealer,
        has_identity: true,
        frames: vec![body],
    };
    if note.contains("REQ socket") {
        manner.kind = Kind::Req;
        manner.frames.insert(0, Vec::new());
    } else if note.contains("empty delimiter") {
        manner.frames.insert(0, Vec::new());
    } else if note.contains("three-part") {
        manner.frames = vec![b"{}".to_vec(); 3];
    }
    manner.has_identity = !note.contains("without IDENTITY");
    let is_odd = manner.kind == Kind::Req || !manner.has_identity || manner.frames.len() > 1;
    manner.is_fresh = is_odd || note.contains("fresh client") || note.contains("new c");
    if manner.is_fresh {
        manner.client = "fresh".to_owned();
    }
    for name in ["client A", "client B", "client C"] {
        if note.contains(name) {
            manner.client = name.to_owned();
        }
    }
    manner
}

impl Clients {
    pub fn new(endpoint: &str) -> Clients {
        let endpoint = endpoint.to_owned();
        Clients { endpoint, peers: BTreeMap::new(), unanswered: Vec::new(), count: 0 }
    }

    fn peer(&mut self, manner: &Manner) -> &mut Peer {
        if manner.is_fresh {
            self.peers.remove(&manner.client);
        }
        self.count += 1;
        let identity = format!("{:032x}", self.count);
        let identity = if manner.has_identity { identity.as_bytes() } else { b"" };
        let endpoint = &self.endpoint;
        self.peers
            .entry(manner.client.clone())
            .or_insert_with(|| Peer::connect(endpoint, manner.kind, identity))
    }

    /// Send a recorded request; its reply.
    pub fn exchange(&mut self, exchange: &Exchange, pids: &Pids) -> Result<String, String> {
        let manner = manner(exchange, pids);
        let frames: Vec<&[u8]> = manner.frames.iter().map(|frame| &**frame).collect();
        let sent = self.peer(&manner).send(&frames);
        if sent.is_err() {
            // The daemon has closed its endpoints and opened them again, as Circus does when it
            // restarts everything. Every client of ZeroMQ connects again by itself.
            self.peers.remove(&manner.client);
            self.peer(&manner).send(&frames).map_err(|error| format!("cannot send: {error}"))?;
        }
        self.receive(&manner.client, DEADLINE).map_err(|error| format!("no reply: {error}"))
    }

    /// Send a recorded request that gets no reply: within this time, or before what is asked next.
    pub fn silence(
        &mut self,
        exchange: &Exchange,
        pids: &Pids,
        within: Option<f64>,
    ) -> Result<(), String> {
        let manner = manner(exchange, pids);
        let frames: Vec<&[u8]> = manner.frames.iter().map(|frame| &**frame).collect();
        let peer = self.peer(&manner);
        peer.send(&frames).map_err(|error| format!("cannot send: {error}"))?;
        if let Some(seconds) = within {
            let reply = self.receive(&manner.client, Duration::from_secs_f64(seconds));
            if let Sent::Json(request) = &exchange.request {
                self.unanswered.push(request.get("id").clone());
            }
            return match reply {
                Ok(reply) => Err(format!("{reply} in place of silence")),
                Err(_) => Ok(()),
            };
        }
        peer.send(&[NEXT]).map_err(|error| format!("cannot send: {error}"))?;
        let is_next = |reply: &io::Result<String>| {
            reply.as_ref().map_or(true, |text| text.contains("the next one"))
        };
        let first = self.receive(&manner.client, DEADLINE);
        if is_next(&first) {
            return first.map(drop).map_err(|error| error.to_string());
        }
        while !is_next(&self.receive(&manner.client, DEADLINE)) {}
        Err(format!("{first:?} in place of silence"))
    }

    /// Send a request of ours; its reply.
    pub fn ask(&mut self, client: &str, body: &[u8]) -> io::Result<String> {
        let manner = Manner {
            client: client.to_owned(),
            is_fresh: false,
            kind: Kind::Dealer,
            has_identity: true,
            frames: Vec::new(),
        };
        let sent = self.peer(&manner).send(&[body]);
        let reply = sent.and_then(|()| self.receive(client, DEADLINE));
        if reply.is_err() {
            self.peers.remove(client);
        }
        reply
    }

    /// The next reply that is not too late.
    fn receive(&mut self, client: &str, within: Duration) -> io::Result<String> {
        let peer = self.peers.get_mut(client).expect("it has just sent something");
        loop {
            let frames: Message = peer.receive(within)?;
            let [body] = &frames[..] else {
                let text = format!("a reply of {} frames", frames.len());
                return Err(io::Error::new(ErrorKind::InvalidData, text));
            };
            let text = String::from_utf8_lossy(body).into_owned();
            let id = Json::parse(&text).map(|reply| reply.get("id").clone());
            if !id.is_ok_and(|id| id != Json::Null && self.unanswered.contains(&id)) {
                return Ok(text);
            }
        }
    }
}
