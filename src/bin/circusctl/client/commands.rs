//! The one table of commands: syntax, help, example, which words and options there are, how the
//! request is made and how the reply is printed. Parsing, help and completion read it.

pub use super::globals::GLOBAL;

use super::row::{Deed, Flag, Group, Noun, Row, switch};
use super::{print, request};

const WAITING: Flag = switch("waiting", "answer when the work is done, not when it has begun");
const MATCH: Flag = Flag {
    name: "match",
    short: None,
    value: Some("METHOD"),
    help: "how NAME is compared: glob (default), regex or simple",
};

/// The row of a name.
pub fn find(name: &str) -> Option<&'static Row> {
    COMMANDS.iter().find(|row| row.name == name)
}

/// All of them, sorted by name.
pub static COMMANDS: &[Row] = &[
    Row {
        name: "add",
        group: Group::Configuration,
        syntax: "NAME CMD… [--start] [--waiting]",
        summary: "add a watcher",
        text: "It is stopped unless --start is given, and gone after a restart of circusd.\n\
               Options of circusctl stand before CMD; what follows CMD belongs to it, but for\n\
               --start and --waiting unless `--` stands before CMD. The process gets the words as\n\
               they are, blanks and quotes included; one word alone is a command line, which is\n\
               split: add tail 'tail -f /var/log/app.log'.",
        example: ("circusctl add --start tick sh -c 'while sleep 1; do date; done'", "a clock"),
        words: (2, usize::MAX),
        flags: &[switch("start", "start it at once"), WAITING],
        nouns: &[Noun::Anything, Noun::CommandLine],
        deed: Deed::Ask { properties: request::add, print: print::done },
    },
    Row {
        name: "completion",
        group: Group::Other,
        syntax: "bash|zsh|fish | --line LINE",
        summary: "print a completion script for your shell",
        text: "bash: source it in ~/.bashrc. zsh: save it as _circusctl in a directory of $fpath.\n\
               fish: save it as ~/.config/fish/completions/circusctl.fish.",
        example: ("source <(circusctl completion bash)", "complete commands and watchers"),
        words: (0, 1),
        flags: &[Flag {
            name: "line",
            short: None,
            value: Some("LINE"),
            help: "what may stand at the end of LINE: the scripts ask for it",
        }],
        nouns: &[Noun::Shell],
        deed: Deed::Completion,
    },
    Row {
        name: "decr",
        group: Group::Processes,
        syntax: "NAME [N] [--waiting]",
        summary: "stop one process of a watcher, or N",
        text: "",
        example: ("circusctl decr web 2", "two processes fewer"),
        words: (1, 2),
        flags: &[WAITING],
        nouns: &[Noun::Watcher, Noun::Anything],
        deed: Deed::Ask { properties: request::number, print: print::number },
    },
    Row {
        name: "dstats",
        group: Group::Look,
        syntax: "",
        summary: "memory and CPU of circusd itself",
        text: "",
        example: ("circusctl dstats", "what circusd costs"),
        words: (0, 0),
        flags: &[],
        nouns: &[],
        deed: Deed::Ask { properties: request::none, print: print::dstats },
    },
    Row {
        name: "get",
        group: Group::Configuration,
        syntax: "NAME OPTION…",
        summary: "print options of a watcher",
        text: "",
        example: ("circusctl get web numprocesses cmd", "print two options"),
        words: (2, usize::MAX),
        flags: &[],
        nouns: &[Noun::Watcher, Noun::WatcherOption],
        deed: Deed::Ask { properties: request::get, print: print::options },
    },
    Row {
        name: "globaloptions",
        group: Group::Configuration,
        syntax: "[OPTION]",
        summary: "print options of circusd, such as its endpoints",
        text: "",
        example: ("circusctl globaloptions pubsub_endpoint", "where the publications are"),
        words: (0, 1),
        flags: &[],
        nouns: &[Noun::GlobalOption],
        deed: Deed::Ask { properties: request::option, print: print::options },
    },
    Row {
        name: "health",
        group: Group::Look,
        syntax: "[NAME…] [--wait [SECONDS]] [-q]",
        summary: "exit with 0 only if every watcher is as it should be",
        text: "A stopped watcher that was to start, too few processes, a failed one-shot or one that\n\
               was given up are not healthy; nor is what is still starting. What somebody stopped, and\n\
               a one-shot that has completed, is as it should be. Prints a line for each that is not,\n\
               with the reason; --json prints all, with healthy for each, and for all together.\n\
               Exit codes: 0 healthy, 1 not healthy, no such watcher, or circusd does not answer.",
        example: ("HEALTHCHECK CMD [\"/circusctl\", \"health\", \"-q\"]", "in a Dockerfile"),
        words: (0, usize::MAX),
        flags: &[
            Flag {
                name: "wait",
                short: None,
                value: Some("[SECONDS]"),
                help: "wait until all is well, but no longer than this (60 unless given), and not for\n\
                       what was given up or waits for that; circusd too may come later",
            },
            Flag { name: "quiet", short: Some('q'), value: None, help: "print nothing" },
        ],
        nouns: &[Noun::Watcher],
        deed: Deed::Health,
    },
    Row {
        name: "help",
        group: Group::Other,
        syntax: "[COMMAND]",
        summary: "print the help, or that of a command",
        text: "",
        example: ("circusctl help reload", "how to reload"),
        words: (0, 1),
        flags: &[],
        nouns: &[Noun::Command],
        deed: Deed::Help,
    },
    Row {
        name: "incr",
        group: Group::Processes,
        syntax: "NAME [N] [--waiting]",
        summary: "start one more process of a watcher, or N",
        text: "With --waiting the new number of processes is printed.",
        example: ("circusctl incr web 2 --waiting", "two processes more"),
        words: (1, 2),
        flags: &[WAITING],
        nouns: &[Noun::Watcher, Noun::Anything],
        deed: Deed::Ask { properties: request::number, print: print::number },
    },
    Row {
        name: "keygen",
        group: Group::Other,
        syntax: "[--output NAME|DIRECTORY]",
        summary: "make a pair of CURVE keys for a tcp endpoint",
        text: "Writes NAME.key (public) and NAME.key_secret (mode 0600; keep it), NAME is circus\n\
               unless given. Files that are there are never overwritten. Asks no circusd.\n\
               circusd and each client need a pair, and the other's public key: circusd has\n\
               curve_secret_key = server.key_secret and, in the file curve_authorized_keys, the\n\
               public keys of its clients, one a line; a client has --curve-key client.key_secret\n\
               and --curve-server-key server.key.",
        example: ("circusctl keygen --output /etc/circus/server", "server.key, server.key_secret"),
        words: (0, 0),
        flags: &[Flag {
            name: "output",
            short: None,
            value: Some("NAME"),
            help: "name of the files without its end, or a directory for them",
        }],
        nouns: &[],
        deed: Deed::Keygen,
    },
    Row {
        name: "kill",
        group: Group::Processes,
        syntax: "NAME [PID] [--signum SIGNAL] [--graceful_timeout SECONDS] [--waiting]",
        summary: "end processes of a watcher; they are started again",
        text: "The stop signal first, SIGKILL for those that outlast the grace.",
        example: ("circusctl kill web 4711 --signum INT --graceful_timeout 2", "one process"),
        words: (1, 2),
        flags: &[
            Flag {
                name: "signum",
                short: None,
                value: Some("SIGNAL"),
                help: "in place of the watcher's stop_signal: a name or a number",
            },
            Flag {
                name: "graceful_timeout",
                short: None,
                value: Some("SECONDS"),
                help: "in place of the watcher's graceful_timeout",
            },
            WAITING,
        ],
        nouns: &[Noun::Watcher, Noun::Anything],
        deed: Deed::Ask { properties: request::kill, print: print::done },
    },
    Row {
        name: "list",
        group: Group::Look,
        syntax: "[NAME]",
        summary: "names of the watchers, or pids of one, with commas between",
        text: "",
        example: ("circusctl list web", "pids of web"),
        words: (0, 1),
        flags: &[],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::name, print: print::list },
    },
    Row {
        name: "listen",
        group: Group::Look,
        syntax: "[TOPIC…] [--pubsub ENDPOINT] [--raw]",
        summary: "print what happens, as it happens, until Ctrl-C",
        text: "A line for each publication; with --json an object with topic and payload a line.\n\
               TOPIC is the name of a watcher, or the beginning of a topic, such as watcher. or\n\
               watcher.web.reap; all unless given. circusd says where it publishes; where its\n\
               control endpoint cannot be reached, --pubsub (or --endpoint, as for Circus) names\n\
               that endpoint.",
        example: ("circusctl listen web", "all that happens to web"),
        words: (0, usize::MAX),
        flags: &[
            Flag {
                name: "pubsub",
                short: None,
                value: Some("ENDPOINT"),
                help: "where circusd publishes; asked for unless given",
            },
            switch("raw", "print topic and payload as Circus's circusctl does"),
        ],
        nouns: &[Noun::Topic],
        deed: Deed::Listen,
    },
    Row {
        name: "listsockets",
        group: Group::Look,
        syntax: "",
        summary: "sockets that circusd holds open for watchers",
        text: "",
        example: ("circusctl listsockets", "descriptor, name and address of each"),
        words: (0, 0),
        flags: &[],
        nouns: &[],
        deed: Deed::Ask { properties: request::none, print: print::sockets },
    },
    Row {
        name: "numprocesses",
        group: Group::Look,
        syntax: "[NAME]",
        summary: "how many processes there are",
        text: "",
        example: ("circusctl numprocesses web", "processes of web"),
        words: (0, 1),
        flags: &[],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::name, print: print::numprocesses },
    },
    Row {
        name: "numwatchers",
        group: Group::Look,
        syntax: "",
        summary: "how many watchers there are",
        text: "",
        example: ("circusctl numwatchers", "a number"),
        words: (0, 0),
        flags: &[],
        nouns: &[],
        deed: Deed::Ask { properties: request::none, print: print::numwatchers },
    },
    Row {
        name: "options",
        group: Group::Configuration,
        syntax: "NAME",
        summary: "print all options of a watcher",
        text: "",
        example: ("circusctl options web", "one option a line"),
        words: (1, 1),
        flags: &[],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::name, print: print::options },
    },
    Row {
        name: "quit",
        group: Group::Processes,
        syntax: "[--waiting] [--yes]",
        summary: "stop all watchers in order, then circusd itself",
        text: "Where circusd is the first process of a container, the container ends with it.\n\
               In the interactive shell it must be `quit --yes`; `exit` or Ctrl-D leave the shell.",
        example: ("circusctl quit", "stop everything"),
        words: (0, 0),
        flags: &[WAITING, switch("yes", "it is meant, in the interactive shell too")],
        nouns: &[],
        deed: Deed::Ask { properties: request::waiting, print: print::done },
    },
    Row {
        name: "reload",
        group: Group::Processes,
        syntax: "[NAME] [--sequential | --terminate] [--waiting]",
        summary: "replace the processes of a watcher by new ones, or of all",
        text: "New processes are started, then the old ones stopped; watchers with send_hup get\n\
               SIGHUP and keep their processes. --sequential and --terminate exclude each other.",
        example: ("circusctl reload web --sequential --waiting", "one process after the other"),
        words: (0, 1),
        flags: &[
            switch("sequential", "one process after the other"),
            switch("terminate", "stop the old processes first"),
            WAITING,
        ],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::reload, print: print::done },
    },
    Row {
        name: "reloadconfig",
        group: Group::Configuration,
        syntax: "[--dry-run] [--waiting]",
        summary: "read the configuration again and change what has changed in it",
        text: "A file with mistakes changes nothing; each mistake is told on a line of its own.\n\
               What will surprise is told as `warning: …`.",
        example: ("circusctl reloadconfig --dry-run", "say what would change"),
        words: (0, 0),
        flags: &[switch("dry-run", "only say what would change"), WAITING],
        nouns: &[],
        deed: Deed::ReloadConfig,
    },
    Row {
        name: "restart",
        group: Group::Processes,
        syntax: "[NAME] [--match METHOD] [--with-dependants] [--waiting]",
        summary: "stop and start watchers; of all, with the configuration read again",
        text: "Watchers that are named or matched are started even if autostart is False.\n\
               With --with-dependants what runs and needs NAME is stopped before it, and started\n\
               after it; else it goes on.",
        example: ("circusctl restart 'web*' --waiting", "all that begin so"),
        words: (0, 1),
        flags: &[WAITING, MATCH, switch("with-dependants", "and all that run and depend on it")],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::select, print: print::done },
    },
    Row {
        name: "rm",
        group: Group::Configuration,
        syntax: "NAME [--nostop] [--waiting]",
        summary: "stop a watcher and forget it, until circusd starts again",
        text: "",
        example: ("circusctl rm tail --waiting", "answers when its processes are gone"),
        words: (1, 1),
        flags: &[switch("nostop", "leave its processes alone"), WAITING],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::rm, print: print::done },
    },
    Row {
        name: "set",
        group: Group::Configuration,
        syntax: "NAME OPTION VALUE [OPTION VALUE]… [--waiting]",
        summary: "change options of a watcher, until circusd starts again",
        text: "env is NAME=value,NAME=value, or JSON where a value contains a comma.\n\
               docs/watchers.md says what changing each option does.",
        example: ("circusctl set web numprocesses 4 env LOG=debug,WORKERS=2", "three at once"),
        words: (3, usize::MAX),
        flags: &[WAITING],
        nouns: &[Noun::Watcher, Noun::OptionPairs],
        deed: Deed::Ask { properties: request::set, print: print::done },
    },
    Row {
        name: "signal",
        group: Group::Processes,
        syntax: "NAME [PID] SIGNAL [--children | --recursive]",
        summary: "send a signal to the processes of a watcher, or to one of them",
        text: "SIGNAL is a name or a number: HUP, SIGHUP, 1, RTMIN+2.",
        example: ("circusctl signal web USR1", "to all its processes"),
        words: (2, 3),
        flags: &[
            switch("children", "to the direct children in place of the process"),
            switch("recursive", "to the process and all that come from it"),
        ],
        nouns: &[Noun::Watcher, Noun::Signal],
        deed: Deed::Ask { properties: request::signal, print: print::done },
    },
    Row {
        name: "sockets",
        group: Group::Look,
        syntax: "",
        summary: "where circusd listens for watchers, who waits there, and who serves",
        text: "BACKLOG is as configured; WAITING are connections that nobody has accepted yet, of as\n\
               many as the kernel lets wait; DROPPED is what found no room; `-` is not told.",
        example: ("circusctl sockets", "see whether the workers keep up"),
        words: (0, 0),
        flags: &[],
        nouns: &[],
        deed: Deed::Sockets,
    },
    Row {
        name: "start",
        group: Group::Processes,
        syntax: "[NAME] [--match METHOD] [--with-dependants] [--waiting]",
        summary: "start watchers; all that start with circusd unless named",
        text: "Without NAME those with autostart = False are left alone, and one-shots that have\n\
               completed; watchers that are named or matched are started whatever autostart says.\n\
               With --with-dependants what needs NAME and was stopped is started after it.",
        example: ("circusctl start web --waiting", "answers when it runs"),
        words: (0, 1),
        flags: &[WAITING, MATCH, switch("with-dependants", "then all that depend on it")],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::select, print: print::done },
    },
    Row {
        name: "stats",
        group: Group::Look,
        syntax: "[NAME [PID]] [--extended]",
        summary: "memory and CPU of processes",
        text: "A line: pid  command user nice RSS VMS CPU% memory% CPU-time; children are indented.",
        example: ("circusctl stats web", "all processes of web"),
        words: (0, 2),
        flags: &[switch("extended", "with what the hook extended_stats adds")],
        nouns: &[Noun::Watcher, Noun::Anything],
        deed: Deed::Ask { properties: request::stats, print: print::stats },
    },
    Row {
        name: "status",
        group: Group::Look,
        syntax: "[NAME] [--detail | --plain]",
        summary: "what runs, since when, how often it was restarted, why it died last",
        text: "On a terminal, or with --detail, a table. In a pipe a line `Name: state` for each\n\
               watcher, as Circus prints it, with the reason where one is not as it should be; or the\n\
               state of NAME, with the reason on standard error. With --plain there are no reasons.",
        example: ("circusctl status", "see everything"),
        words: (0, 1),
        flags: &[
            switch("detail", "the table, in a pipe too; with --json all details"),
            switch("plain", "the state only, on a terminal too"),
        ],
        nouns: &[Noun::Watcher],
        deed: Deed::Status,
    },
    Row {
        name: "stop",
        group: Group::Processes,
        syntax: "[NAME] [--match METHOD] [--with-dependants] [--waiting]",
        summary: "stop watchers; all unless named",
        text: "With --with-dependants what needs NAME is stopped too, and before it; else it goes on.\n\
               circusd goes on, and `start` starts them again. With exit_when_done = True it ends\n\
               when nothing is left to run, so also after a stop of the last.",
        example: ("circusctl --timeout 60 stop db --waiting", "answers when it is gone"),
        words: (0, 1),
        flags: &[WAITING, MATCH, switch("with-dependants", "first all that depend on it")],
        nouns: &[Noun::Watcher],
        deed: Deed::Ask { properties: request::select, print: print::done },
    },
    Row {
        name: "tree",
        group: Group::Look,
        syntax: "",
        summary: "what each watcher waits for before it starts, and how that is",
        text: "The first lines are the watchers that nobody waits for; below each stands what it\n\
               waits for. NAME:started needs no more than a start; otherwise it must be ready, or\n\
               completed if it is a one-shot. What stands there twice is drawn once in full.",
        example: ("circusctl tree", "see why web does not start"),
        words: (0, 0),
        flags: &[],
        nouns: &[],
        deed: Deed::Tree,
    },
];
