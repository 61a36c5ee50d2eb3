//! The file with our process id.

use circus::sys::identity;
use std::fs;

/// Removed again when dropped.
#[derive(Debug)]
pub struct Pidfile {
    path: String,
}

impl Pidfile {
    /// Write it.
    ///
    /// # Errors
    /// Another circusd is running, by what the file says. That it cannot be written is none.
    pub fn write(path: &str) -> Result<Result<Pidfile, String>, String> {
        let us = identity::pid();
        if let Some(pid) = running(path)
            && pid != us.number()
            // A file left over in a container's layer names a process of its former life.
            && us.number() != 1
        {
            return Err(format!("circusd runs already with pid {pid}, says {path}"));
        }
        Ok(match fs::write(path, format!("{us}\n")) {
            Ok(()) => Ok(Pidfile { path: path.to_string() }),
            Err(error) => Err(format!("no pidfile: cannot write {path}: {error}")),
        })
    }
}

/// The circusd that the file names, if it is alive and one.
fn running(path: &str) -> Option<i32> {
    let pid: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    (name.trim_end() == "circusd").then_some(pid)
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
