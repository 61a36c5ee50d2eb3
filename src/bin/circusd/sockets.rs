//! The sockets of the configuration. They are bound before anything starts and stay so while
//! processes come and go; one that the configuration has given up stays as long as a process that was
//! started with it.

use crate::endpoints::sentence;
use circus::config::settings::{SocketKind, SocketPlace, SocketSettings, WatcherSettings};
use circus::config::sockets;
use circus::process::Pid;
use circus::supervisor::{SlotId, Supervisor};
use circus::sys::connections::is_connected;
use circus::sys::fds;
use circus::sys::listen::Obstacle;
use circus::sys::poll::{Interest, PollSet};
use circus::sys::socket::{BoundSocket, Purpose, Queue, no_host};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::Rc;

/// All of them.
#[derive(Debug, Default)]
pub struct Sockets {
    /// Sorted by name.
    table: Vec<Bound>,
    /// The same settings, as the core has them.
    settings: Vec<Rc<SocketSettings>>,
    /// What the processes were started with.
    held: BTreeMap<Pid, Vec<Rc<BoundSocket>>>,
    /// Sockets with `so_reuseport`, of which each process has its own.
    seats: Vec<Seat>,
    /// Descriptors at which we are told who comes, and for which watchers.
    attended: BTreeMap<RawFd, Vec<u32>>,
}

/// A socket of the configuration.
#[derive(Debug, Clone)]
pub struct Bound {
    settings: Rc<SocketSettings>,
    /// `None` where even to keep the port would take something away from those who use it.
    socket: Option<Rc<BoundSocket>>,
    /// What its host means.
    host: Option<IpAddr>,
    /// The kernel's choice where the configuration has none.
    port: Option<u16>,
}

/// A socket for one process, which its successors take over, so that nobody who waits is lost.
#[derive(Debug)]
struct Seat {
    name: Box<str>,
    socket: Rc<BoundSocket>,
    users: Vec<SlotId>,
}

/// What a process gets.
#[derive(Debug, Default)]
pub struct Given {
    /// Names of those from the first passed descriptor on.
    pub names: Vec<Box<str>>,
    /// Their descriptors, in that order.
    pub passed: Vec<OwnedFd>,
    /// Its standard input.
    pub stdin: Option<OwnedFd>,
    held: Vec<Rc<BoundSocket>>,
}

impl Sockets {
    /// Bind them all, or none.
    ///
    /// # Errors
    /// One cannot be bound; the error is a sentence.
    pub fn open(settings: &[Rc<SocketSettings>]) -> Result<Sockets, String> {
        let mut sockets = Sockets::default();
        sockets.change(settings)?;
        Ok(sockets)
    }

    /// These are the sockets from now on: what is new is bound first, then what stays is adjusted,
    /// and what is missing is closed when nobody was started with it.
    ///
    /// # Errors
    /// Something cannot be had; then all is as it was. The error is a sentence.
    pub fn change(&mut self, settings: &[Rc<SocketSettings>]) -> Result<(), String> {
        let table: Vec<Bound> =
            settings.iter().map(|new| self.take_or_bind(new)).collect::<Result<_, _>>()?;
        for (at, bound) in table.iter().enumerate() {
            if let Err(reason) = bound.adjust(&bound.settings) {
                for former in &self.table {
                    let is_done = |bound: &&Bound| bound.is_of(former);
                    if table[..=at].iter().any(|bound| is_done(&bound)) {
                        let _ = former.adjust(&former.settings);
                    }
                }
                return Err(reason);
            }
        }
        self.settings = settings.to_vec();
        self.table = table;
        let table = &self.table;
        self.seats.retain(|seat| table.iter().any(|bound| bound.settings.name == seat.name));
        Ok(())
    }

    fn take_or_bind(&self, new: &Rc<SocketSettings>) -> Result<Bound, String> {
        let by_name = self.table.iter().find(|old| old.settings.name == new.name);
        let in_place = self.table.iter().find(|old| old.settings.has_the_place_of(new));
        let mut candidates = by_name.into_iter().chain(in_place);
        if let Some(old) = candidates.find(|old| old.settings.can_become(new)) {
            return Ok(Bound { settings: new.clone(), ..old.clone() });
        }
        if in_place.is_some() {
            return Err(format!(
                "{}: type, protocol, interface and so_reuseport cannot change while it is in use; \
                 give it another place, or start circusd anew",
                subject(new)
            ));
        }
        Bound::bind(new).map_err(|obstacle| format!("{}: {}", subject(new), reason(new, obstacle)))
    }

    /// What a process of this watcher gets.
    ///
    /// # Errors
    /// The kernel's limits.
    pub fn give(&mut self, settings: &WatcherSettings, slot: SlotId) -> io::Result<Given> {
        let mut given = Given::default();
        if self.table.is_empty() {
            return Ok(given);
        }
        let passed = sockets::passed(settings, &self.settings);
        // None has a number that it is to get in the new process.
        let lowest = (sockets::FIRST_DESCRIPTOR + passed.len()).max(fds::HIGH as usize) as RawFd;
        for index in passed {
            let socket = self.socket_for(index, settings.numprocesses, slot)?;
            given.passed.push(fds::from(socket.as_fd(), lowest)?);
            given.names.push(self.settings[index].name.clone());
            given.held.push(socket);
        }
        if let Some(index) = sockets::stdin(settings, &self.settings) {
            let socket = self.socket_for(index, settings.numprocesses, slot)?;
            given.stdin = Some(fds::from(socket.as_fd(), lowest)?);
            given.held.push(socket);
        }
        Ok(given)
    }

    /// A process was started with these.
    pub fn hold(&mut self, pid: Pid, given: Vec<Rc<BoundSocket>>) {
        if !given.is_empty() {
            self.held.insert(pid, given);
        }
    }

    /// It has ended.
    pub fn release(&mut self, pid: Pid) {
        self.held.remove(&pid);
    }

    /// Another process goes on in its place.
    pub fn hand_over(&mut self, pid: Pid, by: Pid) {
        if let Some(held) = self.held.remove(&pid) {
            self.held.insert(by, held);
        }
    }

    /// Only these slots have, or will have, processes.
    pub fn prune(&mut self, is_used: impl Fn(SlotId) -> bool) {
        for seat in &mut self.seats {
            seat.users.retain(|slot| is_used(*slot));
        }
        self.seats.retain(|seat| !seat.users.is_empty());
    }

    /// Each process has a socket of its own somewhere.
    pub fn has_seats(&self) -> bool {
        !self.seats.is_empty()
    }

    /// Wait for whoever comes to a socket of this watcher.
    pub fn poll(&self, settings: &WatcherSettings, set: &mut PollSet) {
        for socket in self.used(settings) {
            set.add(socket.as_fd(), Interest::Read);
        }
    }

    /// Whether somebody has come.
    pub fn is_ready(&self, settings: &WatcherSettings, set: &PollSet) -> bool {
        self.used(settings).any(|socket| set.is_ready(socket.as_fd().as_raw_fd()))
    }

    /// Be told who comes to a socket of this watcher next.
    pub fn attend(&mut self, watcher: u32, settings: &WatcherSettings) {
        let sockets: Vec<Rc<BoundSocket>> = self.used(settings).cloned().collect();
        for socket in sockets {
            let watchers = self.attended.entry(socket.as_fd().as_raw_fd()).or_default();
            if !watchers.contains(&watcher) {
                watchers.push(watcher);
            }
            socket.attend(true);
        }
    }

    /// Somebody is to be told who comes.
    pub fn is_attending(&self) -> bool {
        !self.attended.is_empty()
    }

    /// Somebody has come there: the watchers that are to know.
    pub fn attended(&mut self, fd: RawFd) -> Vec<u32> {
        let sockets = self.table.iter().filter_map(|bound| bound.socket.as_ref());
        if let Some(socket) = sockets.into_iter().find(|it| it.as_fd().as_raw_fd() == fd) {
            socket.attend(false);
        }
        self.attended.remove(&fd).unwrap_or_default()
    }

    /// Whether somebody is connected to a socket of this watcher, or waits to be.
    pub fn are_connected(&self, settings: &WatcherSettings) -> bool {
        let mut set = PollSet::default();
        self.poll(settings, &mut set);
        set.wait(Some(circus::sys::clock::now()));
        let used = sockets::used(settings, &self.settings).into_iter();
        self.is_ready(settings, &set)
            || used.map(|index| &self.table[index]).any(|bound| {
                let address = bound.socket.as_ref().and_then(|socket| socket.address());
                is_connected(&bound.settings.place, address)
            })
    }

    /// All for a client: what Circus shows, and with `detail` what the kernel tells of them and which
    /// watchers use them.
    pub fn list(&self, supervisor: &Supervisor, detail: bool) -> Vec<Vec<(&'static str, Value)>> {
        let mut all: Vec<(u32, Vec<(&'static str, Value)>)> = Vec::new();
        for (index, bound) in self.table.iter().enumerate() {
            let fd = bound.socket.as_ref().map_or(0, |it| it.as_fd().as_raw_fd() as u32);
            let mut shown = bound.shown(fd);
            if detail {
                self.add_detail(index, supervisor, &mut shown);
            }
            all.push((fd, shown));
        }
        circus::sort::sort_by_key(&mut all, |(fd, _)| *fd);
        all.into_iter().map(|(_, shown)| shown).collect()
    }

    fn add_detail(
        &self,
        index: usize,
        supervisor: &Supervisor,
        shown: &mut Vec<(&'static str, Value)>,
    ) {
        let bound = &self.table[index];
        let name = &bound.settings.name;
        let kind = SocketKind::ALL.iter().find(|(_, kind)| *kind == bound.settings.kind);
        shown.push(("type", kind.map(|(name, _)| *name).into()));
        let seats = self.seats.iter().filter(|seat| seat.name == *name);
        let own = bound.socket.iter().filter(|_| !bound.settings.so_reuseport);
        let mut sum = Queue::default();
        for queue in own.chain(seats.map(|seat| &seat.socket)).map(|socket| socket.queue()) {
            let add = |to: &mut Option<u32>, more: Option<u32>| {
                if let Some(more) = more {
                    *to = Some(to.unwrap_or(0).saturating_add(more));
                }
            };
            add(&mut sum.waiting, queue.waiting);
            add(&mut sum.dropped, queue.dropped);
            sum.most = sum.most.max(queue.most);
        }
        shown.push(("waiting", sum.waiting.into()));
        shown.push(("waiting_max", sum.most.into()));
        shown.push(("dropped", sum.dropped.into()));
        let watchers = supervisor.watcher_numbers().into_iter();
        let uses =
            |w: &u32| sockets::used(supervisor.settings(*w), &self.settings).contains(&index);
        let users: Vec<Value> =
            watchers.filter(uses).map(|w| (&*supervisor.settings(w).name).into()).collect();
        shown.push(("watchers", users.into()));
    }

    fn used(&self, settings: &WatcherSettings) -> impl Iterator<Item = &Rc<BoundSocket>> {
        let used = sockets::used(settings, &self.settings).into_iter();
        used.filter_map(|index| self.table[index].socket.as_ref())
    }

    fn socket_for(&mut self, index: usize, most: u32, slot: SlotId) -> io::Result<Rc<BoundSocket>> {
        let bound = &self.table[index];
        match &bound.socket {
            Some(socket) if !bound.settings.so_reuseport => Ok(socket.clone()),
            Some(_) | None => self.seat(index, most, slot),
        }
    }

    /// That of its predecessor, else one that nobody has, else a new one; during a reload, when there
    /// are as many as there should be, that of a process which is about to go.
    fn seat(&mut self, index: usize, most: u32, slot: SlotId) -> io::Result<Rc<BoundSocket>> {
        let bound = &self.table[index];
        let name = &bound.settings.name;
        let is_ours = |seat: &&mut Seat| {
            seat.name == *name && seat.users.iter().all(|user| user.watcher == slot.watcher)
        };
        let mut count = 0;
        let mut best: Option<&mut Seat> = None;
        for seat in self.seats.iter_mut().filter(is_ours) {
            count += 1;
            if seat.users.contains(&slot) {
                return Ok(seat.socket.clone());
            }
            if best.as_ref().is_none_or(|best| seat.users.len() < best.users.len()) {
                best = Some(seat);
            }
        }
        if let Some(seat) = best.filter(|seat| count >= most || seat.users.is_empty()) {
            seat.users.push(slot);
            return Ok(seat.socket.clone());
        }
        let socket = BoundSocket::bind(&bound.settings, bound.port, Purpose::Service)
            .map_err(|obstacle| io::Error::other(reason(&bound.settings, obstacle)))?;
        let socket = Rc::new(socket);
        let name = name.clone();
        self.seats.push(Seat { name, socket: socket.clone(), users: vec![slot] });
        Ok(socket)
    }
}

impl Given {
    /// Who holds them while the process lives.
    pub fn take_held(&mut self) -> Vec<Rc<BoundSocket>> {
        std::mem::take(&mut self.held)
    }
}

impl Bound {
    fn bind(settings: &Rc<SocketSettings>) -> Result<Bound, Obstacle> {
        let purpose = match settings.so_reuseport {
            true => Purpose::Reservation,
            false => Purpose::Service,
        };
        let socket = BoundSocket::bind(settings, None, purpose)?;
        let port = socket.address().map(|address| address.port());
        let host = socket.address().map(|address| address.ip());
        // Whoever is bound gets datagrams, and nobody would read ours.
        let is_kept = !settings.so_reuseport || settings.kind == SocketKind::Stream;
        let socket = is_kept.then(|| Rc::new(socket));
        Ok(Bound { settings: settings.clone(), socket, host, port })
    }

    fn is_of(&self, other: &Bound) -> bool {
        match (&self.socket, &other.socket) {
            (Some(one), Some(other)) => Rc::ptr_eq(one, other),
            (_, _) => false,
        }
    }

    fn adjust(&self, settings: &SocketSettings) -> Result<(), String> {
        let result = self.socket.as_ref().map_or(Ok(()), |socket| socket.adjust(settings));
        result.map_err(|obstacle| format!("{}: {}", subject(settings), reason(settings, obstacle)))
    }

    /// As Circus shows it: an address where a name was written.
    fn shown(&self, fd: u32) -> Vec<(&'static str, Value)> {
        let settings = &self.settings;
        let mut shown: Vec<(&'static str, Value)> = vec![
            ("fd", fd.into()),
            ("name", (&*settings.name).into()),
            ("backlog", settings.backlog.into()),
        ];
        match &settings.place {
            SocketPlace::Unix { path, .. } => shown.push(("path", (&**path).into())),
            SocketPlace::Internet { host, port, .. } => {
                let host = self.host.map_or(host.to_string(), |host| host.to_string());
                shown.push(("host", host.into()));
                shown.push(("port", self.port.unwrap_or(*port).into()));
            }
        }
        shown
    }
}

fn subject(settings: &SocketSettings) -> String {
    let place = match &settings.place {
        SocketPlace::Unix { path, .. } => path.to_string(),
        SocketPlace::Internet { host, port, .. } if host.contains(':') => {
            format!("[{host}]:{port}")
        }
        SocketPlace::Internet { host, port, .. } => format!("{host}:{port}"),
    };
    format!("socket {} ({place})", settings.name)
}

/// The end of a sentence.
fn reason(settings: &SocketSettings, obstacle: Obstacle) -> String {
    match (obstacle, &settings.place) {
        (Obstacle::NoHost, SocketPlace::Internet { host, is_v6, .. }) => no_host(host, *is_v6),
        (obstacle, _) => sentence(obstacle),
    }
}
