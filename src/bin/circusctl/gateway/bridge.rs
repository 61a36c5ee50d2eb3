//! The loop between clients and circusd: requests go one way, replies and publications the other.
//!
//! Nothing is queued here but one batch for circusd. While circusd does not take it, no client's
//! request is read, and libzmq holds the clients back; what circusd says is read always.
//!
//! libzmq's descriptors tell only of changes: after one was ready, and after every send, its socket
//! must be asked until it has nothing left before we may sleep (`Due`).

use super::discovery::Discovery;
use super::endpoints::Endpoints;
use super::notes::Nuisances;
use super::subscriptions::Subscriptions;
use crate::zeromq;
use circus::moment::Moment;
use circus::sys::clock;
use circus::sys::poll::{Interest, PollSet};
use circus::wire::{Broken, FRAME_BYTES_MAX, FromGateway, Inbox, ToGateway};
use nix::errno::Errno;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use zmq::{DONTWAIT, Message, SNDMORE};

/// What goes to circusd in one write, if there is so much.
const REQUESTS_A_BATCH: usize = 64;
const BATCH_BYTES: usize = 64 << 10;
/// How long an answer is worth to stay awake for.
const LINGER: std::time::Duration = std::time::Duration::from_micros(60);
/// Then others have their turn.
const SUBSCRIPTIONS_A_TURN: usize = 256;

/// Why the loop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// circusd has closed its end.
    Goodbye,
    /// circusd says what we do not understand.
    Broken(Broken),
}

impl From<Broken> for End {
    fn from(broken: Broken) -> End {
        End::Broken(broken)
    }
}

/// Everything that the loop holds.
pub struct Bridge {
    circusd: OwnedFd,
    inbox: Inbox,
    outbox: Outbox,
    endpoints: Endpoints,
    discovery: Option<Discovery>,
    subscriptions: Subscriptions,
    /// How many of them circusd knows of.
    told: u32,
    due: Due,
    /// circusd was asked just now.
    asked: bool,
    nuisances: Nuisances,
}

/// One batch for circusd.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    /// So much of it circusd has taken.
    taken: usize,
}

/// Which of libzmq's sockets may have something, whatever their descriptors say.
#[derive(Debug)]
struct Due {
    requests: bool,
    subscriptions: bool,
    questions: bool,
}

impl Bridge {
    /// `circusd` must not block.
    pub fn new(circusd: OwnedFd, endpoints: Endpoints, discovery: Option<Discovery>) -> Bridge {
        Bridge {
            circusd,
            inbox: Inbox::new(FRAME_BYTES_MAX),
            outbox: Outbox::default(),
            due: Due { requests: true, subscriptions: true, questions: true },
            asked: false,
            endpoints,
            discovery,
            subscriptions: Subscriptions::default(),
            told: 0,
            nuisances: Nuisances::default(),
        }
    }

    /// Carry messages until circusd ends it.
    pub fn run(mut self) -> End {
        FromGateway::Ready.append_to(&mut self.outbox.bytes);
        let mut poll = PollSet::default();
        loop {
            self.act();
            if self.asked {
                self.asked = false;
                match self.linger() {
                    Ok(true) => continue,
                    Ok(false) => {}
                    Err(end) => {
                        self.endpoints.close();
                        return end;
                    }
                }
            }
            self.wait(&mut poll);
            if poll.is_ready(self.circusd.as_raw_fd())
                && let Err(end) = self.hear_circusd()
            {
                self.endpoints.close();
                return end;
            }
        }
    }

    /// Do all that can be done at once.
    fn act(&mut self) {
        if self.due.questions {
            self.answer_questions();
        }
        if self.due.subscriptions {
            self.take_subscriptions();
        }
        let was_waiting = !self.outbox.bytes.is_empty();
        self.send_batch();
        if self.outbox.bytes.is_empty() {
            // Nobody has looked at the clients meanwhile.
            self.due.requests |= was_waiting;
            self.fill_batch();
            self.send_batch();
        }
    }

    /// Wait until there is more to do, and note what.
    fn wait(&mut self, poll: &mut PollSet) {
        let endpoints = &self.endpoints;
        let control = zeromq::descriptor(&endpoints.control);
        let publications = zeromq::descriptor(&endpoints.publications);
        let doorkeeper = endpoints.doorkeeper.as_ref().map(|d| zeromq::descriptor(&d.socket));
        let is_blocked = !self.outbox.bytes.is_empty();
        poll.clear();
        poll.add(self.circusd.as_fd(), Interest::Read);
        if is_blocked {
            poll.add(self.circusd.as_fd(), Interest::Write);
        } else {
            poll.add(control, Interest::Read);
        }
        poll.add(publications, Interest::Read);
        for fd in doorkeeper.into_iter().chain(self.discovery.as_ref().map(AsFd::as_fd)) {
            poll.add(fd, Interest::Read);
        }
        let due = &mut self.due;
        let is_more = due.questions || due.subscriptions || due.requests && !is_blocked;
        poll.wait(is_more.then(Moment::default));
        due.requests |= poll.is_ready(control.as_raw_fd());
        due.subscriptions |= poll.is_ready(publications.as_raw_fd());
        due.questions |= doorkeeper.is_some_and(|fd| poll.is_ready(fd.as_raw_fd()));
        if let Some(discovery) = &mut self.discovery
            && poll.is_ready(discovery.as_fd().as_raw_fd())
        {
            discovery.answer(clock::now());
        }
    }

    /// Most answers are there before we could fall asleep: look again and again for a moment, and let
    /// circusd run meanwhile.
    fn linger(&mut self) -> Result<bool, End> {
        let begin = std::time::Instant::now();
        while begin.elapsed() < LINGER {
            if self.hear_circusd()? {
                return Ok(true);
            }
            std::thread::yield_now();
        }
        Ok(false)
    }

    /// Deliver what circusd has sent.
    fn hear_circusd(&mut self) -> Result<bool, End> {
        match nix::unistd::read(&self.circusd, self.inbox.space()) {
            Ok(0) => return Err(End::Goodbye),
            Ok(count) => self.inbox.filled(count),
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(_) => return Err(End::Goodbye),
        }
        while let Some(frame) = self.inbox.next_frame()? {
            match ToGateway::parse(frame)? {
                ToGateway::Reply { identity, body } => {
                    self.due.requests = true;
                    let control = &self.endpoints.control;
                    let sent = control
                        .send(identity, SNDMORE | DONTWAIT)
                        .and_then(|()| control.send(body, DONTWAIT));
                    // A client that has gone needs no reply.
                    if sent == Err(zmq::Error::EAGAIN) {
                        self.nuisances.unread_replies.happened(1);
                    }
                }
                ToGateway::Publication { topic, body } => {
                    self.due.subscriptions = true;
                    let publications = &self.endpoints.publications;
                    // What a subscriber does not read is dropped without a word.
                    let _ = publications
                        .send(topic, SNDMORE | DONTWAIT)
                        .and_then(|()| publications.send(body, DONTWAIT));
                }
            }
        }
        Ok(true)
    }

    /// Give circusd as much of the batch as it takes.
    fn send_batch(&mut self) {
        let outbox = &mut self.outbox;
        while outbox.taken < outbox.bytes.len() {
            match nix::unistd::write(&self.circusd, &outbox.bytes[outbox.taken..]) {
                Ok(count) => outbox.taken += count,
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // It has gone: but its last words may still be there to be read.
                Err(_) => break,
            }
        }
        outbox.taken = 0;
        outbox.bytes.clear();
        // What one long request needed is not kept.
        outbox.bytes.shrink_to(BATCH_BYTES);
    }

    /// Collect what circusd should know. Nothing of the last batch is left.
    fn fill_batch(&mut self) {
        let count = self.subscriptions.count();
        if count != self.told {
            self.told = count;
            FromGateway::Subscribers(count).append_to(&mut self.outbox.bytes);
        }
        for _ in 0..REQUESTS_A_BATCH {
            if !self.due.requests || self.outbox.bytes.len() >= BATCH_BYTES {
                break;
            }
            self.take_request();
        }
        self.nuisances.turned_away.happened(zeromq::turned_away());
        self.nuisances.tell(clock::now(), |level, text| {
            FromGateway::Note { level, text }.append_to(&mut self.outbox.bytes);
        });
    }

    /// Take one request: exactly an identity and a body. All else is dropped, as Circus does.
    fn take_request(&mut self) {
        let control = &self.endpoints.control;
        let (mut identity, mut body) = (Message::new(), Message::new());
        if let Err(error) = control.recv(&mut identity, DONTWAIT) {
            self.due.requests = error == zmq::Error::EINTR;
            return;
        }
        let mut parts = 1;
        let mut has_more = identity.get_more();
        while has_more && control.recv(&mut body, DONTWAIT).is_ok() {
            parts += 1;
            has_more = body.get_more();
        }
        if parts != 2 {
            self.nuisances.malformed.happened(1);
            return;
        }
        let uid = peer_uid(&mut identity).filter(|_| self.endpoints.knows_users);
        if self.endpoints.knows_users && uid.is_none() {
            // Cannot be; and if it were, circusd must not take it for somebody on the network.
            return;
        }
        self.asked = true;
        FromGateway::Request { uid, identity: &identity, body: &body }
            .append_to(&mut self.outbox.bytes);
    }

    /// Learn who has subscribed and who has left.
    fn take_subscriptions(&mut self) {
        let mut message = Message::new();
        for _ in 0..SUBSCRIPTIONS_A_TURN {
            if let Err(error) = self.endpoints.publications.recv(&mut message, DONTWAIT) {
                self.due.subscriptions = error == zmq::Error::EINTR;
                break;
            }
            let user = peer_uid(&mut message);
            let connection = message.gets("__fd").and_then(|number| number.parse().ok());
            match (message.split_first(), connection) {
                (Some((1, topic)), Some(connection)) => {
                    let is_allowed = self.subscriptions.add(topic, user, connection);
                    if !is_allowed {
                        self.nuisances.too_many_subscriptions.happened(1);
                        zeromq::end_connection(connection);
                    }
                }
                (Some((0, topic)), Some(connection)) => {
                    self.subscriptions.cancel(topic, connection);
                }
                // What libzmq says itself, when a peer has gone, has no sender.
                (Some((0, topic)), None) => self.subscriptions.remove(topic),
                // Subscribers have nothing else to say.
                _ => {}
            }
        }
    }

    /// Say which peers may come in.
    fn answer_questions(&mut self) {
        let Some(doorkeeper) = &self.endpoints.doorkeeper else {
            self.due.questions = false;
            return;
        };
        let (is_done, trouble) = doorkeeper.answer();
        self.due.questions = !is_done;
        if let Some(reason) = trouble {
            self.nuisances.key_file.happened(1);
            self.nuisances.key_file_reason = reason;
        }
    }
}

/// Whose process the sender is: libzmq notes `HOST:UID:GID:PID` of a local peer when it accepts the
/// connection, from the kernel, and a peer cannot put anything in its place.
fn peer_uid(message: &mut Message) -> Option<u32> {
    let mut parts = message.gets("Peer-Address")?.rsplit(':');
    let (_pid, _gid, uid) = (parts.next()?, parts.next()?, parts.next()?);
    uid.parse().ok()
}
