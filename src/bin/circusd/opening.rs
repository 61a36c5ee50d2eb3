//! From the settings of endpoints to a control plane: the sockets, and how the gateway is started
//! when somebody connects.

use crate::control::Control;
use crate::endpoints::{self, Problem};
use crate::gateway::Gateway;
use crate::journal::Journal;
use circus::config::settings::{CircusSettings, EndpointSettings, LogLevel};
use circus::sys::fds;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// What to say where it is missing.
pub const NO_CIRCUSCTL: &str =
    "circusctl is neither beside circusd nor in PATH: nobody can operate this";

/// All that is needed to open it.
pub struct Opening {
    /// With the settings of the endpoints.
    circus: CircusSettings,
    config_path: String,
    program: CString,
    null: Option<OwnedFd>,
}

impl Opening {
    /// `None` where there is no circusctl.
    pub fn new(
        circus: &CircusSettings,
        config_path: &str,
        null: Option<&OwnedFd>,
    ) -> Option<Opening> {
        Some(Opening {
            circus: circus.clone(),
            config_path: config_path.to_string(),
            program: circusctl()?,
            null: null.and_then(|null| fds::high(null.as_fd()).ok()),
        })
    }

    /// Somebody has asked for an endpoint: that it can be had is known before anything starts.
    pub fn is_configured(&self) -> bool {
        let EndpointSettings { control, pubsub, .. } = &*self.circus.endpoints;
        control.is_some() || pubsub.is_some()
    }

    /// Open it.
    ///
    /// # Errors
    /// An endpoint cannot be had; the error is a sentence.
    pub fn open(self, surprises: &mut Vec<String>) -> Result<Control, String> {
        let settings = &self.circus.endpoints;
        let runtime_dir = std::env::var("XDG_RUNTIME_DIR").ok();
        let opened = endpoints::open(settings, runtime_dir.as_deref());
        let mut opened = opened.map_err(|problem| match problem {
            Problem::Fatal(reason) | Problem::Unavailable(reason) => reason,
        })?;
        surprises.append(&mut opened.warnings);
        let mut words = vec!["gateway", "--endpoint", &opened.control.text, "--pubsub"];
        words.push(&opened.pubsub.text);
        if let Some(multicast) = settings.multicast.as_ref().filter(|_| opened.discovery.is_some())
        {
            words.extend(["--multicast", &multicast.text]);
        }
        if let Some(curve) = &settings.curve {
            words.extend(["--curve-secret-key", &curve.secret_key]);
            words.extend(["--curve-authorized-keys", &curve.authorized_keys]);
        }
        let words = words
            .into_iter()
            .map(CString::new)
            .collect::<Result<_, _>>()
            .map_err(|_| "an endpoint holds a NUL byte".to_string())?;
        let sockets = [opened.control.listener.as_fd(), opened.pubsub.listener.as_fd()];
        let sockets = sockets.into_iter().chain(opened.discovery.as_ref().map(AsFd::as_fd));
        let listeners = sockets
            .map(fds::high)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("cannot keep the sockets of the endpoints: {error}"))?;
        let gateway = Gateway::new(self.program, words, listeners, self.null);
        Ok(Control::new(gateway, opened, self.config_path, self.circus))
    }

    /// The same where nobody has asked for it: what is in its way is said, and that is all.
    pub fn open_at_last(self, journal: &mut Journal) -> Option<Control> {
        let mut surprises = Vec::new();
        let control = self.open(&mut surprises);
        for text in &surprises {
            journal.say(LogLevel::Warning, text);
        }
        control.map_err(|reason| journal.say(LogLevel::Warning, &reason)).ok()
    }
}

/// Beside our own file, else along PATH.
fn circusctl() -> Option<CString> {
    let beside =
        std::fs::read_link("/proc/self/exe").ok().map(|path| path.with_file_name("circusctl"));
    let path = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let along = std::env::split_paths(&path).map(|directory| directory.join("circusctl"));
    let found: PathBuf = beside.into_iter().chain(along).find(|path| is_program(path))?;
    CString::new(found.into_os_string().into_vec()).ok()
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let metadata = std::fs::metadata(path);
    metadata.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}
