//! The sockets of the configuration. They are bound before anything starts and stay so while
//! processes come and go; one that the configuration has given up stays as long as a process that was
//! started with it.

use crate::endpoints::sentence;
use crate::seats::Seats;
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
use std::collections::{BTreeMap, BTreeSet};
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
    /// Those with `so_reuseport`, of which each process has its own.
    seats: Seats,
    /// Of the next one that is bound.
    next_number: u64,
    /// Watchers for which we look who comes to them while they run.
    attended: BTreeSet<u32>,
}

/// A socket of the configuration.
#[derive(Debug, Clone)]
pub struct Bound {
    settings: Rc<SocketSettings>,
    /// Its own as long as it is bound, whatever its name is.
    number: u64,
    /// `None` where even to keep the port would take something away from those who use it.
    socket: Option<Rc<BoundSocket>>,
    /// What its host means.
    host: Option<IpAddr>,
    /// The kernel's choice where the configuration has none.
    port: Option<u16>,
}

/// What a process gets.
#[derive(Debug, Default)]
pub struct Given {
    /// Names of those from the first passed descriptor on.
    pub names: Vec<Box<str>>,
    /// Their descriptors, in that order, open as long as this lives.
    pub passed: Vec<RawFd>,
    /// Its standard input.
    pub stdin: Option<RawFd>,
    held: Vec<Rc<BoundSocket>>,
    /// Copies of those whose number the process is to have for another one.
    moved: Vec<OwnedFd>,
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
            if let Some(other) = table[..at].iter().find(|other| other.is_of(bound)) {
                let name = &other.settings.name;
                return Err(format!(
                    "{}: socket {name} is there already",
                    subject(&bound.settings)
                ));
            }
        }
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
        for bound in &self.table {
            for socket in self.seats.sockets(bound.number) {
                // It is the kernel's own limit that these have, like those of the table.
                let _ = socket.adjust(&bound.settings);
            }
        }
        let table = &self.table;
        self.seats.retain(|number| table.iter().any(|bound| bound.number == number));
        Ok(())
    }

    fn take_or_bind(&mut self, new: &Rc<SocketSettings>) -> Result<Bound, String> {
        let by_name = self.table.iter().find(|old| old.settings.name == new.name);
        // Any free port is another one for each.
        let all = self.table.iter().filter(|_| !new.asks_for_any_port());
        let mut candidates = by_name.into_iter().chain(all);
        if let Some(old) = candidates.find(|old| old.can_become(new)) {
            return Ok(Bound { settings: new.clone(), ..old.clone() });
        }
        // One that was given up, and is still there for processes that were started with it.
        let mut held = self.held.values().flatten();
        let serves = |socket: &&Rc<BoundSocket>| {
            !new.so_reuseport && !new.asks_for_any_port() && socket.can_become(new)
        };
        if let Some(socket) = held.find(|socket| serves(socket) && socket.has_its_file()) {
            let (settings, address) = (new.clone(), socket.address());
            let (host, port) = (address.map(|it| it.ip()), address.map(|it| it.port()));
            self.next_number += 1;
            let number = self.next_number;
            return Ok(Bound { settings, number, socket: Some(socket.clone()), host, port });
        }
        if self.table.iter().any(|old| old.settings.has_the_place_of(new)) {
            return Err(format!(
                "{}: only backlog, blocking, permissions and owner can change while it is in use; \
                 give it another place, or start circusd anew",
                subject(new)
            ));
        }
        self.next_number += 1;
        Bound::bind(new, self.next_number).map_err(|obstacle| {
            let reason = format!("{}: {}", subject(new), reason(new, obstacle));
            let port = new.port();
            match self.table.iter().find(|old| port.is_some() && old.port == port) {
                Some(old) => {
                    format!("{reason}; our own socket {} has that port", old.settings.name)
                }
                None => reason,
            }
        })
    }

    /// What is wrong with the sockets that there are.
    pub fn doubts(&self) -> Vec<String> {
        let lost = self
            .table
            .iter()
            .filter(|bound| bound.socket.as_ref().is_some_and(|socket| !socket.has_its_file()));
        lost.map(|bound| {
            let subject = subject(&bound.settings);
            format!("{subject}: somebody has removed its file, so nobody can connect; give it another path")
        })
        .collect()
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
            // As it was, whatever its former users have made of it.
            let _ = socket.renew(&self.settings[index]);
            if socket.as_fd().as_raw_fd() < lowest {
                given.moved.push(fds::from(socket.as_fd(), lowest)?);
            }
            let moved = given.moved.last().filter(|_| socket.as_fd().as_raw_fd() < lowest);
            given.passed.push(moved.map_or(socket.as_fd().as_raw_fd(), |fd| fd.as_raw_fd()));
            given.names.push(self.settings[index].name.clone());
            given.held.push(socket);
        }
        if let Some(index) = sockets::stdin(settings, &self.settings) {
            let socket = self.socket_for(index, settings.numprocesses, slot)?;
            let _ = socket.renew(&self.settings[index]);
            given.stdin = Some(socket.as_fd().as_raw_fd());
            given.held.push(socket);
        }
        Ok(given)
    }

    /// A process was started with these.
    pub fn hold(&mut self, pid: Pid, given: Given) {
        if !given.held.is_empty() {
            self.held.insert(pid, given.held);
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

    /// Let go of what nobody will read any more.
    pub fn prune(&mut self, supervisor: &Supervisor) {
        if self.seats.is_empty() {
            return;
        }
        let (table, settings) = (&self.table, &self.settings);
        let wanted = |number: u64, watcher: u32| {
            let index = table.iter().position(|bound| bound.number == number);
            let places = supervisor.places(watcher);
            let uses = places > 0
                && index.is_some_and(|index| {
                    sockets::used(supervisor.settings(watcher), settings).contains(&index)
                });
            if uses { places } else { 0 }
        };
        self.seats.prune(|slot| supervisor.is_in_use(slot), wanted);
    }

    /// Wait for whoever comes to a socket of this watcher.
    pub fn poll(&self, settings: &WatcherSettings, set: &mut PollSet) {
        for socket in self.used(settings) {
            set.add(socket.as_fd(), Interest::Read);
        }
    }

    /// Whether somebody has come. What a process has shut down listens again, and is no visit.
    pub fn has_come(&self, settings: &WatcherSettings, set: &PollSet) -> bool {
        self.is_ready(settings, set) && {
            self.renew(settings);
            let mut again = PollSet::default();
            self.poll(settings, &mut again);
            again.wait(Some(circus::sys::clock::now()));
            self.is_ready(settings, &again)
        }
    }

    fn renew(&self, settings: &WatcherSettings) {
        for index in sockets::used(settings, &self.settings) {
            let bound = &self.table[index];
            if let Some(socket) = bound.socket.as_ref().filter(|_| !bound.settings.so_reuseport) {
                // What the kernel refuses shows at the next connection.
                let _ = socket.renew(&bound.settings);
            }
        }
    }

    fn is_ready(&self, settings: &WatcherSettings, set: &PollSet) -> bool {
        self.used(settings).any(|socket| set.is_ready(socket.as_fd().as_raw_fd()))
    }

    /// Look who comes next to a socket of this watcher.
    pub fn attend(&mut self, watcher: u32) {
        self.attended.insert(watcher);
    }

    /// Those for which we look.
    pub fn attended(&self) -> impl Iterator<Item = u32> {
        self.attended.iter().copied()
    }

    /// Nobody wants to know that any more, or it is known.
    pub fn stop_attending(&mut self, watcher: u32) {
        self.attended.remove(&watcher);
    }

    /// Whether somebody is connected to a socket of this watcher, waits to be, or was not long ago. Where
    /// that cannot be known, nobody is cut off for it.
    pub fn are_connected(&self, settings: &WatcherSettings) -> bool {
        let mut set = PollSet::default();
        self.poll(settings, &mut set);
        set.wait(Some(circus::sys::clock::now()));
        let used = sockets::used(settings, &self.settings).into_iter();
        let places: Vec<_> = used
            .map(|index| {
                let bound = &self.table[index];
                let address = bound.socket.as_ref().and_then(|socket| socket.address());
                (&bound.settings.place, address)
            })
            .collect();
        let its = settings.sockets.as_ref();
        let recent_ms = its.and_then(|its| its.idle_timeout_ms).unwrap_or_default();
        self.is_ready(settings, &set) || is_connected(&places, recent_ms).unwrap_or(true)
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
        let mut kinds = SocketKind::ALL.iter();
        let kind = kinds.find(|(_, kind)| *kind == bound.settings.kind).map(|(name, _)| *name);
        shown.push(("type", kind.into()));
        let seats = self.seats.sockets(bound.number);
        let own = bound.socket.iter().filter(|_| !bound.settings.so_reuseport);
        let mut sum = Queue::default();
        for queue in own.chain(seats).map(|socket| socket.queue()) {
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
            Some(_) | None => self
                .seats
                .seat((bound.number, most), slot, (&bound.settings, bound.port))
                .map_err(|obstacle| io::Error::other(reason(&bound.settings, obstacle))),
        }
    }
}

impl Bound {
    fn bind(settings: &Rc<SocketSettings>, number: u64) -> Result<Bound, Obstacle> {
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
        Ok(Bound { settings: settings.clone(), number, socket, host, port })
    }

    /// Both are the same, or it is a reservation for what is the same.
    fn can_become(&self, new: &SocketSettings) -> bool {
        match &self.socket {
            Some(socket) if !self.settings.so_reuseport => socket.can_become(new),
            Some(_) | None => self.settings.can_become(new),
        }
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
