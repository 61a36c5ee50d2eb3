//! Sections `[socket:NAME]`, and which sockets the processes of a watcher get.

use crate::config::expand::{Piece, joined, pieces};
use crate::config::ini::{Document, Entry, Section};
use crate::config::load::Reading;
use crate::config::mistake::{Position, shortened};
use crate::config::options::{self, SOCKET};
use crate::config::settings::{
    Liveness, Probe, Readiness, SocketKind, SocketPlace, SocketSettings, SocketUse, WantedSockets,
    WatcherSettings,
};
use crate::config::watcher::Read;
use crate::config::{endpoint, spelling};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The first descriptor at which a process finds its sockets; the others follow in order.
pub const FIRST_DESCRIPTOR: usize = 3;

/// Which of these sockets a watcher's processes find from `FIRST_DESCRIPTOR` on, by their indexes:
/// those that its command names or `use_sockets` lists; all if that is true and none is named.
pub fn passed(settings: &WatcherSettings, sockets: &[Rc<SocketSettings>]) -> Vec<usize> {
    let none = WantedSockets::Named;
    let wanted = settings.sockets.as_ref().map_or(&none, |it| &it.wanted);
    let mut names = named_in_command(settings);
    if let WantedSockets::These(these) = wanted {
        names.extend(these.iter().map(|name| name.to_string()));
    }
    let all = names.is_empty() && *wanted == WantedSockets::All;
    let is_one = |socket: &SocketSettings| all || names.contains(&*socket.name);
    let indexes = sockets.iter().enumerate();
    indexes.filter(|(_, socket)| is_one(socket)).map(|(index, _)| index).collect()
}

/// Their names.
pub fn passed_names<'a>(
    settings: &WatcherSettings,
    sockets: &'a [Rc<SocketSettings>],
) -> Vec<&'a str> {
    passed(settings, sockets).into_iter().map(|index| &*sockets[index].name).collect()
}

/// The one that is their standard input.
pub fn stdin(settings: &WatcherSettings, sockets: &[Rc<SocketSettings>]) -> Option<usize> {
    let name = settings.sockets.as_ref()?.stdin.as_ref()?;
    sockets.iter().position(|socket| socket.name == *name)
}

/// All of them.
pub fn used(settings: &WatcherSettings, sockets: &[Rc<SocketSettings>]) -> Vec<usize> {
    let mut used = passed(settings, sockets);
    used.extend(stdin(settings, sockets).filter(|index| !used.contains(index)));
    used
}

/// Whether the processes of a watcher get other sockets than before.
pub fn differ(
    (old, old_sockets): (&WatcherSettings, &[Rc<SocketSettings>]),
    (new, new_sockets): (&WatcherSettings, &[Rc<SocketSettings>]),
) -> bool {
    let is_same = |(old, new): (usize, usize)| {
        let (old, new) = (&old_sockets[old], &new_sockets[new]);
        old.name == new.name && old.can_become(new)
    };
    let (passed_before, passed_now) = (passed(old, old_sockets), passed(new, new_sockets));
    let stdin = match (stdin(old, old_sockets), stdin(new, new_sockets)) {
        (Some(old), Some(new)) => is_same((old, new)),
        (old, new) => old.is_none() && new.is_none(),
    };
    !stdin
        || passed_before.len() != passed_now.len()
        || !passed_before.into_iter().zip(passed_now).all(is_same)
}

/// The names after `circus.sockets.`, in lower case.
fn named_in_command(settings: &WatcherSettings) -> BTreeSet<String> {
    let shell_args = settings.shell_args.as_deref().unwrap_or_default();
    let texts = [&*settings.cmd, &*settings.args, shell_args];
    if settings.argv.is_some() || texts.iter().all(|text| !text.contains(['$', '('])) {
        return BTreeSet::new();
    }
    let names = texts.into_iter().flat_map(pieces).filter_map(|piece| match piece {
        Piece::Variable { name, .. } => {
            Some(name.to_lowercase().strip_prefix("sockets.")?.to_owned())
        }
        Piece::Text(_) | Piece::Unclosed(_) => None,
    });
    names.collect()
}

/// Whether a watcher can have the sockets that it asks for; if not, the option and the end of a
/// sentence.
pub fn check(
    settings: &WatcherSettings,
    sockets: &[Rc<SocketSettings>],
) -> Result<(), (&'static str, String)> {
    let unknown = |name: &str| {
        let known = sockets.iter().map(|socket| &*socket.name);
        let question = spelling::question(name, known);
        format!("there is no section [socket:{}]{question}", shortened(name))
    };
    let is_known = |name: &str| sockets.iter().any(|socket| *socket.name == *name);
    if let Some(name) = named_in_command(settings).iter().find(|name| !is_known(name)) {
        return Err(("cmd", unknown(name)));
    }
    let Some(its) = settings.sockets.as_deref() else { return Ok(()) };
    if let WantedSockets::These(these) = &its.wanted
        && let Some(name) = these.iter().find(|name| !is_known(name))
    {
        return Err(("use_sockets", unknown(name)));
    }
    if let Some(name) = its.stdin.as_ref().filter(|name| !is_known(name)) {
        return Err(("stdin_socket", unknown(name)));
    }
    let used = used(settings, sockets);
    if its.on_demand {
        check_demand(settings, its, used.iter().map(|index| &*sockets[*index]))?;
    }
    let has_colon = |index: &&usize| sockets[**index].name.contains(':');
    match used.iter().find(has_colon).filter(|_| its.listen_fds) {
        Some(index) => {
            let name = shortened(&sockets[*index].name);
            Err(("listen_fds", format!("cannot tell of socket {name}: its name has a colon")))
        }
        None => Ok(()),
    }
}

fn check_demand<'a>(
    settings: &WatcherSettings,
    its: &SocketUse,
    mut sockets: impl Iterator<Item = &'a SocketSettings> + Clone,
) -> Result<(), (&'static str, String)> {
    debug_assert!(its.on_demand);
    let wrong = |text: &str| Err(("on_demand", text.to_owned()));
    if settings.oneshot {
        return wrong("and oneshot exclude each other; remove one of the two");
    }
    if sockets.clone().next().is_none() {
        return wrong("needs a socket to wait at; write `use_sockets = True`");
    }
    if sockets.any(|socket| socket.so_reuseport) {
        return wrong(
            "cannot wait at a socket with so_reuseport, of which each process has its own",
        );
    }
    Ok(())
}

/// `True`, `False`, or names between commas.
pub fn wanted(text: &str) -> Result<WantedSockets, String> {
    if let Ok(all) = crate::config::value::flag(text) {
        return Ok(if all { WantedSockets::All } else { WantedSockets::Named });
    }
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let names: Vec<Box<str>> = names.map(|name| name.to_lowercase().into()).collect();
    if names.is_empty() {
        return Err("is neither true nor false, and names no socket".to_owned());
    }
    Ok(WantedSockets::These(names.into()))
}

/// As it is written.
pub fn wanted_shown(wanted: &WantedSockets) -> Value {
    match wanted {
        WantedSockets::Named => false.into(),
        WantedSockets::All => true.into(),
        WantedSockets::These(names) => names.join(", ").into(),
    }
}

/// A socket while its section is being read.
#[derive(Debug)]
pub struct SocketDraft {
    /// `backlog`.
    pub backlog: u32,
    /// `blocking`.
    pub blocking: bool,
    /// `family`.
    pub family: &'static str,
    /// `group`.
    pub group: Box<str>,
    /// `host`.
    pub host: Box<str>,
    /// `interface`.
    pub interface: Option<Box<str>>,
    /// `mode`.
    pub mode: Option<u32>,
    /// `name`.
    pub name: Box<str>,
    /// `owner`.
    pub owner: Box<str>,
    /// `path`.
    pub path: Box<str>,
    /// `port`.
    pub port: u16,
    /// `proto`.
    pub protocol: Option<u8>,
    /// `replace`.
    pub replace: bool,
    /// `so_reuseport`.
    pub so_reuseport: bool,
    /// `type`.
    pub kind: SocketKind,
    /// `umask`.
    pub umask: Option<u32>,
}

impl Default for SocketDraft {
    /// Nothing is said yet; the table of options holds the defaults.
    fn default() -> SocketDraft {
        SocketDraft {
            backlog: 0,
            blocking: false,
            family: "AF_INET",
            group: Box::default(),
            host: Box::default(),
            interface: None,
            mode: None,
            name: Box::default(),
            owner: Box::default(),
            path: Box::default(),
            port: 0,
            protocol: None,
            replace: false,
            so_reuseport: false,
            kind: SocketKind::Stream,
            umask: None,
        }
    }
}

impl SocketDraft {
    fn with_defaults() -> SocketDraft {
        let mut draft = SocketDraft::default();
        for row in SOCKET.iter().filter(|row| !row.default.is_empty()) {
            let result = (row.parse)(&mut draft, row.default);
            debug_assert_eq!(result, Ok(()), "default of {}", row.name);
        }
        draft
    }
}

impl Reading<'_> {
    /// Reads the sockets, sorted by name, and the names of those that are switched off.
    pub fn sockets(
        &mut self,
        document: &Document,
        defaults: &[&Entry],
    ) -> (Vec<Rc<SocketSettings>>, BTreeSet<String>) {
        let known = |entry: &&Entry| options::find(&SOCKET, &entry.key).is_some();
        let defaults: Vec<&Entry> = defaults.iter().copied().filter(known).collect();
        let mut names: BTreeMap<String, &Position> = BTreeMap::new();
        let mut sockets: Vec<Rc<SocketSettings>> = Vec::new();
        let mut switched_off = BTreeSet::new();
        for section in &document.sections {
            let Some(written) = section.header.strip_prefix("socket:") else {
                continue;
            };
            if !self.is_one_more(section, names.len(), SOCKETS_MAX) {
                break;
            }
            if !self.is_enabled(section) {
                switched_off.insert(written.to_lowercase());
                continue;
            }
            let mut draft = SocketDraft::with_defaults();
            for entry in self.with_defaults(section, &defaults) {
                self.row(&SOCKET, "[socket:NAME]", entry, &mut draft);
            }
            let name = if draft.name.is_empty() { written } else { &*draft.name };
            let name = name.trim().to_lowercase();
            let header = format!("[{}]", section.header);
            if name.is_empty() || name.contains(char::is_control) {
                self.mistakes.add(&section.at, &header, "has no name; write [socket:NAME]");
            }
            if let Some(first) = names.insert(name.clone(), &section.at) {
                let text = format!("is there already in {}:{}; rename one", first.file, first.line);
                self.mistakes.add(&section.at, &header, text);
            }
            if let Some(socket) = self.socket(section, name, draft) {
                let other = sockets.iter().find(|other| socket.has_the_place_of(other));
                if let Some(other) = other {
                    let text = format!("is bound to the same place as [socket:{}]", other.name);
                    self.mistakes.add(&section.at, &header, text);
                }
                sockets.push(Rc::new(socket));
            }
        }
        crate::sort::sort_by(&mut sockets, |a, b| a.name.cmp(&b.name));
        (sockets, switched_off)
    }

    fn socket(
        &mut self,
        section: &Section,
        name: String,
        draft: SocketDraft,
    ) -> Option<SocketSettings> {
        let is_unix = !draft.path.is_empty() || draft.family == "AF_UNIX";
        let place = if is_unix {
            self.unix_place(section, &draft)?
        } else {
            for option in ["group", "mode", "owner", "replace", "umask"] {
                if let Some(entry) = section.get(option) {
                    self.warn(entry, "concerns only sockets with a path");
                }
            }
            SocketPlace::Internet {
                is_v6: draft.family == "AF_INET6",
                host: draft.host,
                port: draft.port,
                interface: draft.interface,
            }
        };
        if is_unix && draft.so_reuseport {
            let at = section.get("so_reuseport").map_or(&section.at, |entry| &entry.at);
            self.mistakes.add(at, "so_reuseport", "is not for sockets with a path");
        }
        let SocketDraft { kind, protocol, backlog, blocking, so_reuseport, .. } = draft;
        let name = name.into();
        Some(SocketSettings { name, place, kind, protocol, backlog, blocking, so_reuseport })
    }

    fn unix_place(&mut self, section: &Section, draft: &SocketDraft) -> Option<SocketPlace> {
        let Some(entry) = section.get("path") else {
            let at = section.get("family").map_or(&section.at, |entry| &entry.at);
            let header = format!("[{}]", shortened(&section.header));
            let text = format!("needs a path in {header}; write `path = /PATH`");
            self.mistakes.add(at, "family", text);
            return None;
        };
        let path = joined(&self.source.current_dir(), &draft.path);
        if endpoint::check_path(&path).is_err() {
            let text =
                "names no file that a socket can be: its absolute path has at most 107 bytes";
            self.mistakes.wrong_value(entry, text);
            return None;
        }
        for option in ["host", "interface", "port"] {
            if let Some(entry) = section.get(option) {
                self.warn(entry, "concerns only sockets without a path");
            }
        }
        if let (Some(_), Some(_), Some(entry)) = (draft.mode, draft.umask, section.get("umask")) {
            self.warn(entry, "is ignored, because mode is written");
        }
        let account = |uid: &str, gid: &str| self.users.identity(uid, gid);
        let (owner, group) = (account(&draft.owner, ""), account("", &draft.group));
        let mut numbers = [None, None];
        for (number, (option, account)) in
            numbers.iter_mut().zip([("owner", owner), ("group", group)])
        {
            match (account, section.get(option)) {
                (Ok(identity), _) => {
                    *number =
                        identity.and_then(|it| it.uid.filter(|_| option == "owner").or(it.gid));
                }
                (Err(wrong), Some(entry)) => self.mistakes.wrong_value(entry, &wrong.text),
                (Err(_), None) => {}
            }
        }
        Some(SocketPlace::Unix {
            path: path.into(),
            mode: draft.mode.or(draft.umask.map(|mask| 0o777 & !mask)).unwrap_or(MODE),
            owner: numbers[0],
            group: numbers[1],
            replace: draft.replace,
        })
    }

    /// The kernel accepts for a socket of ours, whether a process serves it or not.
    fn doubt_own_probes(&mut self, read: &Read, sockets: &[Rc<SocketSettings>]) {
        let settings = &read.settings;
        let ready = match &settings.ready {
            Readiness::Probe(probe) => Some(probe),
            Readiness::Started | Readiness::Notify | Readiness::After { .. } => None,
        };
        let check = settings.check.as_ref().and_then(|check| match &check.by {
            Liveness::Probe(probe) => Some(probe),
            Liveness::Watchdog => None,
        });
        for (option, probe) in [("ready", ready), ("check", check)] {
            let is_asked = |socket: &&Rc<SocketSettings>| match (probe, &socket.place) {
                (Some(Probe::Tcp { port, .. }), _) => socket.port() == Some(*port),
                (Some(Probe::Unix(path)), SocketPlace::Unix { path: its, .. }) => path == its,
                (_, _) => false,
            };
            if let Some(socket) = sockets.iter().find(is_asked) {
                let at = read.places.iter().find(|(name, _)| *name == option);
                let text = format!(
                    "asks socket {}, which circusd itself has bound: connections are accepted there whether a \
                     process serves or not; use notify, exec: or http://",
                    socket.name
                );
                self.warnings.add(at.map_or(&read.at, |(_, at)| at), option, &text);
            }
        }
    }

    /// Watchers ask for sockets that there are.
    pub fn check_sockets(
        &mut self,
        watchers: &[Read],
        sockets: &[Rc<SocketSettings>],
        switched_off: &BTreeSet<String>,
    ) {
        for read in watchers {
            if self.mistakes.is_full() {
                return;
            }
            self.doubt_own_probes(read, sockets);
            if let Err((option, reason)) = check(&read.settings, sockets) {
                let entry = read.places.iter().find(|(name, _)| *name == option);
                let at = entry.map_or(&read.at, |(_, at)| at);
                let is_masked = read.settings.masked.iter().any(|masked| **masked == *option);
                let reason =
                    if is_masked { "asks for a socket that is not there" } else { &reason };
                let hint = match switched_off.iter().find(|name| reason.contains(&***name)) {
                    Some(name) => format!(" (socket {name} is switched off)"),
                    None => String::new(),
                };
                self.mistakes.add(at, option, format!("{reason}{hint}"));
            }
        }
    }
}

const SOCKETS_MAX: usize = 1000;

/// Of a unix socket for which neither mode nor umask is written: not for everybody, as Circus has it.
const MODE: u32 = 0o660;
