//! The files that a configuration refers to.

use circus::config::Source;
use circus::config::settings::Variable;
use nix::libc::O_NONBLOCK;
use std::fs::{self, OpenOptions};
use std::io::Read;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::OpenOptionsExt;

/// Nothing that a configuration consists of is larger.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// The real file system.
#[derive(Debug)]
pub struct Files;

impl Source for Files {
    fn read(&self, path: &str) -> Result<Vec<u8>, String> {
        let read = || -> std::io::Result<Vec<u8>> {
            // A pipe or a device could make us wait for ever.
            let file = OpenOptions::new().read(true).custom_flags(O_NONBLOCK).open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(std::io::Error::other("not a regular file"));
            }
            let mut content = Vec::with_capacity(metadata.len().min(FILE_BYTES_MAX) as usize + 1);
            file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
            if content.len() as u64 > FILE_BYTES_MAX {
                return Err(std::io::Error::other("larger than 1 MiB"));
            }
            Ok(content)
        };
        read().map_err(|error| reason(&error))
    }

    fn glob(&self, pattern: &str) -> Vec<String> {
        // Patterns are for names in one directory; its own path is literal.
        let (directory, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
        let directory = if directory.is_empty() { "/" } else { directory };
        let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
        let mut found: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|entry| circus::pattern::matches(name, entry))
            .filter(|entry| !entry.starts_with('.') || name.starts_with('.'))
            .map(|entry| match pattern.contains('/') {
                true => format!("{}/{entry}", directory.trim_end_matches('/')),
                false => entry,
            })
            .collect();
        circus::sort::sort(&mut found);
        found
    }

    fn current_dir(&self) -> String {
        std::env::current_dir()
            .ok()
            .and_then(|path| path.into_os_string().into_string().ok())
            .unwrap_or_else(|| "/".to_string())
    }
}

/// What the system calls an error, without its number.
fn reason(error: &std::io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => circus::sys::error_text(errno).to_string(),
        None => error.to_string(),
    }
}

/// Our own environment, byte-exact.
pub fn environment() -> Vec<Variable> {
    std::env::vars_os()
        .map(|(name, value)| {
            (name.into_vec().into_boxed_slice(), value.into_vec().into_boxed_slice())
        })
        .collect()
}
