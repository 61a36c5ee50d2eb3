//! The file system that an input describes: what comes before the first line `@@@ PATH` is the main
//! file, what follows such a line is the file of that path.

use circus::config::Source;
use circus::config::settings::Variable;
use std::cell::Cell;
use std::collections::BTreeMap;

/// What is in no answer, no mistake and no warning, wherever it was read.
pub const SECRET: &str = "Zx7-never-shown-q9";

/// Where the main file is.
pub const MAIN: &str = "/etc/circus/circus.ini";

const SEPARATOR: &[u8] = b"@@@ ";

/// Files by path.
pub struct Files {
    by_path: BTreeMap<String, Vec<u8>>,
    /// The secret was read as a part of the configuration, of which mistakes show lines.
    pub secret_is_configuration: Cell<bool>,
}

impl Files {
    /// With a few that are always there unless the input has its own.
    pub fn new(data: &[u8]) -> Files {
        let secret = format!("{SECRET}\n").into_bytes();
        let mut files = BTreeMap::from([
            ("/etc/passwd".to_owned(), PASSWD.to_vec()),
            ("/etc/group".to_owned(), GROUP.to_vec()),
            ("/run/secrets/db".to_owned(), secret.clone()),
            ("/etc/circus/secret".to_owned(), secret),
        ]);
        let (mut path, mut start) = (MAIN.to_owned(), 0);
        for at in 0..=data.len() {
            let is_line = at == 0 || data[at - 1] == b'\n';
            let is_end = at == data.len();
            if !is_end && !(is_line && data[at..].starts_with(SEPARATOR)) {
                continue;
            }
            if at >= start {
                files.insert(std::mem::take(&mut path), data[start..at].to_vec());
            }
            if !is_end {
                let named = &data[at + SEPARATOR.len()..];
                let length = named.iter().position(|byte| *byte == b'\n').unwrap_or(named.len());
                path = String::from_utf8_lossy(&named[..length]).into_owned();
                start = (at + SEPARATOR.len() + length + 1).min(data.len());
            }
        }
        Files { by_path: files, secret_is_configuration: Cell::new(false) }
    }
}

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let is_secret = ["/run/secrets/db", "/etc/circus/secret"].contains(&path);
        self.secret_is_configuration.set(self.secret_is_configuration.get() || is_secret);
        self.by_path.get(path).cloned().ok_or_else(|| "No such file or directory".to_owned())
    }

    fn read_secret(&self, path: &str) -> Result<Vec<u8>, String> {
        self.by_path.get(path).cloned().ok_or_else(|| "No such file or directory".to_owned())
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        // As circusd looks: the directory is literal.
        let (directory, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
        let paths = self.by_path.keys().filter(|path| {
            let (there, entry) = path.rsplit_once('/').unwrap_or((".", path));
            there == directory && circus::pattern::matches(name, entry)
        });
        paths.cloned().collect()
    }

    fn current_dir(&self) -> String {
        "/srv".to_owned()
    }
}

/// circusd's own.
pub fn environment() -> Vec<Variable> {
    [
        ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("EMPTY", ""),
        ("NUMBER", "2"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("BOTH", "1"),
        ("both", "2"),
    ]
    .map(|(name, value)| (name.as_bytes().into(), value.as_bytes().into()))
    .into()
}

const PASSWD: &[u8] = b"root:x:0:0:root:/root:/bin/sh\n\
    www-data:x:33:33::/var/www:/bin/false\nnobody:x:65534:65534::/:/bin/false\n";
const GROUP: &[u8] = b"root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nlog:x:4:www-data\n";
