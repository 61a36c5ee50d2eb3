//! A watcher while its section is being read: settings, and what is still to become settings.

use crate::config::options::{self, WATCHER};
use crate::config::settings::{
    CheckSettings, EnvironmentSettings, Limit, Liveness, Readiness, Respawn, SocketUse,
    SuccessCode, WatcherSettings,
};
use crate::signal::Signal;
use std::rc::Rc;

/// A watcher while its section is being read.
#[derive(Debug, Clone)]
pub struct Draft {
    /// What becomes of it.
    pub settings: WatcherSettings,
    /// `name`.
    pub name: Box<str>,
    /// `enabled`.
    pub enabled: bool,
    /// `uid`.
    pub uid: Box<str>,
    /// `gid`.
    pub gid: Box<str>,
    /// `copy_env`.
    pub copy_env: bool,
    /// `env_from_files`.
    pub env_from_files: bool,
    /// `env_file`.
    pub env_file: Box<str>,
    /// `virtualenv`.
    pub virtualenv: Box<str>,
    /// `virtualenv_py_ver`.
    pub virtualenv_py_ver: Box<str>,
    /// `respawn`, when it is written.
    pub respawn: Option<Respawn>,
    /// `depends_on`.
    pub depends_on: Box<str>,
    /// What it does with the sockets.
    pub sockets: SocketUse,
    /// `check`.
    pub liveness: Option<Liveness>,
    /// `check_…`, whether there is a check or not.
    pub check: CheckSettings,
}

impl Default for Draft {
    /// Nothing is said yet; the table of options holds the defaults.
    fn default() -> Draft {
        Draft {
            settings: blank(),
            name: Box::default(),
            enabled: true,
            uid: Box::default(),
            gid: Box::default(),
            copy_env: true,
            env_from_files: false,
            env_file: Box::default(),
            virtualenv: Box::default(),
            virtualenv_py_ver: Box::default(),
            respawn: None,
            depends_on: Box::default(),
            sockets: SocketUse::default(),
            liveness: None,
            check: CheckSettings {
                by: Liveness::Watchdog,
                interval_ms: 0,
                timeout_ms: 0,
                retries: 1,
                start_period_ms: 0,
            },
        }
    }
}

impl Draft {
    /// With the defaults of the table of options.
    pub fn with_defaults() -> Draft {
        let mut draft = Draft::default();
        for row in WATCHER.iter().filter(|row| !row.default.is_empty()) {
            let result = (row.parse)(&mut draft, row.default);
            debug_assert_eq!(result, Ok(()), "default of {}", row.name);
        }
        draft.respawn = None;
        draft
    }

    /// The settings changed as if the file that they came from were read again.
    pub fn of(settings: &WatcherSettings) -> Draft {
        let written = settings.respawn != default_respawn(settings.oneshot);
        let mut draft = Draft {
            respawn: written.then_some(settings.respawn),
            copy_env: settings.environment.inherit,
            env_from_files: settings.environment.from_files,
            sockets: settings.sockets.as_deref().cloned().unwrap_or_default(),
            settings: settings.clone(),
            check: Draft::with_defaults().check,
            ..Draft::default()
        };
        // Settings keep only what of these has an effect.
        let hidden = settings.kept.iter();
        for (name, text) in hidden.filter(|(name, _)| PARTIAL_OPTIONS.contains(&&**name)) {
            if let Some(row) = options::find(&WATCHER, name) {
                let result = (row.parse)(&mut draft, text);
                debug_assert_eq!(result, Ok(()), "{name} was taken before");
            }
        }
        draft
    }

    /// The settings: what several options make together is put together.
    pub fn into_settings(self) -> WatcherSettings {
        let respawn = self.respawn();
        let mut settings = self.settings;
        settings.respawn = respawn;
        settings.check = self.liveness.map(|by| Box::new(CheckSettings { by, ..self.check }));
        let uses_some = self.sockets != SocketUse::default();
        settings.sockets = uses_some.then(|| Box::new(self.sockets));
        if settings.oneshot {
            settings.ready = Readiness::Started;
        }
        settings
    }

    /// What is started again.
    pub fn respawn(&self) -> Respawn {
        self.respawn.unwrap_or(default_respawn(self.settings.oneshot))
    }
}

/// They count only together with others.
const PARTIAL_OPTIONS: [&str; 6] =
    ["check", "check_interval", "check_retries", "check_start_period", "check_timeout", "ready"];

fn default_respawn(oneshot: bool) -> Respawn {
    if oneshot { Respawn::Never } else { Respawn::Always }
}

/// Everything off or empty.
fn blank() -> WatcherSettings {
    WatcherSettings {
        name: Box::default(),
        cmd: Box::default(),
        args: Box::default(),
        shell: false,
        shell_args: None,
        executable: None,
        working_dir: None,
        identity: None,
        ignore_user_switch: false,
        environment: Rc::new(EnvironmentSettings {
            inherit: true,
            ..EnvironmentSettings::default()
        }),
        numprocesses: 1,
        warmup_delay_ms: 0,
        depends_on: Box::default(),
        ready: Readiness::Started,
        ready_timeout_ms: 0,
        check: None,
        hooks: Box::default(),
        hook_timeout_ms: 0,
        autostart: true,
        singleton: false,
        priority: 0,
        respawn: Respawn::Always,
        success_codes: Box::new([SuccessCode::Code(0)]),
        max_retry: Limit::Never,
        max_restarts: Limit::Never,
        backoff_ms: 0,
        backoff_max_ms: 0,
        healthy_after_ms: 0,
        max_age_ms: 0,
        max_age_variance_ms: 0,
        stop_signal: Signal::TERM,
        stop_children: false,
        graceful_timeout_ms: 0,
        kill_tree: false,
        send_hup: false,
        essential: false,
        oneshot: false,
        forward_signals: Box::default(),
        rlimits: Box::default(),
        umask: None,
        nice: None,
        oom_score_adj: None,
        no_new_privs: false,
        capabilities: None,
        sockets: None,
        close_child_stdin: false,
        close_child_stdout: false,
        close_child_stderr: false,
        argv: None,
        masked: Box::default(),
        free: Box::default(),
        kept: Box::default(),
    }
}
