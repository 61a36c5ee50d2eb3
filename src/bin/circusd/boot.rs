//! From the command line to something that can run: the configuration, the log, and a line about
//! everything that will surprise.

use crate::args::Args;
use crate::files::{Files, environment};
use crate::journal::{Journal, Levels, Style};
use crate::keys;
use crate::launcher::{Launcher, NOTIFY_VARIABLES};
use crate::opening::{NO_CIRCUSCTL, Opening};
use crate::pidfile::Pidfile;
use crate::shell::Shell;
use crate::sink::{Sink, Target};
use crate::sockets::Sockets;
use crate::terminal::Terminal;
use circus::config::settings::{Config, Identity, Limit, LogLevel, Variable};
use circus::config::{self, Mistake};
use circus::process::Tag;
use circus::supervisor::{Mode, Supervisor};
use circus::sys::{fds, identity, procfs, signals};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

/// Where a configuration is looked for.
const USUAL_PLACES: [&str; 2] = ["/etc/circus/circus.ini", "./circus.ini"];

/// Read and valid, nothing started yet.
pub struct Boot {
    config_path: Option<String>,
    config: Config,
    mode: Mode,
    environment: Vec<Variable>,
    target: Target,
    level: Levels,
    pidfile: Option<String>,
    find_terminal: bool,
}

impl Boot {
    /// # Errors
    /// The command line or the configuration is wrong; the error is a text.
    pub fn new(args: &Args) -> Result<Boot, String> {
        let environment = environment();
        let path = config_path(args)?;
        let mut config = match &path {
            Some(path) => load(path, &environment).map_err(|all| all + hint(path))?,
            None => Config::default(),
        };
        if !args.command.is_empty() {
            let words: Vec<&[u8]> = args.command.iter().map(|word| word.as_bytes()).collect();
            let mut main = config::main_command(&words);
            main.max_retry = Limit::AtMost(1);
            if config.watchers.iter().any(|watcher| watcher.name == main.name) {
                return Err(format!(
                    "a watcher cannot be named {}: that is the command after --",
                    main.name
                ));
            }
            config.watchers.push(Rc::new(main));
        }
        let mode = match (&path, args.command.is_empty()) {
            (_, true) => Mode::Watchers,
            (Some(_), false) => Mode::Both,
            (None, false) => Mode::MainCommand,
        };
        // Who runs a single command reads its output, not ours.
        let (target, level) = match mode {
            Mode::MainCommand => (Target::Stderr, LogLevel::Warning),
            Mode::Watchers | Mode::Both => (Target::Stdout, LogLevel::Info),
        };
        let target = match args.log_output.as_deref().or(config.circus.logoutput.as_deref()) {
            Some(text) => Target::parse(text)?,
            None => target,
        };
        let mut level = Levels { always: args.log_level, usual: level, now: level };
        level.configure(config.circus.loglevel);
        let pidfile =
            args.pidfile.clone().or_else(|| config.circus.pidfile.as_deref().map(str::to_string));
        let find_terminal = mode != Mode::Watchers && !args.daemon;
        Ok(Boot {
            config_path: path,
            config,
            mode,
            environment,
            target,
            level,
            pidfile,
            find_terminal,
        })
    }

    /// Whether the log can be written where it is to go; for whoever will not see it later.
    ///
    /// # Errors
    /// It cannot; the error is a sentence.
    pub fn check_log(&self) -> Result<(), String> {
        if matches!(self.target, Target::Stdout | Target::Stderr) {
            return Err("a daemon has no standard output: name a --log-output".to_string());
        }
        Sink::open(self.target.clone()).map(drop)
    }

    /// What was meant for us must not make our processes talk in our place. A single command has
    /// our place.
    fn take_notify_socket(&mut self) -> Option<Box<[u8]>> {
        if self.mode == Mode::MainCommand {
            return None;
        }
        let is_ours =
            |(name, _): &Variable| NOTIFY_VARIABLES.iter().any(|it| it.as_bytes() == &**name);
        let ours: Vec<Variable> = self.environment.extract_if(.., |it| is_ours(it)).collect();
        let socket = ours.into_iter().find(|(name, _)| &**name == b"NOTIFY_SOCKET");
        socket.map(|(_, address)| address)
    }

    /// Get hold of what running needs; with it comes what will surprise, a sentence each.
    ///
    /// # Errors
    /// Something that cannot be done without; the error is a sentence.
    pub fn shell(mut self) -> Result<(Shell, Vec<String>, Option<Opening>), String> {
        let above = self.take_notify_socket();
        // One look at ourselves serves for both.
        let status = procfs::own_status();
        signals::reset_dispositions(status.as_ref().map(|status| status.ignored_signals));
        let (null, stdin_was_closed) = fds::settle();
        let signals =
            signals::SignalFd::new().map_err(|error| format!("cannot receive signals: {error}"))?;
        let style = if self.config.circus.log_json { Style::Json } else { Style::Text };
        let journal = Journal::open(self.target, self.level, style)?;
        let capabilities = identity::capabilities();
        let (inherited_tag, can_tag) = identity::tagging();
        let facts = Facts {
            has_proc: status.is_some(),
            may_switch_user: capabilities.switch_user,
            may_signal_others: capabilities.signal_others,
            inherited_tag,
            can_tag,
            adopts: identity::pid().number() == 1 || identity::become_subreaper(),
        };
        let mut surprises = surprises(&self.config, self.mode, &facts);
        let pidfile = match &self.pidfile {
            Some(path) => Pidfile::write(path)?.map_err(|reason| surprises.push(reason)).ok(),
            None => None,
        };
        if let Some(mask) = self.config.circus.umask {
            identity::set_umask(mask);
        }
        let launcher = Launcher {
            environment: self.environment,
            null,
            may_switch_user: facts.may_switch_user,
        };
        let Config { circus, watchers, sockets: socket_settings, .. } = self.config;
        let sockets = Sockets::open(&socket_settings)?;
        let mut opening = match &self.config_path {
            Some(path) => Opening::new(&circus, path, launcher.null.as_ref()),
            // Who runs a single command operates that.
            None => None,
        };
        if opening.is_none() && self.config_path.is_some() {
            surprises.push(NO_CIRCUSCTL.to_string());
        }
        let control = match opening.take_if(|opening| opening.is_configured()) {
            Some(opening) => Some(opening.open(&mut surprises)?),
            None => None,
        };
        let mut supervisor = {
            let seed = identity::seed();
            let instance = facts.inherited_tag.map_or(seed, Tag::instance_inside);
            Supervisor::new(circus, watchers, self.mode, instance, seed)
        };
        supervisor.set_sockets(socket_settings);
        let terminal = match self.find_terminal && !stdin_was_closed {
            true => Terminal::find(self.mode == Mode::MainCommand),
            false => Terminal { in_use: false, may_suspend: false },
        };
        let has_proc = facts.has_proc;
        let mut shell =
            Shell::new(supervisor, journal, signals, launcher, terminal, pidfile, has_proc);
        shell.set_sockets(sockets);
        if let Some(control) = control {
            shell.set_control(control);
        }
        if let Some(address) = above {
            shell.set_above(address);
        }
        Ok((shell, surprises, opening))
    }
}

/// What the kernel lets us do.
struct Facts {
    /// There is a /proc of our own pid namespace.
    has_proc: bool,
    may_switch_user: bool,
    may_signal_others: bool,
    /// We run inside another circusd.
    inherited_tag: Option<Tag>,
    /// Our processes can be marked.
    can_tag: bool,
    /// Orphans among our descendants come to us.
    adopts: bool,
}

/// The configuration once more, while it runs. `main` is the name of the main command.
///
/// # Errors
/// All mistakes, a line each if there are several.
pub fn reread(path: &str, environment: &[Variable], main: Option<&str>) -> Result<Config, String> {
    let config = config::load(path, environment, &Files).map_err(|mistakes| {
        let all: Vec<String> = mistakes.iter().map(Mistake::to_string).collect();
        match &all[..] {
            [mistake] => format!("nothing was changed: {mistake}"),
            all => format!("nothing was changed:\n  {}", all.join("\n  ")),
        }
    })?;
    if config.watchers.iter().any(|watcher| Some(&*watcher.name) == main) {
        return Err("nothing was changed: a watcher cannot be named as the main command".into());
    }
    Ok(config)
}

/// The configuration for a start.
///
/// # Errors
/// All mistakes in it, a line each.
pub fn load(path: &str, environment: &[Variable]) -> Result<Config, String> {
    let config = config::load(path, environment, &Files).map_err(|all| lines(&all))?;
    keys::check(&config.circus.endpoints).map_err(|all| lines(&all))?;
    Ok(config)
}

fn config_path(args: &Args) -> Result<Option<String>, String> {
    if let Some(path) = &args.config {
        let path = path.clone().into_string();
        return path.map(Some).map_err(|path| format!("{path:?}: the path is not UTF-8"));
    }
    if !args.command.is_empty() {
        return Ok(None);
    }
    match find_config() {
        Some(path) => Ok(Some(path)),
        None => Err(format!(
            "no configuration: neither {} nor {} is there; name one, or a command after -- \
             (--help tells more)",
            USUAL_PLACES[0], USUAL_PLACES[1]
        )),
    }
}

/// The first of the usual places that has a configuration.
pub fn find_config() -> Option<String> {
    USUAL_PLACES.iter().find(|path| std::path::Path::new(path).exists()).map(|p| p.to_string())
}

/// Who forgets the `--` has named a command as configuration.
fn hint(path: &str) -> &'static str {
    match path.contains('/') || path.contains('.') || std::path::Path::new(path).exists() {
        true => "",
        false => "\nTo run a command: circusd -- COMMAND",
    }
}

/// All mistakes, a line each.
fn lines(mistakes: &[impl std::fmt::Display]) -> String {
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect();
    let what = if lines.len() == 1 { "a mistake" } else { "mistakes" };
    format!("{what} in the configuration, nothing was started:{}", lines.concat())
}

/// What will surprise, as far as the configuration alone tells.
pub fn config_surprises(config: &Config) -> Vec<String> {
    let mut all = config.warnings.clone();
    if !config.unsupported.is_empty() {
        all.push(format!("not supported yet: {}", config.unsupported.join("; ")));
    }
    all
}

/// What will surprise.
fn surprises(config: &Config, mode: Mode, facts: &Facts) -> Vec<String> {
    let mut all = config_surprises(config);
    if !facts.adopts {
        all.push("not PID 1, and orphans cannot be adopted".to_string());
    }
    if mode == Mode::MainCommand {
        return all;
    }
    let pid = identity::pid();
    if pid.number() != 1 {
        all.push(format!(
            "running as pid {pid}, not as PID 1: only orphans of our own processes are adopted"
        ));
    }
    if !facts.has_proc {
        all.push("no /proc of ours: what a process leaves behind cannot be found".to_string());
    }
    if !facts.may_switch_user {
        let wants = |identity: &Identity| {
            identity.uid.is_some_and(|uid| uid != identity::uid())
                || identity.gid.is_some_and(|gid| gid != identity::gid())
        };
        let names = names_of(config, wants);
        if !names.is_empty() {
            all.push(format!(
                "user {} may not change user, as these ask for: {names}",
                identity::uid()
            ));
        }
    }
    if !facts.can_tag {
        all.push(
            "the hard limit on file locks is not unlimited: what a process leaves behind cannot be \
             found (start the container without --ulimit locks)"
                .to_string(),
        );
    }
    if facts.may_switch_user && !facts.may_signal_others {
        let names =
            names_of(config, |identity| identity.uid.is_some_and(|uid| uid != identity::uid()));
        if !names.is_empty() {
            all.push(format!(
                "processes of other users cannot be stopped without the capability KILL: {names}"
            ));
        }
    }
    if config.watchers.is_empty() {
        all.push("the configuration has no watcher: nothing to run".to_string());
    }
    all
}

/// The watchers whose identity is such.
fn names_of(config: &Config, wanted: impl Fn(&Identity) -> bool) -> String {
    let names: Vec<&str> = config
        .watchers
        .iter()
        .filter(|watcher| watcher.identity.as_deref().is_some_and(&wanted))
        .map(|watcher| &*watcher.name)
        .collect();
    names.join(", ")
}
