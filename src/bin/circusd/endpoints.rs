//! The endpoints at which clients connect: where they are if nobody says so, and what keeps them from
//! being there. Opened once, before the gateway; `circus::sys::listen` does the work.
//!
//! The default places are private directories, so that a mode alone lets nobody in by mistake.

use circus::config::settings::{EndpointSettings, Host, Place};
use circus::sys::directory::{Directory, FileKind, Lock, Passable};
use circus::sys::listen::{self, Attempt, Listener, Obstacle, Rights};
use circus::sys::{error_text, identity};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

/// What is open. The files of its sockets are removed when it is dropped; a program that ends
/// without that drops it by hand.
#[derive(Debug)]
pub struct Opened {
    /// For commands.
    pub control: Endpoint,
    /// For publications.
    pub pubsub: Endpoint,
    /// Where we can be discovered, if that is wanted and possible.
    pub discovery: Option<OwnedFd>,
    /// What is not as it was wanted, a sentence each.
    pub warnings: Vec<String>,
    // Dropped last, so that the files go while nobody else may make others.
    _locks: Vec<Lock>,
}

/// A listening socket, and what clients call it.
#[derive(Debug)]
pub struct Endpoint {
    /// Listening, not blocking.
    pub listener: Listener,
    /// `ipc:///run/circus/control.sock`.
    pub text: Box<str>,
}

/// Why there are no endpoints; a sentence.
#[derive(Debug, PartialEq, Eq)]
pub enum Problem {
    /// Somebody has asked for an endpoint, and it cannot be had.
    Fatal(String),
    /// Nobody has asked for any, and there is no place for them.
    Unavailable(String),
}

/// Open both endpoints, and the port for discovery. `runtime_dir` is what `XDG_RUNTIME_DIR` says.
///
/// # Errors
/// One of the two cannot be had. Then nothing is open.
pub fn open(settings: &EndpointSettings, runtime_dir: Option<&str>) -> Result<Opened, Problem> {
    open_in(settings, &default_places(runtime_dir))
}

const CONTROL: &str = "control.sock";
const PUBSUB: &str = "pubsub.sock";
/// Of an endpoint's path, for the file that is locked.
const LOCK: &str = ".lock";

/// The first that can be used is taken; clients look in the same order.
fn default_places(runtime_dir: Option<&str>) -> Vec<String> {
    let uid = identity::uid();
    let mut places = vec!["/run/circus".to_string()];
    if let Some(directory) = runtime_dir.filter(|path| path.starts_with('/')) {
        places.push(format!("{}/circus", directory.trim_end_matches('/')));
    }
    places.extend([format!("/tmp/circus-{uid}"), format!("/dev/shm/circus-{uid}")]);
    places
}

fn open_in(settings: &EndpointSettings, places: &[String]) -> Result<Opened, Problem> {
    let mut opening = Opening { rights: rights(settings), locks: Vec::new() };
    let control = settings.control.as_ref().map(|endpoint| opening.configured(endpoint));
    let pubsub = settings.pubsub.as_ref().map(|endpoint| opening.configured(endpoint));
    let (control, pubsub) = match (control.transpose()?, pubsub.transpose()?) {
        (Some(control), Some(pubsub)) => (control, pubsub),
        (None, None) => {
            let both = opening.in_first(places, |opening, directory| {
                Ok((opening.at(directory, CONTROL)?, opening.at(directory, PUBSUB)?))
            });
            both.map_err(|reasons| {
                Problem::Unavailable(format!(
                    "no control endpoint: {reasons} (mount a tmpfs at /run, or set endpoint and \
                     pubsub_endpoint)"
                ))
            })?
        }
        (Some(control), None) => {
            let one = opening.in_first(places, |opening, directory| opening.at(directory, PUBSUB));
            (control, one.map_err(|reasons| lonely("pubsub_endpoint", &reasons))?)
        }
        (None, Some(pubsub)) => {
            let one = opening.in_first(places, |opening, directory| opening.at(directory, CONTROL));
            (one.map_err(|reasons| lonely("endpoint", &reasons))?, pubsub)
        }
    };
    let mut warnings = Vec::new();
    let discovery = settings.multicast.as_ref().and_then(|multicast| {
        let opened = listen::discovery(multicast.group, multicast.port);
        let warn = |obstacle| {
            let reason = sentence(obstacle);
            warnings.push(format!("cannot be discovered at {}: {reason}", multicast.text));
        };
        opened.map_err(warn).ok()
    });
    Ok(Opened { control, pubsub, discovery, warnings, _locks: opening.locks })
}

/// Who configures one endpoint wants both, so this is no trifle.
fn lonely(option: &str, reasons: &str) -> Problem {
    Problem::Fatal(format!("no place for {option}, which is not set: {reasons}"))
}

fn rights(settings: &EndpointSettings) -> Rights {
    let owner = settings.owner.as_ref().map(|owner| (owner.uid, owner.gid));
    Rights { mode: settings.mode, owner }
}

/// Endpoints while they are being opened.
struct Opening {
    rights: Rights,
    locks: Vec<Lock>,
}

impl Opening {
    fn configured(
        &mut self,
        endpoint: &circus::config::settings::Endpoint,
    ) -> Result<Endpoint, Problem> {
        let opened = match &endpoint.place {
            Place::Ipc(path) => self.ipc(path),
            Place::Tcp { host, port } => tcp(&endpoint.text, host, *port),
        };
        opened.map_err(|obstacle| {
            let reason = sentence(obstacle);
            Problem::Fatal(format!("cannot bind the endpoint {}: {reason}", endpoint.text))
        })
    }

    fn ipc(&mut self, path: &str) -> Result<Endpoint, Obstacle> {
        let (directory, name) = Directory::of(path)?;
        self.locks.push(directory.lock(&format!("{name}{LOCK}"))?);
        self.at(&directory, name)
    }

    fn at(&self, directory: &Directory, name: &str) -> Result<Endpoint, Obstacle> {
        let listener = listen::unix(directory, name, &self.rights)?;
        Ok(Endpoint { listener, text: format!("ipc://{}", directory.path(name)).into() })
    }

    /// What is to be opened, in the first place where that is possible. One lock is for all of a place.
    /// The error is why each of them is not.
    fn in_first<T>(
        &mut self,
        places: &[String],
        open: impl Fn(&Opening, &Directory) -> Result<T, Obstacle>,
    ) -> Result<T, String> {
        let mut reasons = Vec::new();
        for path in places {
            let opened = Directory::own(path).and_then(|directory| {
                let lock = directory.lock(&format!("{CONTROL}{LOCK}"))?;
                directory.restrict(self.passable())?;
                Ok((open(self, &directory)?, lock))
            });
            match opened {
                Ok((opened, lock)) => {
                    self.locks.push(lock);
                    return Ok(opened);
                }
                Err(obstacle) => {
                    reasons.push(format!("{path}: {}", sentence(obstacle)));
                    if is_in_use(obstacle) {
                        break;
                    }
                }
            }
        }
        Err(reasons.join("; "))
    }

    /// Who may use the sockets must get to them.
    fn passable(&self) -> Passable {
        let Rights { mode, owner } = self.rights;
        let is_anothers = owner.is_some_and(|(uid, _)| uid != identity::uid());
        match (mode & 0o070 != 0, mode & 0o007 != 0 || is_anothers) {
            (_, true) => Passable::ToAll,
            (true, false) => Passable::ToGroup,
            (false, false) => Passable::No,
        }
    }
}

/// It is the right place, and somebody is there: clients would not look for us in another one.
fn is_in_use(obstacle: Obstacle) -> bool {
    match obstacle {
        Obstacle::Locked(_) | Obstacle::Served | Obstacle::Occupied(_) => true,
        Obstacle::NoDirectory
        | Obstacle::BelongsTo(_)
        | Obstacle::SuspectLock
        | Obstacle::NoPermissions
        | Obstacle::TooLong
        | Obstacle::NoInterface
        | Obstacle::NoAddress
        | Obstacle::NoHost
        | Obstacle::Refused(..) => false,
    }
}

fn tcp(text: &str, host: &Host, port: u16) -> Result<Endpoint, Obstacle> {
    let address = match host {
        Host::Address(address) => SocketAddr::new(*address, port),
        Host::Interface(name) => listen::interface(name, port)?,
    };
    let (listener, bound) = listen::tcp(address)?;
    let text = match text.rsplit_once(':') {
        Some((host, _)) if port == 0 => format!("{host}:{bound}"),
        Some(_) | None => text.to_string(),
    };
    Ok(Endpoint { listener, text: text.into() })
}

/// The end of a sentence that begins with an endpoint or a directory.
pub fn sentence(obstacle: Obstacle) -> String {
    match obstacle {
        Obstacle::Locked(Some(pid)) => format!("another circusd (pid {pid}) serves it"),
        Obstacle::Locked(None) => "another circusd serves it".to_string(),
        Obstacle::Served => "another program serves it".to_string(),
        Obstacle::Occupied(kind) => format!("{} is in the way; remove it", a(kind)),
        Obstacle::NoDirectory => "it is no directory of its own".to_string(),
        Obstacle::BelongsTo(uid) => format!("it belongs to user {uid}"),
        Obstacle::SuspectLock => "its lock is no plain file of ours; remove it".to_string(),
        Obstacle::NoPermissions => "its file system keeps no permissions".to_string(),
        Obstacle::TooLong => "the path is too long for a socket".to_string(),
        Obstacle::NoInterface => "there is no such network interface".to_string(),
        Obstacle::NoHost => "its host has no address".to_string(),
        Obstacle::NoAddress => "the network interface is down, or has no address".to_string(),
        Obstacle::Refused(attempt, errno) => {
            let reason = error_text(errno);
            match attempt {
                Attempt::MakeDirectory | Attempt::Bind => reason.to_string(),
                Attempt::OpenDirectory => format!("its directory: {reason}"),
                Attempt::Tighten => format!("others cannot be kept out of it: {reason}"),
                Attempt::Lock => format!("its lock: {reason}"),
                Attempt::Ask => format!("the socket that is there: {reason}"),
                Attempt::Remove => format!("the old socket cannot be removed: {reason}"),
                Attempt::Own => format!("it cannot be given to its owner: {reason}"),
                Attempt::Interface => format!("its network interface: {reason}"),
                Attempt::Join => format!("the group cannot be joined: {reason}"),
            }
        }
    }
}

fn a(kind: FileKind) -> &'static str {
    match kind {
        FileKind::Regular => "a file",
        FileKind::Directory => "a directory",
        FileKind::Link => "a link",
        FileKind::Socket => "a socket of another user",
        FileKind::Other => "a pipe or a device",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use circus::config::endpoint::parse;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixStream;

    struct Folder(String);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                format!("{}/circus-{name}-{}", std::env::temp_dir().display(), std::process::id());
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("a folder");
            Folder(path)
        }

        fn place(&self, name: &str) -> String {
            format!("{}/{name}", self.0)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn at(control: Option<&str>, pubsub: Option<&str>) -> EndpointSettings {
        let endpoint = |text: &str| parse(text).expect("an endpoint");
        EndpointSettings {
            control: control.map(endpoint),
            pubsub: pubsub.map(endpoint),
            ..EndpointSettings::default()
        }
    }

    fn mode(path: &str) -> u32 {
        fs::symlink_metadata(path).expect("there").permissions().mode() & 0o7777
    }

    #[test]
    fn the_first_usable_place_is_taken_and_left_without_sockets() {
        let folder = Folder::new("first");
        let (link, one, two) = (folder.place("link"), folder.place("one"), folder.place("two"));
        fs::create_dir(&two).expect("a folder");
        symlink(&two, &link).expect("a link");
        let places = [folder.place("absent/circus"), link, one.clone(), two.clone()];
        let opened = open_in(&at(None, None), &places).expect("the third can be used");
        assert_eq!(*opened.control.text, format!("ipc://{one}/control.sock"));
        assert_eq!(*opened.pubsub.text, format!("ipc://{one}/pubsub.sock"));
        assert_eq!((mode(&one), mode(&format!("{one}/control.sock"))), (0o700, 0o600));
        UnixStream::connect(format!("{one}/pubsub.sock")).expect("somebody listens");
        drop(opened);
        let left: Vec<_> = fs::read_dir(&one).expect("it stays").flatten().collect();
        assert_eq!(left.len(), 1, "only the lock stays: {left:?}");
        assert!(fs::read_dir(&two).expect("a folder").next().is_none());
    }

    #[test]
    fn a_second_circusd_is_told_of_the_first_and_goes_nowhere_else() {
        let folder = Folder::new("second");
        let places = [folder.place("one"), folder.place("two")];
        let first = open_in(&at(None, None), &places).expect("free");
        let problem = open_in(&at(None, None), &places).expect_err("taken");
        let expected = format!("one: another circusd (pid {}) serves it", std::process::id());
        match problem {
            Problem::Unavailable(text) => assert!(text.contains(&expected), "{text}"),
            Problem::Fatal(text) => panic!("nobody has asked for it: {text}"),
        }
        assert!(!fs::exists(&places[1]).expect("the folder is readable"));
        drop(first);
        open_in(&at(None, None), &places).expect("free again");
    }

    #[test]
    fn without_any_place_every_reason_is_told() {
        let folder = Folder::new("none");
        fs::write(folder.place("file"), "").expect("a file");
        let places = [folder.place("file"), folder.place("absent/circus")];
        let expected = format!(
            "no control endpoint: {}: it is no directory of its own; {}: No such file or directory \
             (mount a tmpfs at /run, or set endpoint and pubsub_endpoint)",
            places[0], places[1]
        );
        let problem = open_in(&at(None, None), &places).expect_err("no place");
        assert_eq!(problem, Problem::Unavailable(expected));
        // Who has asked for one gets both or hears why not.
        let problem = open_in(&at(Some("tcp://127.0.0.1:1"), None), &places);
        assert!(matches!(problem, Err(Problem::Fatal(_))), "{problem:?}");
    }

    #[test]
    fn a_configured_endpoint_that_cannot_be_had_is_fatal_and_named() {
        let folder = Folder::new("fatal");
        let (file, other) =
            (format!("ipc://{}", folder.place("x")), format!("ipc://{}", folder.place("y")));
        fs::write(folder.place("x"), "precious").expect("a file");
        let problem = open_in(&at(Some(&other), Some(&file)), &[]).expect_err("a file is there");
        let expected = format!("cannot bind the endpoint {file}: a file is in the way; remove it");
        assert_eq!(problem, Problem::Fatal(expected));
        assert_eq!(fs::read(folder.place("x")).expect("still there"), b"precious");
        assert!(!fs::exists(folder.place("y")).expect("readable"), "nothing is left half open");

        let other = at(Some("tcp://nosuchif0:5555"), Some(&other));
        let problem = open_in(&other, &[]).expect_err("no interface");
        let expected =
            "cannot bind the endpoint tcp://nosuchif0:5555: there is no such network interface";
        assert_eq!(problem, Problem::Fatal(expected.to_string()));
    }

    #[test]
    fn ports_that_the_kernel_chooses_are_told_and_taken_ones_named() {
        let (host, any) = (Host::Address([127, 0, 0, 1].into()), "tcp://127.0.0.1:0");
        let endpoint = tcp(any, &host, 0).expect("a free port");
        let port: u16 = endpoint
            .text
            .strip_prefix("tcp://127.0.0.1:")
            .and_then(|p| p.parse().ok())
            .expect("a port");
        std::net::TcpStream::connect(("127.0.0.1", port)).expect("somebody listens");
        let settings = at(Some(&endpoint.text), Some("tcp://127.0.0.1:1"));
        let problem = open_in(&settings, &[]).expect_err("taken");
        let expected =
            format!("cannot bind the endpoint {}: Address already in use", endpoint.text);
        assert_eq!(problem, Problem::Fatal(expected));
    }

    #[test]
    fn whoever_may_use_the_sockets_gets_through_the_directory() {
        let others = identity::uid() + 1;
        for (mode, owner, passable) in [
            (0o600, None, Passable::No),
            (0o600, Some((identity::uid(), None)), Passable::No),
            (0o660, None, Passable::ToGroup),
            (0o606, None, Passable::ToAll),
            (0o666, None, Passable::ToAll),
            (0o600, Some((others, None)), Passable::ToAll),
        ] {
            let opening = Opening { rights: Rights { mode, owner }, locks: Vec::new() };
            assert_eq!(opening.passable(), passable, "{mode:o} {owner:?}");
        }
    }
}
