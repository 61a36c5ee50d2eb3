//! Where circusd is: what was given, or the first `control.sock` in the directories where circusd
//! puts it. A directory that another user may have made in a place where everybody can make one is
//! never used: whoever answers there could be anybody.

use super::failure::Failure;
use circus::sys::identity;
use std::fs;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the socket in those directories.
const SOCKET: &str = "control.sock";

/// What the environment and the system say.
#[derive(Debug)]
pub struct Places {
    /// `CIRCUSCTL_ENDPOINT`.
    pub given: Option<String>,
    /// Where circusd may put its sockets, in the order it tries them.
    directories: Vec<Directory>,
    /// Our effective user id.
    uid: u32,
}

/// A directory that may hold the sockets.
#[derive(Debug)]
struct Directory {
    path: PathBuf,
    /// Where everybody can make one, it must belong to one of these, or to root.
    owners: [u32; 2],
}

/// What was found in a directory.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    Socket,
    Nothing,
    /// It is there, and the kernel does not let us look into it; its owner.
    Denied(u32),
    /// It is there, and is not to be trusted.
    Suspect(String),
}

impl Places {
    /// Ask the environment and the system.
    pub fn ask() -> Places {
        let word = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let uid = identity::uid();
        // Whoever runs PID 1 rules the container: its circusd is the one that is meant.
        let first = first_process_uid().unwrap_or(uid);
        // A /run that is mounted as tmpfs is open to everybody as often as not.
        let mut directories = vec![Directory { path: "/run/circus".into(), owners: [uid, first] }];
        if let Some(runtime) = word("XDG_RUNTIME_DIR").filter(|path| path.starts_with('/')) {
            let path = Path::new(&runtime).join("circus");
            directories.push(Directory { path, owners: [uid, first] });
        }
        let users = if first == uid { vec![uid] } else { vec![uid, first] };
        for user in &users {
            for parent in ["/tmp", "/dev/shm"] {
                let path = PathBuf::from(format!("{parent}/circus-{user}"));
                directories.push(Directory { path, owners: [*user, *user] });
            }
        }
        Places { given: word("CIRCUSCTL_ENDPOINT"), directories, uid }
    }

    /// The endpoint of the first that is there.
    pub fn find(&self) -> Result<String, Failure> {
        let mut denied = None;
        let mut looked = Vec::new();
        for directory in &self.directories {
            let path = directory.path.join(SOCKET);
            match directory.look() {
                Found::Socket => return Ok(format!("ipc://{}", path.display())),
                Found::Nothing => looked.push(format!("  {}", path.display())),
                Found::Suspect(why) => looked.push(format!("  {}: {why}", path.display())),
                Found::Denied(owner) => {
                    denied = denied.or(Some((directory.path.clone(), owner)));
                }
            }
        }
        match denied {
            Some((path, owner)) => Err(Failure::Trouble(permission_denied(&path, owner, self.uid))),
            None => Err(Failure::Trouble(nothing(&looked, listens(CIRCUS)))),
        }
    }
}

/// What is said where no socket is. `circus`: somebody listens where Circus does by default.
fn nothing(looked: &[String], circus: bool) -> String {
    let mut text = format!(
        "no control socket was found. There is none of\n{}\nIs circusd running, with an \
         endpoint?\nIf it is elsewhere, name it by --endpoint or CIRCUSCTL_ENDPOINT",
        looked.join("\n")
    );
    if circus {
        text.push_str(&format!(
            "\nSomebody listens at tcp://{CIRCUS}: if that is it, --endpoint tcp://{CIRCUS}"
        ));
    }
    text
}

/// Where Circus has its control endpoint, and files written for it may still have it.
const CIRCUS: &str = "127.0.0.1:5555";

fn listens(address: &str) -> bool {
    let patience = Duration::from_millis(200);
    address.parse().is_ok_and(|at| TcpStream::connect_timeout(&at, patience).is_ok())
}

impl Directory {
    fn look(&self) -> Found {
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(_) => return Found::Nothing,
        };
        let parent = self.path.parent().and_then(|parent| fs::metadata(parent).ok());
        if parent.is_none_or(|parent| parent.mode() & WRITABLE_BY_ALL != 0) {
            if !metadata.is_dir() {
                return Found::Suspect("not used: its directory is none, or a link".to_string());
            }
            if metadata.uid() != 0 && !self.owners.contains(&metadata.uid()) {
                let why = format!("not used: its directory belongs to user {}", metadata.uid());
                return Found::Suspect(why);
            }
        }
        match fs::symlink_metadata(self.path.join(SOCKET)) {
            Ok(_) => Found::Socket,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                Found::Denied(metadata.uid())
            }
            Err(_) => Found::Nothing,
        }
    }
}

const WRITABLE_BY_ALL: u32 = 0o002;

/// What to do where the kernel says no.
pub fn permission_denied(path: &Path, owner: u32, uid: u32) -> String {
    format!(
        "permission denied: {} belongs to user {owner}, and we are user {uid}\n\
         Run as that user (docker exec -u {owner} …) or as root, or set endpoint_mode in the \
         configuration",
        path.display()
    )
}

/// Whose PID 1 is.
fn first_process_uid() -> Option<u32> {
    let status = fs::read_to_string("/proc/1/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, of files.
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The path of an ipc endpoint; none for names that are no files.
pub fn path(endpoint: &str) -> Option<&Path> {
    endpoint.strip_prefix("ipc://").filter(|path| !path.starts_with('@')).map(Path::new)
}

/// `HOST:PORT` of a tcp endpoint.
pub fn address(endpoint: &str) -> Option<&str> {
    endpoint.strip_prefix("tcp://")
}

/// The endpoint as a client can use it, where circusd has bound it to all addresses.
pub fn reachable(endpoint: &str, control: &str) -> String {
    let any = ["0.0.0.0:", "*:", "[::]:"];
    let port = address(endpoint).and_then(|to| any.iter().find_map(|any| to.strip_prefix(any)));
    let host = match address(control).and_then(|address| address.rsplit_once(':')) {
        Some((host, _)) => host,
        None => "127.0.0.1",
    };
    port.map_or(endpoint.to_string(), |port| format!("tcp://{host}:{port}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path =
                std::env::temp_dir().join(format!("circus-endpoint-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&path);
            fs::create_dir(&path).expect("a folder");
            Folder(path)
        }

        /// A directory with a socket, or what looks like one.
        fn with_socket(&self, name: &str) -> PathBuf {
            let path = self.0.join(name);
            fs::create_dir(&path).expect("a folder");
            fs::write(path.join(SOCKET), "").expect("a file");
            path
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn find(places: &[PathBuf], owner: u32) -> Result<String, String> {
        let directory = |path: &PathBuf| Directory { path: path.clone(), owners: [owner; 2] };
        let directories = places.iter().map(directory).collect();
        let places = Places { given: None, directories, uid: identity::uid() };
        places.find().map_err(|failure| failure.message().expect("a message"))
    }

    #[test]
    fn the_first_directory_with_a_socket_is_taken() {
        let folder = Folder::new("first");
        let empty = folder.0.join("empty");
        fs::create_dir(&empty).expect("a folder");
        let (one, two) = (folder.with_socket("one"), folder.with_socket("two"));
        let places = [folder.0.join("absent"), empty, one.clone(), two];
        assert_eq!(find(&places, 0), Ok(format!("ipc://{}/control.sock", one.display())));
    }

    #[test]
    fn links_and_directories_of_others_are_not_used_where_everybody_can_make_them() {
        let folder = Folder::new("suspect");
        let target = folder.with_socket("target");
        let link = folder.0.join("link");
        symlink(&target, &link).expect("a link");
        assert!(find(std::slice::from_ref(&link), identity::uid()).is_ok());

        fs::set_permissions(&folder.0, Permissions::from_mode(0o1777)).expect("ours");
        let error = find(&[link], identity::uid()).expect_err("a link");
        assert!(error.contains("or a link"), "{error}");
        assert!(find(std::slice::from_ref(&target), identity::uid()).is_ok());
        if identity::uid() == 0 {
            chown(&target, Some(12_345), None).expect("we are root");
            let error = find(std::slice::from_ref(&target), 33).expect_err("of another");
            assert!(error.contains("belongs to user 12345"), "{error}");
            assert!(find(&[target], 12_345).is_ok());
        }
    }

    #[test]
    fn without_any_the_places_are_named() {
        let error = find(&["/nowhere/circus".into()], 0).expect_err("none");
        assert!(error.contains("/nowhere/circus/control.sock"), "{error}");
        assert!(error.contains("\nIs circusd running"), "{error}");
        assert!(!nothing(&[], false).contains("tcp://"));
        assert!(nothing(&[], true).ends_with("--endpoint tcp://127.0.0.1:5555"));
    }

    #[test]
    fn endpoints_bound_to_all_addresses_are_reached_where_the_control_endpoint_is() {
        for (endpoint, control, expected) in [
            ("tcp://0.0.0.0:5556", "tcp://10.0.0.7:5555", "tcp://10.0.0.7:5556"),
            ("tcp://*:5556", "ipc:///run/circus/control.sock", "tcp://127.0.0.1:5556"),
            ("tcp://[::]:5556", "tcp://[fe80::1]:5555", "tcp://[fe80::1]:5556"),
            ("tcp://10.1.1.1:5556", "tcp://10.0.0.7:5555", "tcp://10.1.1.1:5556"),
            ("ipc:///run/circus/pubsub.sock", "ipc:///x", "ipc:///run/circus/pubsub.sock"),
        ] {
            assert_eq!(reachable(endpoint, control), expected);
        }
    }
}
