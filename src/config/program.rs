//! What to execute for one process of a watcher: words, files to try, environment, directory.
//! Pure: nothing is looked up, so a missing file is found out by the one who executes.

use crate::config::expand::{Piece, VALUE_BYTES_MAX, pieces};
use crate::config::options::{self, WATCHER};
use crate::config::settings::{Variable, WatcherSettings};
use crate::config::sockets::FIRST_DESCRIPTOR;
use crate::config::{kernel, python, words};
use std::cell::OnceCell;
use std::collections::BTreeMap;

/// What to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Words of the command line; the first is the name that the process sees.
    pub argv: Vec<Vec<u8>>,
    /// Paths to try in this order: the word itself if it has a slash, else along the `PATH` of the
    /// process's own environment. They are meant relative to `working_dir`.
    pub candidates: Vec<Vec<u8>>,
    /// Environment, sorted by name.
    pub environment: Vec<Variable>,
    /// Directory to change to first.
    pub working_dir: Option<Vec<u8>>,
}

/// Works out what to execute for the process `wid`; `inherited` is circusd's own environment, and
/// `sockets` are the names of those that it finds from `sockets::FIRST_DESCRIPTOR` on.
pub fn program(
    settings: &WatcherSettings,
    wid: u32,
    inherited: &[Variable],
    sockets: &[&str],
) -> Result<Program, String> {
    let environment = environment(settings, inherited);
    let argv = match &settings.argv {
        Some(words) => words.iter().map(|word| word.to_vec()).collect(),
        None => {
            let process = Process { settings, wid: Some(wid), environment: &environment, sockets };
            argv(&process)?
        }
    };
    put_together(argv, settings.executable.as_deref(), environment, settings)
}

/// The same for a command beside the process, a probe or a hook: it runs in the process's environment
/// and directory. Of a hook that is called for no process there is no `wid`.
pub fn beside(
    text: &str,
    settings: &WatcherSettings,
    wid: Option<u32>,
    inherited: &[Variable],
) -> Result<Program, String> {
    let environment = environment(settings, inherited);
    let process = Process { settings, wid, environment: &environment, sockets: &[] };
    let argv = expand(text, &process)?;
    let argv = words::split(&argv).map_err(|reason| reason.to_string())?;
    put_together(argv, None, environment, settings)
}

fn put_together(
    argv: Vec<Vec<u8>>,
    executable: Option<&str>,
    environment: Environment<'_>,
    settings: &WatcherSettings,
) -> Result<Program, String> {
    let file = match (executable, argv.first()) {
        (Some(executable), Some(_)) => executable.as_bytes(),
        (None, Some(word)) => word,
        (_, None) => return Err("the command is empty".to_owned()),
    };
    Ok(Program {
        candidates: candidates(file, environment.get(&b"PATH"[..]).copied()),
        working_dir: settings.working_dir.as_ref().map(|path| path.as_bytes().to_vec()),
        environment: environment
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        argv,
    })
}

/// What cannot be made words of, or names no program: option, and the end of a sentence.
pub fn wrong_words(settings: &WatcherSettings) -> Vec<(&'static str, String)> {
    let shell_args = settings.shell_args.as_deref().unwrap_or_default();
    let mut wrong = Vec::new();
    for (option, text) in
        [("cmd", &*settings.cmd), ("args", &*settings.args), ("shell_args", shell_args)]
    {
        if settings.shell && option != "shell_args" {
            continue;
        }
        match words::split(text.as_bytes()) {
            Err(reason) => wrong.push((option, reason.to_string())),
            Ok(words) if option == "cmd" && words.first().is_none_or(Vec::is_empty) => {
                wrong.push((option, "names no program".to_owned()));
            }
            Ok(_) => {}
        }
    }
    wrong
}

/// A name after `circus.` that is replaced when a process starts; in lower case.
pub fn is_spawn_variable(name: &str) -> bool {
    let of = |prefix| name.strip_prefix(prefix).is_some_and(|rest: &str| !rest.is_empty());
    name == "wid" || of("sockets.") || of("rlimits.") || VALUES.contains(&name)
}

/// All of them that have fixed names.
pub fn spawn_variables() -> impl Iterator<Item = &'static str> {
    std::iter::once("wid").chain(VALUES)
}

type Environment<'a> = BTreeMap<&'a [u8], &'a [u8]>;

fn environment<'a>(settings: &'a WatcherSettings, inherited: &'a [Variable]) -> Environment<'a> {
    let mut environment = Environment::new();
    if settings.environment.inherit {
        for (name, value) in inherited {
            // The first of two equal names is the one that getenv(3) finds.
            environment.entry(name).or_insert(value);
        }
    }
    environment.extend(settings.environment.set.iter().map(|(name, value)| (&**name, &**value)));
    environment
}

/// What is known of a process before it starts.
#[derive(Clone, Copy)]
struct Process<'a> {
    settings: &'a WatcherSettings,
    wid: Option<u32>,
    environment: &'a Environment<'a>,
    sockets: &'a [&'a str],
}

fn argv(process: &Process<'_>) -> Result<Vec<Vec<u8>>, String> {
    let settings = process.settings;
    let expanded = |option: &str, text: &str| {
        expand(text, process).map_err(|reason| format!("{option} {reason}"))
    };
    let split = |option: &str, text: &[u8]| {
        words::split(text).map_err(|reason| format!("{option} {reason}"))
    };
    let (cmd, args) = (expanded("cmd", &settings.cmd)?, expanded("args", &settings.args)?);
    if !settings.shell {
        let mut argv = split("cmd", &cmd)?;
        argv.extend(split("args", &args)?);
        return Ok(argv);
    }
    let mut script = cmd;
    if !args.is_empty() {
        script.push(b' ');
        script.extend(args);
    }
    if script.trim_ascii().is_empty() {
        return Err("the command is empty".to_owned());
    }
    let mut argv = vec![b"/bin/sh".to_vec(), b"-c".to_vec(), script];
    if let Some(more) = &settings.shell_args {
        argv.extend(split("shell_args", &expanded("shell_args", more)?)?);
    }
    Ok(argv)
}

/// Replaces what is known now; everything else stays as written.
fn expand(text: &str, process: &Process<'_>) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len());
    let folded = Folded { environment: process.environment, names: OnceCell::new() };
    for piece in pieces(text) {
        // The kernel takes no words as long as this.
        if out.len() > VALUE_BYTES_MAX {
            return Err("is longer than 1 MiB with its variables replaced".to_owned());
        }
        match piece {
            Piece::Text(text) | Piece::Unclosed(text) => out.extend_from_slice(text.as_bytes()),
            Piece::Variable { written, name } => match value(name, process, &folded) {
                Some(value) => out.extend(value),
                None => out.extend_from_slice(written.as_bytes()),
            },
        }
    }
    Ok(out)
}

fn value(name: &str, process: &Process<'_>, environment: &Folded<'_>) -> Option<Vec<u8>> {
    let settings = process.settings;
    let folded = name.to_ascii_lowercase();
    if folded == "wid" {
        return process.wid.map(|wid| wid.to_string().into_bytes());
    }
    if folded.starts_with("env.") {
        return environment.variable(&name.as_bytes()[4..]).map(<[u8]>::to_vec);
    }
    if let Some(socket) = name.to_lowercase().strip_prefix("sockets.") {
        let index = process.sockets.iter().position(|known| *known == socket)?;
        return Some((FIRST_DESCRIPTOR + index).to_string().into_bytes());
    }
    if let Some(resource) = folded.strip_prefix("rlimits.") {
        let number = kernel::resource(resource)?;
        let limit = settings.rlimits.iter().find(|limit| limit.resource == number)?;
        return Some(limit.value.map_or("-1".to_owned(), |value| value.to_string()).into_bytes());
    }
    let name = VALUES.iter().find(|known| **known == folded)?;
    let value = options::find(&WATCHER, name)?.value(settings);
    // Circus shows where it is itself; a dot means the same to the process.
    if *name == "working_dir" && value.is_null() {
        return Some(b".".to_vec());
    }
    Some(python::text(&value).into_bytes())
}

/// The environment by names in lower case too, which are put together when one is asked for.
struct Folded<'a> {
    environment: &'a Environment<'a>,
    names: OnceCell<BTreeMap<Vec<u8>, &'a [u8]>>,
}

impl<'a> Folded<'a> {
    /// The variable of exactly this name, else of this name in another case, as Circus has it.
    fn variable(&self, name: &[u8]) -> Option<&'a [u8]> {
        let environment = self.environment;
        let folded = || {
            // The first of several wins.
            let all = environment.iter().rev();
            all.map(|(name, value)| (name.to_ascii_lowercase(), *value)).collect()
        };
        environment
            .get(name)
            .or_else(|| self.names.get_or_init(folded).get(&name.to_ascii_lowercase()))
            .copied()
    }
}

/// An empty element of `PATH` is the current directory, as in execvp(3).
fn candidates(file: &[u8], path: Option<&[u8]>) -> Vec<Vec<u8>> {
    if file.contains(&b'/') || file.is_empty() {
        return vec![file.to_vec()];
    }
    let directories = path.unwrap_or(b"/bin:/usr/bin").split(|byte| *byte == b':');
    directories
        .map(|directory| match directory {
            b"" => file.to_vec(),
            directory => [directory, b"/", file].concat(),
        })
        .collect()
}

/// Options whose values can be used in a command.
const VALUES: [&str; 25] = [
    "args",
    "autostart",
    "close_child_stderr",
    "close_child_stdin",
    "close_child_stdout",
    "cmd",
    "copy_env",
    "executable",
    "gid",
    "graceful_timeout",
    "max_age",
    "max_age_variance",
    "max_retry",
    "name",
    "numprocesses",
    "priority",
    "respawn",
    "shell",
    "shell_args",
    "singleton",
    "stop_children",
    "stop_signal",
    "uid",
    "warmup_delay",
    "working_dir",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::{load_text, variables};

    fn run(options: &str, environment: &[(&str, &str)]) -> Result<Program, String> {
        let inherited = variables(environment);
        let config = load_text(&format!("[watcher:web]\n{options}"), environment).expect("valid");
        program(&config.watchers[0], 7, &inherited, &["ctl", "web"])
    }

    fn argv(options: &str) -> Vec<String> {
        let program = run(options, &[("HOME", "/h"), ("PATH", "/a::/b")]).expect("runs");
        program.argv.into_iter().map(|word| String::from_utf8(word).expect("text")).collect()
    }

    #[test]
    fn words_come_from_cmd_and_then_args() {
        assert_eq!(
            argv("cmd = probe plain \"b c\"\nargs = x 'd e'\n  line2\n"),
            ["probe", "plain", "b c", "x", "d e", "line2"]
        );
    }

    #[test]
    fn variables_of_the_process_are_replaced_at_its_start() {
        let options = "cmd = run $(circus.wid) ((CIRCUS.WID)) $(circus.name) $(circus.numprocesses) $(circus.sockets.web) \
             $(circus.rlimits.nofile) $(circus.uid) $(circus.shell) $(circus.env.home)\nrlimit_nofile = 5\n[socket:web]\n";
        let expected = ["run", "7", "7", "web", "1", "4", "5", "None", "False", "/h"];
        assert_eq!(argv(options), expected);
    }

    #[test]
    fn a_shell_gets_the_command_as_it_is_written() {
        assert_eq!(
            argv(
                "cmd = echo \"$HOME\" && it's > x\nargs = y  z\nshell = True\nshell_args = zero 'o ne'\n"
            ),
            ["/bin/sh", "-c", "echo \"$HOME\" && it's > x y  z", "zero", "o ne"]
        );
    }

    #[test]
    fn the_file_is_looked_up_along_the_path_of_the_process() {
        let paths = |options: &str, environment: &[(&str, &str)]| {
            let program = run(options, environment).expect("runs");
            program
                .candidates
                .into_iter()
                .map(|path| String::from_utf8(path).expect("text"))
                .collect::<Vec<_>>()
        };
        assert_eq!(paths("cmd = x\n", &[("PATH", "/a::/b")]), ["/a/x", "x", "/b/x"]);
        assert_eq!(paths("cmd = x\n", &[]), ["/bin/x", "/usr/bin/x"]);
        assert_eq!(paths("cmd = ./x\n", &[("PATH", "/a")]), ["./x"]);
        assert_eq!(paths("cmd = x\nexecutable = /bin/sh\n", &[("PATH", "/a")]), ["/bin/sh"]);
        assert_eq!(paths("cmd = x\n[env]\nPATH = /only\n", &[("PATH", "/a")]), ["/only/x"]);
    }

    #[test]
    fn probes_and_hooks_run_where_the_process_does() {
        let text = "[watcher:web]\ncmd = x\nshell = True\nexecutable = /bin/x\nworking_dir = /w\n[env]\nPATH = /only\n";
        let config = load_text(text, &[]).expect("loads");
        let program = |text, wid| beside(text, &config.watchers[0], wid, &[]);
        let hook = program("hook 'a b' $(circus.wid) $(circus.name)", Some(7)).expect("runs");
        assert_eq!(hook.argv, [&b"hook"[..], b"a b", b"7", b"web"]);
        assert_eq!(hook.candidates, [b"/only/hook"]);
        assert_eq!(hook.working_dir.as_deref(), Some(&b"/w"[..]));
        assert_eq!(hook.environment.len(), 1);
        assert_eq!(program("x $(circus.wid)", None).expect("runs").argv[1], b"$(circus.wid)");
        assert!(program("x 'y", None).is_err() && program("", None).is_err());
    }

    #[test]
    fn a_main_command_is_used_as_it_is() {
        let words = [&b"/bin/echo"[..], b"$(circus.wid)", b"\xff"];
        let program = program(&crate::config::main_command(&words), 1, &[], &[]).expect("runs");
        assert_eq!(program.argv, [&b"/bin/echo"[..], b"$(circus.wid)", b"\xff"]);
    }
}
